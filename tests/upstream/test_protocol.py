"""hypercore-protocol 8.0.7: channels of one stream, two sessions in one process, no I/O."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.errors import ReplicationTimeoutError
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.replication.channels import Channel, ChannelHandler, Session, SessionOwner
from hypermultifeed.wire.messages import (
    Cancel,
    Data,
    Have,
    MessageType,
    Options,
    Request,
    Status,
    Unhave,
    Unwant,
    Want,
    encode_cancel,
    encode_data,
    encode_have,
    encode_options,
    encode_request,
    encode_status,
    encode_unhave,
    encode_unwant,
    encode_want,
)

KEY = b"a key of thirty-two bytes, no 1."
OTHER_KEY = b"a key of thirty-two bytes, no 2."


class Recorder(ChannelHandler):
    """Notes every call; ``then`` maps a call's name to what to do."""

    def __init__(self, **then: Any) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.then = then

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def got(self, name: str) -> list[Any]:
        return [value for called, value in self.calls if called == name]

    def _note(self, name: str, value: Any = None) -> None:
        self.calls.append((name, value))
        if name in self.then:
            self.then[name](self.channel)

    def on_open(self) -> None:
        self._note("open")

    def on_options(self, options: Options) -> None:
        self._note("options", options)

    def on_status(self, status: Status) -> None:
        self._note("status", status)

    def on_have(self, have: Have) -> None:
        self._note("have", have)

    def on_unhave(self, unhave: Unhave) -> None:
        self._note("unhave", unhave)

    def on_want(self, want: Want) -> None:
        self._note("want", want)

    def on_unwant(self, unwant: Unwant) -> None:
        self._note("unwant", unwant)

    def on_request(self, request: Request) -> None:
        self._note("request", request)

    def on_cancel(self, cancel: Cancel) -> None:
        self._note("cancel", cancel)

    def on_data(self, data: Data) -> None:
        self._note("data", data)

    def on_extension(self, extension_id: int, payload: bytes) -> None:
        self._note("extension", (extension_id, payload))

    def on_close(self, error: Exception | None) -> None:
        self._note("close", error)


class Owner(SessionOwner):
    """Notes discovery keys; ``answer(discovery_key)`` decides on them."""

    def __init__(self, answer: Any = None) -> None:
        self.discovery_keys: list[bytes] = []
        self.closed: list[Exception | None] = []
        self.answer = answer

    def on_remote_open(self, discovery_key: bytes) -> bool:
        self.discovery_keys.append(discovery_key)
        return bool(self.answer(discovery_key)) if self.answer else False

    def on_close(self, error: Exception | None) -> None:
        self.closed.append(error)


class Pair:
    """Two sessions and the bytes between them."""

    def __init__(self, *, live: bool = False, **options: Any) -> None:
        self.now = 100.0
        self.a = self._session(1, live=live, **options)
        self.b = self._session(2, live=live, **options)
        self.seen = bytearray()  # everything a sent
        self.ended = [False, False]

    def _session(self, number: int, **options: Any) -> Session:
        return Session(
            initiator=number == 1,
            key_pair=NoiseKeyPair.from_seed(bytes([number]) * 32),
            ephemeral_seed=bytes([number + 10]) * 32,
            nonce=bytes([number + 20]) * 24,
            now=self.now,
            **options,
        )

    def run(self) -> None:
        """Pass bytes until both are quiet, and ends as a socket would."""
        sides = (self.a, self.b)
        moved = True
        while moved:
            moved = False
            for number, (source, target) in enumerate((sides, sides[::-1])):
                data = bytes(source.data_to_send())
                if data:
                    moved = True
                    if source is self.a:
                        self.seen += data
                    if not target.closed:
                        target.receive_data(data, self.now)
                if source.ended and not self.ended[number]:
                    moved = self.ended[number] = True
                    target.receive_eof(self.now)
        for side in sides:
            if all(self.ended):
                side.close()

    def wait(self, seconds: float) -> None:
        """Let time pass, in the steps that the timers ask for."""
        end = self.now + seconds
        while True:
            timers = [t for t in (self.a.get_timer(), self.b.get_timer()) if t is not None]
            due = min(timers, default=end)
            if due > end:
                break
            self.now = max(self.now, due)
            for side in (self.a, self.b):
                when = side.get_timer()
                if when is not None and when <= self.now:
                    side.handle_timer(self.now)
            self.run()
        self.now = end


