"""Anything a peer may send after a valid handshake: only documented errors, bounded memory."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermultifeed.encoding import varint
from hypermultifeed.errors import FeedError, ReplicationError
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair, discovery_key
from hypermultifeed.replication.channels import Channel, ChannelHandler, Session, SessionOwner
from hypermultifeed.replication.feed_sync import FeedSync
from hypermultifeed.storage import memory
from hypermultifeed.wire.messages import (
    MessageType,
    encode_data,
    encode_have,
    encode_open,
    encode_request,
    encode_unhave,
    encode_want,
)

PAIR = KeyPair.from_seed(bytes([1]) * 32)
BLOCKS = [bytes([index]) * (index * 7) for index in range(20)]
SECRET = KeyPair.from_seed(bytes([2]) * 32).public_key
BIG = 2**53 - 1


class Idle(SessionOwner):
    """Leaves idle whatever the peer opens."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def on_remote_open(self, discovery_key: bytes) -> bool:
        return True

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        self.errors.append(error)


class Attack:
    """One of ours (a writer or a reader) and a peer that may send anything."""

    def __init__(self, *, writer: bool) -> None:
        self.log = Log.open(
            memory()("relaxed"), key=PAIR.public_key, key_pair=PAIR if writer else None
        )
        if writer:
            self.log.append(BLOCKS)
        self.sync = FeedSync(self.log, randbelow=random.Random(1).randrange)
        self.sync.extensions.add("x", encoding="json")
        self.ours, self.theirs = self._session(1), self._session(2)
        self.owner = Idle()
        self.ours.attach(self.owner)
        self.ours.register_extension("y", encoding="json")
        self.ours.open(PAIR.public_key, self.sync.peer(live=True, download=not writer))
        self.theirs.open(PAIR.public_key, ChannelHandler())
        self.pump()
        self.before = self.state()

    def _session(self, number: int) -> Session:
        return Session(
            initiator=number == 1,
            key_pair=NoiseKeyPair.from_seed(bytes([number]) * 32),
            ephemeral_seed=bytes([number + 10]) * 32,
            nonce=bytes([number + 20]) * 24,
            now=0.0,
        )

    def pump(self) -> None:
        for _ in range(4):
            for source, target in ((self.ours, self.theirs), (self.theirs, self.ours)):
                if data := bytes(source.data_to_send()):
                    target.receive_data(data, 0.0)
        channel = self.ours.channel(discovery_key(PAIR.public_key))
        assert channel is not None
        assert channel.ready

    def send(self, frames: list[tuple[int, int, bytes]]) -> None:
        """Send frames; only a `ReplicationError` may come out, and it ends the stream."""
        for channel, message_type, body in frames:
            self.theirs.connection.send_frame(channel, message_type, body)
        try:
            for _ in range(3):
                if data := bytes(self.theirs.data_to_send()):
                    self.ours.receive_data(data, 0.0)
                self.ours.data_to_send()
                self.ours.drained(0.0)
                self.ours.handle_timer(0.0)
        except ReplicationError as error:
            self.ours.close(error)
        assert all(isinstance(error, FeedError) for error in self.owner.errors)
        assert self.state() == self.before

    def state(self) -> Any:
        log = self.log
        return log.length, log.byte_length, log.count(0, 100), log.signed_root


