from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.encoding import varint
from hypermultifeed.errors import (
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    StreamClosedError,
)
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.wire.connection import (
    DECRYPT_BYTES_MAX,
    FRAME_BYTES_PER_S_MIN,
    HANDSHAKE_MESSAGE_BYTES_MAX,
    Connection,
)
from hypermultifeed.wire.framing import FRAME_BODY_BYTES_MAX, encode_frame
from hypermultifeed.wire.noise import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = [(0, 1, b"x"), (1, 3, b""), (300, 9, bytes(range(256)) * 300), (7, 10, b"end")]


class Peer:
    """A connection and what it told."""

    def __init__(self, *, initiator: bool, **options: Any) -> None:
        self.events: list[Any] = []
        self.on_first_frame: Callable[[], None] | None = None
        self.refuse: Exception | None = None
        seed = bytes([initiator]) * 32
        self.connection = Connection(
            self,
            initiator=initiator,
            key_pair=NoiseKeyPair.from_seed(seed),
            ephemeral_seed=bytes([initiator + 2]) * 32,
            nonce=bytes([initiator + 4]) * 24,
            now=0,
            **options,
        )

    def on_authenticate(self, remote_public_key: bytes) -> None:
        self.events.append(("authenticate", remote_public_key))
        if self.refuse is not None:
            raise self.refuse

    def on_handshake(self) -> None:
        self.events.append("handshake")

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        self.events.append((channel, message_type, body))
        if self.on_first_frame is not None:
            action, self.on_first_frame = self.on_first_frame, None
            action()

    def ended(self) -> bool:
        return self.connection.ended

    @property
    def frames(self) -> list[tuple[int, int, bytes]]:
        return [event for event in self.events if len(event) == 3]

    def take(self) -> bytes:
        return bytes(self.connection.data_to_send())

    def give(self, data: bytes, size: int = 0, now: float = 0) -> None:
        """Feed the data, in chunks of ``size`` bytes if that is given."""
        for at in range(0, len(data), size or len(data) or 1):
            self.connection.receive_data(data[at : at + (size or len(data))], now)


def make(**options: Any) -> tuple[Peer, Peer]:
    return Peer(initiator=True, **options), Peer(initiator=False, **options)


def connected(**options: Any) -> tuple[Peer, Peer]:
    a, b = make(**options)
    pump(a, b)
    assert a.connection.handshake_complete
    assert b.connection.handshake_complete
    return a, b


def pump(a: Peer, b: Peer, size: int = 0) -> None:
    moved = True
    while moved:
        moved = False
        for sender, receiver in ((a, b), (b, a)):
            data = sender.take()
            moved = moved or bool(data)
            receiver.give(data, size)


def send_all(peer: Peer) -> None:
    for frame in FRAMES:
        peer.connection.send_frame(*frame)


# -- handshake and frames --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 100, DECRYPT_BYTES_MAX])
@pytest.mark.parametrize("encrypted", [True, False])
def test_frames_both_ways_in_any_chunks(size: int, encrypted: bool) -> None:
    a, b = make(encrypted=encrypted)
    send_all(a)
    send_all(b)
    pump(a, b, size)
    for peer, other in ((a, b), (b, a)):
        assert peer.events[:2] == [("authenticate", other.connection.public_key), "handshake"]
        assert peer.frames == FRAMES
        assert peer.connection.remote_public_key == other.connection.public_key
        assert peer.connection.bytes_received == other.connection.bytes_sent > 0
    assert (a.connection.tx, a.connection.rx) == (b.connection.rx, b.connection.tx)
    assert a.connection.handshake_hash == b.connection.handshake_hash != b""


def test_split_at_every_byte_of_the_responders_stream() -> None:
    for at in range(300):
        a, b = make()
        send_all(b)
        b.give(a.take())
        data = b.take()
        a.give(data[:at])
        a.give(data[at:])
        b.give(a.take())
        data = b.take()
        a.give(data[: max(0, at - 123)])
        a.give(data[max(0, at - 123) :])
        assert a.frames == FRAMES


def test_frames_behind_the_last_handshake_message_in_one_chunk() -> None:
    a, b = make()
    b.give(a.take())
    a.give(b.take())
    send_all(a)
    b.give(a.take())
    assert b.frames == FRAMES


def test_encrypted_bytes_do_not_show_the_frame() -> None:
    for encrypted, shows in ((True, False), (False, True)):
        a, _ = connected(encrypted=encrypted)
        a.connection.send_frame(1, 9, b"plain text to be found")
        assert (b"plain text" in a.take()) is shows