def request(channel: Channel, index: int) -> None:
    channel.send(MessageType.REQUEST, encode_request(*Request(index)))


def answer(channel: Channel) -> None:
    channel.send(MessageType.DATA, encode_data(*Data(42, b"value", [], None)))


def have(channel: Channel, start: int, length: int = 1, *, ack: bool = False) -> None:
    channel.send(MessageType.HAVE, encode_have(*Have(start, length, ack=ack)))


def test_basic() -> None:
    """hypercore-protocol "basic"."""
    pair = Pair()
    local = Recorder(open=lambda channel: request(channel, 42))
    remote = Recorder(request=answer)
    pair.a.open(KEY, local)
    pair.b.open(KEY, remote)
    pair.run()
    assert remote.calls == [("open", None), ("request", Request(42))]
    assert local.calls == [("open", None), ("data", Data(42, b"value", [], None))]


def _exchange(*, ack: bool) -> None:
    def ours(channel: Channel) -> None:
        channel.send(MessageType.DATA, encode_data(*Data(42, b"hi", [], None)))
        request(channel, 10)
        channel.send(MessageType.CANCEL, encode_cancel(*Cancel(100)))

    def theirs(channel: Channel) -> None:
        channel.send(MessageType.WANT, encode_want(*Want(10, 100)))
        channel.send(MessageType.STATUS, encode_status(*Status(downloading=True)))
        channel.send(MessageType.UNWANT, encode_unwant(*Unwant(11, 100)))
        channel.send(MessageType.UNHAVE, encode_unhave(*Unhave(18, 100)))
        have(channel, 10, 10, ack=ack)

    pair = Pair()
    owner = Owner(lambda _key: True)
    pair.a.attach(owner)
    local, remote = Recorder(open=ours), Recorder(open=theirs)
    pair.a.open(KEY, local)
    pair.b.open(KEY, remote)
    pair.b.open(OTHER_KEY, Recorder())
    pair.run()
    assert local.calls[1:] == [
        ("want", Want(10, 100)),
        ("status", Status(downloading=True)),
        ("unwant", Unwant(11, 100)),
        ("unhave", Unhave(18, 100)),
        ("have", Have(10, 10, ack=ack)),
    ]
    assert remote.calls[1:] == [
        ("data", Data(42, b"hi", [], None)),
        ("request", Request(10)),
        ("cancel", Cancel(100)),
    ]
    assert owner.discovery_keys == [discovery_key(OTHER_KEY)]


def test_send_messages() -> None:
    """hypercore-protocol "send messages"."""
    _exchange(ack=False)


def test_send_messages_with_ack() -> None:
    """hypercore-protocol "send messages (with ack)"."""
    _exchange(ack=True)


def test_destroy() -> None:
    """hypercore-protocol "destroy"."""
    pair = Pair()
    local = Recorder()
    pair.a.open(KEY, local)
    pair.a.close()
    pair.a.close()
    assert local.calls == [("close", None)]


def test_multiple_feeds() -> None:
    """hypercore-protocol "multiple feeds"."""
    pair = Pair()
    first, second = Recorder(), Recorder()
    pair.a.open(KEY, Recorder())
    pair.b.open(KEY, first)
    pair.a.open(OTHER_KEY, Recorder(open=lambda channel: have(channel, 10, 100)))
    pair.b.open(OTHER_KEY, second)
    pair.run()
    assert first.names() == ["open"]
    assert second.calls == [("open", None), ("have", Have(10, 100))]


