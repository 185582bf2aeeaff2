"""Five nodes that share fifty feeds, on a bad network that falls apart again and again.

Each cycle, some machines cannot reach others for a while, nor all of them the DHT; connections die
with or without a word. Meanwhile feeds grow, new ones come, processes are stopped, killed and
started again on their storage. Then everything can reach everything, and soon all nodes must hold
the same. Each node is a whole `Networker`; only the DHT is a list, and sockets are simulated.
``SIMULATION_SEEDS=100`` runs a thousand cycles; ``--log-cli-level=INFO`` shows the figures of each
seed. A failing one mostly, not always, fails again.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import os
import random
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.errors import DiscoveryError
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.network import dialling
from hypermultifeed.network.networker import Networker
from hypermultifeed.storage import memory

from .lossy_network import Endpoint, Path, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SEEDS = range(int(os.environ.get("SIMULATION_SEEDS", "1")))
ROOT = b"\x07" * 32
NODES = 5
FEEDS = 50
CYCLES = 10
"""Partitions of one seed."""

WRITES = 20
"""Appends during one partition."""

HEAL_LIMIT_S = 30.0
DOWNLOADS_MAX = 1.2
"""How often a block may come to one node, on average."""

RECORD_S = 600.0
"""How long the DHT knows of a peer."""

DHT_ADDRESS = Address("10.0.0.1", 49737)

_log = logging.getLogger(__name__)
_dialling: contextvars.ContextVar[Node] = contextvars.ContextVar("dialling")


class Directory:
    """The DHT as one node sees it: a list on another machine, if that can be reached."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._records = node.world.records

    async def bootstrapped(self) -> None:
        """Nothing to wait for."""

    @contextmanager
    def lookup(self, *_: Any, **__: Any) -> Iterator[AsyncIterator[PeersFound]]:
        yield self._ask(announce=False)

    @contextmanager
    def announce(self, *_: Any, **__: Any) -> Iterator[AsyncIterator[PeersFound]]:
        yield self._ask(announce=True)

    async def unannounce(self, *_: Any, **__: Any) -> None:
        await self._reach()
        self._records.pop(self._node.address, None)

    async def _ask(self, *, announce: bool) -> AsyncIterator[PeersFound]:
        await self._reach()
        own, now = self._node.address, asyncio.get_running_loop().time()
        present = [Address(*a) for a, at in self._records.items() if at > now and a != own]
        yield PeersFound(DHT_ADDRESS, present, [], Address(*own))
        if announce:
            self._records[own] = now + RECORD_S

    async def _reach(self) -> None:
        """As long as a request of the DHT takes, with its repetitions."""
        for _ in range(3):
            await asyncio.sleep(0.1)
            if self._node.dht_path.up and self._node.is_running:
                return
            await asyncio.sleep(2.25)
        raise DiscoveryError("no node answered")


