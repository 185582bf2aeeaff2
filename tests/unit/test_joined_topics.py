"""Topics that are joined, left, and waited for."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.faults.virtual_time import virtual_time
from tests.swarms import OTHER, TOPIC, FakeDht

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.network.joined_topics import CLOSE_S, FLUSH_S, JoinedTopics
from hypermultifeed.network.topic_search import Means
from hypermultifeed.peers.peer_queue import PeerQueue

if TYPE_CHECKING:
    from hypermultifeed.discovery.operations import PeersFound

PEER = Address("203.0.113.1", 4711)


def now() -> float:
    return asyncio.get_running_loop().time()


class Scene:
    """Topics on a DHT; whom it names is queued, and dialled by nobody but the test."""

    def __init__(self, dht: FakeDht) -> None:
        self.full = False
        self.queue = PeerQueue(Random(1), now())
        means = Means(dht, None, 1, 0, None, Random(1), self.found)
        self.topics = JoinedTopics(self.queue, means, lambda: self.full)

    def found(self, topic: bytes, found: PeersFound) -> None:
        for address in found.peers:
            self.queue.add(address, now(), topic=topic, source=found.node.host)


@virtual_time
async def test_what_is_joined_is_known() -> None:
    scene = Scene(FakeDht(PEER))
    scene.topics.join(TOPIC, announce=True, lookup=True)
    assert TOPIC in scene.topics
    assert OTHER not in scene.topics
    await asyncio.sleep(2.0)
    status = scene.topics.status()
    assert list(status) == [TOPIC]
    assert (status[TOPIC].rounds, status[TOPIC].candidates, status[TOPIC].connections) == (1, 1, 0)
    candidate = scene.queue.next(now())
    assert candidate is not None
    scene.queue.greeted(candidate, now())
    assert scene.topics.status()[TOPIC].connections == 1
    await scene.topics.close()


@virtual_time
async def test_peers_of_what_is_only_announced_are_not_queued() -> None:
    scene = Scene(FakeDht(PEER))
    scene.topics.join(TOPIC, announce=True, lookup=True)
    await asyncio.sleep(2.0)
    scene.topics.join(TOPIC, announce=True, lookup=False)
    assert len(scene.queue) == 0
    await asyncio.sleep(2.0)
    assert len(scene.queue) == 0
    await scene.topics.close()


@pytest.mark.parametrize("end", ["dialled", "full", "left", "closed", "patience"])
@virtual_time
async def test_flushed(end: str) -> None:
    scene = Scene(FakeDht(PEER))
    scene.topics.join(TOPIC, announce=False, lookup=True)
    flushed = asyncio.create_task(scene.topics.flushed(TOPIC))
    await asyncio.sleep(2.0)
    candidate = scene.queue.next(now())
    assert candidate is not None
    scene.topics.look()
    await asyncio.sleep(0.1)
    assert not flushed.done()
    if end == "dialled":
        scene.queue.ended(candidate, now())
        scene.topics.look()
    elif end == "full":
        scene.full = True
        scene.topics.look()
    elif end == "left":
        assert await scene.topics.leave(TOPIC)
    elif end == "closed":
        await scene.topics.close()
    start = now()
    await flushed
    assert now() - start <= (FLUSH_S if end == "patience" else 0.0)
    await scene.topics.close()


@virtual_time
async def test_leaving_and_joining_again() -> None:
    dht = FakeDht()
    scene = Scene(dht)
    assert not await scene.topics.leave(TOPIC)
    scene.topics.join(TOPIC, announce=True, lookup=True)
    await scene.topics.flushed(TOPIC)
    first, second = asyncio.create_task(scene.topics.leave(TOPIC)), None
    await asyncio.sleep(0.5)
    assert TOPIC not in scene.topics
    scene.topics.join(TOPIC, announce=True, lookup=True)
    second = asyncio.create_task(scene.topics.leave(TOPIC))
    assert await first
    assert await second
    words = [word for word in dht.words if word != "end"]
    assert words[:3] == ["announce", "unannounce", "unannounced"]
    assert words.count("announce") == words.count("unannounced")
    assert not scene.topics._leaving


@virtual_time
async def test_closing_waits_for_all_that_is_taken_back_but_not_long() -> None:
    for takes in (1.0, 3600.0):
        dht = FakeDht(takes=takes)
        scene = Scene(dht)
        for topic in (TOPIC, OTHER):
            scene.topics.join(topic, announce=True, lookup=True)
        await asyncio.sleep(2.0)
        leaving = asyncio.create_task(scene.topics.leave(TOPIC))
        await asyncio.sleep(0.0)
        start = now()
        await scene.topics.close()
        assert now() - start == min(takes, CLOSE_S)
        await asyncio.sleep(0.0)
        assert await leaving
        assert dht.words.count("unannounced") == (2 if takes == 1.0 else 0)
        assert scene.topics.status() == {}
