from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.faults.hostile_mdns import ANSWER, QUERY, name, packet, question, srv

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.mdns import (
    READS_PER_S,
    READS_PER_SOURCE_PER_S,
    SENDS_PER_S,
    LanPeer,
    Mdns,
)
from hypermultifeed.discovery.mdns_packets import decode, encode_answer, encode_query, topic_label
from hypermultifeed.discovery.mdns_topic import REPORTS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC = bytes(range(32))
LABEL = topic_label(TOPIC)
OTHER = bytes(32)
HERE, THERE = "192.168.7.1", "192.168.7.2"


def make(seed: int = 1, *, allow_loopback: bool = False) -> Mdns:
    return Mdns(randomness=random.Random(seed), allow_loopback=allow_loopback)


def joined(seed: int = 1, *, announce: bool = True, lookup: bool = True) -> Mdns:
    """One that has joined at time 0 and has said what it says at first."""
    mdns = make(seed)
    mdns.join(TOPIC, 4000 + seed, 0.0, announce=announce, lookup=lookup)
    run_until(mdns, 10.0)
    return mdns


def run_until(mdns: Mdns, end: float) -> list[tuple[float, bytes]]:
    """What it sends, and when, if nothing arrives."""
    sent = []
    while (at := mdns.get_timer()) is not None and at <= end:
        mdns.handle_timer(at)
        sent += [(at, data) for data in mdns.datagrams_to_send()]
    return sent


def told_by(others: Iterable[int]) -> list[bytes]:
    return [encode_answer(LABEL, port, bytes([port % 256]) * 32) for port in others]


# -- what is said ------------------------------------------------------------------------------


def test_joining_asks_and_announces_at_once_and_twice_more_within_a_second() -> None:
    mdns = make()
    mdns.join(TOPIC, 4001, 100.0, announce=True, lookup=True)
    sent = run_until(mdns, 110.0)
    announcement = encode_answer(LABEL, 4001, random.Random(1).randbytes(32))
    times = (100.0, 100.25, 100.75)
    assert sent == [(at, data) for at in times for data in (encode_query(LABEL), announcement)]
    assert (mdns.stats.queries_sent, mdns.stats.answers_sent) == (3, 3)


def test_questions_go_on_for_ever() -> None:
    mdns = joined()
    times = [at for at, data in run_until(mdns, 3600.0) if data == encode_query(LABEL)]
    assert 60 <= len(times) <= 120
    assert all(30 <= later - sooner <= 60 for sooner, later in pairwise(times))


def test_who_only_announces_asks_nothing_and_who_only_searches_says_nothing() -> None:
    telling, searching = make(), make()
    telling.join(TOPIC, 4001, 0.0, announce=True, lookup=False)
    searching.join(TOPIC, 0, 0.0, announce=False, lookup=True)
    assert all(decode(data).offers for _, data in run_until(telling, 600.0))
    assert telling.get_timer() is None
    assert all(decode(data).asked for _, data in run_until(searching, 600.0))
    assert searching.receive_datagram(encode_query(LABEL), THERE, 601.0) == []
    assert searching.datagrams_to_send() == []


def test_a_question_is_answered_with_the_askers_address() -> None:
    mdns = joined()
    mdns.receive_datagram(encode_query(LABEL), THERE, 10.0)
    [answer] = mdns.datagrams_to_send()
    assert answer == encode_answer(LABEL, 4001, random.Random(1).randbytes(32), THERE)


def test_only_questions_about_announced_topics_are_answered() -> None:
    mdns = joined()
    both = packet(QUERY, question(name(topic_label(OTHER))), question(name(LABEL)))
    mdns.receive_datagram(encode_query(topic_label(OTHER)), THERE, 10.0)
    assert mdns.datagrams_to_send() == []
    mdns.receive_datagram(both, THERE, 10.0)
    assert [offer.label for data in mdns.datagrams_to_send() for offer in decode(data).offers] == [
        LABEL
    ]


def test_nothing_is_said_before_joining_or_after_leaving() -> None:
    mdns = make()
    assert mdns.get_timer() is None
    mdns.join(TOPIC, 4001, 0.0, announce=True, lookup=True)
    mdns.leave(TOPIC)
    mdns.leave(TOPIC)
    assert run_until(mdns, 600.0) == []
    mdns.receive_datagram(encode_query(LABEL), THERE, 601.0)
    assert mdns.datagrams_to_send() == []


def test_joining_again_takes_what_was_said_last() -> None:
    mdns = joined()
    mdns.join(TOPIC, 5000, 10.0, announce=True, lookup=False)
    sent = run_until(mdns, 600.0)
    assert [decode(data).offers[0].port for _, data in sent] == [5000] * 3


