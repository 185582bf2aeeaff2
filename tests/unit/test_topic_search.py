"""Rounds of the DHT: when they come, and that announcements are taken back in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random

from tests.faults.virtual_time import virtual_time
from tests.swarms import NODE, TOPIC, FakeDht

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.errors import BootstrapError, DiscoveryError
from hypermultifeed.network.topic_search import (
    LAN_WAIT_S,
    LEAVE_S,
    QUICK_WAITS_S,
    ROUND_WAIT_S,
    Means,
    TopicSearch,
)

PEER = Address("198.51.100.2", 2)
HERE = Address("192.168.0.1", 4711)


class FakeLan:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def join(self, topic: bytes, port: int, *, announce: bool, lookup: bool) -> None:
        self.calls.append(("join", topic, port, announce, lookup))

    def leave(self, topic: bytes) -> None:
        self.calls.append(("leave", topic))


def search(dht: FakeDht | None, lan: FakeLan | None = None) -> tuple[TopicSearch, list[PeersFound]]:
    found: list[PeersFound] = []
    means = Means(dht, lan, 4711, 4712, HERE, Random(1), lambda topic, peers: found.append(peers))
    return TopicSearch(TOPIC, means), found


@virtual_time
async def test_a_round_reports_what_it_finds_and_comes_again_in_five_to_ten_minutes() -> None:
    dht = FakeDht(PEER)
    topic, found = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    assert dht.words == ["announce", "end"]
    assert dht.asked == {(TOPIC, 4712, HERE)}
    assert found == [PeersFound(NODE, [PEER], [], None)]
    assert (topic.rounds, topic.error, topic.peers_named) == (1, None, 1)
    await asyncio.sleep(3600.0)
    begun = [when for when, what in dht.log if what == "announce"]
    waits = {later - earlier - 1.0 for earlier, later in pairwise(begun)}
    assert min(ROUND_WAIT_S) <= min(waits) < max(waits) <= max(ROUND_WAIT_S)
    await topic.stop()


@virtual_time
async def test_quick_rounds_follow_while_nobody_is_found() -> None:
    dht = FakeDht()
    topic, _ = search(dht)
    topic.start(announce=False, lookup=True, after=None)
    await asyncio.sleep(300.0)
    begun = [when for when, what in dht.log if what == "lookup"]
    waits = [later - earlier - 1.0 for earlier, later in pairwise(begun)]
    assert waits == list(QUICK_WAITS_S)
    await topic.stop()


@virtual_time
async def test_quick_rounds_end_when_somebody_is_found() -> None:
    dht = FakeDht()
    topic, _ = search(dht)
    topic.start(announce=False, lookup=True, after=None)
    await topic.first_round()
    dht.peers.append(PEER)
    await asyncio.sleep(200.0)
    assert dht.words.count("lookup") == 2
    await topic.stop()


@virtual_time
async def test_a_round_that_fails_is_no_end() -> None:
    dht = FakeDht(PEER, fails=True)
    topic, found = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    assert isinstance(topic.error, DiscoveryError)
    dht.fails = False
    await asyncio.sleep(10.0)
    assert len(found) == 1
    await topic.stop()


@virtual_time
async def test_without_any_node_the_first_round_still_ends() -> None:
    dht = FakeDht(PEER)
    dht.reachable = False
    topic, found = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    assert isinstance(topic.error, BootstrapError)
    dht.reachable = True
    await asyncio.sleep(10.0)
    assert len(found) == 1
    await topic.stop()


@virtual_time
async def test_who_only_announces_hears_of_nobody() -> None:
    topic, found = search(FakeDht(PEER))
    topic.start(announce=True, lookup=False, after=None)
    await topic.first_round()
    assert found == []
    await topic.stop()


@virtual_time
async def test_stopping_takes_the_announcement_back() -> None:
    dht = FakeDht(PEER)
    topic, _ = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    await topic.stop()
    assert dht.words == ["announce", "end", "unannounce", "unannounced"]
    assert dht.asked == {(TOPIC, 4712, HERE)}
    await asyncio.sleep(3600.0)
    assert len(dht.log) == 4


@virtual_time
async def test_stopping_in_the_middle_of_an_announcement_takes_it_back_too() -> None:
    dht = FakeDht(PEER)
    topic, _ = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await asyncio.sleep(0.5)
    await topic.stop()
    assert dht.words == ["announce", "end", "unannounce", "unannounced"]
    await topic.first_round()


@virtual_time
async def test_stopping_a_lookup_sends_nothing() -> None:
    dht = FakeDht(PEER)
    topic, _ = search(dht)
    topic.start(announce=False, lookup=True, after=None)
    await topic.first_round()
    await topic.stop()
    assert dht.words == ["lookup", "end"]


@virtual_time
async def test_stopping_takes_a_bounded_time_and_does_not_fail() -> None:
    loop = asyncio.get_running_loop()
    for dht in (FakeDht(takes=3600.0), FakeDht(takes=0.0, fails=True)):
        topic, _ = search(dht)
        topic.start(announce=True, lookup=True, after=None)
        await asyncio.sleep(0.1)
        start = loop.time()
        await topic.stop()
        assert loop.time() - start <= LEAVE_S
        topic.start(announce=True, lookup=True, after=None)
        await asyncio.sleep(0.1)
        start = loop.time()
        await topic.stop(timeout_s=2.0)
        assert loop.time() - start <= 2.0


@virtual_time
async def test_the_same_wishes_again_announce_again_and_take_nothing_back() -> None:
    dht = FakeDht(PEER)
    topic, _ = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    topic.start(announce=True, lookup=True, after=None)
    await asyncio.sleep(2.0)
    assert dht.words == ["announce", "end", "announce", "end"]
    topic.start(announce=True, lookup=True, after=None)
    await asyncio.sleep(0.5)
    topic.start(announce=True, lookup=True, after=None)
    await asyncio.sleep(10.0)
    assert dht.words == ["announce", "end"] * 4, "once more after the one under way"
    await topic.stop()


@virtual_time
async def test_what_is_not_wished_any_more_is_taken_back_first() -> None:
    dht = FakeDht(PEER)
    topic, _ = search(dht)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    topic.start(announce=False, lookup=True, after=None)
    await asyncio.sleep(10.0)
    assert dht.words[2:] == ["unannounce", "unannounced", "lookup", "end"]
    await topic.stop()
    assert len(dht.words) == 6


@virtual_time
async def test_a_new_search_waits_for_the_end_of_the_old_one() -> None:
    dht = FakeDht(PEER)
    old, _ = search(dht)
    old.start(announce=True, lookup=True, after=None)
    await old.first_round()
    leaving = asyncio.create_task(old.stop())
    new, _ = search(dht)
    new.start(announce=True, lookup=True, after=leaving)
    await new.first_round()
    assert dht.words[2:] == ["unannounce", "unannounced", "announce", "end"]
    await new.stop()


@virtual_time
async def test_the_lan_is_told_and_waited_for() -> None:
    loop = asyncio.get_running_loop()
    lan = FakeLan()
    topic, _ = search(None, lan)
    start = loop.time()
    topic.start(announce=True, lookup=False, after=None)
    await topic.first_round()
    assert loop.time() - start == LAN_WAIT_S
    topic.start(announce=False, lookup=True, after=None)
    await topic.stop()
    assert lan.calls == [
        ("join", TOPIC, 4711, True, False),
        ("join", TOPIC, 4711, False, True),
        ("leave", TOPIC),
    ]


@virtual_time
async def test_without_any_means_there_is_nothing_to_wait_for() -> None:
    topic, _ = search(None)
    topic.start(announce=True, lookup=True, after=None)
    await topic.first_round()
    await topic.stop()
