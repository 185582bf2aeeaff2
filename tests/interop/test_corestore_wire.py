"""Corestores of ours and of JavaScript on one wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypermultifeed.corestore import Corestore
from hypermultifeed.storage import memory

from .js_peer import JsPeer
from .wire import DIALLERS, Dialler, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

any_dialler = pytest.mark.parametrize("dialler", DIALLERS)


@pytest.fixture
async def js() -> AsyncIterator[JsPeer]:
    async with JsPeer("corestore") as peer:
        await peer.call("open")
        yield peer


@any_dialler
async def test_cores_of_both_sides(js: JsPeer, dialler: Dialler) -> None:
    async with Corestore(memory()) as store:
        ours = [await store.get(name=f"core {n}") for n in range(3)]
        theirs = []
        for n in range(3):
            await ours[n].extend([b"ours %d" % n, b""])
            core = await js.call("core", feed=f"theirs {n}", how={"name": f"core {n}"})
            await js.append(f"theirs {n}", [b"theirs %d" % n])
            theirs.append(await store.get(core["key"]))
            await js.call("core", feed=f"ours {n}", how={"key": ours[n].key.hex()})
        async with wire(js, store.replicate, dialler=dialler):
            for n in range(3):
                assert await theirs[n].get(0) == b"theirs %d" % n
                assert await js.get(f"ours {n}", 0) == b"ours %d" % n
                assert await js.get(f"ours {n}", 1) == b""


@any_dialler
async def test_a_core_loaded_while_connected(js: JsPeer, dialler: Dialler) -> None:
    async with Corestore(memory()) as store:
        first = await store.default()
        await first.append(b"first")
        await js.call("core", feed="first", how={"key": first.key.hex()})
        async with wire(js, store.replicate, dialler=dialler):
            assert await js.get("first", 0) == b"first"
            second = await store.get(name="second")
            await second.append(b"second")
            await js.call("core", feed="second", how={"key": second.key.hex()})
            assert await js.get("second", 0) == b"second"
            theirs = await js.call("core", feed="theirs", how={"name": "theirs"})
            await js.append("theirs", [b"third"])
            assert await (await store.get(theirs["key"])).get(0) == b"third"


async def test_a_stored_core_is_opened_when_asked_for(js: JsPeer) -> None:
    """We serve a core that nobody has open here, since JavaScript asks for it."""
    storage = memory()
    async with Corestore(storage) as store:
        core = await store.get(name="kept")
        await core.append(b"kept")
        key = core.key
    async with Corestore(storage) as store:
        await js.call("core", feed="kept", how={"key": key.hex()})
        async with wire(js, store.replicate):
            assert await js.get("kept", 0) == b"kept"


async def test_javascript_opens_a_stored_core_when_we_ask(js: JsPeer) -> None:
    theirs = await js.call("core", feed="c", how={"name": "kept"})
    await js.append("c", [b"kept"])
    async with Corestore(memory()) as store, wire(js, store.replicate):
        core = await store.get(theirs["key"])
        assert await core.get(0) == b"kept"


async def test_unknown_cores_cost_nothing(js: JsPeer) -> None:
    """Each side has cores that the other has not; those that are shared replicate."""
    async with Corestore(memory()) as store:
        for n in range(20):
            await js.call("core", feed=f"private {n}", how={"name": f"private {n}"})
            await store.get(name=f"hidden {n}")
        shared = await store.default()
        await shared.append(b"shared")
        await js.call("core", feed="shared", how={"key": shared.key.hex()})
        async with wire(js, store.replicate) as link:
            assert await js.get("shared", 0) == b"shared"
            assert not link.run.done()
        assert len(store.list()) == 21


@any_dialler
async def test_same_master_key_same_cores(js: JsPeer, dialler: Dialler) -> None:
    """One program's key on two devices is not what multi-writer is for, but names must agree."""
    async with JsPeer("corestore") as twin, Corestore(memory(), master_key=b"\x33" * 32) as store:
        await twin.call("open", masterKey="33" * 32)
        for name in ("a", "Grüße", "x" * 200):
            core = await store.get(name=name)
            assert (await twin.call("core", feed=name, how={"name": name}))["key"] == core.key.hex()
        await twin.call("namespace", name="space", alias="s")
        default = await twin.call("core", feed="d", namespace="s", how={"default": True})
        assert (await store.namespace("space").default()).key.hex() == default["key"]
        await js.call("core", feed="a", how={"key": (await store.get(name="a")).key.hex()})
        await (await store.get(name="a")).append(b"once")
        async with wire(js, store.replicate, dialler=dialler):
            assert await js.get("a", 0) == b"once"
