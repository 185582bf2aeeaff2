"""Networkers in one process, on loopback; they meet where a test says so, or through a DHT."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from hypermultifeed.corestore import Corestore
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.network.networker import Networker, PeerJoined, PeerLeft
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hypermultifeed.hypercore import Hypercore
    from hypermultifeed.network.peer import NetworkPeer

ROOT = b"\x07" * 32
OTHER = b"\x08" * 32
LOOPBACK: dict[str, Any] = {
    "host": "127.0.0.1",
    "allow_loopback": True,
    "bootstrap": [],
    "dht": False,
    "mdns": False,
}
"""For a `Networker` that finds nobody by itself."""


class Site:
    """One participant: a store, a networker on it, and multifeeds by root key."""

    def __init__(self, store: Corestore, network: Networker) -> None:
        self.store = store
        self.network = network

    @property
    def port(self) -> int:
        return self.network.addresses[0][1]

    async def multifeed(self, key: bytes = ROOT, *, writer: str | None = None) -> Multifeed:
        multi = Multifeed(self.store, key=key, value_encoding="json")
        await multi.ready()
        if writer is not None:
            await (await multi.writer(writer)).append(writer)
        return multi

    async def shared(self, key: bytes = ROOT, *, writer: str | None = None) -> Multifeed:
        multi = await self.multifeed(key, writer=writer)
        await self.network.swarm(multi)
        return multi

    async def meet(self, other: Site) -> NetworkPeer:
        """Dial; returns the other as a peer of ours once both sides know each other."""
        key = other.network.public_key
        with self.network.events() as ours, other.network.events() as theirs:
            self.network.add_peer("127.0.0.1", other.port)
            await joined(theirs, self.network.public_key)
            return await joined(ours, key)


@asynccontextmanager
async def sites(count: int, **options: Any) -> AsyncIterator[list[Site]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            store = await stack.enter_async_context(Corestore(memory()))
            network = await stack.enter_async_context(Networker(store, **LOOPBACK | options))
            made.append(Site(store, network))
        yield made


async def joined(events: Any, key: bytes) -> NetworkPeer:
    """Wait until the peer with that key joins."""
    async for event in events:
        if isinstance(event, PeerJoined) and event.peer.remote_public_key == key:
            return event.peer
    raise AssertionError("the networker was closed")


async def left(events: Any) -> PeerLeft:
    """Wait until any peer leaves."""
    async for event in events:
        if isinstance(event, PeerLeft):
            return event
    raise AssertionError("the networker was closed")


async def feeds_of(multi: Multifeed, count: int) -> list[Hypercore]:
    """Wait until a multifeed has so many feeds, and a block of each."""
    with multi.events() as added:
        while len(multi.feeds()) < count:
            await anext(added)
    for feed in multi.feeds():
        await feed.get(0)
    return multi.feeds()


async def until(test: Callable[[], object]) -> None:
    """Wait, by the virtual clock, for what nobody tells of."""
    while not test():  # noqa: ASYNC110 - not everything has an event
        await asyncio.sleep(0.01)


def channels(peer: NetworkPeer) -> set[bytes]:
    """Discovery keys of what is open with that peer, on either side."""
    return {channel.discovery_key for channel in peer.stream.session.channels}
