"""The byte stream itself, without feeds: handshake, modes, extensions, refusals, silence."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import HypermultifeedError
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.stream import ReplicationStream

from .js_peer import JsPeer
from .wire import DIALLERS, Dialler, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEED = b"\x11" * 32
any_dialler = pytest.mark.parametrize("dialler", DIALLERS)


@pytest.fixture
async def js() -> AsyncIterator[JsPeer]:
    async with JsPeer("hypercore") as peer:
        yield peer


@any_dialler
async def test_both_learn_the_keys_of_the_other(js: JsPeer, dialler: Dialler) -> None:
    ours, theirs = NoiseKeyPair.from_seed(b"\x22" * 32), NoiseKeyPair.from_seed(SEED)
    make = partial(ReplicationStream, key_pair=ours)
    async with wire(js, make, dialler=dialler, seed=SEED.hex()) as link:
        assert await link.stream.opened() == theirs.public_key
        await link.stream.close()
        assert await link.js_end() == {"error": None, "ended": True}
        assert await link.our_error() is None
        state = await js.call("connection", connection=link.connection)
        assert state["publicKey"] == theirs.public_key.hex()
        assert state["remotePublicKey"] == ours.public_key.hex()


@any_dialler
async def test_javascript_ends_the_stream(js: JsPeer, dialler: Dialler) -> None:
    async with wire(js, ReplicationStream, dialler=dialler) as link:
        await link.stream.opened()
        await js.call("disconnect", connection=link.connection, gently=True)
        assert await link.our_error() is None


@any_dialler
@pytest.mark.parametrize(
    "options",
    [{}, {"encrypted": False}, {"noise": False, "encrypted": False}],
    ids=["default", "clear", "plain"],
)
async def test_stream_extension_both_ways(
    js: JsPeer, dialler: Dialler, options: dict[str, Any]
) -> None:
    received: asyncio.Queue[str] = asyncio.Queue()

    def make(initiator: bool) -> ReplicationStream:
        stream = ReplicationStream(initiator, **options)
        for name in ("other", "greet"):
            extension = stream.register_extension(
                name,
                encoding="utf-8",
                on_message=lambda message, _peer: received.put_nowait(message),
            )
        extension.broadcast("hello from python")
        return stream

    arguments = {"extensions": ["greet", "zebra"], "options": options}
    async with wire(js, make, dialler=dialler, **arguments):
        event = await js.event("stream-extension")
        assert event["message"] == "hello from python"
        assert event["name"] == "greet"
        if options.get("noise", True):  # without a handshake the program sends nothing
            async with asyncio.timeout(10):
                assert await received.get() == "hello from js"


@any_dialler
async def test_javascript_refuses_our_key(js: JsPeer, dialler: Dialler) -> None:
    async with wire(js, ReplicationStream, dialler=dialler, refuse=True) as link:
        error = await link.our_error()
        assert (await link.js_end())["error"]["message"] == "Noise handshake error"
        if dialler == "javascript":  # its handshake is not over when it refuses; ours would be
            assert isinstance(error, HypermultifeedError | OSError)


@any_dialler
async def test_we_refuse_the_key_of_javascript(js: JsPeer, dialler: Dialler) -> None:
    seen = []

    def refuse(key: bytes) -> None:
        seen.append(key)
        raise PermissionError("not welcome")

    make = partial(ReplicationStream, on_authenticate=refuse)
    async with wire(js, make, dialler=dialler, seed=SEED.hex()) as link:
        assert await link.our_error() is not None
        assert seen == [NoiseKeyPair.from_seed(SEED).public_key]
        await link.js_end()


@any_dialler
async def test_modes_must_agree(js: JsPeer, dialler: Dialler) -> None:
    plain = {"noise": False, "encrypted": False}
    async with wire(
        js, ReplicationStream, dialler=dialler, extensions=["a"], options=plain
    ) as link:
        await js.call("disconnect", connection=link.connection)
        assert await link.our_error() is not None
        assert not link.stream.session.handshake_complete


async def test_an_unknown_feed_is_refused_with_close(js: JsPeer) -> None:
    """JavaScript keeps its channel half open; nothing fails."""
    key = (await js.call("open", feed="f"))["discoveryKey"]
    async with wire(js, ReplicationStream, feeds=["f"], options={"live": True}) as link:
        await link.stream.opened()
        while not link.stream.stats.refused:
            await js.call("info", feed="f")
        assert (await js.call("connection", connection=link.connection))["bytesReceived"] > 0
        assert not link.run.done()
    assert len(key) == 64
