"""Several multifeeds on a seeded network of pipes: in the end all hold the same feeds.

The pipes hand bytes over in pieces of random size, after random numbers of turns; links are cut
and made again; writers come while everything is connected. Only turns of the event loop pass, no
time. A failing seed fails again.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.corestore import CoreRequest
from hypermultifeed.errors import ReplicationError
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.stream import ReplicationStream

ROOT = b"\x07" * 32
NODES = 6
TURNS_MAX = 60_000

Edges = list[tuple[int, int]]


def line(_: random.Random) -> Edges:
    return [(n, n + 1) for n in range(NODES - 1)]


def ring(_: random.Random) -> Edges:
    return [(n, (n + 1) % NODES) for n in range(NODES)]


def star(_: random.Random) -> Edges:
    return [(0, n) for n in range(1, NODES)]


def tree_and_more(choice: random.Random) -> Edges:
    edges = {(choice.randrange(n), n) for n in range(1, NODES)}
    for _ in range(3):
        a, b = sorted(choice.sample(range(NODES), 2))
        edges.add((a, b))
    return sorted(edges)


class Pipe:
    """One direction of a link; a reader and a writer as streams want them."""

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._buffer = bytearray()
        self._ended = False
        self._changed = asyncio.Event()

    async def read(self, n: int = -1, /) -> bytes:
        for _ in range(self._choice.randrange(4)):
            await asyncio.sleep(0)
        while not (self._buffer or self._ended):
            self._changed.clear()
            await self._changed.wait()
        largest = self._choice.choice([7, 100, 4000, 100_000])
        size = self._choice.randint(1, min(largest, n))
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def write(self, data: Any, /) -> None:
        if not self._ended:
            self._buffer += data
            self._changed.set()

    async def drain(self) -> None:
        for _ in range(self._choice.randrange(2)):
            await asyncio.sleep(0)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        self.write_eof()

    async def wait_closed(self) -> None:
        pass


class Network:
    """Nodes, and the links between them."""

    def __init__(self, choice: random.Random, nodes: list[Multifeed]) -> None:
        self.choice = choice
        self.nodes = nodes
        self._links: dict[tuple[int, int], tuple[ReplicationStream, asyncio.Task[Any]]] = {}

    def connect(self, edge: tuple[int, int]) -> None:
        a, b = (self.nodes[n] for n in edge)
        if self.choice.random() < 0.5:
            a, b = b, a
        left, right = a.replicate(True), b.replicate(False)  # noqa: FBT003
        there, back = Pipe(self.choice), Pipe(self.choice)
        task = asyncio.gather(left.run(back, there), right.run(there, back), return_exceptions=True)
        self._links[edge] = left, asyncio.ensure_future(task)

    async def cut(self, edge: tuple[int, int]) -> None:
        """End a link at once, with whatever is on its way."""
        stream, task = self._links.pop(edge)
        stream.destroy(ReplicationError("cut"))
        with suppress(ReplicationError):
            await task

    async def close(self) -> None:
        for edge in list(self._links):
            await self.cut(edge)


class World:
    """What was written, by whom."""

    def __init__(self, choice: random.Random, nodes: list[Multifeed]) -> None:
        self.choice = choice
        self.nodes = nodes
        self.written: dict[bytes, list[int]] = {}

    async def write(self) -> None:
        """Some node makes a writer, or appends to one of its own."""
        node = self.choice.choice(self.nodes)
        own = [feed for feed in node.feeds() if feed.writable]
        if own and self.choice.random() < 0.5:
            feed = self.choice.choice(own)
        else:
            pair = KeyPair.from_seed(self.choice.randbytes(32))
            feed = await node.writer(f"w{len(self.written)}", key_pair=pair)
        values = [self.choice.randrange(1000) for _ in range(self.choice.randrange(5))]
        self.written.setdefault(feed.key, []).extend(values)
        if values:
            await feed.extend(values)

    def is_everywhere(self) -> bool:
        return all(
            {feed.key for feed in node.feeds()} == set(self.written)
            and all(feed.downloaded() == len(self.written[feed.key]) for feed in node.feeds())
            for node in self.nodes
        )

    async def spread(self) -> None:
        """Let turns pass until everybody has everything."""
        for _ in range(TURNS_MAX):
            if self.is_everywhere():
                return
            await asyncio.sleep(0)
        pytest.fail("the nodes did not come to hold the same feeds")


async def check_equal(world: World) -> None:
    for node in world.nodes:
        for feed in node.feeds():
            values = [await feed.get(index) for index in range(feed.length)]
            assert values == world.written[feed.key]
        name = f"@multifeed:{ROOT.hex()}:@multifeed:persist".encode()
        listed = await node.corestore.open(CoreRequest(name=name), value_encoding="json")
        keys = [(await listed.get(index))["key"] for index in range(listed.length)]
        assert keys == [feed.key.hex() for feed in node.feeds()]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [line, ring, star, tree_and_more], ids=lambda f: f.__name__)
async def test_all_end_with_equal_feeds(shape: Callable[[random.Random], Edges], seed: int) -> None:
    choice = random.Random(f"{shape.__name__} {seed}")
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(Multifeed(memory(), key=ROOT, value_encoding="json"))
            for _ in range(NODES)
        ]
        world, network = World(choice, nodes), Network(choice, nodes)
        stack.push_async_callback(network.close)
        for _ in range(6):
            await world.write()
        edges = shape(choice)
        choice.shuffle(edges)
        for edge in edges:
            network.connect(edge)
            for _ in range(choice.randrange(50)):
                await asyncio.sleep(0)
            if choice.random() < 0.5:
                await world.write()
        for _ in range(8):
            edge = choice.choice(edges)
            await network.cut(edge)
            await world.write()
            for _ in range(choice.randrange(30)):
                await asyncio.sleep(0)
            network.connect(edge)
        await world.spread()
        for _ in range(5):  # everything is connected and quiet: now later ones
            await world.write()
        await world.spread()
        await check_equal(world)


@pytest.mark.parametrize("seed", range(4))
async def test_pairwise_syncs_that_end_carry_everything_along_a_line(seed: int) -> None:
    """Not live: each pair meets once up and once down the line."""
    choice = random.Random(seed)
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(Multifeed(memory(), key=ROOT, value_encoding="json"))
            for _ in range(NODES)
        ]
        world = World(choice, nodes)
        for _ in range(10):
            await world.write()
        for a, b in [*line(choice), *reversed(line(choice))]:
            left = nodes[a].replicate(True, live=False)  # noqa: FBT003
            right = nodes[b].replicate(False, live=False)  # noqa: FBT003
            there, back = Pipe(choice), Pipe(choice)
            await asyncio.gather(left.run(back, there), right.run(there, back))
        assert world.is_everywhere()
        await check_equal(world)
