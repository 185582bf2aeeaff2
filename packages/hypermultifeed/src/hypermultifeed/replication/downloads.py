"""Asking one peer of one feed: what is under way, in which order, and for how long.

The wire is hypercore 9's; the choices are ours: blocks are asked for in runs instead of at
random, the first one alone (it brings the signed root, so that later ones need no signature),
digests count on answers under way, and what is not answered in time is asked of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.errors import VerificationError
from hypermultifeed.replication.digests import FULL_PROOF, NO_ANCHOR, ExpectedNodes
from hypermultifeed.wire.messages import (
    MessageType,
    encode_cancel,
    encode_have,
    encode_request,
    encode_unhave,
)

if TYPE_CHECKING:
    from hypermultifeed.replication.demands import Seek
    from hypermultifeed.replication.feed_peer import FeedPeer
    from hypermultifeed.wire.messages import Data

HAVE: Final = MessageType.HAVE
UNHAVE: Final = MessageType.UNHAVE
REQUEST: Final = MessageType.REQUEST
CANCEL: Final = MessageType.CANCEL

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
"""A peer that stalls again and again is asked after pauses that double up to this."""

RUN: Final = 64
"""Blocks asked for in order before jumping elsewhere, where several peers share the work."""

MAX_LATE: Final = 1024
"""Requests given up whose answers are still welcome."""

PARKED_BYTES_MAX: Final = 2 * WINDOW_BYTES
"""Bytes of answers kept that cannot be checked before another one comes, beside one block."""

MAX_UNPROVEN: Final = 16
"""Answers without a proof that are forgiven a peer we may have told of nodes we lack."""


class Downloads:
    """What one peer was asked for.

    Attributes:
        window: how many blocks may be under way; grows with answers, shrinks with stalls.
        retry_at: the peer stalled and is not asked before this time.
        answered: the peer has ever sent what it was asked for.
        got: blocks received and verified in the chunk being read.
    """

    __slots__ = (
        "_claimed_more",
        "_cursor",
        "_expected",
        "_in_flight",
        "_late",
        "_parked",
        "_parked_bytes",
        "_peer",
        "_progress_at",
        "_proofs",
        "_rooted",
        "_run_stop",
        "_strikes",
        "_unproven",
        "answered",
        "got",
        "retry_at",
        "window",
    )

    def __init__(self, peer: FeedPeer) -> None:
        self._peer = peer
        self.window = 1
        self.retry_at = 0.0
        self.answered = False
        self.got: list[int] = []
        self._expected = ExpectedNodes()
        self._in_flight: dict[int, tuple[int, float]] = {}  # anchor, time asked
        self._late: dict[int, int] = {}  # anchor
        self._parked: dict[int, Data] = {}  # answers that cannot be checked yet
        self._parked_bytes = 0
        self._proofs: list[tuple[int, Seek | None]] = []
        self._cursor = 0
        self._run_stop = 0
        self._progress_at = 0.0
        self._strikes = 0
        self._unproven = 0
        self._claimed_more = False
        self._rooted = False

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._in_flight or self._proofs)

    @property
    def waits_for_proof(self) -> bool:
        """Whether a hash proof is under way."""
        return bool(self._proofs)

    # --- receiving

    def receive(self, data: Data) -> bool:
        """Take a block or a proof; whether something changed that was not noted in `got`.

        Raises:
            VerificationError, ForkError: the peer lied, or the owner did.
        """
        index, value, nodes, signature = data
        if value is None:
            return self._receive_proof(data)
        peer = self._peer
        log = peer.log
        request = self._in_flight.pop(index, None)
        if request is None:
            if not self._accepts_late(index):
                return False
            request = (NO_ANCHOR, peer.sync.now)
        anchor = request[0]
        if anchor >= 0 and not log.has_tree_node(anchor):
            if self._parked and self._parked_bytes + len(value) > PARKED_BYTES_MAX:
                self._ask(index, peer.sync.now, full=True)  # once more, to be checked at once
                return True
            self._in_flight[index] = request
            self._parked[index] = data
            self._parked_bytes += len(value)
            return True  # there is room for another request
        requested = peer.sync.requested
        if requested.get(index) is peer:
            del requested[index]
        if log.has(index):
            peer.stats.duplicate_blocks += 1
            return False
        try:
            log.put(index, value, nodes, signature)
        except VerificationError as error:
            self._receive_unproven(index, anchor, error)
            return True
        stats = peer.stats
        stats.downloaded_blocks += 1
        stats.downloaded_bytes += len(value)
        self.got.append(index)
        if peer.sync.on_write is not None:
            peer.sync.on_write(index, value, peer)
        return False

    def _accepts_late(self, index: int) -> bool:
        peer = self._peer
        anchor = self._late.pop(index, None)
        if peer.log.has(index):
            peer.stats.duplicate_blocks += 1
            return False
        if anchor is not None:
            return anchor < 0 or peer.log.has_tree_node(anchor)
        if peer.sync.allow_push:
            return True
        peer.stats.unrequested += 1
        if peer.uploads.wanted:
            peer.channel.send(UNHAVE, encode_unhave(index))
        return False

    def _receive_unproven(self, index: int, anchor: int, error: VerificationError) -> None:
        if anchor != FULL_PROOF:
            # Nodes of ours were part of the proof. Without them it shows a fork, if it is one.
            self._ask(index, self._peer.sync.now, full=True)
        elif self._claimed_more and self._unproven < MAX_UNPROVEN:
            # We told of nodes that never came, so the peer may have left out too much.
            self._unproven += 1
            self._peer.remote.clear_range(index, 1)
        else:
            raise error

    def _receive_proof(self, data: Data) -> bool:
        peer = self._peer
        if not self._proofs:
            peer.stats.unrequested += 1
            return False
        # The answer to a seek names the block that was found, not the one that was given.
        self._drop_proof(next((p for p in self._proofs if p[0] == data.index), self._proofs[0]))
        peer.log.put(data.index, None, data.nodes, data.signature)
        self.answered = True
        self._progress_at = peer.sync.now
        if peer.remote_ack:
            self._acknowledge(data.index)
        return True

    def end_chunk(self, now: float) -> list[int]:
        """The blocks that the chunk brought."""
        if self.got:
            self._progress_at = now
        if self._parked:
            self._retry_parked()
        got, self.got = self.got, []
        if got:
            self.answered = True
            self._strikes = 0
            self.retry_at = 0.0
            self.window = min(WINDOW, max(FIRST_WINDOW, 2 * self.window))
            if self._peer.remote_ack:
                for index in got:
                    self._acknowledge(index)
        if not self._in_flight:
            self._expected.clear()
        return got

    def _acknowledge(self, index: int) -> None:
        self._peer.channel.send(HAVE, encode_have(index, 1, ack=True))

    def _retry_parked(self) -> None:
        """Take the answers whose anchor has come meanwhile."""
        has_node = self._peer.log.has_tree_node
        while ready := [i for i in self._parked if has_node(self._in_flight[i][0])]:
            for index in ready:
                self.receive(self._unpark(index))
        if self._parked and len(self._parked) == len(self._in_flight):
            self._give_up(list(self._parked))  # what they wait for will not come any more

    def _unpark(self, index: int) -> Data:
        data = self._parked.pop(index)
        self._parked_bytes -= len(data.value or b"")
        return data

    # --- asking

    def update(self, now: float) -> None:
        """Ask for what is wanted and the peer has, as far as the window goes."""
        if now < self.retry_at:
            return
        before = len(self._in_flight)
        sync = self._peer.sync
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
                    length = self._peer.remote.length
                    room = self._ask_range(sync.first_missing(), length, room, now)
        if room > 0 and self.answered:
            self._take_over(room, now)
        if not before and self._in_flight:
            self._progress_at = now
            self._peer.arm(now)

    def _room(self) -> int:
        window = self.window
        size = self._peer.sync.block_size()
        if size * window > WINDOW_BYTES:
            window = max(1, WINDOW_BYTES // size)
        # What is parked is here. Asking on at once also carries our acknowledgement to a peer
        # whose socket holds small writes back until it comes (Nagle's rule, Node's default).
        return window - len(self._in_flight) + min(window, len(self._parked))

    def _ask_urgently(self, now: float) -> None:
        sync, remote = self._peer.sync, self._peer.remote
        room = self.window + URGENT_EXTRA - len(self._in_flight)
        for index in sync.gets:
            if room <= 0:
                return
            if index not in sync.requested and remote.get(index):
                self._ask(index, now)
                room -= 1
        if sync.updates and not sync.proof_under_way():
            self._ask_for_length(now)
        for seek in sync.seeks:
            if seek.holder is None and len(self._proofs) < URGENT_EXTRA:
                self._ask_for_byte(seek, now)

    def _ask_for_length(self, now: float) -> None:
        peer = self._peer
        least = min(demand.min_length for demand in peer.sync.updates)
        index = peer.remote.next(max(least - 1, peer.log.length), peer.remote.length)
        if index >= 0:
            self._ask_for_proof(index, now)

    def _ask_for_byte(self, seek: Seek, now: float) -> None:
        """Ask for the block of a byte; if that has not helped, for hashes of candidates."""
        index = self.candidate(seek)
        if index < 0:
            return
        if self._peer in seek.asked:
            self._ask_for_proof(index, now, seek)
            return
        others = self._peer.sync.seeks
        if not any(o.holder and o.byte_offset == seek.byte_offset for o in others):
            seek.asked.append(self._peer)
            self._ask_for_proof(index, now, seek, seek.byte_offset)

    def candidate(self, seek: Seek) -> int:
        """A block of the peer whose hash would bring a seek further, -1 if there is none."""
        log, remote = self._peer.log, self._peer.remote
        span = log.seek_span(seek.byte_offset)
        index = remote.next(span.start, span.stop)
        while 0 <= index < span.stop and log.has_tree_node(2 * index):
            index = remote.next(index + 1, span.stop)
        return index

    def _ask_for_proof(
        self, index: int, now: float, seek: Seek | None = None, byte_offset: int = 0
    ) -> None:
        peer = self._peer
        if not self._proofs:
            self._progress_at = now
        self._proofs.append((index, seek))
        if seek is not None:
            seek.holder = peer
        digest = 0 if byte_offset or self._must_stand_alone(index) else peer.log.digest(index)
        peer.channel.send(REQUEST, encode_request(index, byte_offset, hash_only=True, nodes=digest))
        peer.arm(now)

    def _ask(self, index: int, now: float, *, full: bool = False) -> None:
        peer = self._peer
        log = peer.log
        anchor = NO_ANCHOR
        digest = 0
        if not full:
            if index < log.length and not self._claimed_more:
                digest, anchor = self._expected.digest(log, index)
            elif not self._must_stand_alone(index):
                digest = log.digest(index)
        if not digest:
            anchor = FULL_PROOF
        self._in_flight[index] = (anchor, now)
        peer.sync.requested[index] = peer
        peer.channel.send(REQUEST, encode_request(index, nodes=digest))

    def _must_stand_alone(self, index: int) -> bool:
        """Whether this is the peer's first news of a longer feed than ours.

        Its proof must not count on nodes of ours, so that two histories are told from a lie.
        """
        length = self._peer.log.length
        if self._rooted or not 0 < length <= index:
            return False
        self._rooted = True
        return True

    def _ask_range(
        self, start: int, stop: int, room: int, now: float, *, linear: bool = False
    ) -> int:
        """Ask for wanted blocks of ``[start, stop)``; returns the room left."""
        stop = min(stop, self._peer.remote.length)
        if start >= stop:
            return room
        spread = not linear and self._peer.sync.shares_work
        if linear:
            at = start
        elif spread:
            at = self._next_run(start, stop)
        else:
            at = self._cursor if start <= self._cursor < stop else start
        room, at = self._ask_from(at, stop, room, now, spread=spread)
        if room > 0:
            room, at = self._ask_from(start, stop, room, now, spread=False)
        self._cursor = at
        return room

    def _next_run(self, start: int, stop: int) -> int:
        if self._cursor < self._run_stop and start <= self._cursor < stop:
            return self._cursor
        first = (start + self._peer.sync.randbelow(stop - start)) // RUN * RUN
        self._run_stop = first + RUN
        return max(start, first)

    def _ask_from(
        self, at: int, stop: int, room: int, now: float, *, spread: bool
    ) -> tuple[int, int]:
        log, remote, requested = self._peer.log, self._peer.remote, self._peer.sync.requested
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
        peer = self._peer
        idle = [
            index
            for index, other in peer.sync.requested.items()
            if not other.downloads.answered and other is not peer and peer.remote.get(index)
        ]
        for index in idle[:room]:
            if index not in self._in_flight:
                self._ask(index, now)

    # --- time

    def due(self, now: float) -> list[float]:
        """When something has to be given up or may be tried again."""
        due = []
        if not self.idle:
            stall = STALL_S if self.answered else FIRST_STALL_S
            due.append(self._progress_at + stall)
        if self._in_flight:
            due.append(min(at for _, at in self._in_flight.values()) + REQUEST_TIMEOUT_S)
        if self.retry_at > now:
            due.append(self.retry_at)
        return due

    def expire(self, now: float) -> None:
        """Give up what was not answered in time; others may be asked for it."""
        if self.retry_at and now >= self.retry_at:
            self.retry_at = 0.0
        if self.idle:
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
        while len(self._late) > MAX_LATE:
            del self._late[next(iter(self._late))]
        self._give_up(expired)
        self._peer.stats.expired += len(expired)
        self._strikes += 1
        self.window = max(1, self.window // 4)
        self.retry_at = now + min(MAX_RETRY_S, STALL_S * 2 ** (self._strikes - 1))

    # --- giving up

    def unhave(self, start: int, stop: int) -> None:
        """The peer will not answer for these blocks."""
        self._give_up([index for index in self._in_flight if start <= index < stop])
        for proof in [p for p in self._proofs if start <= p[0] < stop]:
            self._drop_proof(proof)

    def forget(self, index: int) -> None:
        """Nobody waits for this block any more; an answer under way is dropped."""
        if index in self._in_flight:
            self._give_up([index])
            self._peer.channel.send(CANCEL, encode_cancel(index))

    def clear(self) -> None:
        """Give up everything that is under way."""
        for index in list(self._in_flight):
            self._release(index)
        self._drop_proofs()
        self._expected.clear()

    def _give_up(self, indexes: list[int]) -> None:
        """Wait no longer for these blocks.

        If digests counted on their answers, the peer was told of nodes that we do not have and
        may leave them out for the rest of the connection. From then on digests are exact.
        """
        if not indexes:
            return
        if any(anchor >= 0 for anchor, _ in self._in_flight.values()):
            self._claimed_more = True
        self._expected.clear()
        for index in indexes:
            self._release(index)

    def _release(self, index: int) -> None:
        self._in_flight.pop(index, None)
        if index in self._parked:
            self._unpark(index)
        requested = self._peer.sync.requested
        if requested.get(index) is self._peer:
            del requested[index]

    def _drop_proofs(self) -> None:
        for proof in list(self._proofs):
            self._drop_proof(proof)

    def _drop_proof(self, proof: tuple[int, Seek | None]) -> None:
        self._proofs.remove(proof)
        if proof[1] is not None:
            proof[1].holder = None
