"""simple-hypercore-protocol 2.1.2: its whole suite, on the state machine of one byte stream."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.errors import HandshakeError, RemoteProtocolError
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.wire.capability import capability, remote_capability
from hypermultifeed.wire.connection import Connection
from hypermultifeed.wire.messages import (
    Close,
    Data,
    Have,
    MessageType,
    Open,
    Options,
    Request,
    decode,
    decode_extension,
    encode_close,
    encode_data,
    encode_extension,
    encode_have,
    encode_open,
    encode_options,
    encode_request,
)

KEY = b"a key of thirty-two bytes, no 1."


class Side:
    """A connection and everything it told its handler."""

    def __init__(self, number: int, *, initiator: bool, **options: Any) -> None:
        self.frames: list[tuple[int, Any]] = []
        self.authenticated: list[bytes] = []
        self.handshakes = 0
        self.answers: dict[int, Any] = {}
        self.refuse = False
        self.key_pair = NoiseKeyPair.from_seed(bytes([number]) * 32)
        self.connection = Connection(
            self,
            initiator=initiator,
            key_pair=self.key_pair,
            ephemeral_seed=bytes([number + 10]) * 32,
            nonce=bytes([number + 20]) * 24,
            now=0.0,
            **options,
        )

    def on_authenticate(self, remote_public_key: bytes) -> None:
        self.authenticated.append(remote_public_key)
        if self.refuse:
            raise HandshakeError("not this one")

    def on_handshake(self) -> None:
        self.handshakes += 1

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        is_extension = message_type == MessageType.EXTENSION
        message = decode_extension(body) if is_extension else decode(message_type, body)
        self.frames.append((channel, message))
        if message_type in self.answers:
            self.connection.send_frame(*self.answers[message_type])


def pair(**options: Any) -> tuple[Side, Side]:
    return Side(1, initiator=True, **options), Side(2, initiator=False, **options)


def run(a: Side, b: Side) -> None:
    """Pass bytes until both are quiet."""
    moved = True
    while moved:
        moved = False
        for source, target in ((a, b), (b, a)):
            if data := bytes(source.connection.data_to_send()):
                moved = True
                target.connection.receive_data(data, 0.0)


OPEN = Open(discovery_key(KEY), None)


def test_single_open() -> None:
    """simple-hypercore-protocol "single open"."""
    a, b = pair()
    run(a, b)
    proof = capability(a.connection.tx, a.connection.rx, KEY)
    a.connection.send_frame(0, MessageType.OPEN, encode_open(*Open(discovery_key(KEY), proof)))
    run(a, b)
    assert b.frames == [(0, Open(discovery_key(KEY), proof))]
    assert proof == remote_capability(b.connection.tx, b.connection.rx, KEY)


def test_single_close() -> None:
    """simple-hypercore-protocol "single close"."""
    a, b = pair()
    close = Close(discovery_key(KEY))
    a.connection.send_frame(0, MessageType.CLOSE, encode_close(*close))
    run(a, b)
    assert b.frames == [(0, close)]


def test_back_and_forth() -> None:
    """simple-hypercore-protocol "back and fourth"."""
    a, b = pair()
    data = Data(42, b"data", [], None)
    b.answers[MessageType.REQUEST] = (0, MessageType.DATA, encode_data(*data))
    a.answers[MessageType.DATA] = (0, MessageType.CLOSE, encode_close(*Close(None)))
    a.connection.send_frame(0, MessageType.OPEN, encode_open(*OPEN))
    request = Request(42)
    a.connection.send_frame(0, MessageType.REQUEST, encode_request(*request))
    run(a, b)
    assert b.frames == [(0, OPEN), (0, request), (0, Close(None))]
    assert a.frames == [(0, data)]


def test_various_messages() -> None:
    """simple-hypercore-protocol "various messages"."""
    a, b = pair()
    a.connection.send_frame(0, MessageType.EXTENSION, encode_extension(42, b"binary!"))
    a.connection.send_frame(0, MessageType.OPTIONS, encode_options(*Options(ack=True)))
    a.connection.send_frame(0, MessageType.HAVE, encode_have(*Have(42, 10)))
    run(a, b)
    assert b.handshakes == 1
    assert [channel for channel, _ in b.frames] == [0, 0, 0]
    extension, options, have = (message for _, message in b.frames)
    assert extension == (42, b"binary!")
    assert options.ack
    assert have == Have(42, 10)


def test_auth() -> None:
    """simple-hypercore-protocol "auth"."""
    a, b = pair()
    run(a, b)
    assert a.authenticated == [b.key_pair.public_key] == [a.connection.remote_public_key]
    assert b.authenticated == [a.key_pair.public_key] == [b.connection.remote_public_key]
    assert (a.handshakes, b.handshakes) == (1, 1)
    for refusing in (0, 1):
        sides = pair()
        sides[refusing].refuse = True
        with pytest.raises(RemoteProtocolError):
            run(*sides)
        assert sides[refusing].handshakes == 0
        if refusing == 0:  # refused before our own key went out
            assert sides[1].authenticated == []


def test_send_ping() -> None:
    """simple-hypercore-protocol "send ping"."""
    a, b = pair(timeout_s=2.0)
    run(a, b)
    now, pings = 0.0, 0
    while pings < 100:
        when = a.connection.get_timer()
        assert when is not None
        now = max(now, when)
        a.connection.handle_timer(now)
        data = bytes(a.connection.data_to_send())
        pings += len(data)  # one byte each
        b.connection.receive_data(data, now)
        b.connection.handle_timer(now)  # keeps both from timing out
        a.connection.receive_data(bytes(b.connection.data_to_send()), now)
    assert b.frames == []
    have = Have(1, 1)
    a.connection.send_frame(0, MessageType.HAVE, encode_have(*have))
    b.connection.receive_data(bytes(a.connection.data_to_send()), now)
    assert b.frames == [(0, have)]


def test_set_key_pair_later() -> None:
    """simple-hypercore-protocol "set key pair later"."""
    a = Side(1, initiator=True)
    early = bytes(a.connection.data_to_send())  # before the other side has chosen its key
    b = Side(2, initiator=False)
    b.connection.receive_data(early, 0.0)
    run(a, b)
    assert a.authenticated == [b.key_pair.public_key]
    assert (a.handshakes, b.handshakes) == (1, 1)


def test_disable_noise() -> None:
    """simple-hypercore-protocol "disable noise"."""
    a, b = pair(noise=False, encrypted=False)
    a.connection.send_frame(0, MessageType.OPEN, encode_open(*OPEN))
    run(a, b)
    assert b.frames == [(0, OPEN)]
    assert a.authenticated == b.authenticated == []
    assert a.connection.remote_public_key is None


def test_handshake_hash() -> None:
    """simple-hypercore-protocol "handshakeHash"."""
    a, b = pair()
    run(a, b)
    assert len(a.connection.handshake_hash) == 64
    assert a.connection.handshake_hash == b.connection.handshake_hash
    assert (a.connection.tx, a.connection.rx) == (b.connection.rx, b.connection.tx)