def test_bodies_in_parts_are_one_body() -> None:
    a, b = connected()
    a.connection.send_frame(1, 9, [b"one ", memoryview(b"two"), bytearray(b" three")])
    a.connection.send_frame(1, 9, (b"x" * 20_000, b""))
    pump(a, b)
    assert b.frames == [(1, 9, b"one two three"), (1, 9, b"x" * 20_000)]


@pytest.mark.parametrize("size", [0, 125, 126, 127, 16_381, 16_382, 16_383, 16_384, 2_097_152])
def test_heads_of_sent_frames(size: int) -> None:
    a, _ = connected(encrypted=False)
    for channel in (0, 7, 8, 5000):
        a.connection.send_frame(channel, 9, bytes(size))
        assert a.take() == encode_frame(channel, 9, bytes(size))


def test_several_frames_leave_at_once() -> None:
    a, b = connected()
    send_all(a)
    wire = a.take()
    assert a.take() == b""
    b.give(wire)
    assert b.frames == FRAMES


def test_what_cannot_be_sent() -> None:
    a, b = connected()
    with pytest.raises(LocalProtocolError, match="above the limit"):
        a.connection.send_frame(1, 9, bytes(FRAME_BODY_BYTES_MAX + 1))
    with pytest.raises(LocalProtocolError, match="no channel"):
        a.connection.send_frame(-1, 9, b"")
    send_all(a)
    pump(a, b)
    assert b.frames == FRAMES


def test_output_size() -> None:
    a, b = make()
    assert a.connection.output_size == 59
    a.connection.send_frame(1, 9, b"abc")
    assert a.connection.output_size == 59 + 5
    b.give(a.take())
    assert a.connection.output_size == 5
    pump(a, b)
    assert a.connection.output_size == b.connection.output_size == 0


def test_frames_sent_while_receiving() -> None:
    a, b = connected()
    b.on_first_frame = lambda: b.connection.send_frame(4, 4, b"reply")
    send_all(a)
    pump(a, b)
    assert a.frames == [(4, 4, b"reply")]


def test_lengths_of_random_arguments() -> None:
    with pytest.raises(ValueError, match="24 bytes"):
        Connection(
            Peer(initiator=True),
            initiator=True,
            key_pair=NoiseKeyPair.from_seed(bytes(32)),
            ephemeral_seed=bytes(32),
            nonce=b"",
            now=0,
        )


# -- modes -----------------------------------------------------------------------------------------


def test_no_handshake_at_all() -> None:
    a, b = connected(noise=False, encrypted=False)
    send_all(a)
    pump(a, b, 5)
    assert b.events == FRAMES
    assert b.connection.remote_public_key is None
    assert b.connection.tx == b.connection.rx == b""


def test_encryption_needs_the_handshake() -> None:
    a, _ = connected(noise=False)
    assert a.events[1] == "handshake"
    a.connection.send_frame(1, 9, b"plain text to be found")
    assert b"plain text" not in a.take()


@pytest.mark.parametrize("ours", [{"noise": False, "encrypted": False}, {"encrypted": False}])
def test_modes_are_not_negotiated(ours: dict[str, bool]) -> None:
    a, b = Peer(initiator=True, **ours), Peer(initiator=False)
    send_all(a)
    with pytest.raises(RemoteProtocolError):
        pump(a, b)
    assert not [frame for frame in b.frames if frame in FRAMES]


# -- attacks on the handshake ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\xff\xff\xff\xff",
        b"\xff" * 100,
        varint.encode(HANDSHAKE_MESSAGE_BYTES_MAX + 1),
        b"\x80\x80\x01",
        b"\x80\x00",
        b"\x01x",
        b"\x20" + bytes(32),
        b"GET / HTTP/1.1\r\n\r\n" * 10,
    ],
)
@pytest.mark.parametrize("initiator", [True, False])
def test_garbage_as_the_first_bytes(data: bytes, initiator: bool) -> None:
    for size in (0, 1):
        peer = Peer(initiator=initiator)
        with pytest.raises(HandshakeError):
            peer.give(data, size)
        assert peer.take() == b""
        assert peer.connection.get_timer() is None


def test_the_handshakes_frame_grows_with_what_came() -> None:
    peer = Peer(initiator=False)
    peer.give(varint.encode(HANDSHAKE_MESSAGE_BYTES_MAX) + bytes(100), 1)
    assert peer.events == []


