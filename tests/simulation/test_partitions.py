"""Five nodes that share fifty feeds, on a bad network that falls apart again and again.

Each cycle, some machines cannot reach others for a while; connections die with or without a
word. Meanwhile feeds grow, new ones come, processes are stopped, killed and started again on their
storage. Then everything can reach everything, and soon all nodes must hold the same.
``SIMULATION_SEEDS=100`` runs a thousand cycles; ``--log-cli-level=INFO`` shows the figures of each
seed. A failing one fails again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.errors import HypermultifeedError
from hypermultifeed.keys import KeyPair, NoiseKeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.replication.channels import SessionOwner
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream

from .lossy_network import Endpoint, Path, connect

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

RETRY_S = (1.0, 5.0, 15.0)
"""Waits after the first, second and every later dial that failed."""

_log = logging.getLogger(__name__)


class Meeting(SessionOwner):
    """Lets a connection take part when its handshake is over."""

    def __init__(self, node: Node, stream: ReplicationStream) -> None:
        self._node = node
        self._stream = stream

    def on_handshake(self) -> None:
        self._node.meet(self._stream)


class Node:
    """One machine with one process, which shares one multifeed with all the others."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.key_pair = NoiseKeyPair.from_seed(world.choice.randbytes(32))
        self.storage = memory()
        self.multi: Multifeed | None = None
        self.streams: dict[bytes, ReplicationStream] = {}
        self.endpoints: set[Endpoint] = set()
        self.counted: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open what the storage holds, and look for the others."""
        multi = Multifeed(self.storage, key=ROOT)
        await multi.ready()
        self.multi = multi
        for other in self.world.nodes:
            if other is not self:
                self._spawn(self._keep_connected(other))

    async def stop(self, *, kill: bool) -> None:
        """End the process, with or without saying so to anybody."""
        multi, self.multi = self.multi, None
        assert multi is not None
        self.counted += transfers(multi)
        if kill:
            for endpoint in self.endpoints:
                endpoint.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await multi.close()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_connected(self, other: Node) -> None:
        path = self.world.path(self, other)
        retries = 0
        while True:
            while stream := self.streams.get(other.key_pair.public_key):
                retries = 0
                await stream.wait_closed()
            wait_s = RETRY_S[min(retries, len(RETRY_S) - 1)]
            await asyncio.sleep(wait_s * self.world.choice.uniform(0.66, 1.32))
            retries += 1
            with suppress(OSError):
                ours, theirs = await connect(path, lambda: other.multi is not None)
                if other.multi is None:
                    theirs.kill()
                else:
                    other._spawn(other.serve(theirs, initiator=False))
                await self.serve(ours, initiator=True)

    async def serve(self, endpoint: Endpoint, *, initiator: bool) -> None:
        """Run one connection to its end."""
        stream = ReplicationStream(initiator, key_pair=self.key_pair)
        stream.session.attach(Meeting(self, stream))
        self.endpoints.add(endpoint)
        try:
            with suppress(OSError, HypermultifeedError):
                await stream.run(endpoint, endpoint)
        finally:
            self.endpoints.discard(endpoint)
            remote = stream.remote_public_key
            if remote is not None and self.streams.get(remote) is stream:
                del self.streams[remote]

    def meet(self, stream: ReplicationStream) -> None:
        """Replicate on this stream, unless there is a better one with that peer."""
        remote = stream.remote_public_key
        assert remote is not None
        present = self.streams.get(remote)
        if present is not None and not present.closed:
            ours_dials = self.key_pair.public_key < remote
            keep_present = present.initiator == ours_dials != stream.initiator
            if keep_present:
                stream.destroy()
                return
            present.destroy()
        assert self.multi is not None
        self.streams[remote] = stream
        self.multi.replicate(stream.initiator, stream=stream)


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

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        self.nodes: list[Node] = []
        self.nodes.extend(Node(self, number) for number in range(NODES))
        pairs = itertools.combinations(range(NODES), 2)
        self.paths = {pair: Path(self.choice) for pair in pairs}
        self.written: dict[bytes, int] = {}
        self.working: set[asyncio.Task[None]] = set()

    def path(self, a: Node, b: Node) -> Path:
        first, second = sorted((a.number, b.number))
        return self.paths[first, second]

    async def write(self) -> None:
        """Some running node makes a feed or appends to one of its own."""
        running = [node.multi for node in self.nodes if node.multi is not None]
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

    async def restart(self, node: Node, seconds: float) -> None:
        if node.multi is not None:
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
        for node in self.nodes:
            feeds = [] if node.multi is None else node.multi.feeds()
            if {feed.key: feed.downloaded() for feed in feeds} != self.written:
                return False
        return True

    async def heal(self) -> float:
        """Join all again; returns the seconds until all nodes are equal."""
        for path in self.paths.values():
            path.up = True
        begun = asyncio.get_running_loop().time()
        while not self.is_equal():
            took = asyncio.get_running_loop().time() - begun
            assert took <= HEAL_LIMIT_S, self.describe()
            await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time() - begun

    def describe(self) -> str:
        lines = ["not equal in time:"]
        for node in self.nodes:
            assert node.multi is not None
            feeds = {feed.key: feed.downloaded() for feed in node.multi.feeds()}
            missing = sum(self.written.values()) - sum(feeds.values())
            others = [n.number for n in self.nodes if n.key_pair.public_key in node.streams]
            lines.append(f"{node.number} with {others}: {len(feeds)} feeds, {missing} missing")
        return "\n".join(lines)

    def transfers(self) -> Counter[str]:
        """What went over between all nodes, in all their lives."""
        present = [transfers(node.multi) for node in self.nodes if node.multi is not None]
        return sum(present, start=sum((node.counted for node in self.nodes), start=Counter()))


@pytest.mark.parametrize("seed", SEEDS)
@virtual_time
async def test_all_hold_the_same_soon_after_each_partition(seed: int) -> None:
    world = World(seed)
    for node in world.nodes:
        await node.start()
    while len(world.written) < FEEDS // 2:
        await world.write()
    healed_in = []
    for _ in range(CYCLES):
        await world.suffer(world.choice.uniform(2.0, 90.0))
        healed_in.append(await world.heal())
        await asyncio.sleep(world.choice.uniform(0.0, 10.0))
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
