"""One channel, who gets its messages, and who shares a session.

The session itself is in `channels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.wire.messages import MessageType, encode_extension

if TYPE_CHECKING:
    from hypermultifeed.replication.channels import Session
    from hypermultifeed.wire.messages import (
        Cancel,
        Data,
        Have,
        Options,
        Request,
        Status,
        Unhave,
        Unwant,
        Want,
    )

EXTENSION: Final = MessageType.EXTENSION

OUTPUT_HIGH: Final = 1 << 20
"""Bytes waiting to be sent above which uploads pause."""


class ChannelHandler:
    """What the user of a channel implements; this base class ignores everything.

    Handlers are called while a received chunk is being read. A `FeedError` or `StorageError` they
    raise closes their channel alone; a `RemoteProtocolError` ends the whole stream.
    """

    __slots__ = ("channel",)

    channel: Channel
    """Set by `Session.open` before any method is called."""

    def on_open(self) -> None:
        """Both sides have opened the channel; only from now on may anything be sent on it."""

    def on_options(self, options: Options) -> None:
        """The peer tells the names of its extensions and whether it wants acknowledgements."""

    def on_status(self, status: Status) -> None:
        """The peer tells whether it uploads and downloads."""

    def on_have(self, have: Have) -> None:
        """The peer tells what it has."""

    def on_unhave(self, unhave: Unhave) -> None:
        """The peer tells what it no longer has."""

    def on_want(self, want: Want) -> None:
        """The peer asks what we have."""

    def on_unwant(self, unwant: Unwant) -> None:
        """The peer no longer wants to know."""

    def on_request(self, request: Request) -> None:
        """The peer asks for a block or for a proof."""

    def on_cancel(self, cancel: Cancel) -> None:
        """The peer takes a request back."""

    def on_data(self, data: Data) -> None:
        """The peer sends a block or a proof."""

    def on_extension(self, extension_id: int, payload: bytes) -> None:
        """An extension message; the number is the peer's."""

    def on_chunk_start(self, now: float) -> None:
        """The first message of a received chunk for this channel is about to be handed over."""

    def on_chunk_end(self, now: float) -> None:
        """A received chunk is used up that had something for this channel."""

    def on_drain(self, now: float) -> None:
        """Output has room again, as asked for with `Channel.wait_for_drain`."""

    def on_timer(self, now: float) -> None:
        """The time given to `Channel.set_timer` has come."""

    def on_close(self, error: Exception | None) -> None:
        """The channel is gone: closed by one of the sides, or with the whole stream.

        ``error`` says why where something failed. Called exactly once.
        """


class SessionOwner:
    """Somebody who uses a session: a multifeed, a corestore, a single core.

    Several may be attached to one session. This base class ignores everything.

    Attributes:
        is_asked: False for one that never claims what the peer opens, and is not asked: there may
            be thousands of those, and a peer may open thousands of channels.
    """

    is_asked = True

    def on_authenticate(self, remote_public_key: bytes) -> None:
        """The peer's static key is known; raise to refuse it before it learns anything more."""

    def on_handshake(self) -> None:
        """The handshake is over."""

    def on_remote_open(self, discovery_key: bytes) -> bool:
        """The peer opened a channel that nobody has opened here.

        Return True to claim it: by having called `Session.open`, or to do so (or to refuse it with
        `Session.refuse`) later, or to leave it idle. When no owner claims it, it is refused.
        """
        del discovery_key
        return False

    def on_paired(self, discovery_key: bytes) -> None:
        """Both ends of a channel are open, and the peer has proved that it knows the key.

        Like `on_refused`, it is told only to those who are asked.
        """

    def on_refused(self, discovery_key: bytes) -> None:
        """The peer closed a channel that only we had opened."""

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        """A channel was closed because of a feed's error; the stream goes on."""

    def on_close(self, error: Exception | None) -> None:
        """The session is over."""


class Channel:
    """One side's end of a channel.

    Attributes:
        key: the feed's public key; None while only the peer has opened it.
        discovery_key: what both sides match by.
        local_id, remote_id: numbers of our and the peer's end, 0 while not open.
        ready: both ends are open and the peer has proved that it knows the key.
        handler: who gets the messages.
        touched: the chunk being read had something for it.
    """

    __slots__ = (
        "_session",
        "discovery_key",
        "handler",
        "key",
        "local_id",
        "ready",
        "remote_capability",
        "remote_id",
        "touched",
    )

    def __init__(self, session: Session, discovery_key: bytes) -> None:
        self._session = session
        self.touched = False
        self.discovery_key = discovery_key
        self.handler: ChannelHandler = NOBODY
        self.key: bytes | None = None
        self.local_id = 0
        self.remote_id = 0
        self.remote_capability: bytes | None = None
        self.ready = False

    @property
    def session(self) -> Session:
        """The session this channel belongs to."""
        return self._session

    @property
    def closed(self) -> bool:
        """Whether our end is not open."""
        return not self.local_id

    def send(self, message_type: int, body: bytes | list[bytes]) -> None:
        """Send one message, whole or in parts; nothing happens unless both ends are open."""
        if self.ready:
            self._session.send_frame(self.local_id, message_type, body)

    def send_extension(self, extension_id: int, payload: bytes) -> None:
        """Send an extension message with our own number for it."""
        self.send(EXTENSION, encode_extension(extension_id, payload))

    def close(self, error: Exception | None = None) -> None:
        """Close our end and forget the channel; ``on_close(error)`` is called if it was open."""
        self._session.close_channel(self, error)

    def set_timer(self, when: float | None) -> None:
        """Have ``on_timer`` called at ``when`` (seconds of the session's clock); None: never."""
        self._session.set_timer(self, when)

    def wait_for_drain(self) -> None:
        """Have ``on_drain`` called once output has room again."""
        self._session.blocked[self] = None

    @property
    def output_full(self) -> bool:
        """Whether so much waits to be sent that uploads should pause."""
        return self._session.connection.output_size > OUTPUT_HIGH


NOBODY: Final = ChannelHandler()
"""Handler of a channel that only the peer has opened."""
