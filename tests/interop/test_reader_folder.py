"""A reader's folder filled by JavaScript and by us in turns, part by part."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.hypercore import Hypercore

from .js_peer import JsPeer
from .wire import wire

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 600


async def fetch_with_javascript(source: JsPeer, folder: Path, key: str, wanted: list[int]) -> None:
    async with JsPeer("hypercore") as js:
        await js.call("open", feed="f", folder=str(folder), key=key, options={"sparse": True})
        port = await source.call("listen", feeds=["f"], options={"live": True})
        await js.call("connect", port=port, feeds=["f"], options={"live": True})
        for index in wanted:
            assert await js.get("f", index) == b"block-%d" % index
        await js.call("close", feed="f")


async def fetch_with_us(source: JsPeer, folder: Path, key: str, wanted: list[int]) -> None:
    async with (
        Hypercore(folder, key=bytes.fromhex(key), sparse=True) as core,
        wire(source, core.replicate, feeds=["f"], options={"live": True}),
    ):
        for index in wanted:
            assert await core.get(index) == b"block-%d" % index


@pytest.mark.parametrize("we_begin", [False, True])
async def test_parts_fetched_in_turns(tmp_path: Path, we_begin: bool) -> None:
    order = random.Random(3).sample(range(COUNT), COUNT)
    folder = tmp_path / "reader"
    async with JsPeer("hypercore") as source:
        key = (await source.call("open", feed="f"))["key"]
        await source.call("fill", feed="f", count=COUNT, prefix="block-", batch=False)
        for turn in range(4):
            part = order[turn * 100 : turn * 100 + 100]
            if we_begin == (turn % 2 == 0):
                await fetch_with_us(source, folder, key, part)
            else:
                await fetch_with_javascript(source, folder, key, part)
        async with JsPeer("hypercore") as js:
            await js.call("open", feed="f", folder=str(folder), key=key)
            assert await js.call("audit", feed="f") == {"valid": 400, "invalid": 0}
            here = await js.call("has", feed="f", start=0, end=COUNT)
            assert [i for i in range(COUNT) if here[i]] == sorted(order[:400])
        await fetch_with_us(source, folder, key, order[400:])
        async with JsPeer("hypercore") as js:
            await js.call("open", feed="f", folder=str(folder), key=key)
            assert await js.call("audit", feed="f") == {"valid": COUNT, "invalid": 0}
            assert await js.read("f") == [b"block-%d" % i for i in range(COUNT)]


async def test_whole_copies_have_the_same_data_and_tree(tmp_path: Path) -> None:
    """Whatever the order of arrival, a whole copy has the writer's bytes (but the bitfield's)."""
    async with JsPeer("hypercore") as source:
        info = await source.call("open", feed="f", folder=str(tmp_path / "source"))
        await source.call("fill", feed="f", count=COUNT, prefix="block-")
        folder = tmp_path / "copy"
        async with (
            Hypercore(folder, key=bytes.fromhex(info["key"])) as core,
            wire(source, core.replicate, feeds=["f"], options={"live": True}),
        ):
            await core.download(0, COUNT)
        await source.call("close", feed="f")
    for name in ("data", "tree", "key", "signatures"):
        assert (folder / name).read_bytes() == (tmp_path / "source" / name).read_bytes(), name
