"""Any bytes, in any chunks, into every entry of the wire: only documented errors come out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypermultifeed.codecs import JSON, resolve_codec
from hypermultifeed.encoding import runs
from hypermultifeed.errors import (
    HandshakeError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    StreamClosedError,
)
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.wire import messages
from hypermultifeed.wire.connection import Connection
from hypermultifeed.wire.framing import FrameParser, encode_frame
from hypermultifeed.wire.messages import MessageType
from hypermultifeed.wire.noise import Handshake

chunks = st.lists(st.binary(max_size=120), max_size=8)
TYPES = [*range(11), 15]


class Peer:
    """Decodes every message, as a session does."""

    def __init__(self, *, initiator: bool, **options: Any) -> None:
        self.frames = 0
        seed = bytes([initiator]) * 32
        self.connection = Connection(
            self,
            initiator=initiator,
            key_pair=NoiseKeyPair.from_seed(seed),
            ephemeral_seed=seed,
            nonce=seed[:24],
            now=0,
            **options,
        )

    def on_authenticate(self, remote_public_key: bytes) -> None:
        pass

    def on_handshake(self) -> None:
        pass

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        assert channel >= 0
        self.frames += 1
        messages.decode(message_type, body)

    def give(self, parts: list[bytes]) -> None:
        """Feed it, with its timers and its end, until it fails."""
        ours = self.connection
        clock = itertools.count()
        try:
            for part in parts:
                ours.receive_data(part, next(clock))
                ours.handle_timer(next(clock))
                ours.data_to_send()
            ours.receive_eof(next(clock))
        except (RemoteProtocolError, ReplicationTimeoutError):
            with pytest.raises(StreamClosedError):
                ours.receive_data(b"", 0)
            assert ours.data_to_send() == b""
            assert ours.get_timer() is None


def connected() -> tuple[Peer, Peer]:
    a, b = Peer(initiator=True), Peer(initiator=False)
    for sender, receiver in ((a, b), (b, a), (a, b)):
        receiver.connection.receive_data(sender.connection.data_to_send(), 0)
    assert b.connection.handshake_complete
    return a, b


@pytest.mark.parametrize("message_type", TYPES)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff" * 20)
@example(b"\x08")
def test_decoders(message_type: int, body: bytes) -> None:
    try:
        message = messages.decode(message_type, body)
    except RemoteProtocolError:
        return
    assert message is not None


@given(st.lists(st.sampled_from([8, 16, 18, 24, 26, 32, 34, 0, 1, 2, 127, 128, 255]), max_size=40))
def test_decoders_on_likely_bytes(body: list[int]) -> None:
    for message_type in TYPES:
        try:
            messages.decode(message_type, bytes(body))
        except RemoteProtocolError:
            continue


@given(chunks)
def test_frame_parser(parts: list[bytes]) -> None:
    received: list[tuple[int, int, bytes]] = []
    parser = FrameParser(lambda *frame: received.append(frame))
    total = 0
    try:
        for part in parts:
            parser.feed(part)
            total += len(part)
            assert parser.pending <= total
    except RemoteProtocolError:
        return
    assert sum(len(body) for _, _, body in received) <= total


@given(st.binary(max_size=100), st.integers(0, 1 << 18))
def test_runs(data: bytes, limit: int) -> None:
    try:
        assert len(runs.decode(data, bytes_max=limit)) <= limit
    except RemoteProtocolError:
        return


@given(st.booleans(), chunks)
def test_connection_before_the_handshake(initiator: bool, parts: list[bytes]) -> None:
    peer = Peer(initiator=initiator)
    peer.give(parts)
    assert peer.frames == 0


@given(st.booleans(), st.integers(0, 2), st.binary(max_size=200))
def test_connection_within_the_handshake(initiator: bool, step: int, data: bytes) -> None:
    """Good messages up to some point, then anything."""
    a, b = Peer(initiator=True), Peer(initiator=False)
    for sender, receiver in ((a, b), (b, a))[:step]:
        receiver.connection.receive_data(sender.connection.data_to_send(), 0)
    peer = a if initiator else b
    was_complete = peer.connection.handshake_complete
    peer.give([data[:50], data[50:]])
    assert peer.connection.handshake_complete is was_complete


@given(st.booleans(), chunks)
def test_connection_after_the_handshake(initiator: bool, parts: list[bytes]) -> None:
    a, b = connected()
    (a if initiator else b).give(parts)


@given(st.booleans(), st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=60)), max_size=6))
def test_well_framed_garbage(initiator: bool, frames: list[tuple[int, bytes]]) -> None:
    """Encrypted and framed as it should be, with anything in the bodies."""
    a, b = connected()
    sender, receiver = (a, b) if initiator else (b, a)
    for message_type, body in frames:
        sender.connection.send_frame(1, message_type, body)
    receiver.give([bytes(sender.connection.data_to_send())])


@given(st.booleans(), chunks)
def test_connection_without_encryption(initiator: bool, parts: list[bytes]) -> None:
    Peer(initiator=initiator, noise=False, encrypted=False).give(parts)


@given(st.integers(0, 2), st.binary(max_size=200))
def test_handshake_messages(step: int, data: bytes) -> None:
    pair = NoiseKeyPair.from_seed(bytes(32))
    a, b = (
        Handshake(initiator=initiator, key_pair=pair, ephemeral=pair, payload=b"x")
        for initiator in (True, False)
    )
    for writer, reader in ((a, b), (b, a))[:step]:
        reader.read_message(writer.write_message())
    side = a if a.writes_next is False else b
    try:
        side.read_message(data)
    except HandshakeError:
        return
    assert step == 0  # only the first message is not authenticated


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text('[]{}",:0123456789.eE+-tfn\\u \n').map(str.encode))
def test_codecs(data: bytes) -> None:
    for name in ("binary", "utf-8", "ascii", "hex", "base64", "utf16le"):
        resolve_codec(name).decode(data)
    try:
        value = JSON.decode(data)
    except ValueError:
        return
    assert JSON.decode(JSON.encode(value)) == value or b"e" in data.lower()  # 1e999 is infinite


def test_every_prefix_of_a_good_frame() -> None:
    body = messages.encode_data(5, b"value", [(1, bytes(32), 7)], bytes(64))
    for size in range(len(body)):
        a, b = connected()
        wire = encode_frame(1, MessageType.DATA, body[:size])
        a.connection.send_frame(1, MessageType.DATA, body[:size])
        b.give([bytes(a.connection.data_to_send())])
        assert b.frames == 1
        assert len(wire) > size