def test_async_feed() -> None:
    """hypercore-protocol "async feed"."""
    pair = Pair()
    owner = Owner(lambda _key: True)  # claimed: to be opened later
    pair.b.attach(owner)
    pair.a.open(KEY, Recorder(open=lambda channel: request(channel, 42)))
    pair.run()
    assert owner.discovery_keys == [discovery_key(KEY)]
    assert pair.b.remote_opened(discovery_key(KEY))
    assert not pair.b.opened(discovery_key(KEY))
    late = Recorder()
    pair.b.open(KEY, late)
    pair.run()
    assert late.calls == [("open", None), ("request", Request(42))]


def _secret_seen(**options: Any) -> bool:
    pair = Pair(**options)
    secret = Data(42, b"i am secret", [], None)
    remote = Recorder()
    pair.a.open(
        KEY, Recorder(open=lambda channel: channel.send(MessageType.DATA, encode_data(*secret)))
    )
    pair.b.open(KEY, remote)
    pair.run()
    assert remote.got("data") == [secret]
    return b"secret" in pair.seen


def test_stream_is_encrypted() -> None:
    """hypercore-protocol "stream is encrypted"."""
    assert not _secret_seen()


def test_stream_can_be_unencrypted() -> None:
    """hypercore-protocol "stream can be unencrypted"."""
    assert _secret_seen(encrypted=False)


def test_keep_alives() -> None:
    """hypercore-protocol "keep alives"."""
    pair = Pair(live=True, timeout_s=0.1)
    pair.run()
    pair.wait(10.0)  # a hundred time-outs
    assert not pair.a.closed
    assert not pair.b.closed


def test_timeouts() -> None:
    """hypercore-protocol "timeouts"."""
    pair = Pair(live=True, timeout_s=None)
    pair.b = pair._session(2, live=True, timeout_s=0.1)
    pair.run()
    with pytest.raises(ReplicationTimeoutError):
        pair.wait(1.0)


def test_prefinalise_hook() -> None:
    """hypercore-protocol "prefinalise hook"."""
    pair = Pair()
    pair.a.hold()
    pair.b.hold()
    pair.b.attach(Owner())  # refuses what it does not know
    pair.a.open(KEY, Recorder())
    pair.run()
    assert pair.a.channels == []
    assert not pair.a.ended
    pair.a.open(OTHER_KEY, Recorder())
    pair.a.release()
    pair.b.release()
    pair.run()
    assert pair.ended == [True, True]


def test_message_after_ping() -> None:
    """hypercore-protocol "message after ping"."""
    pair = Pair(live=True, timeout_s=20.0)
    remote = Recorder()
    channel = pair.a.open(KEY, Recorder())
    pair.b.open(KEY, remote)
    pair.run()
    have(channel, 1)
    pair.run()
    pair.wait(15.0)  # past the keep-alive, short of the time-out
    have(channel, 2)
    pair.run()
    assert [message.start for message in remote.got("have")] == [1, 2]


def test_extension_message() -> None:
    """hypercore-protocol "extension message"."""

    def names(*extensions: str) -> Any:
        body = encode_options(*Options(extensions))
        return lambda channel: channel.send(MessageType.OPTIONS, body)

    pair = Pair()
    local = Recorder(
        open=names("a", "b"), options=lambda channel: channel.send_extension(1, b"hello ch2")
    )
    remote = Recorder(
        open=names("b", "c"), options=lambda channel: channel.send_extension(0, b"hello ch1")
    )
    pair.a.open(KEY, local)
    pair.b.open(KEY, remote)
    pair.run()
    assert [list(options.extensions) for options in local.got("options")] == [["b", "c"]]
    assert [list(options.extensions) for options in remote.got("options")] == [["a", "b"]]
    assert local.got("extension") == [(0, b"hello ch1")]
    assert remote.got("extension") == [(1, b"hello ch2")]


