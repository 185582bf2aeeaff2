"""Any bytes into the DHT's decoders and its responder: only documented errors, bounded memory."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypermultifeed.discovery import messages, store
from hypermultifeed.discovery.addresses import (
    ADDRESSES_MAX,
    CONTACTS_MAX,
    Address,
    Contact,
    decode_addresses,
    decode_contacts,
    decode_local_addresses,
    may_dial,
    parse_address,
)
from hypermultifeed.discovery.messages import (
    DATAGRAM_BYTES_MAX,
    Message,
    MessageType,
    decode,
    encode,
)
from hypermultifeed.discovery.responder import Responder
from hypermultifeed.discovery.values import Holepunch, Mutable, PeersInput, PeersOutput
from hypermultifeed.encoding import protobuf
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SENDER = Address("10.0.0.1", 4001)
KNOWN = [Contact(bytes(32), Address("10.9.9.9", 9))] * 20

junk = st.binary(max_size=120)
ids = st.binary(min_size=32, max_size=32)
ports = st.integers(1, 65535)
numbers = st.one_of(st.integers(0, 4), st.integers(0, 2**53 - 1))


def fields(kinds: dict[int, SearchStrategy[int] | SearchStrategy[bytes]]) -> SearchStrategy[bytes]:
    """Some of these fields, in any order, each perhaps several times, perhaps cut off."""
    pairs = st.sampled_from(sorted(kinds)).flatmap(
        lambda number: st.tuples(st.just(number), kinds[number])
    )
    return st.builds(
        lambda given, cut: protobuf.encode(given)[: -cut or None],
        st.lists(pairs, max_size=8),
        st.sampled_from([0, 0, 0, 1, 7]),
    )


values = st.one_of(
    junk,
    fields({1: numbers, 2: st.binary(max_size=7), 3: numbers}),  # PeersInput
    fields({1: junk, 2: st.binary(min_size=64, max_size=64), 3: numbers, 4: junk}),  # Mutable
)
datagrams = fields(
    {
        1: st.sampled_from([1, 1, 2, 3, 4]),
        2: numbers,
        3: ids,
        4: st.one_of(ids, junk),
        5: st.binary(max_size=80),
        6: ids,
        7: st.sampled_from(
            [b"_ping", b"_find_node", b"_holepunch", b"peers", b"immutable-store", b"mutable-store"]
        ),
        8: junk,
        9: values,
        10: st.binary(max_size=7),
        11: numbers,
    }
)


@given(st.one_of(st.binary(max_size=200), datagrams))
@example(b"")
@example(b"\xff" * 40)
def test_decode(data: bytes) -> None:
    try:
        message = decode(data)
    except DiscoveryError:
        return
    assert decode(encode(message)) == message
    assert len(message.closer_nodes or ()) <= CONTACTS_MAX


@given(st.one_of(st.binary(max_size=200), datagrams))
def test_the_fast_reader_gives_what_the_general_one_gives(data: bytes) -> None:
    fast = messages._read_usual(data)
    try:
        assert fast in (None, messages._read_any(data))
    except ValueError:
        assert fast is None


@given(st.integers(DATAGRAM_BYTES_MAX + 1, 70_000))
def test_too_large_datagrams(size: int) -> None:
    with pytest.raises(DiscoveryError):
        decode(b"\x58\x01" * (size // 2 + 1))


@given(st.one_of(junk, values))
def test_values(data: bytes) -> None:
    for kind in (PeersInput, PeersOutput, Mutable, Holepunch):
        try:
            value = kind.decode(data)
        except DiscoveryError:
            continue
        assert kind.decode(value.encode()) == value


@given(st.binary(max_size=1000))
def test_lists(data: bytes) -> None:
    assert len(decode_contacts(data)) <= CONTACTS_MAX
    assert len(decode_addresses(data)) <= ADDRESSES_MAX
    for found in (decode_addresses(data), decode_local_addresses(data, SENDER)):
        assert all(0 < port < 65536 for _, port in found)


@given(st.one_of(st.text(max_size=20), st.text("0123456789.:[]", max_size=20)))
def test_addresses_in_text(text: str) -> None:
    for local in (False, True):
        if may_dial(text, local=local, allow_loopback=True):
            assert text.count(".") == 3
    try:
        host, port = parse_address(text)
    except ValueError:
        return
    assert host
    assert 0 < port < 65536


@settings(max_examples=200)
@given(st.lists(st.tuples(st.one_of(junk, datagrams), ids, ports, st.booleans()), max_size=12))
def test_responder(given_: list[tuple[bytes, bytes, int, bool]]) -> None:
    """Whatever comes, there is one answer that can be sent, or none."""
    responder = Responder(bytes(32), lambda _: KNOWN, randomness=random.Random(1), now=0.0)
    for step, (data, host, port, with_token) in enumerate(given_):
        sender = Address(f"10.0.{host[0]}.{host[1]}", port)
        try:
            message = decode(data)
        except DiscoveryError:
            continue
        if with_token:
            message.roundtrip_token = responder.tokens.create(sender.host, step)
        answer = responder.answer(message, sender, step)
        if answer is not None:
            assert (answer.type, answer.rid) == (MessageType.RESPONSE, message.rid)
            assert len(encode(answer)) < DATAGRAM_BYTES_MAX
            assert answer.error is None or answer.roundtrip_token is None


def test_a_flood_of_announcements_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random hosts, topics and values, faster than anything expires."""
    monkeypatch.setattr(store, "GENERATION_RECORDS_MAX", 500)
    monkeypatch.setattr(store, "VALUES_MAX", 100)
    randomness = random.Random(7)
    responder = Responder(bytes(32), lambda _: [], randomness=randomness, now=0.0)
    for index in range(5000):
        now = index / 100
        sender = Address(f"10.0.0.{randomness.randrange(256)}", randomness.randrange(1, 65536))
        local = Address("192.168.0.1", randomness.randrange(1, 65536))
        message = Message(
            MessageType.UPDATE,
            1,
            target=randomness.randbytes(1) * 32,
            command="peers",
            roundtrip_token=responder.tokens.create(sender.host, now),
            value=PeersInput(local_address=local).encode(),
        )
        assert responder.answer(message, sender, now) is not None
        assert len(responder.peers) <= 1000
    for generation in (responder.peers._fresh, responder.peers._stale):
        assert sum(map(len, generation.topics.values())) == generation.size
        assert sum(generation.hosts.values()) == generation.size
        assert all(generation.topics.values())
