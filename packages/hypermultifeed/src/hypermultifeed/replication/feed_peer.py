"""One peer of one feed: its channel, what it has, and when the replication is over.

The rules of the exchange are hypercore 9's (lib/replicate.js). What is asked for is in
`downloads`, what is answered in `uploads`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hypermultifeed.encoding import runs
from hypermultifeed.errors import FeedError, RemoteProtocolError, StorageError
from hypermultifeed.feed.remote_bitfield import RemoteBitfield
from hypermultifeed.replication.channels import ChannelHandler
from hypermultifeed.replication.downloads import Downloads
from hypermultifeed.replication.extensions import RemoteExtensions
from hypermultifeed.replication.transfer_stats import TransferStats
from hypermultifeed.replication.uploads import Uploads
from hypermultifeed.replication.wants import WANT_LENGTH, Wants
from hypermultifeed.wire.messages import MessageType, encode_options, encode_status

if TYPE_CHECKING:
    from hypermultifeed.replication.demands import Seek
    from hypermultifeed.replication.extensions import Extension
    from hypermultifeed.replication.feed_sync import FeedSync
    from hypermultifeed.wire.messages import (
        Cancel,
        Data,
        Have,
        Options,
        Request,
        Status,
        Unhave,
        Want,
    )

OPTIONS: Final = MessageType.OPTIONS
STATUS: Final = MessageType.STATUS

MAX_BITFIELD_BYTES: Final = WANT_LENGTH // 8
BITFIELD_ALIGN: Final = 8

IDLE_END_S: Final = 1.0
"""A replication that is not live and fetches on demand ends after so long without a demand."""

ABANDONED_END_S: Final = 10.0
"""One that is not live ends when the peer still wants data that we have but does not ask for it
for so long, and we want none."""

TIMER_S_MIN: Final = 0.01
"""Timers are not set earlier than this from now."""


class FeedPeer(ChannelHandler):
    """The channel of one feed with one peer.

    Attributes:
        remote: the blocks the peer says it has.
        uploading, downloading: what we are willing to do here.
        remote_uploading, remote_downloading: what the peer is willing to do.
        remote_ack: the peer wants acknowledgements.
        stats: what went over this channel.
        opened: both ends are open.
        error: why the channel was closed, if something failed.
        stream: whatever the edge wants to remember with the peer.
    """

    def __init__(
        self,
        sync: FeedSync,
        *,
        live: bool,
        upload: bool = True,
        download: bool = True,
        ack: bool = False,
    ) -> None:
        self.sync = sync
        self.log = sync.log
        self.live = live
        self.ack = ack
        self.uploading = upload
        self.downloading = download
        self.remote_uploading = True
        self.remote_downloading = True
        self.remote_ack = False
        self.remote = RemoteBitfield()
        self.remote_extensions = RemoteExtensions(sync.extensions)
        self.stats = TransferStats()
        self.opened = False
        self.error: Exception | None = None
        self.stream: object = None
        self.downloads = Downloads(self)
        self.uploads = Uploads(self)
        self._wants = Wants(self)
        self._was_downloader = download
        self._changed = False
        self._idle_since: float | None = None
        self._inquired = 0

    def __repr__(self) -> str:
        return f"<FeedPeer opened={self.opened} in_flight={len(self.downloads)}>"

    # --- about the peer

    @property
    def remote_public_key(self) -> bytes | None:
        """The peer's static key."""
        return self.channel.session.remote_public_key

    @property
    def remote_length(self) -> int:
        """One more than the last block the peer says it has."""
        return self.remote.length

    @property
    def in_flight(self) -> int:
        """Blocks asked of this peer and not here yet."""
        return len(self.downloads)

    @property
    def settled(self) -> bool:
        """Whether the peer has told everything it was asked about what it has."""
        if not self.opened:
            return False
        return not self._may_ask or self._wants.settled

    @property
    def waits_for_proof(self) -> bool:
        """Whether a hash proof is under way."""
        return self.downloads.waits_for_proof

    @property
    def _may_ask(self) -> bool:
        return self.opened and self.downloading and self.remote_uploading

    def may_know(self, seek: Seek) -> bool:
        """Whether the peer has a block whose hash would bring a seek further."""
        return self.downloads.candidate(seek) >= 0

    def send_extension(self, extension: Extension, payload: bytes) -> None:
        """Send a message of the feed's extension to this peer."""
        self.channel.send_extension(extension.id, payload)

    # --- the channel

    def on_open(self) -> None:  # noqa: D102
        self.opened = True
        self.remote.share(self.channel.session.page_budget)
        now = self.channel.session.now
        self.uploads.served_at = now
        self.send_options()
        if not (self.uploading and self.downloading):
            self._send_status()
        self.sync.peer_opened(self, now)
        if self._may_ask:
            self._wants.send(now)
        self.check_end(now)

    def on_close(self, error: Exception | None) -> None:  # noqa: D102
        now = self.channel.session.now
        self._take_last(now)
        self.opened = False
        self.error = error
        self.uploads.clear()
        self.downloads.clear()
        self.sync.peer_closed(self, error, now)
        self.remote.release()
        if not self.sync.closed and (damaged := self.uploads.check_sent()):
            self.sync.damaged(damaged, now)

    def _take_last(self, now: float) -> None:
        """Store what came in the same chunk before the end."""
        if self.downloads.got and not self.sync.closed:
            with suppress(FeedError, StorageError):
                self.sync.received(self, self.downloads.end_chunk(now), now)

    def on_chunk_start(self, now: float) -> None:  # noqa: D102
        self.sync.now = now

    def on_chunk_end(self, now: float) -> None:  # noqa: D102
        got = self.downloads.end_chunk(now)
        if got or self._changed:
            self._changed = False
            self.sync.received(self, got, now)
        self.uploads.serve(now)
        self.check_end(now)

    def on_drain(self, now: float) -> None:  # noqa: D102
        self.uploads.serve(now)
        self.check_end(now)

    def on_timer(self, now: float) -> None:  # noqa: D102
        self.sync.now = now
        self._wants.expire(now)
        self.downloads.expire(now)
        self.sync.update(now)
        self.check_end(now)
        self.arm(now)

    # --- what the peer says

    def on_options(self, options: Options) -> None:  # noqa: D102
        self.remote_ack = options.ack
        self.remote_extensions.update(options.extensions)

    def on_extension(self, extension_id: int, payload: bytes) -> None:  # noqa: D102
        self.remote_extensions.deliver(extension_id, payload, self)

    def on_status(self, status: Status) -> None:  # noqa: D102
        self.remote_downloading = status.downloading
        if status.uploading != self.remote_uploading:
            self.remote_uploading = status.uploading
            if not status.uploading:
                self.downloads.clear()
                self._wants.clear()
        self._changed = True

    def on_have(self, have: Have) -> None:  # noqa: D102
        start = have.start
        if have.ack:
            if self.ack and have.bitfield is None and self.log.has(start):
                self.sync.observer.on_ack(self, start, have.length)
            return
        if have.bitfield is None:
            self.remote.set_range(start, have.length or 1)
        elif start % BITFIELD_ALIGN == 0:
            try:
                bits = runs.decode(have.bitfield, bytes_max=MAX_BITFIELD_BYTES)
            except ValueError as error:
                raise RemoteProtocolError(f"malformed bitfield in a Have: {error}") from None
            self.remote.set_bits(start, bits)
        self._wants.answered(start, have.length)
        self._changed = True

    def on_unhave(self, unhave: Unhave) -> None:  # noqa: D102
        start, length = unhave.start, unhave.length or 1
        self.remote.clear_range(start, length)
        self.downloads.unhave(start, start + length)
        self._changed = True

    def on_want(self, want: Want) -> None:  # noqa: D102
        if self.uploading:
            self.uploads.want(want)

    def on_request(self, request: Request) -> None:  # noqa: D102
        if self.uploading:
            self.uploads.request(request)

    def on_cancel(self, cancel: Cancel) -> None:  # noqa: D102
        self.uploads.cancel(cancel.index, cancel.bytes, only_hash=cancel.hash)

    def on_data(self, data: Data) -> None:  # noqa: D102
        if self.downloads.receive(data):
            self._changed = True

    # --- what we do

    def update(self, now: float) -> None:
        """Ask for what is wanted and this peer has."""
        if self._may_ask:
            self.downloads.update(now)
            self._wants.send(now)
            if not self.downloads.idle:
                self._idle_since = None

    def forget(self, index: int) -> None:
        """Nobody waits for this block any more."""
        self.downloads.forget(index)

    def announce(self, start: int, length: int) -> None:
        """Tell the peer of new blocks."""
        self.uploads.announce(start, length)

    def unannounce(self, start: int, length: int) -> None:
        """Tell the peer of blocks that are gone."""
        self.uploads.unannounce(start, length)

    def arm(self, now: float) -> None:
        """Set the channel's timer to the next thing that may be due."""
        if not self.opened:
            return
        due = self.downloads.due(now)
        wants_due = self._wants.due()
        if wants_due is not None:
            due.append(wants_due)
        if self._idle_since is not None:
            due.append(self._idle_since + IDLE_END_S)
        if not (self.live or self.downloading or self.uploads.queue) and self.remote_downloading:
            quiet_s = IDLE_END_S if now < self.uploads.served_at + IDLE_END_S else ABANDONED_END_S
            due.append(self.uploads.served_at + quiet_s)
        self.channel.set_timer(max(min(due), now + TIMER_S_MIN) if due else None)

    def inquire(self, now: float) -> None:
        """Ask what the peer has, if it was sent blocks since this was called last.

        Peers do not tell whom they got a block from that they have it now.
        """
        sent = self.stats.uploaded_blocks
        told = self._may_ask and self._wants.settled
        if told and sent > self._inquired and not self.uploads.queue:
            self._inquired = sent
            self._wants.ask_again(now)

    # --- options and switches

    def send_options(self) -> None:
        """Tell our extensions, and whether we want acknowledgements, if there is any to tell."""
        extensions = self.sync.extensions
        if self.opened and (self.ack or extensions.version):
            self.channel.send(OPTIONS, encode_options(extensions.names(), self.ack))

    def set_uploading(self, uploading: bool) -> None:
        """Start or stop answering."""
        if uploading != self.uploading:
            self.uploading = uploading
            if not uploading:
                self.uploads.clear()  # JavaScript peers ask again later, and so do we
            self._send_status()

    def set_downloading(self, now: float, *, downloading: bool) -> None:
        """Start or stop asking."""
        if downloading != self.downloading:
            self.downloading = downloading
            if not downloading:
                self.downloads.clear()
            self._send_status()
            self.update(now)

    def _send_status(self) -> None:
        self.channel.send(STATUS, encode_status(self.uploading, self.downloading))

    # --- the end of a replication that is not live

    def check_end(self, now: float) -> None:
        """Close the channel of a replication that is not live once neither side wants more."""
        if self.live or not self.opened:
            return
        if self.downloading and self._has_all(now):
            self.downloading = False
            self._idle_since = None
            self._send_status()
        if self.downloading or self.uploads.queue or self.channel.output_full:
            return
        if self.remote_downloading:
            if not self._left_alone(now):
                self.arm(now)
                return
        elif not self._was_downloader:
            self.channel.send(STATUS, encode_status(uploading=False, downloading=False))
        self.channel.close()

    def _left_alone(self, now: float) -> bool:
        """Whether a peer that still wants data will hardly ask us for any.

        One that is live never says that it wants nothing more. So after a moment without
        requests ask it what it has; having all we have, it can get nothing here.
        """
        quiet_s = now - self.uploads.served_at
        if quiet_s < IDLE_END_S:
            return False
        if not self._was_downloader:
            self._wants.send_for_ours(now)
        if self._wants.settled and self.log.is_covered_by(self.remote):
            return True
        return quiet_s >= ABANDONED_END_S

    def _has_all(self, now: float) -> bool:
        """Whether this peer has nothing more that we want."""
        if not self.remote_uploading:
            return True
        if not (self.settled and self.downloads.idle) or self.sync.wants_from(self):
            self._idle_since = None
            return False
        if self.sync.whole:
            return True
        # What is wanted is told piece by piece: wait a moment for the next piece.
        if self._idle_since is None:
            self._idle_since = now
        if now >= self._idle_since + IDLE_END_S:
            return True
        self.arm(now)
        return False