def test_another_network_is_asked_and_told_at_once() -> None:
    mdns = joined()
    mdns.network_changed(10.0)
    assert len(run_until(mdns, 11.0)) == 6


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_does_not_exist_cannot_be_announced(port: int) -> None:
    with pytest.raises(ValueError, match="port"):
        make().join(TOPIC, port, 0.0, announce=True, lookup=True)


def test_two_topics_with_one_name_are_both_served() -> None:
    mdns, twin = joined(), TOPIC[:20] + bytes(12)
    mdns.join(twin, 4009, 10.0, announce=True, lookup=True)
    run_until(mdns, 12.0)
    found = mdns.receive_datagram(told_by([5000])[0], THERE, 12.0)
    assert {peer.topic for peer in found} == {TOPIC, twin}
    mdns.leave(TOPIC)
    mdns.receive_datagram(encode_query(LABEL), THERE, 13.0)
    [answer] = mdns.datagrams_to_send()
    assert decode(answer).offers[0].port == 4009


# -- what is heard -----------------------------------------------------------------------------


def test_an_answer_is_a_peer_at_its_senders_address() -> None:
    mdns = joined()
    peer = LanPeer(TOPIC, Address(THERE, 4002))
    assert mdns.receive_datagram(told_by([4002])[0], THERE, 10.0) == [peer]
    assert mdns.stats.peers_found == 1


def test_own_answers_are_no_peers_even_after_leaving_and_joining_again() -> None:
    mdns = make()
    mdns.join(TOPIC, 4001, 0.0, announce=True, lookup=True)
    sent = run_until(mdns, 10.0)
    mdns.leave(TOPIC)
    mdns.join(TOPIC, 4001, 10.0, announce=True, lookup=True)
    assert [peer for _, data in sent for peer in mdns.receive_datagram(data, HERE, 10.0)] == []


def test_answers_for_topics_not_asked_are_skipped() -> None:
    mdns = joined()
    mdns.join(OTHER, 4001, 10.0, announce=True, lookup=False)
    for topic in (OTHER, b"x" * 32):
        answer = encode_answer(topic_label(topic), 4002, bytes(32))
        assert mdns.receive_datagram(answer, THERE, 10.0) == []


@pytest.mark.parametrize("source", ["8.8.8.8", "0.0.0.1", "224.0.0.251", "192.0.2.1", "127.0.0.1"])
def test_only_neighbours_are_peers_and_are_answered(source: str) -> None:
    mdns = joined()
    assert mdns.receive_datagram(told_by([4002])[0], source, 10.0) == []
    assert mdns.receive_datagram(encode_query(LABEL), source, 10.0) == []
    assert mdns.datagrams_to_send() == []
    assert mdns.stats.packets_refused == 2


@pytest.mark.parametrize("source", ["10.9.8.7", "172.20.0.1", "192.168.1.1", "169.254.3.4"])
def test_private_and_link_local_addresses_are_neighbours(source: str) -> None:
    assert joined().receive_datagram(told_by([4002])[0], source, 10.0)


def test_loopback_may_be_allowed() -> None:
    mdns = make(allow_loopback=True)
    mdns.join(TOPIC, 0, 0.0, announce=False, lookup=True)
    [peer] = mdns.receive_datagram(told_by([4002])[0], "127.0.0.1", 10.0)
    assert peer.address == ("127.0.0.1", 4002)


# -- limits ------------------------------------------------------------------------------------


def test_one_answer_serves_many_who_ask() -> None:
    mdns = joined()
    for number in range(100):
        mdns.receive_datagram(encode_query(LABEL), f"192.168.7.{number}", 10.0 + number / 1000)
    assert len(mdns.datagrams_to_send()) == 1
    assert [at for at, _ in run_until(mdns, 12.0)] == [10.2]


def test_answers_to_questions_without_end_are_limited() -> None:
    mdns, sent = joined(), 0
    for millisecond in range(10_000):
        source = f"192.168.{millisecond % 50}.2"
        mdns.receive_datagram(encode_query(LABEL), source, 10.0 + millisecond / 1000)
        sent += len(mdns.datagrams_to_send())
    assert 10 <= sent <= 51


def many_topics(count: int) -> tuple[Mdns, list[bytes]]:
    mdns, topics = make(), [number.to_bytes(32, "little") for number in range(count)]
    for topic in topics:
        mdns.join(topic, 4001, 0.0, announce=True, lookup=True)
    return mdns, topics