numbers = st.one_of(st.integers(0, 40), st.integers(0, BIG), st.sampled_from([BIG, 2**32, 2**20]))
lengths = st.one_of(st.none(), numbers)
raw = st.binary(max_size=80)
nodes = st.lists(st.tuples(numbers, st.binary(min_size=32, max_size=32), numbers), max_size=4)
bodies = st.one_of(
    st.tuples(st.integers(0, 15), raw),
    st.builds(lambda s, n: (MessageType.HAVE, encode_have(s, n)), numbers, lengths),
    st.builds(lambda s, n, b: (MessageType.HAVE, encode_have(s, n, b)), numbers, lengths, raw),
    st.builds(lambda s, n: (MessageType.UNHAVE, encode_unhave(s, n)), numbers, lengths),
    st.builds(lambda s, n: (MessageType.WANT, encode_want(s, n)), numbers, lengths),
    st.builds(
        lambda i, b, h, n: (MessageType.REQUEST, encode_request(i, b, h, n)),
        numbers,
        st.one_of(st.just(0), numbers),
        st.booleans(),
        numbers,
    ),
    st.builds(
        lambda i, v, n, s: (MessageType.DATA, encode_data(i, v, n, s)),
        numbers,
        st.one_of(st.none(), raw),
        nodes,
        st.one_of(st.none(), raw, st.binary(min_size=64, max_size=64)),
    ),
    st.builds(
        lambda dk, cap: (MessageType.OPEN, encode_open(dk, cap)),
        st.one_of(raw, st.binary(min_size=32, max_size=32), st.just(discovery_key(SECRET))),
        st.one_of(st.none(), raw),
    ),
    st.builds(
        lambda number, payload: (MessageType.EXTENSION, varint.encode(number) + payload),
        numbers,
        raw,
    ),
)
frames = st.lists(
    st.builds(lambda c, b: (c, *b), st.sampled_from([0, 1, 1, 1, 2, 3, 2**20]), bodies), max_size=12
)


@settings(max_examples=100, deadline=None)
@given(frames, st.booleans())
def test_any_frames(sent: list[tuple[int, int, bytes]], writer: bool) -> None:
    Attack(writer=writer).send(sent)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(data: bytes, writer: bool) -> None:
    attack = Attack(writer=writer)
    with suppress(ReplicationError):
        attack.ours.receive_data(data, 0.0)
    assert attack.state() == attack.before


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_bits_flipped_under_way(data: st.DataObject) -> None:
    """There is no checksum on the wire: a flip must end in an error or in nothing."""
    attack = Attack(writer=True)
    for index in range(5):
        attack.theirs.connection.send_frame(1, MessageType.REQUEST, encode_request(index))
    wire = bytearray(attack.theirs.data_to_send())
    position = data.draw(st.integers(0, len(wire) - 1))
    wire[position] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ReplicationError):
        attack.ours.receive_data(bytes(wire), 0.0)
    assert attack.state() == attack.before


FLOODS: dict[str, list[tuple[int, bytes]]] = {
    "claims": [
        (MessageType.HAVE, encode_have(number * 2**39 + number, 2**38)) for number in range(10_000)
    ],
    "single claims": [(MessageType.HAVE, encode_have(number * 8192)) for number in range(20_000)],
    "requests": [(MessageType.REQUEST, encode_request(BIG - number)) for number in range(20_000)],
    "the same request": [(MessageType.REQUEST, encode_request(19))] * 20_000,
    "wants": [(MessageType.WANT, encode_want(number << 20, 1 << 20)) for number in range(20_000)],
    "unasked data": [
        (MessageType.DATA, encode_data(number, bytes(100), [], bytes(64)))
        for number in range(20_000)
    ],
    "options": [(MessageType.OPTIONS, b"\x0a\x01a" * 1000)] * 50,
}


@pytest.mark.parametrize("writer", [False, True])
@pytest.mark.parametrize("name", FLOODS)
def test_floods_stay_small(name: str, writer: bool) -> None:
    attack = Attack(writer=writer)
    tracemalloc.start()
    try:
        for message_type, body in FLOODS[name]:
            attack.theirs.connection.send_frame(1, message_type, body)
        wire = bytes(attack.theirs.data_to_send())
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for start in range(0, len(wire), 65_536):
            if attack.ours.closed:
                break
            try:
                attack.ours.receive_data(wire[start : start + 65_536], 0.0)
            except ReplicationError as error:
                attack.ours.close(error)
            attack.ours.data_to_send()
            attack.ours.drained(0.0)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20
    assert attack.state() == attack.before