def test_a_key_of_low_order() -> None:
    peer = Peer(initiator=False)
    with pytest.raises(HandshakeError, match="Noise handshake failed"):
        peer.give(b"\x21" + bytes(33))
    assert peer.take() == b""


def test_flipped_bits() -> None:
    for number, stop in ((0, 59), (1, 123), (2, 91)):
        for place in range(stop):
            a, b = make()
            sides = (a, b)
            with pytest.raises((HandshakeError, Unfinished)):
                handshake_with_flip(sides, number, place)
            assert not (a.connection.handshake_complete and b.connection.handshake_complete)
            assert not a.frames + b.frames


class Unfinished(Exception):  # noqa: N818
    """Nobody failed, but the handshake did not end."""


def handshake_with_flip(sides: tuple[Peer, Peer], number: int, place: int) -> None:
    for step in range(3):
        data = bytearray(sides[step % 2].take())
        if step == number:
            data[place] ^= 0x01
        sides[1 - step % 2].give(bytes(data))
    raise Unfinished


@pytest.mark.parametrize("size", [None, 0, 23, 25])
def test_payloads_without_a_nonce(size: int | None) -> None:
    handshake = Handshake(
        initiator=True,
        key_pair=NoiseKeyPair.from_seed(bytes(32)),
        ephemeral=NoiseKeyPair.generate(),
        payload=b"\xff" if size is None else bytes((10, size)) + bytes(size),
    )
    b = Peer(initiator=False)
    message = handshake.write_message()
    b.give(varint.encode(len(message)) + message)
    handshake.read_message(b.take()[1:])
    message = handshake.write_message()
    with pytest.raises(HandshakeError, match=r"payload|nonce"):
        b.give(varint.encode(len(message)) + message)
    assert "handshake" not in b.events


def test_a_refused_initiator_gets_no_answer_and_a_refused_responder_learns_nothing() -> None:
    a, b = make()
    a.refuse = PermissionError("not on the list")
    b.give(a.take())
    with pytest.raises(PermissionError):
        a.give(b.take())
    assert a.take() == b""
    a, b = make()
    b.refuse = PermissionError("not on the list")
    with pytest.raises(PermissionError):
        pump(a, b)
    assert b.events == [("authenticate", a.connection.public_key)]
    send_all(b)
    assert b.take() == b""


# -- failures later --------------------------------------------------------------------------------


def test_a_failed_connection_is_dead() -> None:
    a, b = connected(encrypted=False)
    send_all(b)
    with pytest.raises(RemoteProtocolError):
        b.give(encode_frame(1, 2, b"good") + b"\xff" * 8)
    assert b.frames == [(1, 2, b"good")]
    assert b.take() == b""
    assert b.connection.output_size == 0
    assert b.connection.ended
    assert b.connection.get_timer() is None
    b.connection.handle_timer(1000)
    b.connection.receive_eof(0)
    send_all(b)
    assert b.take() == b""
    with pytest.raises(StreamClosedError):
        b.give(b"more")
    assert a.frames == []


def test_what_the_handler_raises_ends_the_connection() -> None:
    a, b = connected()

    def fail() -> None:
        raise KeyError("a bug")

    b.on_first_frame = fail
    send_all(a)
    with pytest.raises(KeyError):
        pump(a, b)
    assert len(b.frames) == 1
    with pytest.raises(StreamClosedError):
        b.give(b"x")


def test_a_flipped_bit_after_the_handshake_is_a_protocol_error_or_another_body() -> None:
    for bit in range(8):
        a, b = connected()
        a.connection.send_frame(1, 9, b"x" * 10)
        data = bytearray(a.take())
        data[0] ^= 1 << bit
        try:
            b.give(bytes(data))
        except RemoteProtocolError:
            continue
        assert b.frames != [(1, 9, b"x" * 10)]


# -- ending ----------------------------------------------------------------------------------------


def test_end_waits_for_the_output() -> None:
    a, b = connected()
    send_all(a)
    a.connection.end()
    a.connection.end()
    a.connection.send_frame(1, 1, b"too late")
    assert not a.ended()
    b.give(a.take())
    assert a.ended()
    assert b.frames == FRAMES
    b.connection.receive_eof(0)
    assert b.connection.ended


def test_ended_but_still_receiving() -> None:
    a, b = connected()
    a.connection.end()
    send_all(b)
    pump(a, b)
    assert a.frames == FRAMES


def test_end_during_the_handshake() -> None:
    a, _ = make()
    send_all(a)
    a.connection.end()
    assert not a.ended()
    assert len(a.take()) == 59
    assert a.ended()


