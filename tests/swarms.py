"""Swarms in one process, on loopback, whose peers greet each other with their keys."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.errors import BootstrapError, DiscoveryError
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.swarm import Swarm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hypermultifeed.network.swarm_connection import SwarmConnection

TOPIC, OTHER = b"t" * 32, b"o" * 32
NODE = Address("198.51.100.1", 49737)
LOOPBACK: dict[str, Any] = {
    "host": "127.0.0.1",
    "allow_loopback": True,
    "bootstrap": [],
    "dht": False,
    "mdns": False,
}
"""For a `Swarm` that finds nobody by itself."""


class Greeter:
    """A swarm with a key. Its connections send each other their keys, and wait for the end.

    Attributes:
        kept: connections that are authenticated and open now.
        seen: all that ever were.
    """

    def __init__(self, key: int, **options: Any) -> None:
        self.key = bytes([key]) * 32
        self.swarm = Swarm(self.talk, **(LOOPBACK | options))
        self.kept: list[SwarmConnection] = []
        self.seen: list[SwarmConnection] = []

    @property
    def address(self) -> tuple[str, int]:
        return self.swarm.addresses[0]

    @property
    def remote_keys(self) -> list[int]:
        """First bytes of the keys we are connected with, sorted."""
        return sorted(one.remote_key[0] for one in self.kept if one.remote_key)

    async def talk(self, connection: SwarmConnection) -> None:
        connection.writer.write(self.key)
        try:
            remote = await connection.reader.readexactly(32)
            if not connection.identify(self.key, remote):
                return
            reading = asyncio.create_task(connection.reader.read())
            settling = asyncio.create_task(connection.settled())
            await asyncio.wait([reading, settling], return_when=asyncio.FIRST_COMPLETED)
            settling.cancel()
            if not reading.done():
                self.kept.append(connection)
                self.seen.append(connection)
            await reading
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if connection in self.kept:
                self.kept.remove(connection)

    def dial(self, other: Greeter) -> None:
        self.swarm.add_peer(*other.address)


@asynccontextmanager
async def greeters(*keys: int, **options: Any) -> AsyncIterator[list[Greeter]]:
    """Open swarms with these keys."""
    async with AsyncExitStack() as stack:
        made = [Greeter(key, **options) for key in keys]
        for one in made:
            await stack.enter_async_context(one.swarm)
        yield made


@asynccontextmanager
async def private_dht(*hosts: str) -> AsyncIterator[list[str]]:
    """A DHT of two nodes (or some at these hosts); gives their addresses to begin with."""
    async with AsyncExitStack() as stack:
        names: list[str] = []
        for host in hosts or ("127.0.0.1", "127.0.0.1"):
            node = await DhtNode.listen(host, bootstrap=names[:1])
            await stack.enter_async_context(node)
            await node.bootstrapped()
            names.append(str(node.address))
        yield names


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition holds, asked again whenever something may have happened."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


class FakeDht:
    """One node, `NODE`, answers after ``takes`` seconds with ``peers``, or fails.

    Attributes:
        log: what began and ended, and when. asked: topics, ports and local addresses.
        to: our address, as the node sees it.
        probed: who was asked whether it is there; ``there``: who answers at once.
    """

    def __init__(self, *peers: Address, takes: float = 1.0, fails: bool = False) -> None:
        self.peers = list(peers)
        self.takes = takes
        self.fails = fails
        self.reachable = True
        self.to: Address | None = None
        self.log: list[tuple[float, str]] = []
        self.asked: set[tuple[bytes, int, Address | None]] = set()
        self.probed: list[Address] = []
        self.there: set[Address] = set()

    def note(self, what: str) -> None:
        self.log.append((asyncio.get_running_loop().time(), what))

    @property
    def words(self) -> list[str]:
        return [what for _, what in self.log]

    def probe(self, address: Address, on_answer: Callable[[], None]) -> None:
        self.probed.append(address)
        if address in self.there:
            asyncio.get_running_loop().call_soon(on_answer)

    async def bootstrapped(self) -> None:
        if not self.reachable:
            raise BootstrapError("nobody is there")

    def lookup(
        self, topic: bytes, *, port: int | None = None, local_address: Address | None = None
    ) -> FakeLookup:
        self.asked.add((topic, port or 0, local_address))
        return FakeLookup(self, "lookup")

    def announce(
        self, topic: bytes, *, port: int = 0, local_address: Address | None = None
    ) -> FakeLookup:
        self.asked.add((topic, port, local_address))
        return FakeLookup(self, "announce")

    async def unannounce(
        self, topic: bytes, *, port: int = 0, local_address: Address | None = None
    ) -> None:
        self.asked.add((topic, port, local_address))
        self.note("unannounce")
        await asyncio.sleep(self.takes)
        if self.fails:
            raise DiscoveryError("nobody answered")
        self.note("unannounced")


class FakeLookup:
    def __init__(self, dht: FakeDht, what: str) -> None:
        self.dht, self.what = dht, what

    def __enter__(self) -> AsyncIterator[PeersFound]:
        self.dht.note(self.what)
        return self.answers()

    def __exit__(self, *_: object) -> None:
        self.dht.note("end")

    async def answers(self) -> AsyncIterator[PeersFound]:
        await asyncio.sleep(self.dht.takes)
        if self.dht.fails:
            raise DiscoveryError("nobody answered")
        for start in range(0, len(self.dht.peers), 128):
            yield PeersFound(NODE, self.dht.peers[start : start + 128], [], self.dht.to)
