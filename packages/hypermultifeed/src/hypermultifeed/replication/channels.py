"""The channels of one replication stream, without any I/O.

A `Session` owns the `Connection` of one byte stream and shares it out: every feed has a channel
of its own, paired with the peer's by discovery key, and channel 0 carries extension messages of
the stream itself. Each side numbers its own channels 1, 2, 3, ... and a message bears its
sender's number (hypercore-protocol 8, index.js).

A channel carries something only when both sides have opened it and the peer has proved that it
knows the key (the *capability*). The two Opens may come in either order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hypermultifeed.errors import (
    CapabilityError,
    FeedError,
    RemoteProtocolError,
    StorageError,
    StreamClosedError,
)
from hypermultifeed.feed.remote_bitfield import PageBudget
from hypermultifeed.keys import discovery_key as discovery_key_of
from hypermultifeed.replication.channel import Channel, ChannelHandler, SessionOwner
from hypermultifeed.replication.extensions import (
    Extension,
    ExtensionRegistry,
    RemoteExtensions,
)
from hypermultifeed.wire.capability import capability, verify_capability
from hypermultifeed.wire.connection import Connection
from hypermultifeed.wire.messages import (
    Cancel,
    Have,
    MessageType,
    Open,
    Options,
    Status,
    Unhave,
    Unwant,
    Want,
    decode,
    decode_close,
    decode_data,
    decode_extension,
    decode_have,
    decode_open,
    decode_options,
    decode_request,
    encode_close,
    encode_extension,
    encode_open,
    encode_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.codecs import Codec
    from hypermultifeed.keys import NoiseKeyPair

OPEN: Final = MessageType.OPEN
OPTIONS: Final = MessageType.OPTIONS
HAVE: Final = MessageType.HAVE
REQUEST: Final = MessageType.REQUEST
DATA: Final = MessageType.DATA
CLOSE: Final = MessageType.CLOSE
EXTENSION: Final = MessageType.EXTENSION

MAX_PENDING_OPENS: Final = 1024
"""Channels only the peer has opened; further ones are refused at once."""

OPEN_BURST: Final = 16_384
OPENS_PER_SECOND: Final = 128.0
"""A peer may open so many channels at once, and so many a second in the long run."""

OUTPUT_LOW: Final = 1 << 18
"""Bytes waiting to be sent below which uploads go on."""

MAX_QUEUED_REQUESTS: Final = 4096
"""Requests of one peer waiting for an answer above which no more input is read."""


class Session:
    """Pairs the channels of one byte stream and hands messages to their handlers.

    The edge calls `start` once, then `receive_data`, `receive_eof`, `handle_timer`, and after each
    of them, and whenever ``wake`` is called, takes `data_to_send` and asks `get_timer`. After an
    error was raised, or at the stream's end, it calls `close`.

    Attributes:
        connection: the byte stream's state machine, from `start` on.
        handshake_complete: channels can be paired.
        remote_ended: the peer has ended its output.
        live: whether the stream stays when its last channel closes.
        wake: called when output appears outside a call of the edge.
        extensions: extension messages of the stream itself, on channel 0.
        now: the time of the edge's last call.
        queued_requests: requests of the peer that wait for room in the output.
        blocked: channels that wait for room in the output, in turn.
        page_budget: shared by what is kept of the peer's announcements, over all feeds.
        refused: Opens of the peer that were refused.
        dropped: messages that belonged to no open channel.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        key_pair: NoiseKeyPair,
        ephemeral_seed: bytes,
        nonce: bytes,
        now: float | None = None,
        live: bool = True,
        noise: bool = True,
        encrypted: bool = True,
        **connection_options: Any,
    ) -> None:
        """Args are those of `Connection`, and ``live``; with ``now`` the session starts at once."""
        self.live = live
        self.now = 0.0
        self.public_key = key_pair.public_key
        self.handshake_complete = False
        self.wake: Callable[[], None] = _nothing
        self.error: Exception | None = None
        self.closed = False
        self.remote_ended = False
        self.queued_requests = 0
        self.page_budget = PageBudget()
        self.refused = 0
        self.dropped = 0
        self.extensions = ExtensionRegistry(peers=lambda: (self,))
        self._remote_extensions = RemoteExtensions(self.extensions)
        self._extensions_sent = 0
        self._owners: dict[SessionOwner, None] = {}
        self._asked: dict[SessionOwner, None] = {}
        self._channels: dict[bytes, Channel] = {}
        self._remote: dict[int, Channel] = {}
        self._half_open: dict[bytes, Channel] = {}
        self._expected: set[bytes] = set()
        self._unsent_opens: list[Channel] = []
        self._touched: list[Channel] = []
        self._timers: dict[Channel, float] = {}
        self.blocked: dict[Channel, None] = {}
        self._last_id = 0
        self._guards = 0
        self._channel_closed = False
        self._awake = True
        self._opens_left = float(OPEN_BURST)
        self._opens_counted_at = 0.0
        self._checks_capability = noise or encrypted
        self._started = False
        self._early: list[tuple[int, int, bytes | list[bytes]]] = []
        self._connect = partial(
            Connection,
            self,
            initiator=initiator,
            key_pair=key_pair,
            ephemeral_seed=ephemeral_seed,
            nonce=nonce,
            noise=noise,
            encrypted=encrypted,
            **connection_options,
        )
        if now is not None:
            self.start(now)

    # --- for the edge

    def start(self, now: float) -> None:
        """The byte stream is there; the time limit of the handshake runs from now on."""
        self.now = self._opens_counted_at = now
        self._awake = True
        self.connection: Connection = self._connect(now=now)
        self._started = True
        early, self._early = self._early, []
        for frame in early:
            self.connection.send_frame(*frame)
        if self.connection.handshake_complete:
            self.on_handshake()  # there is none; channels can be opened at once

    def receive_data(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take a chunk of the peer's bytes.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the session is dead.
        """
        self.now = now
        self._awake = True  # whoever calls takes the output afterwards
        self.connection.receive_data(data, now)
        if self._touched:
            self._end_chunk(now)

    def receive_eof(self, now: float) -> None:
        """The peer ended its output; ours ends too."""
        self.now = now
        self._awake = True
        self.remote_ended = True
        self.connection.receive_eof(now)
        self.connection.end()

    def data_to_send(self) -> bytes | bytearray:
        """Everything that waits to be sent, encrypted; empty if nothing."""
        if self._channel_closed:
            self._maybe_end()
        self._awake = False
        return self.connection.data_to_send()

    @property
    def output_size(self) -> int:
        """Bytes that wait to be sent."""
        return self.connection.output_size

    @property
    def ended(self) -> bool:
        """Whether our output is over once `data_to_send` is empty."""
        return self.connection.ended

    @property
    def input_paused(self) -> bool:
        """Whether the peer has asked for so much that nothing more should be read for now."""
        return self.queued_requests > MAX_QUEUED_REQUESTS and bool(self.blocked)

    def drained(self, now: float) -> None:
        """The output has been handed on; uploads that waited for room go on, in turn."""
        self.now = now
        while self.blocked and self.connection.output_size < OUTPUT_LOW:
            channel = next(iter(self.blocked))
            del self.blocked[channel]
            if channel.ready:
                channel.handler.on_drain(now)

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, or None."""
        when = self.connection.get_timer()
        if self._timers:
            first = min(self._timers.values())
            when = first if when is None or first < when else when
        return when

    def handle_timer(self, now: float) -> None:
        """Do what is due: keep-alive, time-outs, requests that were not answered.

        Raises:
            ReplicationTimeoutError: the peer has been silent for too long.
        """
        self.now = now
        self._awake = True
        self.connection.handle_timer(now)
        due = [channel for channel, when in self._timers.items() if now >= when]
        for channel in due:
            del self._timers[channel]
            self._guarded(channel, channel.handler.on_timer, now)

    def end(self) -> None:
        """End our output after what is queued has been sent."""
        if self._started and not self.closed:
            self.connection.end()
            self._wake()

    def close(self, error: Exception | None = None) -> None:
        """The stream is over; every channel and owner is told. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.error = error
        channels = list(self._channels.values())
        self._channels.clear()
        self._remote.clear()
        self._half_open.clear()
        self._timers.clear()
        self.blocked.clear()
        self._touched.clear()
        for channel in channels:
            if channel.local_id:
                channel.local_id = channel.remote_id = 0
                channel.ready = False
                channel.handler.on_close(error)
        for owner in list(self._owners):
            owner.on_close(error)

    # --- for owners

    @property
    def remote_public_key(self) -> bytes | None:
        """The peer's static key, once known."""
        return self.connection.remote_public_key if self._started else None

    @property
    def channels(self) -> list[Channel]:
        """Every channel at least one side has open."""
        return list(self._channels.values())

    def attach(self, owner: SessionOwner) -> None:
        """Let ``owner`` know of the session's events, and ask it about channels the peer opens.

        Channels that the peer has opened already and that nobody opened here are offered to it.
        """
        self._owners[owner] = None
        if owner.is_asked:
            self._asked[owner] = None
        if self.closed:
            owner.on_close(self.error)
        elif self.handshake_complete:
            owner.on_handshake()
            for discovery_key in list(self._half_open) if owner.is_asked else ():
                owner.on_remote_open(discovery_key)

    def detach(self, owner: SessionOwner) -> None:
        """Forget ``owner``; its channels stay."""
        self._owners.pop(owner, None)
        self._asked.pop(owner, None)

    def channel(self, discovery_key: bytes) -> Channel | None:
        """The channel of that discovery key, opened by us, by the peer, or by both."""
        return self._channels.get(discovery_key)

    def opened(self, discovery_key: bytes) -> bool:
        """Whether our end of that channel is open."""
        channel = self._channels.get(discovery_key)
        return channel is not None and channel.local_id > 0

    def remote_opened(self, discovery_key: bytes) -> bool:
        """Whether the peer's end of that channel is open."""
        channel = self._channels.get(discovery_key)
        return channel is not None and channel.remote_id > 0

    def open(self, key: bytes, handler: ChannelHandler) -> Channel:
        """Open our end of the channel for ``key``.

        ``handler.on_open`` is called as soon as both ends are open: later, or before this
        returns when the peer's Open came first. If the peer's Open lacks the proof that it knows
        the key, it is refused: the channel comes back closed, after ``handler.on_close``.

        Raises:
            ValueError: our end is open already.
            StreamClosedError: the session is over.
        """
        if self.closed:
            raise StreamClosedError("the replication stream is closed") from self.error
        discovery_key = discovery_key_of(key)
        channel = self._channels.get(discovery_key)
        if channel is None:
            channel = Channel(self, discovery_key)
        elif channel.local_id:
            raise ValueError("this key is open on this stream already")
        channel.key = key
        channel.handler = handler
        handler.channel = channel
        if channel.remote_id and not self._verified(channel):
            self._forget(channel)
            self.refuse(discovery_key)
            handler.on_close(CapabilityError("the peer opened the channel without knowing its key"))
            return channel
        self._channels[discovery_key] = channel
        self._half_open.pop(discovery_key, None)
        self._last_id += 1
        channel.local_id = self._last_id
        if self.handshake_complete:
            self._send_open(channel)
        else:
            self._unsent_opens.append(channel)
        if channel.remote_id:
            self._pair(channel)
        return channel

    def expect(self, discovery_keys: Iterable[bytes]) -> None:
        """We shall open these channels soon: the peer's Opens wait for that, uncounted.

        For channels both sides have agreed on, so that their number is limited elsewhere. What
        is not opened in the end must be refused.
        """
        self._expected.update(discovery_keys)

    def unexpect(self, discovery_keys: Iterable[bytes]) -> None:
        """Undo `expect`."""
        self._expected.difference_update(discovery_keys)

    def refuse(self, discovery_key: bytes) -> None:
        """Tell the peer that we shall not open this channel, and forget its Open."""
        channel = self._channels.get(discovery_key)
        if channel is not None:
            if channel.local_id:
                channel.close()
                return
            self._forget(channel)
        if self.closed:
            return
        self.refused += 1
        self._last_id += 1  # a refusal uses up a number of ours, as in JavaScript
        self.send_frame(self._last_id, CLOSE, encode_close(discovery_key))
        self._channel_gone()

    def hold(self) -> None:
        """Keep a stream that is not live from ending; undone by `release`."""
        self._guards += 1

    def release(self) -> None:
        """Undo one `hold`."""
        assert self._guards > 0
        self._guards -= 1
        self._wake()

    def register_extension(
        self,
        name: str,
        *,
        encoding: str | Codec = "binary",
        on_message: Callable[[Any, Any], None] | None = None,
        on_error: Callable[[Exception, Any], None] | None = None,
    ) -> Extension:
        """Register an extension of the stream itself; its context is this session."""
        return self.extensions.add(
            name, encoding=encoding, on_message=on_message, on_error=on_error
        )

    def send_extension(self, extension: Extension, payload: bytes) -> None:
        """Send a message of the stream's own; a changed list of names goes first."""
        if self._extensions_sent != self.extensions.version:
            self._extensions_sent = self.extensions.version
            self.send_frame(0, OPTIONS, encode_options(self.extensions.names(), ack=False))
        self.send_frame(0, EXTENSION, encode_extension(extension.id, payload))

    # --- for channels

    def send_frame(self, number: int, message_type: int, body: bytes | list[bytes]) -> None:
        """Send one message with our number ``number``."""
        if not self._started:
            self._early.append((number, message_type, body))
            return
        self.connection.send_frame(number, message_type, body)
        if not self._awake:
            self._wake()

    def close_channel(self, channel: Channel, error: Exception | None) -> None:
        """Close our end of ``channel``, if it is open."""
        number = channel.local_id
        if not number or self.closed:
            return
        self._forget(channel)
        if channel in self._unsent_opens:
            self._unsent_opens.remove(channel)
        else:
            self.send_frame(number, CLOSE, encode_close())
        channel.handler.on_close(error)
        self._channel_gone()

    def set_timer(self, channel: Channel, when: float | None) -> None:
        """Call the channel's ``on_timer`` at ``when``; None: never."""
        if when is None:
            self._timers.pop(channel, None)
        elif channel.ready:
            self._timers[channel] = when
            self._wake()

    # --- for the connection

    def on_authenticate(self, remote_public_key: bytes) -> None:
        """The peer's static key is known, before our last handshake message goes out."""
        for owner in list(self._owners):
            owner.on_authenticate(remote_public_key)

    def on_handshake(self) -> None:
        """The handshake is over: what was opened before it is told now."""
        self.handshake_complete = True
        unsent, self._unsent_opens = self._unsent_opens, []
        for channel in unsent:
            if channel.local_id:
                self._send_open(channel)
        for owner in list(self._owners):
            owner.on_handshake()

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        """One message of the peer."""
        target = self._remote.get(channel)
        if target is None or not target.ready or message_type == OPEN:
            self._on_unpaired(channel, message_type, body)
            return
        handler = target.handler
        try:
            if not target.touched:
                target.touched = True
                self._touched.append(target)
                handler.on_chunk_start(self.now)
            if message_type == DATA:
                handler.on_data(decode_data(body))
            elif message_type == REQUEST:
                handler.on_request(decode_request(body))
            elif message_type == HAVE:
                handler.on_have(decode_have(body))
            elif message_type == CLOSE:
                self._on_remote_close(target)
            elif message_type == EXTENSION:
                handler.on_extension(*decode_extension(body))
            else:
                _deliver(handler, decode(message_type, body))
        except (FeedError, StorageError) as error:
            self._fail(target, error)

    # --- inside

    def _on_unpaired(self, number: int, message_type: int, body: bytes) -> None:
        if message_type == OPEN:
            self._on_open(number, decode_open(body))
        elif message_type == CLOSE:
            close = decode_close(body)
            channel = self._remote.get(number)
            if channel is None and close.discovery_key is not None:
                channel = self._channels.get(close.discovery_key)
            if channel is not None:
                self._on_remote_close(channel)
        elif number == 0 and message_type == OPTIONS:
            self._remote_extensions.update(decode_options(body).extensions)
        elif number == 0 and message_type == EXTENSION:
            self._remote_extensions.deliver(*decode_extension(body), self)
        else:
            self.dropped += 1

    def _on_open(self, number: int, message: Open) -> None:
        if number == 0 or number in self._remote:
            raise RemoteProtocolError(f"channel {number} is open already")
        discovery_key = message.discovery_key
        channel = self._channels.get(discovery_key)
        if channel is None:
            self._on_foreign_open(number, message)
            return
        if channel.remote_id:
            raise RemoteProtocolError("a key was opened twice")
        channel.remote_capability = message.capability
        channel.remote_id = number
        if not self._verified(channel):
            raise CapabilityError("the peer opened a channel without knowing its key")
        self._remote[number] = channel
        try:
            self._pair(channel)
        except (FeedError, StorageError) as error:
            self._fail(channel, error)

    def _pair(self, channel: Channel) -> None:
        channel.ready = True
        for owner in self._asked:
            owner.on_paired(channel.discovery_key)
        channel.handler.on_open()

    def _on_foreign_open(self, number: int, message: Open) -> None:
        discovery_key = message.discovery_key
        expected = discovery_key in self._expected
        if not expected:
            self._count_open()
            if len(self._half_open) >= MAX_PENDING_OPENS:
                self.refuse(discovery_key)
                return
        channel = Channel(self, discovery_key)
        channel.remote_id = number
        channel.remote_capability = message.capability
        self._channels[discovery_key] = channel
        self._remote[number] = channel
        if expected:
            return
        self._half_open[discovery_key] = channel
        claimed = False
        for owner in list(self._asked):
            claimed = owner.on_remote_open(discovery_key) or claimed
        if not claimed and self._half_open.get(discovery_key) is channel:
            self.refuse(discovery_key)

    def _count_open(self) -> None:
        earned = (self.now - self._opens_counted_at) * OPENS_PER_SECOND
        self._opens_left = min(self._opens_left + earned, OPEN_BURST) - 1
        self._opens_counted_at = self.now
        if self._opens_left < 0:
            raise RemoteProtocolError("the peer opens channels too fast")

    def _on_remote_close(self, channel: Channel) -> None:
        was_open = channel.local_id
        refused = bool(was_open) and not channel.ready
        self._forget(channel)
        if was_open:
            self.send_frame(was_open, CLOSE, encode_close())
            channel.handler.on_close(None)
        if refused:
            for owner in list(self._asked):
                owner.on_refused(channel.discovery_key)
        self._channel_gone()

    def _forget(self, channel: Channel) -> None:
        self._channels.pop(channel.discovery_key, None)
        self._half_open.pop(channel.discovery_key, None)
        self._remote.pop(channel.remote_id, None)
        self._timers.pop(channel, None)
        self.blocked.pop(channel, None)
        channel.local_id = channel.remote_id = 0
        channel.ready = False

    def _fail(self, channel: Channel, error: Exception) -> None:
        channel.close(error)
        for owner in list(self._owners):
            owner.on_channel_error(channel, error)

    def _guarded(self, channel: Channel, call: Callable[[float], None], now: float) -> None:
        if not channel.ready:
            return
        try:
            call(now)
        except (FeedError, StorageError) as error:
            self._fail(channel, error)

    def _end_chunk(self, now: float) -> None:
        touched, self._touched = self._touched, []
        for channel in touched:
            channel.touched = False
            self._guarded(channel, channel.handler.on_chunk_end, now)

    def _verified(self, channel: Channel) -> bool:
        if not self._checks_capability:
            return True
        theirs = channel.remote_capability
        key = channel.key
        if theirs is None or key is None:
            return False
        connection = self.connection
        return verify_capability(theirs, connection.tx, connection.rx, key)

    def _send_open(self, channel: Channel) -> None:
        key = channel.key
        assert key is not None
        proof = None
        if self._checks_capability:
            proof = capability(self.connection.tx, self.connection.rx, key)
        self.send_frame(channel.local_id, OPEN, encode_open(channel.discovery_key, proof))

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self.wake()

    def _channel_gone(self) -> None:
        self._channel_closed = True
        self._wake()

    def _maybe_end(self) -> None:
        # Only when output is taken: who closed a channel may be about to open another one.
        if not (self.live or self._guards or self._channels):
            self.connection.end()


def _deliver(handler: ChannelHandler, message: object) -> None:
    match message:
        case Have():
            handler.on_have(message)
        case Want():
            handler.on_want(message)
        case Status():
            handler.on_status(message)
        case Options():
            handler.on_options(message)
        case Unhave():
            handler.on_unhave(message)
        case Unwant():
            handler.on_unwant(message)
        case Cancel():
            handler.on_cancel(message)
        case _:
            pass


def _nothing() -> None:
    """Stand in for ``wake`` until an edge is there."""


__all__ = ["Channel", "ChannelHandler", "Session", "SessionOwner"]