def test_the_peer_ends_too_early() -> None:
    a, b = make()
    with pytest.raises(HandshakeError, match="during the handshake"):
        a.connection.receive_eof(0)
    b.give(b"\x3a\x00")
    with pytest.raises(HandshakeError, match="during the handshake"):
        b.connection.receive_eof(0)
    a, b = connected()
    send_all(a)
    b.give(a.take()[:-1])
    with pytest.raises(RemoteProtocolError, match="within a frame"):
        b.connection.receive_eof(0)


# -- time ------------------------------------------------------------------------------------------


def test_the_handshakes_deadline_is_not_moved_by_bytes() -> None:
    """One byte each two seconds: the reference keeps such a peer for ever."""
    a, b = make()
    data = a.take()
    for second in range(0, 10, 2):
        assert b.connection.get_timer() == 10
        b.connection.handle_timer(second)
        b.give(data[second : second + 1], now=second)
    with pytest.raises(ReplicationTimeoutError, match="handshake"):
        b.connection.handle_timer(10)
    assert b.take() == b""
    with pytest.raises(ReplicationTimeoutError, match="handshake"):
        a.give(b"\x7a", now=10)


def test_silence() -> None:
    _, b = connected()
    b.connection.handle_timer(19.9)
    with pytest.raises(ReplicationTimeoutError, match="silent"):
        b.connection.handle_timer(20)
    with pytest.raises(StreamClosedError):
        b.give(b"x")


def drip(peer: Peer, data: bytes, interval: float, size: int) -> float:
    """Feed the data slowly while minding the timers; the time when it was all taken."""
    now = 0.0
    for at in range(0, len(data), size):
        now += interval
        due = peer.connection.get_timer()
        while due is not None and due <= now:
            peer.connection.handle_timer(due)
            due = peer.connection.get_timer()
        peer.give(data[at : at + size], now=now)
    return now


def test_a_dripping_frame_is_cut() -> None:
    a, b = connected()
    a.connection.send_frame(1, 9, bytes(100_000))
    with pytest.raises(ReplicationTimeoutError, match="too slow"):
        drip(b, a.take(), 8, 1)
    assert 1 < b.connection.bytes_received - 59 - 91 < 10


def test_a_frame_over_a_slow_link_passes() -> None:
    a, b = connected()
    a.connection.send_frame(1, 9, bytes(100_000))
    assert drip(b, a.take(), 2, FRAME_BYTES_PER_S_MIN * 2) > 300
    assert len(b.frames) == 1


def test_small_frames_may_come_as_rarely_as_they_like() -> None:
    a, b = connected()
    for _ in range(10):
        a.connection.send_frame(1, 3, b"")
    assert drip(b, a.take(), 15, 3) > 100
    assert len(b.frames) == 10


def test_keep_alives_keep_an_idle_connection() -> None:
    a, b = connected()
    now = 0.0
    for _ in range(100):
        now = a.connection.get_timer() or 0
        assert now
        for peer, other in ((a, b), (b, a)):
            peer.connection.handle_timer(now)
            other.give(peer.take(), now=now)
    assert now > 300
    assert not a.frames
    assert a.connection.bytes_sent < 300


def test_no_keep_alive_where_something_was_sent() -> None:
    a, _ = connected()
    first = a.connection.get_timer()
    assert first is not None
    send_all(a)
    a.take()
    a.connection.handle_timer(first)
    assert a.take() == b""
    second = a.connection.get_timer()
    assert second is not None
    assert second - 0 < 20 * 0.7  # the peer's silence limit is not reached in between
    a.connection.handle_timer(second)
    assert len(a.take()) == 1


def test_no_limits() -> None:
    a, b = make(timeout_s=0, handshake_timeout_s=0)
    assert a.connection.get_timer() is None
    pump(a, b)
    assert a.connection.get_timer() is None
    a.connection.handle_timer(10**9)
    assert a.take() == b""


def test_our_own_pause_is_not_held_against_the_peer() -> None:
    a, b = connected()
    a.connection.send_frame(1, 9, bytes(1000))
    wire = a.take()
    b.give(wire[:10])
    b.connection.pause_reading()
    for now in range(5, 100, 5):
        b.connection.handle_timer(now)
        assert b.connection.get_timer() is not None
    b.connection.resume_reading(100)
    b.connection.handle_timer(119)
    b.give(wire[10:], now=119)
    assert len(b.frames) == 1
    with pytest.raises(ReplicationTimeoutError):
        b.connection.handle_timer(139)