def test_what_is_sent_about_many_topics_is_limited_and_all_have_their_turn() -> None:
    mdns, topics = many_topics(200)
    sent = run_until(mdns, 30.0)
    for second in range(29):
        assert sum(second <= at < second + 1 for at, _ in sent) <= 2 * SENDS_PER_S
    first = [decode(data) for at, data in sent if at <= 4.0]
    labels = {topic_label(topic) for topic in topics}
    assert {label for said in first for label in said.asked} == labels
    assert {offer.label for said in first for offer in said.offers} == labels


def test_questions_about_many_topics_cannot_be_made_a_flood() -> None:
    mdns, topics = many_topics(200)
    run_until(mdns, 29.0)
    before = mdns.stats.answers_sent
    questions = [encode_query(topic_label(topic)) for topic in topics]
    for step in range(10_000):
        now = 29.0 + step / 10_000
        mdns.handle_timer(now)
        mdns.receive_datagram(questions[step % 200], f"192.168.7.{step % 250}", now)
    assert mdns.stats.answers_sent - before <= SENDS_PER_S


def test_only_so_many_packets_are_read() -> None:
    mdns = joined(lookup=False)
    for number in range(1000):
        mdns.receive_datagram(encode_query(LABEL), THERE, 10.0 + number / 10_000)
    assert mdns.stats.packets_limited == 1000 - READS_PER_SOURCE_PER_S
    for number in range(1000):
        mdns.receive_datagram(encode_query(LABEL), f"192.168.1.{number % 250}", 10.5)
    assert mdns.stats.packets_limited == 2000 - READS_PER_S


def test_only_so_many_peers_are_reported() -> None:
    mdns, found = joined(announce=False), 0
    for number in range(60 * 100):  # a minute
        host = f"10.{number % 200}.{number % 199}.7"
        found += len(mdns.receive_datagram(told_by([1 + number])[0], host, 10.0 + number / 100))
    assert found == 6 * REPORTS_MAX


def test_a_packet_may_offer_several() -> None:
    mdns = joined()
    offers = packet(ANSWER, *[srv(name(LABEL), port) for port in (1, 2, 2, 3)])
    found = mdns.receive_datagram(offers, THERE, 10.0)
    assert [peer.address.port for peer in found] == [1, 2, 3]


def test_what_is_malformed_is_counted_and_what_is_not_about_us_is_not_read() -> None:
    mdns = joined()
    mdns.receive_datagram(b"\x28" + LABEL, THERE, 10.0)
    mdns.receive_datagram(b"not about us", THERE, 10.0)
    mdns.receive_datagram(b"\x28" + LABEL + bytes(60_000), THERE, 10.0)
    assert mdns.stats.packets_malformed == 1
    assert mdns.stats.packets_received == 3


# -- two of them -------------------------------------------------------------------------------


class Network:
    """Delivers what each sends to all, itself included, unless it is lost."""

    def __init__(self, members: dict[str, Mdns], *, losing: float, seed: int) -> None:
        self.members = members
        self.losing = losing
        self.randomness = random.Random(seed)
        self.found: dict[str, float] = {}

    def run(self, end: float) -> None:
        while True:
            timers = [at for mdns in self.members.values() if (at := mdns.get_timer()) is not None]
            if not timers or min(timers) > end:
                return
            for mdns in self.members.values():
                mdns.handle_timer(min(timers))
            self._deliver(min(timers))

    def _deliver(self, now: float) -> None:
        while sent := [
            (s, d) for s, mdns in self.members.items() for d in mdns.datagrams_to_send()
        ]:
            for source, data in sent:
                for host, mdns in self.members.items():
                    if self.randomness.random() >= self.losing:
                        for _ in mdns.receive_datagram(data, source, now):
                            self.found.setdefault(host, now)


@pytest.mark.parametrize("later", ["both", "lookup", "announce"])
def test_two_find_each_other_at_once(later: str) -> None:
    here, there = joined(1, announce=later != "announce", lookup=later != "lookup"), make(2)
    network = Network({HERE: here, THERE: there}, losing=0.0, seed=1)
    there.join(TOPIC, 4002, 10.0, announce=later != "lookup", lookup=later != "announce")
    network.run(10.5)
    expected = {"both": {HERE, THERE}, "lookup": {THERE}, "announce": {HERE}}
    assert network.found.keys() == expected[later]
    assert set(network.found.values()) == {10.0}


def test_two_find_each_other_within_a_second_though_packets_are_lost() -> None:
    late = 0
    for seed in range(200):
        here, there = joined(1), make(2)
        network = Network({HERE: here, THERE: there}, losing=0.1, seed=seed)
        there.join(TOPIC, 4002, 10.0, announce=True, lookup=True)
        network.run(11.0)
        late += network.found.keys() != {HERE, THERE}
    assert late <= 4  # of 200; if each thing were said once, it would be some 40
