"""One hypercore folder, written by JavaScript and by us in turns.

The yardstick is a second folder that JavaScript alone writes, with the same keys and batches: every
file must have the same bytes after each turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import files

from .js_peer import JsPeer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAIR = KeyPair.from_seed(b"\x07" * 32)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


async def ours(folder: Path, batches: Sequence[Sequence[bytes]], *, known: bool = True) -> None:
    storage = files(folder)("relaxed")
    log = Log.open(storage, key_pair=None if known else PAIR)
    for batch in batches:
        log.append(batch)
    await storage.close()


async def theirs(js: JsPeer, folder: Path, batches: Sequence[Sequence[bytes]]) -> None:
    await js.call(
        "open",
        feed="f",
        folder=str(folder),
        key=PAIR.public_key.hex(),
        options={"secretKey": PAIR.secret_key.hex()},
    )
    for batch in batches:
        await js.append("f", batch)
    await js.call("close", feed="f")


def blocks(start: int, count: int, size: int = 0) -> list[bytes]:
    return [b"block-%d" % i + b"." * size for i in range(start, start + count)]


TURNS: list[list[list[bytes]]] = [
    [[b"first"]],
    [[b"a", b"", b"c" * 1000], [b"d"]],
    [[b""], [b""]],
    [blocks(7, 100)],
    [blocks(107, 1, 70_000), blocks(108, 3)],
    [blocks(111, 8081), blocks(8192, 1), blocks(8193, 9000)],
    [[b"last"]],
]


@pytest.mark.parametrize("we_begin", [False, True])
async def test_turns_leave_the_bytes_that_javascript_leaves(tmp_path: Path, we_begin: bool) -> None:
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    async with JsPeer("hypercore") as js:
        for number, batches in enumerate(TURNS):
            if we_begin == (number % 2 == 0):
                await ours(shared, batches, known=number > 0)
            else:
                await theirs(js, shared, batches)
            await theirs(js, alone, batches)
            assert contents(shared) == contents(alone), f"turn {number}"
        length = sum(len(batch) for batches in TURNS for batch in batches)
        info = await js.call("open", feed="f", folder=str(shared))
        assert (info["length"], info["downloaded"]) == (length, length)
        assert await js.call("audit", feed="f") == {"valid": length, "invalid": 0}
        for index in (0, 5, 110, 8191, 8192, length - 1):
            assert (await js.call("verify", feed="f", index=index))["valid"]


async def test_we_read_all_that_javascript_wrote(tmp_path: Path) -> None:
    values = [value for batches in TURNS for batch in batches for value in batch]
    async with JsPeer("hypercore") as js:
        for batches in TURNS:
            await theirs(js, tmp_path, batches)
        roots = await js.call("open", feed="f", folder=str(tmp_path))
        assert roots["length"] == len(values)
        await js.call("close", feed="f")
    storage = files(tmp_path)("full")
    log = Log.open(storage)
    assert log.writable
    assert (log.length, log.byte_length) == (len(values), sum(map(len, values)))
    assert [log.get(i) for i in range(len(values))] == values
    assert log.audit().invalid == 0
    await storage.close()


async def test_reopening_without_an_append_changes_nothing(tmp_path: Path) -> None:
    async with JsPeer("hypercore") as js:
        await theirs(js, tmp_path, TURNS[3])
    before = contents(tmp_path)
    await ours(tmp_path, [])
    assert contents(tmp_path) == before


async def test_javascript_sees_a_clear_of_ours(tmp_path: Path) -> None:
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    async with JsPeer("hypercore") as js:
        for folder in (shared, alone):
            await theirs(js, folder, [blocks(0, 50)])
        storage = files(shared)("relaxed")
        log = Log.open(storage)
        log.clear(10, 20)
        log.clear(45, 50)
        await storage.close()
        await js.call("open", feed="f", folder=str(alone))
        await js.call("clear", feed="f", start=10, end=20)
        await js.call("clear", feed="f", start=45, end=50)
        await js.call("close", feed="f")
        assert contents(shared) == contents(alone)
        info = await js.call("open", feed="f", folder=str(shared))
        assert (info["length"], info["downloaded"]) == (50, 35)
        assert await js.call("has", feed="f", start=9, end=11) == [True, False]
        assert await js.call("audit", feed="f") == {"valid": 35, "invalid": 0}


async def test_we_see_a_clear_of_javascript(tmp_path: Path) -> None:
    async with JsPeer("hypercore") as js:
        await theirs(js, tmp_path, [blocks(0, 50)])
        await js.call("open", feed="f", folder=str(tmp_path))
        await js.call("clear", feed="f", start=10, end=20)
        await js.call("close", feed="f")
    storage = files(tmp_path)("relaxed")
    log = Log.open(storage)
    assert log.length == 50
    assert [i for i in range(50) if not log.has(i)] == list(range(10, 20))
    log.append([b"more"])
    assert log.get(50) == b"more"
    await storage.close()
