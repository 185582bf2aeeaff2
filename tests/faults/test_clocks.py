"""Clocks that jump: a machine that slept for hours goes on, and breaks nothing.

That the clock on the wall decides nothing is in `test_wire`; all timers run on a monotonic one.
Some systems count the time asleep in that, too: then hours pass between two events.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.hostile import until
from tests.faults.virtual_time import virtual_time

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.node import Dht
from hypermultifeed.errors import ReplicationTimeoutError
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.networker import Networker
from hypermultifeed.storage import memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hypermultifeed.discovery.operations import PeersFound
    from hypermultifeed.discovery.query import Query

ROOT = b"\x07" * 32
ASLEEP_S = 8 * 3600.0
FEEDS = 5
BLOCKS = 300


async def replicated(ours: Multifeed, theirs: Multifeed, turns: int | None) -> bool:
    """Replicate, and sleep after some turns; whether all came over before the stream ended."""
    left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
    running = asyncio.create_task(link(left, right))
    loop: Any = asyncio.get_running_loop()
    turn = 0
    while not running.done() and not is_whole(theirs):
        await asyncio.sleep(0)
        if turn == turns:
            loop.now += ASLEEP_S
        turn += 1
    await left.close()
    [error] = await asyncio.gather(running, return_exceptions=True)
    assert error is None or isinstance(error, ReplicationTimeoutError)
    return is_whole(theirs)


def is_whole(copy: Multifeed) -> bool:
    return sum(feed.downloaded() for feed in copy.feeds()) == FEEDS * BLOCKS


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 12, 16, 20, 30, 50, 80])
@virtual_time
async def test_a_sleep_at_any_moment_costs_one_stream_at_most(turns: int) -> None:
    async with Multifeed(memory(), key=ROOT) as ours, Multifeed(memory(), key=ROOT) as theirs:
        for number in range(FEEDS):
            writer = await ours.writer(f"w{number}")
            await writer.extend([b"%d" % block for block in range(BLOCKS)])
        if not await replicated(ours, theirs, turns):
            assert await replicated(ours, theirs, None)
        for feed in theirs.feeds():
            assert [await feed.get(block) for block in range(BLOCKS)] == [
                b"%d" % block for block in range(BLOCKS)
            ]


# --- the DHT -------------------------------------------------------------------------------------

TOPIC = b"\x09" * 32
HOP_S = 0.02


class Nodes:
    """Nodes of one DHT on one clock; a datagram takes a moment, or waits while all sleep."""

    def __init__(self, count: int) -> None:
        choice = random.Random(count)
        self.now = 0.0
        self.nodes: dict[Address, Dht] = {}
        self._under_way: deque[tuple[float, Address, bytes, Address]] = deque()
        for number in range(count):
            address = Address(f"10.0.0.{number + 1}", 4000)
            bootstrap = list(self.nodes)[:1]
            node_id = choice.randbytes(32)
            node = Dht(node_id=node_id, randomness=choice, now=self.now, bootstrap=bootstrap)
            self.nodes[address] = node
            self.finish(node.start(self.now))

    def step(self) -> None:
        """Let the next thing happen."""
        for address, node in self.nodes.items():
            for data, receiver in node.datagrams_to_send():
                self._under_way.append((self.now + HOP_S, receiver, data, address))
        first = min(self.nodes.values(), key=Dht.get_timer)
        if self._under_way and self._under_way[0][0] <= max(self.now, first.get_timer()):
            when, receiver, data, sender = self._under_way.popleft()
            self.now = max(self.now, when)
            self.nodes[receiver].receive_datagram(data, sender, self.now)
        else:
            self.now = max(self.now, first.get_timer())
            first.handle_timer(self.now)

    def lose_all(self) -> None:
        self.step()
        self._under_way.clear()

    def finish(self, query: Query[Any]) -> list[Any]:
        results: list[Any] = []
        query.on_reply = results.append
        end = self.now + ASLEEP_S + 60.0
        while not query.done:
            assert self.now < end
            self.step()
        assert query.error is None
        return results

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.step()


def found(results: list[PeersFound]) -> set[Address]:
    return {peer for result in results for peer in result.peers}


@pytest.mark.parametrize("lost", [False, True])
def test_a_sleep_makes_no_request_of_the_dht_fail(lost: bool) -> None:
    """Neither if its answer comes hours later, nor if it was lost meanwhile."""
    net = Nodes(20)
    announcer, asker = list(net.nodes)[-2:]
    net.finish(net.nodes[announcer].announce(TOPIC, net.now))
    query = net.nodes[asker].find_node(TOPIC, net.now)
    if lost:
        net.lose_all()
    known = [len(node) for node in net.nodes.values()]
    net.now += ASLEEP_S
    assert len(net.finish(query)) >= 15
    net.pass_time(60.0)
    assert [len(node) for node in net.nodes.values()] == known


def test_records_of_the_dht_expire_while_all_sleep_and_can_be_made_anew() -> None:
    net = Nodes(20)
    announcer, asker = list(net.nodes)[-2:]
    net.finish(net.nodes[announcer].announce(TOPIC, net.now))
    assert found(net.finish(net.nodes[asker].lookup(TOPIC, net.now))) == {announcer}
    net.now += ASLEEP_S
    assert found(net.finish(net.nodes[asker].lookup(TOPIC, net.now))) == set()
    net.finish(net.nodes[announcer].announce(TOPIC, net.now))
    assert found(net.finish(net.nodes[asker].lookup(TOPIC, net.now))) == {announcer}


@pytest.mark.parametrize("steps", range(0, 200, 20))
def test_an_announcement_that_slept_ends_soon_and_the_next_one_is_stored(steps: int) -> None:
    """The tokens that it had collected may be too old then."""
    net = Nodes(20)
    announcer, asker = list(net.nodes)[-2:]
    query = net.nodes[announcer].announce(TOPIC, net.now)
    for _ in range(steps):
        net.step()
    net.now += ASLEEP_S
    net.pass_time(60.0)
    assert query.done
    net.finish(net.nodes[announcer].announce(TOPIC, net.now))
    assert found(net.finish(net.nodes[asker].lookup(TOPIC, net.now))) == {announcer}


# --- the swarm -----------------------------------------------------------------------------------


@asynccontextmanager
async def sharing(node: DhtNode, **options: Any) -> AsyncIterator[Multifeed]:
    """A multifeed that looks for its peers in a private DHT on this machine."""
    async with (
        Multifeed(memory(), key=ROOT) as multi,
        Networker(
            multi.corestore,
            bootstrap=[str(node.address)],
            mdns=False,
            allow_loopback=True,
            host="127.0.0.1",
            **options,
        ) as network,
    ):
        await network.swarm(multi)
        yield multi


async def until_same(one: Multifeed, *others: Multifeed) -> None:
    """Wait until all have all, which is not to take long."""
    async with asyncio.timeout(30.0):
        await until(lambda: all(state(one) == state(other) for other in others))


def state(multi: Multifeed) -> dict[bytes, int]:
    return {feed.key: feed.downloaded() for feed in multi.feeds()}


@partial(virtual_time, hang_s=4 * ASLEEP_S)
async def test_peers_that_slept_are_together_again_soon_and_found_by_others() -> None:
    loop: Any = asyncio.get_running_loop()
    async with (
        await DhtNode.listen("127.0.0.1") as node,
        sharing(node) as one,
        sharing(node) as two,
    ):
        for number in range(3):
            await (await one.writer("w")).append(b"%d" % number)
            await (await two.writer("w")).append(b"%d" % number)
            await until_same(one, two)
            loop.now += ASLEEP_S
        await (await one.writer("w")).append(b"after")
        await until_same(one, two)
        async with sharing(node) as three:
            await until_same(one, two, three)