class Node:
    """One machine, with one process that shares one multifeed with all the others."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.storage = memory()
        self.is_running = False
        self.endpoints: set[Endpoint] = set()
        self.counted: Counter[str] = Counter()
        self.dht_path = Path(world.choice)
        self.address = (f"10.0.{number + 1}.1", 4000)
        self._context = contextvars.copy_context()
        self._context.run(_dialling.set, self)

    async def start(self) -> None:
        """Open what the storage holds, and look for the others."""
        await asyncio.create_task(self._start(), context=self._context)

    async def _start(self) -> None:
        host, port = self.address
        self.address = host, port + 1
        self.multi = Multifeed(self.storage, key=ROOT)
        await self.multi.ready()
        self.network = Networker(
            self.multi.corestore,
            dht=Directory(self),  # type: ignore[arg-type]
            mdns=False,
            host="127.0.0.1",
        )
        self.is_running = True
        await self.network.swarm(self.multi)

    async def stop(self, *, kill: bool) -> None:
        """End the process, with or without saying so to anybody."""
        self.counted += transfers(self.multi)
        if kill:
            self.is_running = False
            for endpoint in self.endpoints:
                endpoint.kill()
        await self.network.close()
        self.is_running = False
        self.endpoints.clear()
        await self.multi.close()

    def take(self, endpoint: Endpoint) -> None:
        """Somebody has dialled us."""
        if self.is_running:
            accept = self.network._swarm._connections.accept
            self._context.run(accept, endpoint, endpoint)  # type: ignore[arg-type]
            self.endpoints.add(endpoint)
        else:
            endpoint.kill()

    async def dial(self, host: str, port: int) -> tuple[Endpoint, Endpoint]:
        """As a transport of a swarm."""
        [other] = [node for node in self.world.nodes if node.address[0] == host]
        if other is self:
            raise ConnectionRefusedError  # the DHT remembers an earlier life
        path = self.world.path(self, other)
        own = self.address[0], self.world.choice.randrange(30_000, 60_000)
        ours, theirs = await connect(
            path, own, (host, port), lambda: other.is_running and other.address[1] == port
        )
        other.take(theirs)
        self.endpoints.add(ours)
        return ours, ours


async def transport(host: str, port: int) -> Any:
    """Dial from the node whose task this is."""
    return await _dialling.get().dial(host, port)


def transfers(multi: Multifeed) -> Counter[str]:
    """What the feeds say went over since they were opened."""
    counted: Counter[str] = Counter()
    for feed in multi.feeds():
        totals = feed.stats.totals
        for name in totals.__slots__:
            counted[name] += getattr(totals, name)
    return counted


class World:
    """All nodes and paths, and what was written."""

    def __init__(self, choice: random.Random) -> None:
        self.choice = choice
        self.records: dict[tuple[str, int], float] = {}
        self.nodes = [Node(self, number) for number in range(NODES)]
        pairs = itertools.combinations(range(NODES), 2)
        self.paths = {pair: Path(choice) for pair in pairs}
        self.written: dict[bytes, int] = {}

    def path(self, a: Node, b: Node) -> Path:
        first, second = sorted((a.number, b.number))
        return self.paths[first, second]

    async def write(self) -> None:
        """Some running node makes a feed or appends to one of its own."""
        running = [node.multi for node in self.nodes if node.is_running]
        if not running:
            return
        multi = self.choice.choice(running)
        own = [feed for feed in multi.feeds() if feed.writable]
        if len(self.written) < FEEDS and (not own or self.choice.random() < 0.3):
            pair = KeyPair.from_seed(self.choice.randbytes(32))
            self.written[pair.public_key] = 0
            own = [await multi.writer(f"w{len(self.written)}", key_pair=pair)]
        feed = self.choice.choice(own)
        sizes = self.choice.choices((1, 10, 100, 1000), k=self.choice.choice((1, 1, 3, 20)))
        await feed.extend([self.choice.randbytes(size) for size in sizes])
        self.written[feed.key] = feed.length

    def part(self) -> None:
        """Some machines do not reach others from now on; not every connection ends by that."""
        groups = [self.choice.randrange(3) for _ in self.nodes]
        lonely = self.choice.random() < 0.5
        for (a, b), path in self.paths.items():
            path.up = groups[a] == groups[b] if lonely else self.choice.random() < 0.5
        for node in self.nodes:
            node.dht_path.up = self.choice.random() < 0.5

    def join(self) -> None:
        """Everything reaches everything again."""
        for path in (*self.paths.values(), *(node.dht_path for node in self.nodes)):
            path.up = True

    async def restart(self, node: Node, seconds: float) -> None:
        await node.stop(kill=self.choice.random() < 0.5)
        await asyncio.sleep(seconds)
        await node.start()

    async def suffer(self, seconds: float) -> None:
        """One partition with all that happens meanwhile."""
        self.part()
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                if self.choice.random() < 0.3:
                    down_s = self.choice.uniform(0.0, seconds / 2)
                    group.create_task(self.restart(node, down_s))
            for _ in range(WRITES):
                await asyncio.sleep(self.choice.uniform(0.0, 2 * seconds / WRITES))
                await self.write()

    def is_equal(self) -> bool:
        """Whether every node has every feed, in full."""
        return all(
            {feed.key: feed.downloaded() for feed in node.multi.feeds()} == self.written
            for node in self.nodes
        )

    async def heal(self) -> float:
        """Join all again; returns the seconds until all nodes are equal."""
        self.join()
        begun = asyncio.get_running_loop().time()
        while not self.is_equal():
            took = asyncio.get_running_loop().time() - begun
            assert took <= HEAL_LIMIT_S, self.describe()
            await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time() - begun

    def describe(self) -> str:
        lines = ["not equal in time:"]
        for node in self.nodes:
            feeds = {feed.key: feed.downloaded() for feed in node.multi.feeds()}
            missing = sum(self.written.values()) - sum(feeds.values())
            peers = [peer.address for peer in node.network.peers]
            lines.append(f"{node.address}: {len(feeds)} feeds, {missing} missing, peers {peers}")
        return "\n".join(lines)

    def transfers(self) -> Counter[str]:
        """What went over between all nodes, in all their lives."""
        present = [transfers(node.multi) for node in self.nodes if node.is_running]
        return sum(present, start=sum((node.counted for node in self.nodes), start=Counter()))


@pytest.mark.parametrize("seed", SEEDS)
@virtual_time
async def test_all_hold_the_same_soon_after_each_partition(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = random.Random(seed)
    monkeypatch.setattr(os, "urandom", choice.randbytes)
    monkeypatch.setattr(random, "_urandom", choice.randbytes)
    monkeypatch.setattr(dialling, "TRANSPORTS", (transport,))
    world = World(choice)
    for node in world.nodes:
        await node.start()
    while len(world.written) < FEEDS // 2:
        await world.write()
    healed_in = []
    for _ in range(CYCLES):
        await world.suffer(choice.uniform(2.0, 90.0))
        healed_in.append(await world.heal())
        await asyncio.sleep(choice.uniform(0.0, 10.0))
    totals = world.transfers()
    for node in world.nodes:
        await node.stop(kill=False)
    got = totals["downloaded_blocks"]
    downloads = (got + totals["duplicate_blocks"] + totals["unrequested"]) / got
    _log.info("healed within %.1f s, %.3f downloads of a block", max(healed_in), downloads)
    _log.debug("healed in %s s, transfers %s", healed_in, dict(totals))
    assert len(world.written) == FEEDS
    assert got == sum(world.written.values()) * (NODES - 1)
    assert downloads <= DOWNLOADS_MAX