def test_feed_channel_ids_are_set_up_correctly() -> None:
    """hypercore-protocol "feed channel ids are set up correctly"."""
    pair = Pair()
    opened: list[Channel] = []
    remote = Recorder()

    def claim(_key: bytes) -> bool:
        opened.append(pair.b.open(KEY, remote))
        return True

    pair.b.attach(Owner(claim))
    local = pair.a.open(KEY, Recorder())
    pair.run()
    assert (opened[0].local_id, opened[0].remote_id) == (1, 1)
    assert (local.local_id, local.remote_id) == (1, 1)
    assert remote.names() == ["open"]


def test_can_close_by_discovery_key() -> None:
    """hypercore-protocol "can close by discovery key"."""
    pair = Pair()
    owner = Owner(pair.b.refuse)
    pair.b.attach(owner)
    local = Recorder()
    pair.a.open(KEY, local)
    pair.run()
    assert owner.discovery_keys == [discovery_key(KEY)]
    assert local.calls == [("close", None)]
    assert pair.ended == [True, True]


def test_onchannelclose_handler() -> None:
    """hypercore-protocol "onchannelclose handler"."""
    pair = Pair(live=True)
    local, remote = Recorder(), Recorder()
    ours = pair.a.open(KEY, local)
    theirs = pair.b.open(KEY, remote)
    pair.run()
    theirs.close()
    pair.run()
    assert local.calls == remote.calls == [("open", None), ("close", None)]
    assert (ours.key, ours.discovery_key) == (KEY, discovery_key(KEY))
    assert ours.closed
    assert theirs.closed
    assert pair.a.channels == pair.b.channels == []


def test_a_live_stream_does_not_close() -> None:
    """hypercore-protocol "a live stream does not close"."""
    ended = []
    for live in (False, True):
        pair = Pair(live=live)
        pair.b.attach(Owner())
        pair.a.open(KEY, Recorder())
        pair.run()
        assert pair.a.channels == []
        ended.append(pair.ended)
    assert ended == [[True, True], [False, False]]


def test_immediately_reopening_a_bad_channel_still_closes_the_stream() -> None:
    """hypercore-protocol "immediately reopening a bad channel still closes the stream"."""
    pair = Pair()
    pair.b.attach(Owner())
    local = Recorder()
    pair.a.open(KEY, local)
    with pytest.raises(ValueError, match="open"):
        pair.a.open(KEY, Recorder())
    pair.run()
    assert local.names() == ["close"]
    assert pair.ended == [True, True]


def test_stream_extension() -> None:
    """hypercore-protocol "stream extension"."""
    pair = Pair(live=True)
    received: list[Any] = []
    pair.a.register_extension("a")
    pair.a.register_extension(
        "test", encoding="json", on_message=lambda message, _peer: received.append(message)
    )
    pair.b.register_extension("z")
    extension = pair.b.register_extension("test", encoding="json")
    extension.send({"hello": "world"}, pair.b)
    pair.run()
    assert received == [{"hello": "world"}]


def test_disable_noise() -> None:
    """hypercore-protocol "disable noise"."""
    pair = Pair(noise=False, encrypted=False)
    local = Recorder(open=lambda channel: request(channel, 42))
    remote = Recorder(request=answer)
    pair.a.open(KEY, local)
    pair.b.open(KEY, remote)
    pair.run()
    assert remote.got("request") == [Request(42)]
    assert local.got("data") == [Data(42, b"value", [], None)]
    assert pair.a.remote_public_key is None
    assert pair.b.remote_public_key is None


def test_open_and_close_and_open_same_channel() -> None:
    """hypercore-protocol "open and close and open same channel"."""
    pair = Pair()
    second = Recorder()

    def reopen(channel: Channel) -> None:
        channel.close()
        pair.a.open(KEY, second)

    def claim(_key: bytes) -> bool:
        pair.b.open(KEY, Recorder())
        return True

    pair.b.attach(Owner(claim))
    first = Recorder(open=reopen)
    pair.a.open(KEY, first)
    pair.run()
    assert first.names() == ["open", "close"]
    assert second.names() == ["open"]
    assert pair.ended == [False, False]
