from __future__ import annotations

import pytest
from tests.faults.hostile_mdns import (
    ANSWER,
    ANY,
    HOST,
    QUERY,
    compressed_answer,
    corpus,
    name,
    packet,
    pointer,
    question,
    record,
    srv,
    txt,
)

from hypermultifeed.discovery.mdns_packets import (
    PACKET_BYTES_MAX,
    RECORDS_MAX,
    Offer,
    Packet,
    decode,
    encode_answer,
    encode_query,
    labels_in,
    topic_label,
)
from hypermultifeed.errors import DiscoveryError

TOPIC = bytes(range(32))
LABEL = topic_label(TOPIC)
OTHER = topic_label(bytes(32))
ID = b"\x11" * 32
OFFER = Packet([], [Offer(LABEL, 4000)])


def test_a_topic_is_named_by_its_first_twenty_bytes() -> None:
    assert LABEL == b"000102030405060708090a0b0c0d0e0f10111213"
    assert topic_label(TOPIC[:20] + bytes(12)) == LABEL


@pytest.mark.parametrize("asker", [None, "192.168.7.9"])
def test_what_is_written_is_read(asker: str | None) -> None:
    assert decode(encode_query(LABEL)) == Packet([LABEL], [])
    answer = encode_answer(LABEL, 4000, ID, asker)
    assert decode(answer) == OFFER
    assert labels_in(answer) == [LABEL, LABEL]


def test_an_answer_carries_the_id() -> None:
    assert b"id=" + ID in encode_answer(LABEL, 4000, ID)


def test_names_may_be_compressed() -> None:
    assert decode(compressed_answer(LABEL, 4000, b"id=" + ID)) == OFFER
    again = packet(ANSWER, srv(name(LABEL), 4000), srv(pointer(12), 4001))
    assert decode(again).offers == [Offer(LABEL, 4000), Offer(LABEL, 4001)]


def test_several_topics_and_what_else_there_may_be() -> None:
    query = packet(QUERY, question(name(LABEL)), question(b"\0", ANY), question(name(OTHER)))
    assert decode(query).asked == [LABEL, OTHER]
    answer = packet(
        ANSWER,
        record(b"\x07printer\x05local\0", 12, b"\x01x\0"),
        txt(name(LABEL), b"id=" + ID),
        srv(name(LABEL), 4000),
        srv(name(OTHER), 4001),
    )
    assert decode(answer).offers == [Offer(LABEL, 4000), Offer(OTHER, 4001)]


def test_the_bits_of_unicast_and_cache_flush_are_skipped() -> None:
    assert decode(packet(QUERY, question(name(LABEL), class_=0x8001))).asked == [LABEL]
    flush = name(LABEL) + b"\0\x21\x80\x01" + bytes(4) + b"\0\x0f" + bytes(4) + b"\x0f\xa0" + HOST
    assert decode(packet(ANSWER, flush)) == OFFER


def test_questions_in_an_answer_and_answers_in_a_query_are_skipped() -> None:
    both = question(name(LABEL)) + srv(name(LABEL), 4000)
    assert decode(packet(QUERY, both, counts=(1, 1, 0, 0))) == Packet([LABEL], [])
    assert decode(packet(ANSWER, both, counts=(1, 1, 0, 0))) == OFFER


@pytest.mark.parametrize(
    "owner",
    [
        b"\0",
        b"\x28" + LABEL + b"\0",
        b"\x28" + LABEL + b"\x05local\0",
        b"\x28" + LABEL + b"\x0ahyperswarm\x03lan\0",
        b"\x01x" + name(LABEL),
    ],
)
def test_other_names_are_skipped(owner: bytes) -> None:
    assert decode(packet(QUERY, question(owner))) == Packet([], [])
    assert decode(packet(ANSWER, srv(owner, 4000))) == Packet([], [])


def test_only_questions_of_our_kind_count() -> None:
    for type_, class_ in ((ANY, 1), (12, 1), (33, 3)):
        assert decode(packet(QUERY, question(name(LABEL), type_, class_))) == Packet([], [])


@pytest.mark.parametrize(
    "target",
    [b"\0", HOST[2:], b"\x07example\0", b"\x0210\x010\x010\x015\0", b"\x018\x018\x018\x018\0"],
)
def test_a_host_must_be_the_sender(target: bytes) -> None:
    assert decode(packet(ANSWER, srv(name(LABEL), 80, target))) == Packet([], [])


def test_sizes_and_counts_are_limited() -> None:
    full = packet(ANSWER, *[srv(name(LABEL), n + 1) for n in range(RECORDS_MAX)])
    assert len(decode(full).offers) == RECORDS_MAX
    with pytest.raises(DiscoveryError, match="records"):
        decode(packet(ANSWER, *[srv(b"\0", 1)] * (RECORDS_MAX + 1)))
    room = PACKET_BYTES_MAX - len(packet(ANSWER, record(b"\0", ANY, b"")))
    assert decode(packet(ANSWER, record(b"\0", ANY, bytes(room)))) == Packet([], [])
    with pytest.raises(DiscoveryError, match="bytes"):
        decode(packet(ANSWER, record(b"\0", ANY, bytes(room + 1))))


@pytest.mark.parametrize("wrong", corpus(LABEL))
def test_a_hostile_packet_is_refused_or_offers_what_it_says(wrong: str) -> None:
    try:
        read = decode(corpus(LABEL)[wrong])
    except DiscoveryError:
        return
    assert set(read.offers) <= {Offer(LABEL, 1)}
    assert read.asked == []
