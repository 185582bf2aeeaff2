"""Any packets at all into LAN discovery: only documented errors, and a bounded amount of work.

Work is counted as calls of functions, so that no clock is needed.
"""

from __future__ import annotations

import random
import sys
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.faults.hostile_mdns import ANSWER, QUERY, corpus, name, packet, pointer

from hypermultifeed.discovery.mdns import READS_PER_S, SENDS_PER_S, Mdns
from hypermultifeed.discovery.mdns_packets import (
    PACKET_BYTES_MAX,
    RECORDS_MAX,
    decode,
    encode_answer,
    encode_query,
    topic_label,
)
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

TOPIC = bytes(range(32))
LABEL = topic_label(TOPIC)
HOSTILE = corpus(LABEL)
HOST = "192.168.7.2"
CALLS_MAX = 15_000
"""Of functions, Python's and C's, to read one packet. An honest one takes some 280."""


def calls_of(work: Callable[[], object]) -> int:
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def read(data: bytes) -> None:
    try:
        said = decode(data)
    except DiscoveryError:
        return
    assert len(said.asked) + len(said.offers) <= RECORDS_MAX
    assert all(len(label) <= 63 for label in said.asked)
    assert all(0 < offer.port < 65536 for offer in said.offers)


def joined() -> Mdns:
    mdns = Mdns(randomness=random.Random(1))
    mdns.join(TOPIC, 4001, 0.0, announce=True, lookup=True)
    return mdns


# -- one packet --------------------------------------------------------------------------------

parts = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([name(LABEL), b"\0", b"\x28" + LABEL, b"\0\x21\0\x01", b"\0\x10\0\x01"]),
    st.integers(0, 400).map(pointer),
)
packets = st.builds(
    lambda flags, counts, body: packet(flags, *body, counts=counts),
    st.sampled_from([QUERY, ANSWER, 0x7800, 0xFFFF]),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.lists(parts, max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=200), packets))
@example(b"")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_an_honest_packet_with_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    honest = st.sampled_from([encode_query(LABEL), encode_answer(LABEL, 4000, bytes(32), HOST)])
    changed = bytearray(data.draw(honest))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(changed[: data.draw(st.integers(0, len(changed)))]))


@pytest.mark.parametrize("wrong", HOSTILE)
def test_no_packet_costs_much(wrong: str) -> None:
    data = HOSTILE[wrong]
    assert calls_of(lambda: read(data)) < CALLS_MAX
    mdns = joined()
    assert calls_of(lambda: mdns.receive_datagram(data, HOST, 1.0)) < CALLS_MAX


def test_what_is_not_about_us_costs_next_to_nothing() -> None:
    mdns, other = joined(), topic_label(bytes(32))
    for data in (bytes(1400), encode_query(other), *corpus(other).values()):
        assert calls_of(partial(mdns.receive_datagram, data, HOST, 1.0)) < 100
    assert mdns.stats.packets_malformed == 0


# -- many --------------------------------------------------------------------------------------


def test_a_flood_is_read_in_part_and_leaves_nothing_behind() -> None:
    mdns, randomness = joined(), random.Random(2)
    flood = [*HOSTILE.values(), encode_query(LABEL)]
    flood += [encode_answer(LABEL, port, randomness.randbytes(32)) for port in range(1, 100)]

    def second(start: int) -> None:
        for number in range(1000):
            source = f"192.168.{randomness.randrange(256)}.{randomness.randrange(256)}"
            now = start + number / 1000
            mdns.handle_timer(now)
            mdns.receive_datagram(randomness.choice(flood), source, now)
            mdns.datagrams_to_send()

    second(0)
    tracemalloc.start()
    try:
        second(1)
        before = tracemalloc.get_traced_memory()[0]
        for start in range(2, 6):
            second(start)
        assert tracemalloc.get_traced_memory()[0] - before < 64 * 1024
    finally:
        tracemalloc.stop()
    stats = mdns.stats
    usable = sum(len(data) <= PACKET_BYTES_MAX for data in flood) / len(flood) * 6000
    assert stats.packets_limited > usable - 6 * READS_PER_S - 300
    assert stats.answers_sent <= 6 * SENDS_PER_S


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_an_honest_peer_is_found_after_any_garbage(randomness: random.Random) -> None:
    mdns = joined()
    garbage = list(HOSTILE.values())
    for number in range(40):
        mdns.receive_datagram(randomness.choice(garbage), HOST, number / 100)
    [peer] = mdns.receive_datagram(encode_answer(LABEL, 4002, bytes(32)), "192.168.7.3", 1.0)
    assert peer == (TOPIC, ("192.168.7.3", 4002))
