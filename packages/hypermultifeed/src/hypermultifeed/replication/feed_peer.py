"""One peer of one feed: what it has, what was asked of it, what it asked for.

The rules of the exchange are hypercore 9's (lib/replicate.js); the wire is the same, the choices
are ours: requests go out in runs instead of at random, a request that is not answered is asked
of somebody else, an unprovable one is answered with Unhave, and a feed's error never takes the
connection along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypermultifeed.encoding import runs
from hypermultifeed.errors import BlockMissingError, RemoteProtocolError, VerificationError
from hypermultifeed.feed.merkle import ProofMemory
from hypermultifeed.feed.remote_bitfield import RemoteBitfield
from hypermultifeed.replication.channels import ChannelHandler
from hypermultifeed.replication.digests import FULL_PROOF, NO_ANCHOR, ExpectedNodes
from hypermultifeed.replication.extensions import RemoteExtensions
from hypermultifeed.wire.messages import (
    MessageType,
    encode_data,
    encode_have,
    encode_options,
    encode_request,
    encode_status,
    encode_unhave,
    encode_want,
)

if TYPE_CHECKING:
    from hypermultifeed.replication.demands import Seek
    from hypermultifeed.replication.extensions import Extension
    from hypermultifeed.replication.feed_sync import FeedSync
    from hypermultifeed.wire.messages import Data, Have, Options, Request, Status, Unhave, Want

OPTIONS: Final = MessageType.OPTIONS
STATUS: Final = MessageType.STATUS
HAVE: Final = MessageType.HAVE
UNHAVE: Final = MessageType.UNHAVE
WANT: Final = MessageType.WANT
REQUEST: Final = MessageType.REQUEST
DATA: Final = MessageType.DATA

WANT_LENGTH: Final = 1 << 20
"""Blocks in one Want, and its alignment; a Have of exactly this length answers it."""

WANT_ALIGN: Final = 8192
MAX_WANTS_PENDING: Final = 16
MAX_WANTS: Final = 4096
"""Want ranges of one connection: four thousand million blocks."""

MAX_BITFIELD_BYTES: Final = WANT_LENGTH // 8
BITFIELD_ALIGN: Final = 8

WINDOW: Final = 64
"""Requests of one peer under way (JavaScript asks for 16; what is answered is not limited)."""

FIRST_WINDOW: Final = 16
"""Requests under way after the first answer; before it, one."""

URGENT_EXTRA: Final = 16
"""Requests above the window for what somebody waits for."""

WINDOW_BYTES: Final = 4 << 20
"""Bytes of expected answers under way."""

STALL_S: Final = 5.0
"""With requests under way and nothing answered for so long, others are asked."""

FIRST_STALL_S: Final = 2.0
"""The same for a peer that has never answered."""

REQUEST_TIMEOUT_S: Final = 20.0
"""A single request not answered for so long is asked of others, whatever else arrives."""

MAX_RETRY_S: Final = 60.0
IDLE_END_S: Final = 1.0
"""A replication that is not live and fetches on demand ends after so long without a demand."""

ABANDONED_END_S: Final = 10.0
"""One that is not live ends when the peer still wants data, asks for none, and we want none."""

TIMER_S_MIN: Final = 0.01
"""Timers are not set earlier than this from now."""

RUN: Final = 64
"""Blocks asked for in order before jumping elsewhere, where several peers share the work."""

MAX_LATE: Final = 1024
MAX_UNPROVEN: Final = 16
"""Answers without a proof that are forgiven a peer we may have told of nodes we lack."""


@dataclass(slots=True)
class TransferStats:
    """What went over; of one peer, or of all peers of a feed.

    Attributes:
        uploaded_blocks, uploaded_bytes, downloaded_blocks, downloaded_bytes: blocks, and their
            values' bytes.
        duplicate_blocks: received although they were here already.
        unrequested: blocks nobody asked for.
        refused: requests that were answered with Unhave or not at all.
        expired: requests not answered in time.
    """

    uploaded_blocks: int = 0
    uploaded_bytes: int = 0
    downloaded_blocks: int = 0
    downloaded_bytes: int = 0
    duplicate_blocks: int = 0
    unrequested: int = 0
    refused: int = 0
    expired: int = 0


class FeedPeer(ChannelHandler):
    """The channel of one feed with one peer.

    Attributes:
        remote: the blocks the peer says it has.
        uploading, downloading: what we are willing to do here.
        remote_uploading, remote_downloading: what the peer is willing to do.
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
        self.was_downloader = download
        self.remote_uploading = True
        self.remote_downloading = True
        self.remote_want = False
        self.remote_ack = False
        self.remote = RemoteBitfield()
        self.remote_extensions = RemoteExtensions(sync.extensions)
        self.stats = TransferStats()
        self.opened = False
        self.error: Exception | None = None
        self.stream: object = None
        self.window = 1
        self.retry_at = 0.0
        self.answered = False
        self._memory = ProofMemory()
        self._expected = ExpectedNodes()
        self._in_flight: dict[int, tuple[int, float]] = {}
        self._late: dict[int, int] = {}
        self._proofs: list[tuple[int, Seek | None]] = []
        self._parked: dict[int, Data] = {}
        self._cursor = 0
        self._run_stop = 0
        self._progress_at = 0.0
        self._strikes = 0
        self._unproven = 0
        self._claimed_more = False
        self._rooted = False
        self._wants: set[int] = set()
        self._wants_pending: dict[int, float] = {}
        self._told = False
        self._queue: dict[tuple[int, int, bool], int] = {}
        self._asked: list[Want] = []
        self._got: list[int] = []
        self._dirty = False
        self._served_at = 0.0
        self._last_sought = -1
        self._idle_since: float | None = None

    def __repr__(self) -> str:
        return f"<FeedPeer opened={self.opened} in_flight={len(self._in_flight)}>"

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
        return len(self._in_flight)

    @property
    def settled(self) -> bool:
        """Whether the peer has told everything it was asked about what it has."""
        if not self.opened:
            return False
        return not (self.remote_uploading and self.downloading) or (
            self._told and not self._wants_pending
        )

    @property
    def waits_for_proof(self) -> bool:
        """Whether a hash proof is under way."""
        return bool(self._proofs)

    def send_extension(self, extension: Extension, payload: bytes) -> None:
        """Send a message of the feed's extension to this peer."""
        self.channel.send_extension(extension.id, payload)

    # --- the channel

    def on_open(self) -> None:  # noqa: D102
        self.opened = True
        now = self.channel.session.now
        self._served_at = now
        self.send_options()
        if not (self.uploading and self.downloading):
            self._send_status()
        self.sync.peer_opened(self, now)
        self._send_wants(now)
        self.check_end(now)

    def on_close(self, error: Exception | None) -> None:  # noqa: D102
        self.opened = False
        self.error = error
        session = self.channel.session
        session.queued_requests -= len(self._queue)
        self._queue.clear()
        self._release_all()
        self.sync.peer_closed(self, error, session.now)

    def on_chunk_start(self, now: float) -> None:  # noqa: D102
        self.sync.now = now

    def on_chunk_end(self, now: float) -> None:  # noqa: D102
        if self._got:
            self._progress_at = now
            self._retry_parked()
        if self._got or self._dirty:
            self._dirty = False
            self._store(now)
        if self._asked:
            self._answer_wants()
        if self._queue:
            self._serve(now)
        if self.opened:
            self.check_end(now)

    def on_drain(self, now: float) -> None:  # noqa: D102
        self._serve(now)
        self.check_end(now)

    def on_timer(self, now: float) -> None:  # noqa: D102
        self.sync.now = now
        self._expire(now)
        if self.retry_at and now >= self.retry_at:
            self.retry_at = 0.0
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
                self._release_all()
                self._wants.clear()
                self._wants_pending.clear()
        self._dirty = True

    def on_have(self, have: Have) -> None:  # noqa: D102
        start = have.start
        if have.ack:
            if self.ack and have.bitfield is None and self.log.has(start):
                self.sync.observer.on_ack(self, start, have.length)
            return
        self._dirty = True
        if have.length == WANT_LENGTH:
            self._wants_pending.pop(start, None)
            self._told = True
        if have.bitfield is None:
            self.remote.set_range(start, have.length or 1)
            self._told = self._told or not self._wants_pending
        elif start % BITFIELD_ALIGN == 0:
            try:
                bits = runs.decode(have.bitfield, bytes_max=MAX_BITFIELD_BYTES)
            except ValueError as error:
                raise RemoteProtocolError(f"malformed bitfield in a Have: {error}") from None
            self.remote.set_bits(start, bits)

    def on_unhave(self, unhave: Unhave) -> None:  # noqa: D102
        start, length = unhave.start, unhave.length or 1
        self.remote.clear_range(start, length)
        lost = [i for i in self._in_flight if start <= i < start + length]
        for index in lost:
            self._release(index)
        for proof in [p for p in self._proofs if start <= p[0] < start + length]:
            self._drop_proof(proof)
        if lost:
            # Digests sent meanwhile may have counted on what these answers would have brought.
            self._stop_expecting()
        self._dirty = True

    def on_want(self, want: Want) -> None:  # noqa: D102
        if not self.uploading or want.start % WANT_ALIGN or want.length % WANT_ALIGN:
            return
        if want not in self._asked and len(self._asked) < MAX_WANTS_PENDING:
            self._asked.append(want)

    def on_request(self, request: Request) -> None:  # noqa: D102
        if not self.uploading:
            return
        index, seek, only_hash, digest = request
        queue = self._queue
        key = (index, seek, only_hash)
        if key not in queue:
            self.channel.session.queued_requests += 1
        queue[key] = digest

    def on_data(self, data: Data) -> None:  # noqa: D102
        index, value, nodes, signature = data
        if value is None:
            self._on_proof(data)
            return
        request = self._in_flight.pop(index, None)
        if request is None:
            if not self._accepts_late(data):
                return
            anchor = NO_ANCHOR
        else:
            anchor = request[0]
        if anchor >= 0 and not self.log.has_tree_node(anchor):
            self._in_flight[index] = request or (anchor, self.sync.now)
            self._parked[index] = data
            self._dirty = True  # there is room for another request
            return
        sync = self.sync
        if sync.requested.get(index) is self:
            del sync.requested[index]
        if self.log.has(index):
            self.stats.duplicate_blocks += 1
            return
        try:
            self.log.put(index, value, nodes, signature)
        except VerificationError:
            if anchor == FULL_PROOF:
                if not self._forgive(index):
                    raise
            else:
                # Nodes of ours were part of the proof. Without them it shows a fork, if it is one.
                self._ask(index, sync.now, full=True)
            return
        stats = self.stats
        stats.downloaded_blocks += 1
        stats.downloaded_bytes += len(value)
        self._got.append(index)
        if sync.on_write is not None:
            sync.on_write(index, value, self)

    # --- receiving

    def _accepts_late(self, data: Data) -> bool:
        index = data.index
        anchor = self._late.pop(index, None)
        if (anchor is not None or self.sync.allow_push) and not self.log.has(index):
            return anchor is None or anchor < 0 or self.log.has_tree_node(anchor)
        if self.log.has(index):
            self.stats.duplicate_blocks += 1
            return False
        self.stats.unrequested += 1
        if self.remote_want:
            self.channel.send(UNHAVE, encode_unhave(index))
        return False

    def _forgive(self, index: int) -> bool:
        """After digests that counted on answers which never came, a proof may lack nodes."""
        if not self._claimed_more or self._unproven >= MAX_UNPROVEN:
            return False
        self._unproven += 1
        self.remote.clear_range(index, 1)
        self._dirty = True
        return True

    def _on_proof(self, data: Data) -> None:
        if not self._proofs:
            self.stats.unrequested += 1
            return
        # The answer to a seek names the block that was found, not the one that was given.
        self._drop_proof(next((p for p in self._proofs if p[0] == data.index), self._proofs[0]))
        self.log.put(data.index, None, data.nodes, data.signature)
        self.answered = True
        self._progress_at = self.sync.now
        if self.remote_ack:
            self._send_ack(data.index)
        self._dirty = True

    def _retry_parked(self) -> None:
        while self._parked:
            parked, self._parked = self._parked, {}
            before = len(self._got)
            for data in parked.values():
                self.on_data(data)
            if len(self._got) == before:
                break
        if self._parked and len(self._parked) == len(self._in_flight):
            # What they wait for will not come any more.
            for index in self._parked:
                self._release(index)
            self._parked.clear()
            self._stop_expecting()

    def _store(self, now: float) -> None:
        got, self._got = self._got, []
        if got and not self.answered:
            self.answered = True
        if got:
            self._strikes = 0
            self.retry_at = 0.0
            self.window = min(WINDOW, max(FIRST_WINDOW, 2 * self.window))
        if not self._in_flight:
            self._expected.clear()
        if self.remote_ack:
            for index in got:
                self._send_ack(index)
        self.sync.received(self, got, now)

    def _send_ack(self, index: int) -> None:
        self.channel.send(HAVE, encode_have(index, 1, ack=True))

    # --- asking

    def update(self, now: float) -> None:
        """Ask for what is wanted and this peer has, as far as the window goes."""
        if not (self.opened and self.downloading and self.remote_uploading):
            return
        if now < self.retry_at:
            return
        before = len(self._in_flight)
        sync = self.sync
        if sync.gets or sync.updates or sync.seeks:
            self._ask_urgently(now)
        room = self._room()
        if room > 0:
            for demand in sync.ranges:
                room = self._ask_range(demand.start, demand.stop, room, now, linear=demand.linear)
                if room <= 0:
                    break
            else:
                if sync.whole:
                    room = self._ask_range(sync.first_missing(), self.remote.length, room, now)
        if room > 0 and self.answered:
            self._take_over(room, now)
        self._send_wants(now)
        if not before and self._in_flight:
            self._progress_at = now
            self.arm(now)

    def _room(self) -> int:
        window = self.window
        size = self.sync.block_size()
        if size * window > WINDOW_BYTES:
            window = max(1, WINDOW_BYTES // size)
        # What is parked is here. Asking on at once also carries our acknowledgement to a peer
        # whose socket holds small writes back until it comes (Nagle's rule, Node's default).
        return window - len(self._in_flight) + min(window, len(self._parked))

    def _ask_urgently(self, now: float) -> None:
        sync = self.sync
        room = self.window + URGENT_EXTRA - len(self._in_flight)
        requested = sync.requested
        for index in sync.gets:
            if room <= 0:
                return
            if index not in requested and self.remote.get(index):
                self._ask(index, now)
                room -= 1
        if sync.updates and not sync.proof_under_way():
            self._ask_for_length(now)
        for seek in sync.seeks:
            if seek.holder is None and len(self._proofs) < URGENT_EXTRA:
                self._ask_for_byte(seek, now)

    def _ask_for_length(self, now: float) -> None:
        least = min(demand.min_length for demand in self.sync.updates)
        index = self.remote.next(max(least - 1, self.log.length), self.remote.length)
        if index >= 0:
            self._ask_for_proof(index, now)

    def _ask_for_byte(self, seek: Seek, now: float) -> None:
        """Ask for the block of a byte; if that has not helped, for hashes of candidates."""
        index = self._candidate(seek)
        if index < 0:
            return
        same = any(
            other.holder and other.byte_offset == seek.byte_offset for other in self.sync.seeks
        )
        if self in seek.asked:
            self._ask_for_proof(index, now, seek)
        elif not same:
            seek.asked.append(self)
            self._ask_for_proof(index, now, seek, seek.byte_offset)

    def may_know(self, seek: Seek) -> bool:
        """Whether the peer has a block whose hash would bring a seek further."""
        return self._candidate(seek) >= 0

    def _candidate(self, seek: Seek) -> int:
        span = self.log.seek_span(seek.byte_offset)
        index = self.remote.next(span.start, span.stop)
        while 0 <= index < span.stop and self.log.has_tree_node(2 * index):
            index = self.remote.next(index + 1, span.stop)
        return index

    def _ask_for_proof(
        self, index: int, now: float, seek: Seek | None = None, byte_offset: int = 0
    ) -> None:
        self._idle_since = None
        if not self._proofs:
            self._progress_at = now
        self._proofs.append((index, seek))
        if seek is not None:
            seek.holder = self
        digest = 0 if byte_offset else self.log.digest(index)
        self.channel.send(REQUEST, encode_request(index, byte_offset, hash_only=True, nodes=digest))
        self.arm(now)

    def _drop_proofs(self) -> None:
        for proof in list(self._proofs):
            self._drop_proof(proof)

    def _drop_proof(self, proof: tuple[int, Seek | None]) -> None:
        self._proofs.remove(proof)
        if proof[1] is not None:
            proof[1].holder = None

    def _ask(self, index: int, now: float, *, full: bool = False) -> None:
        anchor = NO_ANCHOR
        digest = 0
        if not full:
            if index < self.log.length and not self._claimed_more:
                digest, anchor = self._expected.digest(self.log, index)
            elif self._rooted or not self.log.length:
                digest = self.log.digest(index)
            else:
                # The peer's first news of a longer feed: its proof must stand alone, so that two
                # histories are told apart from a lie.
                self._rooted = True
        if not digest:
            anchor = FULL_PROOF
        self._idle_since = None
        self._in_flight[index] = (anchor, now)
        self.sync.requested[index] = self
        self.channel.send(REQUEST, encode_request(index, nodes=digest))

    def _ask_range(
        self, start: int, stop: int, room: int, now: float, *, linear: bool = False
    ) -> int:
        """Ask for wanted blocks of ``[start, stop)``; returns the room left."""
        stop = min(stop, self.remote.length)
        if start >= stop:
            return room
        spread = not linear and self.sync.shares_work
        at = start
        if spread or start <= self._cursor < stop:
            at = self._next_run(start, stop) if spread else self._cursor
        if linear:
            at = start
        room, at = self._ask_from(at, stop, room, now, spread=spread)
        if room > 0:
            room, at = self._ask_from(start, stop, room, now, spread=False)
        self._cursor = at
        return room

    def _next_run(self, start: int, stop: int) -> int:
        if self._cursor < self._run_stop and start <= self._cursor < stop:
            return self._cursor
        first = (start + self.sync.randbelow(stop - start)) // RUN * RUN
        at = self._cursor = max(start, first)
        self._run_stop = first + RUN
        return at

    def _ask_from(
        self, at: int, stop: int, room: int, now: float, *, spread: bool
    ) -> tuple[int, int]:
        log, remote, requested = self.log, self.remote, self.sync.requested
        length = log.length
        while room > 0:
            at = log.next_wanted(remote, at, stop)
            if at < 0:
                return room, stop
            if spread and at >= self._run_stop:
                self._run_stop = at // RUN * RUN + RUN
            if at not in requested:
                # Beyond our length one answer tells the roots of all the others.
                if at >= length and any(index >= length for index in self._in_flight):
                    return 0, at
                self._ask(at, now)
                room -= 1
            at += 1
        return room, at

    def _take_over(self, room: int, now: float) -> None:
        """With nothing else to do, also ask for what a peer without any answer yet sits on."""
        requested = self.sync.requested
        idle = [
            index
            for index, peer in requested.items()
            if not peer.answered and peer is not self and self.remote.get(index)
        ]
        for index in idle[:room]:
            if index not in self._in_flight:
                self._ask(index, now)

    # --- Want

    def _send_wants(self, now: float) -> None:
        if not (self.opened and self.downloading and self.remote_uploading):
            return
        sync = self.sync
        for index in sync.gets:
            self._want(index, now)
        for demand in sync.ranges:
            self._want_range(demand.start, demand.stop, now)
        for seek in sync.seeks:
            self._want(self.log.seek_span(seek.byte_offset).start, now)
        for update in sync.updates:
            if update.min_length <= self.remote.length:
                self._want(update.min_length - 1, now)
        if sync.whole:
            self._want_range(sync.first_missing(), self.remote.length, now)
        self._want(0, now)  # as JavaScript does; the answer also tells the length

    def _want_range(self, start: int, stop: int, now: float) -> None:
        at = start
        stop = min(stop, self.remote.length)
        while at < stop and len(self._wants_pending) < MAX_WANTS_PENDING:
            self._want(at, now)
            at = (at // WANT_LENGTH + 1) * WANT_LENGTH

    def _want(self, index: int, now: float) -> None:
        page = index // WANT_LENGTH
        if page in self._wants or len(self._wants_pending) >= MAX_WANTS_PENDING:
            return
        if len(self._wants) >= MAX_WANTS:
            return
        self._wants.add(page)
        start = page * WANT_LENGTH
        self._wants_pending[start] = now
        self.channel.send(WANT, encode_want(start, WANT_LENGTH))
        self.arm(now)

    # --- time

    def arm(self, now: float) -> None:
        """Set the channel's timer to the next thing that may be due."""
        if not self.opened:
            return
        due = []
        if self._in_flight or self._proofs:
            stall = STALL_S if self.answered else FIRST_STALL_S
            due.append(max(self._progress_at, now - stall) + stall)
        if self._in_flight:
            due.append(min(at for _, at in self._in_flight.values()) + REQUEST_TIMEOUT_S)
        if self._wants_pending:
            due.append(min(self._wants_pending.values()) + REQUEST_TIMEOUT_S)
        if self.retry_at > now:
            due.append(self.retry_at)
        if self._idle_since is not None:
            due.append(self._idle_since + IDLE_END_S)
        if not (self.live or self.downloading or self._queue) and self.remote_downloading:
            due.append(self._served_at + ABANDONED_END_S)
        self.channel.set_timer(max(min(due), now + TIMER_S_MIN) if due else None)

    def _expire(self, now: float) -> None:
        for start in [s for s, at in self._wants_pending.items() if now >= at + REQUEST_TIMEOUT_S]:
            del self._wants_pending[start]
            self._told = True
        if not (self._in_flight or self._proofs):
            return
        stall = STALL_S if self.answered else FIRST_STALL_S
        if now >= self._progress_at + stall:
            expired = list(self._in_flight)
            self._drop_proofs()
        else:
            expired = [i for i, r in self._in_flight.items() if now >= r[1] + REQUEST_TIMEOUT_S]
            if not expired:
                return
        for index in expired:
            self._late[index] = self._in_flight[index][0]
            self._release(index)
        while len(self._late) > MAX_LATE:
            del self._late[next(iter(self._late))]
        self._parked.clear()
        self._stop_expecting()
        self.stats.expired += len(expired)
        self._strikes += 1
        self.window = max(1, self.window // 4)
        self.retry_at = now + min(MAX_RETRY_S, STALL_S * 2 ** (self._strikes - 1))

    def _stop_expecting(self) -> None:
        """Digests sent so far claimed nodes that will not come; from now on they are exact."""
        self._expected.clear()
        self._claimed_more = True

    def _release(self, index: int) -> None:
        self._in_flight.pop(index, None)
        if self.sync.requested.get(index) is self:
            del self.sync.requested[index]

    def _release_all(self) -> None:
        for index in list(self._in_flight):
            self._release(index)
        self._parked.clear()
        self._drop_proofs()
        self._expected.clear()

    def forget(self, index: int) -> None:
        """Nobody waits for this block any more; an answer under way is dropped."""
        if index in self._in_flight:
            self._release(index)
            self._parked.pop(index, None)
            self._stop_expecting()

    # --- answering

    def announce(self, start: int, length: int) -> None:
        """Tell the peer of new blocks, if it ever asked what there is."""
        if self.opened and self.remote_want:
            self.channel.send(HAVE, encode_have(start, length if length > 1 else None))

    def unannounce(self, start: int, length: int) -> None:
        """Tell the peer of blocks that are gone."""
        if self.opened and self.remote_want:
            self.channel.send(UNHAVE, encode_unhave(start, length))

    def _answer_wants(self) -> None:
        asked, self._asked = self._asked, []
        log = self.log
        for start, length in asked:
            last = log.length - 1
            if not self.remote_want and last >= 0 and log.has(last):
                self.channel.send(HAVE, encode_have(last))
            self.remote_want = True
            bits = log.have_bitfield(start, min(length, WANT_LENGTH))
            self.channel.send(HAVE, encode_have(start, length, bits))

    def _serve(self, now: float) -> None:
        queue = self._queue
        channel = self.channel
        self._served_at = now
        before = len(queue)
        while queue and self.uploading:
            if channel.output_full:
                channel.wait_for_drain()
                break
            key = next(iter(queue))
            self._answer(*key, queue.pop(key))
        channel.session.queued_requests -= before - len(queue)

    def _answer(self, index: int, byte_offset: int, only_hash: bool, digest: int) -> None:
        log = self.log
        if byte_offset:
            try:
                found = log.seek(byte_offset)[0]
            except (BlockMissingError, ValueError):
                pass  # answered as it is; the asker gets nearer
            else:
                if byte_offset == self._last_sought:
                    return  # JavaScript asks for one byte with many blocks
                self._last_sought = byte_offset
                index, digest = found, 0
        if index >= log.length or not (only_hash or log.has(index)):
            self._refuse(index)
            return
        try:
            # Who says to have nothing gets everything, whatever it said before.
            memory = self._memory if digest or byte_offset else None
            proof = log.proof(index, digest=digest, hash=only_hash, memory=memory)
            value = None if only_hash else log.get(index)
        except BlockMissingError:
            self._refuse(index)
            return
        self.channel.send(DATA, encode_data(index, value, proof.nodes, proof.signature))
        if value is not None:
            stats = self.stats
            stats.uploaded_blocks += 1
            stats.uploaded_bytes += len(value)
            self.sync.observer.on_uploaded(self, index, len(value))

    def _refuse(self, index: int) -> None:
        self.stats.refused += 1
        self.channel.send(UNHAVE, encode_unhave(index))

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
                self.channel.session.queued_requests -= len(self._queue)
                self._queue.clear()
                self._asked.clear()
                # JavaScript peers forget what they wanted when told, and ask again later.
            self._send_status()

    def set_downloading(self, now: float, *, downloading: bool) -> None:
        """Start or stop asking."""
        if downloading != self.downloading:
            self.downloading = downloading
            if not downloading:
                self._release_all()
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
        if self.downloading or self._queue or self.channel.output_full:
            return
        if self.remote_downloading:
            if now < self._served_at + ABANDONED_END_S:
                self.arm(now)
                return
        elif not self.was_downloader:
            self.channel.send(STATUS, encode_status(uploading=False, downloading=False))
        self.channel.close()

    def _has_all(self, now: float) -> bool:
        """Whether this peer has nothing more that we want."""
        if not self.remote_uploading:
            return True
        busy = not self.settled or self._in_flight or self._proofs
        if busy or self.sync.wants_from(self):
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
