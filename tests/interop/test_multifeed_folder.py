"""One multifeed folder (and one corestore folder) used by JavaScript and by us in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import HypermultifeedError
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed

from .js_peer import JsPeer
from .wire import wire

if TYPE_CHECKING:
    from pathlib import Path

ROOT = bytes(range(32))
MASTER_KEY = b"\x42" * 32
PAIR = KeyPair.from_seed(b"\x09" * 32)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def prepared(folder: Path) -> Path:
    """Make a folder whose keys are known beforehand."""
    folder.mkdir()
    (folder / "master_key").write_bytes(MASTER_KEY)
    return folder


async def js_multifeed_turn(js: JsPeer, folder: Path, turn: dict[str, list[Any]]) -> None:
    await js.call("open", folder=str(folder), rootKey=ROOT.hex(), valueEncoding="json")
    for name, values in turn.items():
        writer = await js.call("writer", name=name)
        await js.call("append", feed=writer["key"], values=values)
    await js.call("close")


async def our_multifeed_turn(folder: Path, turn: dict[str, list[Any]]) -> None:
    async with Multifeed(folder, key=ROOT, value_encoding="json") as multi:
        for name, values in turn.items():
            await (await multi.writer(name)).extend(values)


MULTIFEED_TURNS: list[dict[str, list[Any]]] = [
    {"one": [1, {"a": [None, True]}]},
    {"one": ["Grüße"], "two": [2.5]},
    {"three": list(range(200)), "two": [{"n": 1e21}]},
    {"one": ["end"], "four": [[]]},
]


@pytest.mark.parametrize("we_begin", [False, True])
async def test_multifeed_turns_leave_the_bytes_of_javascript(
    tmp_path: Path, we_begin: bool
) -> None:
    shared, alone = prepared(tmp_path / "shared"), prepared(tmp_path / "alone")
    for number, turn in enumerate(MULTIFEED_TURNS):
        # A process a turn: JavaScript's multifeed does not give its files back on close.
        if we_begin == (number % 2 == 0):
            await our_multifeed_turn(shared, turn)
        else:
            async with JsPeer("multifeed") as js:
                await js_multifeed_turn(js, shared, turn)
        async with JsPeer("multifeed") as js:
            await js_multifeed_turn(js, alone, turn)
        assert contents(shared) == contents(alone), f"turn {number}"


async def test_fetched_feeds_are_found_by_the_other_side(tmp_path: Path) -> None:
    """We fetch JavaScript's feed into a folder; JavaScript opens that folder, and back."""
    folder = prepared(tmp_path / "db")
    async with JsPeer("multifeed") as source:
        await source.call("open", rootKey=ROOT.hex(), valueEncoding="json")
        remote = await source.call("writer", name="w")
        await source.call("append", feed=remote["key"], values=["a", "b"])
        async with (
            Multifeed(folder, key=ROOT, value_encoding="json") as multi,
            wire(source, multi.replicate),
        ):
            await (await multi.writer("mine")).append("c")
            with multi.events() as added:
                while multi.feed(remote["key"]) is None:
                    await anext(added)
            feed = multi.feed(remote["key"])
            assert feed is not None
            assert [await feed.get(i) for i in range(2)] == ["a", "b"]
        async with JsPeer("multifeed") as js:
            await js.call("open", folder=str(folder), rootKey=ROOT.hex(), valueEncoding="json")
            assert sorted((await js.call("values")).values()) == [["a", "b"], ["c"]]
            # The feeds come back under their names, the remote one included.
            await js.call("append", feed=(await js.call("writer", name="mine"))["key"], values=[4])
            await source.call("append", feed=remote["key"], values=["later"])
            port = await source.call("listen")
            await js.call("connect", port=port)
            await js.call("wait", feed=remote["key"], downloaded=3)
        async with Multifeed(folder, key=ROOT, value_encoding="json") as multi:
            feed = multi.feed(remote["key"])
            assert feed is not None
            assert [await feed.get(i) for i in range(3)] == ["a", "b", "later"]
            mine = await multi.writer("mine")
            assert [await mine.get(i) for i in range(2)] == ["c", 4]


