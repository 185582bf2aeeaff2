"""Channels of a stream: two sessions, bytes in between, no I/O."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.errors import (
    CapabilityError,
    LocalProtocolError,
    RemoteProtocolError,
    StreamClosedError,
    VerificationError,
)
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.replication import channels
from hypermultifeed.replication.channels import Channel, ChannelHandler, Session, SessionOwner
from hypermultifeed.wire.messages import (
    MessageType,
    encode_close,
    encode_data,
    encode_extension,
    encode_have,
    encode_open,
    encode_request,
)

KEY = bytes([7]) * 32
OTHER = bytes([8]) * 32


class Recorder(ChannelHandler):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.values: list[Any] = []
        self.closed_with: list[Exception | None] = []
        self.fail_with: Exception | None = None

    def on_open(self) -> None:
        self.calls.append("open")

    def on_have(self, have: Any) -> None:
        self.calls.append("have")
        self.values.append(have)
        if self.fail_with is not None:
            raise self.fail_with

    def on_request(self, request: Any) -> None:
        self.calls.append("request")

    def on_data(self, data: Any) -> None:
        self.calls.append("data")

    def on_chunk_start(self, now: float) -> None:
        self.calls.append("start")

    def on_chunk_end(self, now: float) -> None:
        self.calls.append("end")

    def on_drain(self, now: float) -> None:
        self.calls.append("drain")

    def on_timer(self, now: float) -> None:
        self.calls.append(f"timer {now}")

    def on_close(self, error: Exception | None) -> None:
        self.calls.append("close")
        self.closed_with.append(error)


class Owner(SessionOwner):
    def __init__(self, claims: bool = False) -> None:
        self.claims = claims
        self.asked: list[bytes] = []
        self.errors: list[Exception] = []
        self.handshakes = 0
        self.closed: list[Exception | None] = []
        self.paired: list[bytes] = []
        self.refused: list[bytes] = []

    def on_paired(self, discovery_key: bytes) -> None:
        self.paired.append(discovery_key)

    def on_refused(self, discovery_key: bytes) -> None:
        self.refused.append(discovery_key)

    def on_handshake(self) -> None:
        self.handshakes += 1

    def on_remote_open(self, discovery_key: bytes) -> bool:
        self.asked.append(discovery_key)
        return self.claims

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        self.errors.append(error)

    def on_close(self, error: Exception | None) -> None:
        self.closed.append(error)


def make(number: int, **options: Any) -> Session:
    options.setdefault("now", 0.0)
    return Session(
        initiator=number == 1,
        key_pair=NoiseKeyPair.from_seed(bytes([number]) * 32),
        ephemeral_seed=bytes([number + 10]) * 32,
        nonce=bytes([number + 20]) * 24,
        **options,
    )


def pump(a: Session, b: Session, now: float = 0.0) -> None:
    """Pass bytes until both sides are quiet."""
    moved = True
    while moved:
        moved = False
        for source, target in ((a, b), (b, a)):
            if data := source.data_to_send():
                moved = True
                target.receive_data(bytes(data), now)


def pair(**options: Any) -> tuple[Session, Session]:
    a, b = make(1, **options), make(2, **options)
    pump(a, b)
    return a, b


def opened(**options: Any) -> tuple[Session, Session, Recorder, Recorder]:
    a, b = pair(**options)
    left, right = Recorder(), Recorder()
    a.open(KEY, left)
    b.open(KEY, right)
    pump(a, b)
    return a, b, left, right


def test_a_channel_opens_in_either_order_and_before_the_handshake() -> None:
    early, late = make(1), make(2)
    left, right = Recorder(), Recorder()
    early.open(KEY, left)
    claimer = Owner(claims=True)
    late.attach(claimer)
    pump(early, late)
    assert left.calls == []
    assert claimer.asked == [discovery_key(KEY)]
    late.open(KEY, right)  # the peer's Open came first: open at once
    assert right.calls == ["open"]
    pump(early, late)
    assert left.calls == ["open"]


def test_each_side_numbers_its_own_channels_and_never_again() -> None:
    a, b = pair()
    a.open(KEY, Recorder())
    second = a.open(OTHER, Recorder())
    mirrored = b.open(OTHER, Recorder())
    b.open(KEY, Recorder())
    pump(a, b)
    assert (second.local_id, second.remote_id) == (2, 1)
    assert (mirrored.local_id, mirrored.remote_id) == (1, 2)
    second.close()
    pump(a, b)
    assert a.open(OTHER, Recorder()).local_id == 3


def test_messages_reach_the_handler_between_start_and_end_of_the_chunk() -> None:
    a, b, left, right = opened()
    channel = left.channel
    for start in range(3):
        channel.send(MessageType.HAVE, encode_have(start))
    channel.send(MessageType.REQUEST, encode_request(1))
    channel.send(MessageType.DATA, encode_data(1, b"x"))
    pump(a, b)
    assert right.calls[1:] == ["start", "have", "have", "have", "request", "data", "end"]


def test_nothing_is_sent_on_a_channel_that_only_we_opened() -> None:
    a, _b = pair()
    channel = a.open(KEY, Recorder())
    a.data_to_send()
    channel.send(MessageType.HAVE, encode_have(0))
    assert a.output_size == 0


def test_a_wrong_capability_after_our_open_ends_the_stream() -> None:
    a, b = pair()
    a.open(KEY, Recorder())
    b.connection.send_frame(5, MessageType.OPEN, encode_open(discovery_key(KEY), b"\xaa" * 32))
    with pytest.raises(CapabilityError):
        a.receive_data(bytes(b.data_to_send()), 0.0)


@pytest.mark.parametrize("proof", [None, b"", b"\xaa" * 32])
def test_a_wrong_capability_before_our_open_is_refused_without_ending(proof: bytes | None) -> None:
    a, b = pair()
    a.attach(Owner(claims=True))
    b.connection.send_frame(5, MessageType.OPEN, encode_open(discovery_key(KEY), proof))
    a.receive_data(bytes(b.data_to_send()), 0.0)
    handler = Recorder()
    channel = a.open(KEY, handler)
    assert channel.closed
    assert isinstance(handler.closed_with[0], CapabilityError)
    assert a.channels == []
    assert a.refused == 1


def test_our_own_capability_sent_back_is_worth_nothing() -> None:
    a, b = pair()
    a.open(KEY, Recorder())
    b.attach(Owner(claims=True))
    pump(a, b)
    half_open = b.channel(discovery_key(KEY))
    assert half_open is not None
    body = encode_open(discovery_key(KEY), half_open.remote_capability)
    b.connection.send_frame(1, MessageType.OPEN, body)
    with pytest.raises(CapabilityError):
        a.receive_data(bytes(b.data_to_send()), 0.0)


def test_an_open_that_nobody_claims_is_refused_and_can_be_repeated() -> None:
    a, b = pair()
    b.attach(Owner())
    first = Recorder()
    a.open(KEY, first)
    pump(a, b)
    assert first.calls == ["close"]
    assert a.channels == b.channels == []
    second, right = Recorder(), Recorder()
    b.open(KEY, right)
    a.open(KEY, second)
    pump(a, b)
    assert second.calls == right.calls == ["open"]


def test_owners_are_told_which_channels_pair_and_which_are_refused() -> None:
    a, b = pair()
    ours, theirs, unasked = Owner(), Owner(), Owner()
    unasked.is_asked = False
    for session, owner in ((a, ours), (b, theirs), (a, unasked)):
        session.attach(owner)
    a.open(KEY, Recorder())
    pump(a, b)
    assert (ours.refused, ours.paired) == ([discovery_key(KEY)], [])
    assert (theirs.refused, theirs.paired) == ([], [])
    for session in (a, b):
        session.open(KEY, Recorder())
    pump(a, b)
    assert ours.paired == theirs.paired == [discovery_key(KEY)]
    channel = a.channel(discovery_key(KEY))
    assert channel is not None
    channel.close()  # one that was paired is not refused by its end
    pump(a, b)
    assert theirs.refused == []
    assert (unasked.refused, unasked.paired) == ([], [])


def test_one_claim_among_owners_is_enough_and_idle_channels_open_later() -> None:
    a, b = pair()
    b.attach(Owner())
    b.attach(Owner(claims=True))
    left, right = Recorder(), Recorder()
    a.open(KEY, left)
    pump(a, b)
    assert left.calls == []
    b.open(KEY, right)
    pump(a, b)
    assert left.calls == right.calls == ["open"]


def test_a_later_owner_is_offered_what_is_half_open() -> None:
    a, b = pair()
    b.attach(Owner(claims=True))
    a.open(KEY, Recorder())
    pump(a, b)
    late = Owner()
    b.attach(late)
    assert late.handshakes == 1
    assert late.asked == [discovery_key(KEY)]


def test_pending_opens_are_bounded() -> None:
    a, b = pair()
    b.attach(Owner(claims=True))
    limit = channels.MAX_PENDING_OPENS
    for number in range(1, limit + 11):
        key = number.to_bytes(32, "big")
        a.connection.send_frame(number, MessageType.OPEN, encode_open(key, None))
    b.receive_data(bytes(a.data_to_send()), 0.0)
    assert len(b.channels) == limit
    assert b.refused == 10


def test_opening_for_ever_ends_the_stream_and_slow_opening_does_not() -> None:
    a, b = pair()
    b.attach(Owner())

    def flood(first: int, count: int) -> bytes:
        for number in range(first, first + count):
            body = encode_open(number.to_bytes(32, "big"), None)
            a.connection.send_frame(number, MessageType.OPEN, body)
        return bytes(a.data_to_send())

    burst = channels.OPEN_BURST
    b.receive_data(flood(1, burst), 0.0)
    b.receive_data(flood(burst + 1, 100), 1.0)  # a second has passed
    with pytest.raises(RemoteProtocolError):
        b.receive_data(flood(burst + 101, 100), 1.0)


@pytest.mark.parametrize(
    ("number", "key"),
    [(0, b"\x01" * 32), (1, b"\x01" * 32), (2, discovery_key(KEY))],
    ids=["the stream's own number", "a number in use", "a key in use"],
)
def test_nonsense_opens_end_the_stream(number: int, key: bytes) -> None:
    a, b, _, _ = opened()
    a.connection.send_frame(number, MessageType.OPEN, encode_open(key, None))
    with pytest.raises(RemoteProtocolError):
        b.receive_data(bytes(a.data_to_send()), 0.0)


def test_unknown_types_channels_and_stray_closes_are_ignored() -> None:
    a, b, _, right = opened()
    a.connection.send_frame(1, 11, b"")
    a.connection.send_frame(9, MessageType.HAVE, encode_have(0))
    a.connection.send_frame(9, MessageType.CLOSE, encode_close())
    a.connection.send_frame(9, MessageType.CLOSE, encode_close(bytes(32)))
    a.connection.send_frame(0, MessageType.EXTENSION, encode_extension(3, b"?"))
    pump(a, b)
    assert right.calls == ["open", "start", "end"]
    assert b.dropped == 1


def test_a_feeds_error_closes_its_channel_alone() -> None:
    a, b, left, right = opened()
    other_left, other_right = Recorder(), Recorder()
    a.open(OTHER, other_left)
    b.open(OTHER, other_right)
    owner = Owner()
    b.attach(owner)
    pump(a, b)
    error = VerificationError("bad block")
    right.fail_with = error
    left.channel.send(MessageType.HAVE, encode_have(0))
    other_left.channel.send(MessageType.HAVE, encode_have(0))
    pump(a, b)
    assert right.closed_with == [error]
    assert owner.errors == [error]
    assert left.calls[-1] == "close"
    assert other_right.calls == ["open", "start", "have", "end"]


def test_a_channel_closed_from_within_its_handler_gets_nothing_more() -> None:
    a, b, left, right = opened()
    right.on_have = lambda have: right.channel.close()  # type: ignore[method-assign]
    left.channel.send(MessageType.HAVE, encode_have(0))
    left.channel.send(MessageType.REQUEST, encode_request(0))
    pump(a, b)
    assert right.calls == ["open", "start", "close"]


def test_both_sides_closing_at_once_is_no_error() -> None:
    a, b, left, right = opened()
    left.channel.close()
    right.channel.close()
    pump(a, b)
    assert left.calls == right.calls == ["open", "close"]
    assert a.channels == b.channels == []


@pytest.mark.parametrize("live", [False, True])
def test_the_end_after_the_last_channel(live: bool) -> None:
    a, b, left, _ = opened(live=live)
    left.channel.close()
    pump(a, b)
    assert a.ended is b.ended is not live


def test_a_guard_keeps_a_stream_from_ending() -> None:
    a, b, left, _ = opened(live=False)
    a.hold()
    left.channel.close()
    pump(a, b)
    assert b.ended
    assert not a.ended
    a.release()
    pump(a, b)
    assert a.ended


def test_opening_twice_and_after_the_end_are_our_own_errors() -> None:
    a, _ = pair()
    a.open(KEY, Recorder())
    with pytest.raises(ValueError, match="open"):
        a.open(KEY, Recorder())
    a.close()
    with pytest.raises(StreamClosedError):
        a.open(OTHER, Recorder())


def test_close_tells_channels_and_owners_once() -> None:
    a, _, left, _ = opened()
    owner = Owner()
    a.attach(owner)
    error = LocalProtocolError("for the test")
    a.close(error)
    a.close()
    assert left.closed_with == [error]
    assert owner.closed == [error]
    assert left.channel.closed


def test_wake_is_called_once_for_output_outside_the_edges_calls() -> None:
    a, _, left, _ = opened()
    woken: list[int] = []
    a.wake = lambda: woken.append(1)
    for _ in range(3):
        left.channel.send(MessageType.HAVE, encode_have(0))
    assert woken == [1]
    a.data_to_send()
    left.channel.send(MessageType.HAVE, encode_have(0))
    assert woken == [1, 1]


def test_timers_of_channels_fire_once_at_their_time() -> None:
    a, _, left, _ = opened()
    left.channel.set_timer(5.0)
    assert a.get_timer() == 5.0
    a.handle_timer(4.9)
    a.handle_timer(5.0)
    a.handle_timer(5.1)
    assert left.calls == ["open", "timer 5.0"]
    left.channel.set_timer(6.0)
    left.channel.set_timer(None)
    assert a.get_timer() != 6.0


def test_output_above_the_limit_makes_uploads_wait_for_the_drain() -> None:
    a, _b, left, _ = opened()
    channel = left.channel
    while not channel.output_full:
        channel.send(MessageType.DATA, encode_data(0, bytes(100_000)))
    channel.wait_for_drain()
    a.drained(0.0)
    assert "drain" not in left.calls
    a.queued_requests = channels.MAX_QUEUED_REQUESTS + 1
    assert a.input_paused
    a.data_to_send()
    a.drained(0.0)
    assert left.calls[-1] == "drain"
    assert not a.input_paused


def test_stream_extensions_tell_their_names_only_when_these_changed() -> None:
    a, b = pair()
    got: list[Any] = []
    b.register_extension("x", encoding="json", on_message=lambda m, _: got.append(m))
    x = a.register_extension("x", encoding="json")
    x.send({"a": 1}, a)
    assert x.broadcast({"a": 2}) == 1
    a.register_extension("a")
    x.send({"a": 3}, a)
    sizes = a.output_size
    x.send({"a": 4}, a)
    assert a.output_size - sizes < 12  # no names again
    pump(a, b)
    assert got == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]


def test_without_a_handshake_nothing_is_checked() -> None:
    a, b, left, right = opened(noise=False, encrypted=False)
    assert left.calls == right.calls == ["open"]
    assert a.remote_public_key is None
    assert a.handshake_complete
    assert b.handshake_complete


def test_owners_may_refuse_the_peers_static_key() -> None:
    class Refusing(SessionOwner):
        def on_authenticate(self, remote_public_key: bytes) -> None:
            raise RemoteProtocolError(f"not {remote_public_key.hex()[:4]}")

    a, b = make(1), make(2)
    b.attach(Refusing())
    with pytest.raises(RemoteProtocolError):
        pump(a, b)
    assert not b.handshake_complete
