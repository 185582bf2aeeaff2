"""Peers on a network without a DHT: ours and @hyperswarm/discovery's find each other by mDNS.

In a network namespace with nothing but loopback, so that there is nobody else.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.network.lan import LanDiscovery

from .js_peer import JsPeer
from .namespace import in_namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOPIC = bytes(range(32))
HOST = "127.0.0.1"
SOON_S = 10.0
"""Questions are asked each 30 to 60 s; who is found sooner was found by joining."""

Found = asyncio.Queue[tuple[bytes, Address]]


@asynccontextmanager
async def ours() -> AsyncIterator[tuple[LanDiscovery, Found]]:
    found: Found = asyncio.Queue()
    lan = LanDiscovery(lambda *peer: found.put_nowait(peer), allow_loopback=True)
    await lan.open()
    try:
        yield lan, found
    finally:
        await lan.close()


@asynccontextmanager
async def theirs() -> AsyncIterator[JsPeer]:
    async with JsPeer("discovery") as js:
        await js.call("open")
        yield js


async def find(found: Found, port: int) -> None:
    async with asyncio.timeout(SOON_S):
        assert await found.get() == (TOPIC, (HOST, port))


async def js_finds(js: JsPeer, port: int) -> None:
    peer = await js.event("peer", timeout_s=SOON_S)
    while peer["port"] != port:  # our own announcement reaches it as well
        peer = await js.event("peer", timeout_s=SOON_S)
    assert (peer["host"], peer["local"], peer["topic"]) == (HOST, True, TOPIC.hex())


@in_namespace()
async def test_two_of_ours_find_each_other() -> None:
    async with ours() as (here, found_here), ours() as (there, found_there):
        here.join(TOPIC, 4001, announce=True, lookup=True)
        there.join(TOPIC, 4002, announce=True, lookup=True)
        await find(found_here, 4002)
        await find(found_there, 4001)


@pytest.mark.parametrize("first", ["ours", "theirs"])
@in_namespace()
async def test_whoever_comes_first_both_find_each_other(first: str) -> None:
    async with ours() as (lan, found), theirs() as js:
        if first == "ours":
            lan.join(TOPIC, 4001, announce=True, lookup=True)
        await js.call("announce", topic=TOPIC.hex(), port=4002)
        if first == "theirs":
            await js.event("response")  # it has announced itself, and we have missed it
            lan.join(TOPIC, 4001, announce=True, lookup=True)
        await find(found, 4002)
        await js_finds(js, 4001)


@pytest.mark.parametrize("first", ["ours", "theirs"])
@in_namespace()
async def test_ours_announces_and_theirs_looks_up(first: str) -> None:
    async with ours() as (lan, found), theirs() as js:
        if first == "theirs":
            await js.call("lookup", topic=TOPIC.hex())
            await js.event("query")
        lan.join(TOPIC, 4001, announce=True, lookup=False)
        if first == "ours":
            await js.event("response")
            await js.call("lookup", topic=TOPIC.hex())
        await js_finds(js, 4001)
        assert found.empty()


@pytest.mark.parametrize("first", ["ours", "theirs"])
@in_namespace()
async def test_theirs_announces_and_ours_looks_up(first: str) -> None:
    async with ours() as (lan, found), theirs() as js:
        if first == "ours":
            lan.join(TOPIC, 0, announce=False, lookup=True)
            await js.event("query")
        await js.call("announce", topic=TOPIC.hex(), port=4002, lookup=False)
        if first == "theirs":
            await js.event("response")
            lan.join(TOPIC, 0, announce=False, lookup=True)
        await find(found, 4002)


@in_namespace()
async def test_who_has_left_is_not_found() -> None:
    async with ours() as (lan, found), theirs() as js:
        await js.call("announce", topic=TOPIC.hex(), port=4002)
        await js.call("leave", topic=TOPIC.hex())
        lan.join(TOPIC, 4001, announce=True, lookup=True)
        await js.event("query")  # ours
        lan.leave(TOPIC)
        await js.call("announce", name="other", topic=TOPIC.hex(), port=4003)
        other = TOPIC[::-1]
        lan.join(other, 4001, announce=False, lookup=True)
        await js.call("announce", name="other", topic=other.hex(), port=4004)
        async with asyncio.timeout(SOON_S):
            assert await found.get() == (other, (HOST, 4004))
        assert found.empty()