async def js_corestore_turn(js: JsPeer, folder: Path, turn: list[tuple[str, list[bytes]]]) -> None:
    await js.call("open", folder=str(folder))
    await js.call("namespace", name="space", alias="s")
    await js.call("namespace", parent="s", name="inner", alias="i")
    hows: dict[str, dict[str, Any]] = {
        "default": {"how": {"default": True}},
        "name": {"how": {"name": "a name"}},
        "pair": {"how": {"secretKey": PAIR.secret_key.hex()}},
        "space": {"how": {"default": True}, "namespace": "s"},
        "inner": {"how": {"default": True}, "namespace": "i"},
    }
    for how, blocks in turn:
        await js.call("core", feed=how, **hows[how])
        await js.append(how, blocks)
    await js.call("close")


async def our_corestore_turn(folder: Path, turn: list[tuple[str, list[bytes]]]) -> None:
    async with Corestore(folder) as store:
        space = store.namespace("space")
        for how, blocks in turn:
            if how == "default":
                core = await store.default()
            elif how == "name":
                core = await store.get(name="a name")
            elif how == "pair":
                core = await store.get(key_pair=PAIR)
            elif how == "space":
                core = await space.default()
            else:
                core = await space.namespace("inner").default()
            await core.extend(blocks)


CORESTORE_TURNS: list[list[tuple[str, list[bytes]]]] = [
    [("default", [b"d0", b"d1"]), ("pair", [b"p0"])],
    [("name", [b"n0"]), ("default", [b"d2"]), ("space", [b"s0", b""])],
    [("inner", [b"i0"]), ("pair", [b"p1"] * 300), ("name", [b"n1"])],
    [("space", [b"s2"]), ("inner", [b"i1"]), ("default", [b"d3"])],
]


@pytest.mark.parametrize("we_begin", [False, True])
async def test_corestore_turns_leave_the_bytes_of_javascript(
    tmp_path: Path, we_begin: bool
) -> None:
    shared, alone = prepared(tmp_path / "shared"), prepared(tmp_path / "alone")
    for number, turn in enumerate(CORESTORE_TURNS):
        if we_begin == (number % 2 == 0):
            await our_corestore_turn(shared, turn)
        else:
            async with JsPeer("corestore") as js:
                await js_corestore_turn(js, shared, turn)
        async with JsPeer("corestore") as js:
            await js_corestore_turn(js, alone, turn)
        assert contents(shared) == contents(alone), f"turn {number}"


async def test_foreign_core_continues_in_either(tmp_path: Path) -> None:
    """A core known by its key alone: fetched by us, then by JavaScript, then by us, one folder."""
    folder = prepared(tmp_path / "store")
    async with JsPeer("corestore") as source:
        await source.call("open")
        key = (await source.call("core", feed="c", how={"name": "w"}))["key"]
        for turn in range(4):
            await source.append("c", [b"turn %d" % turn, b""])
            if turn % 2 == 0:
                async with (
                    Corestore(folder) as store,
                    wire(source, store.replicate),
                ):
                    core = await store.get(key)
                    await core.download(0, 2 * turn + 2)
            else:
                async with JsPeer("corestore") as js:
                    await js.call("open", folder=str(folder))
                    await js.call("core", feed="c", how={"key": key})
                    await js.call("connect", port=await source.call("listen"))
                    await js.call("wait", feed="c", downloaded=2 * turn + 2)
                    assert (await js.call("audit", feed="c"))["invalid"] == 0
                    await js.call("close")
        async with Corestore(folder) as store:
            core = await store.get(key)
            assert not core.writable
            assert [await core.get(2 * i) for i in range(4)] == [b"turn %d" % i for i in range(4)]


async def test_one_folder_two_programs_at_once(tmp_path: Path) -> None:
    """A corestore folder that JavaScript has open is refused, and the other way round."""
    folder = prepared(tmp_path / "store")
    async with JsPeer("corestore") as js:
        await js.call("open", folder=str(folder))
        await js.call("core", feed="c", how={"default": True})
        with pytest.raises(HypermultifeedError) as refused:
            async with Corestore(folder) as store:
                await (await store.default()).append(b"x")
        assert refused.value.code == "ERR_STORAGE_LOCKED"
