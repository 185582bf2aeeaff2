"""All peers of one feed together: who is asked for what, and who waits for it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import BlockMissingError, ClosedError, ForkError, StorageError
from hypermultifeed.feed.remote_bitfield import RemoteBitfield
from hypermultifeed.replication.demands import ENDLESS, Demand, Get, Range, Seek, Update
from hypermultifeed.replication.extensions import ExtensionRegistry
from hypermultifeed.replication.feed_peer import FeedPeer
from hypermultifeed.replication.transfer_stats import TransferStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.feed.log import Log
    from hypermultifeed.replication.demands import Done

UNKNOWN_BLOCK_SIZE: Final = 1 << 16
"""Taken for the size of a block while nothing is known of the feed."""


class MissingReport(NamedTuple):
    """What of a feed is not here, and who has it.

    Attributes:
        length: blocks of the feed, as far as proved.
        have: blocks of it that are here.
        missing: blocks of it that are not.
        claimed: blocks beyond ``length`` that some peer claims to exist.
        in_flight: blocks asked for and not here yet.
        peers: for each peer, how many of the missing blocks it says it has.
        nowhere: missing blocks that no connected peer has.
    """

    length: int
    have: int
    missing: int
    claimed: int
    in_flight: int
    peers: list[tuple[FeedPeer, int]]
    nowhere: int


class Observer:
    """Who is told what happens; this base class ignores everything."""

    def on_peer_added(self, peer: FeedPeer) -> None:
        """A channel to a peer is being opened."""

    def on_peer_opened(self, peer: FeedPeer) -> None:
        """Both ends of it are open."""

    def on_peer_removed(self, peer: FeedPeer, error: Exception | None) -> None:
        """It is closed."""

    def on_downloaded(self, peer: FeedPeer, start: int, stop: int) -> None:
        """Blocks ``[start, stop)`` were received, verified and stored."""

    def on_uploaded(self, peer: FeedPeer, index: int, size: int) -> None:
        """A block was sent."""

    def on_length(self, length: int) -> None:
        """The feed was proved to have grown to ``length`` blocks."""

    def on_ack(self, peer: FeedPeer, start: int, length: int) -> None:
        """The peer acknowledged blocks."""

    def on_fork(self, peer: FeedPeer, error: ForkError) -> None:
        """The peer has proved that two signed histories of the feed exist."""


class FeedSync:
    """The exchange of one feed with all its peers.

    Attributes:
        log: the feed.
        whole: fetch every block, not only what is asked for.
        peers: every channel of the feed, open at both ends or not yet.
        requested: blocks asked for and not here yet, with the peer that was asked.
        gets, ranges, updates, seeks: what is waited for.
        extensions: the feed's extensions.
        fork: the proof of a fork, if there is one; then nothing more is downloaded.
        allow_push: take blocks that were not asked for.
        announced: our own blocks below this were announced, or need not be.
    """

    def __init__(
        self,
        log: Log,
        *,
        whole: bool = True,
        observer: Observer | None = None,
        randbelow: Callable[[int], int],
        allow_push: bool = False,
        on_write: Callable[[int, bytes, FeedPeer], None] | None = None,
    ) -> None:
        self.log = log
        self.whole = whole
        self.observer = observer or Observer()
        self.randbelow = randbelow
        self.allow_push = allow_push
        self.on_write = on_write
        self.now = 0.0
        self.peers: list[FeedPeer] = []
        self.requested: dict[int, FeedPeer] = {}
        self.gets: dict[int, list[Get]] = {}
        self.ranges: list[Range] = []
        self.updates: list[Update] = []
        self.seeks: list[Seek] = []
        self.fork: ForkError | None = log.fork
        self.closed = False
        self._past = TransferStats()
        self._prefix = 0
        self._known_length = self.announced = log.length
        self.extensions = ExtensionRegistry(
            on_change=self._extensions_changed, peers=lambda: [p for p in self.peers if p.opened]
        )

    # --- peers

    def peer(
        self,
        *,
        live: bool,
        upload: bool = True,
        download: bool = True,
        ack: bool = False,
    ) -> FeedPeer:
        """A handler for a new channel of this feed; give it to ``Session.open``."""
        peer = FeedPeer(
            self,
            live=live,
            upload=upload,
            download=download and self.fork is None,
            ack=ack,
        )
        self.peers.append(peer)
        self.observer.on_peer_added(peer)
        return peer

    @property
    def shares_work(self) -> bool:
        """Whether several peers can be asked, so that they had better start at different places."""
        return len(self.peers) > 1

    @property
    def stats(self) -> TransferStats:
        """What went over in all, with present and former peers."""
        total = TransferStats()
        for stats in (self._past, *(peer.stats for peer in self.peers)):
            total.add(stats)
        return total

    def peer_opened(self, peer: FeedPeer, now: float) -> None:
        """Called by the peer once both ends are open."""
        self.now = now
        self.observer.on_peer_opened(peer)

    def peer_closed(self, peer: FeedPeer, error: Exception | None, now: float) -> None:
        """Called by the peer when its channel is gone."""
        if peer in self.peers:
            self.peers.remove(peer)
            self._past.add(peer.stats)
        if isinstance(error, ForkError):
            self._quarantine(peer, error, now)
        self.observer.on_peer_removed(peer, error)
        if not self.closed:
            self.update(now)
            self.give_up()

    def set_uploading(self, uploading: bool) -> None:
        """Start or stop answering every peer."""
        for peer in list(self.peers):
            peer.set_uploading(uploading)

    def set_downloading(self, now: float, *, downloading: bool) -> None:
        """Start or stop asking every peer."""
        self.now = now
        for peer in list(self.peers):
            peer.set_downloading(now, downloading=downloading and self.fork is None)

    # --- demands

    def get(self, index: int, now: float, done: Done, *, if_available: bool = False) -> Get:
        """Fetch one block; ``done`` is called when it is in the log."""
        demand = Get(index, done, if_available=if_available)
        self.gets.setdefault(index, []).append(demand)
        self._demanded(now)
        return demand

    def download(
        self, start: int, stop: int, now: float, done: Done, *, linear: bool = False
    ) -> Range:
        """Fetch blocks ``[start, stop)``; ``done`` is called when all are in the log."""
        demand = Range(start, stop, done, linear=linear)
        self.ranges.append(demand)
        self._demanded(now)
        self._finish_ranges()
        return demand

    def grow(
        self, min_length: int, now: float, done: Done, *, if_available: bool = False
    ) -> Update:
        """Fetch the proof of at least ``min_length`` blocks."""
        demand = Update(min_length, done, if_available=if_available)
        self.updates.append(demand)
        self._demanded(now)
        return demand

    def seek(self, byte_offset: int, now: float, done: Done, *, if_available: bool = False) -> Seek:
        """Fetch as much of the tree as it takes to find a byte."""
        demand = Seek(byte_offset, done, if_available=if_available)
        if demand.found(self.log):
            done(None)
            return demand
        self.seeks.append(demand)
        self._demanded(now)
        return demand

    def cancel(self, demand: Demand) -> None:
        """Nobody waits for it any more; ``done`` is not called."""
        if isinstance(demand, Get):
            waiting = self.gets.get(demand.index, [])
            if demand in waiting:
                waiting.remove(demand)
                if not waiting:
                    del self.gets[demand.index]
                    self._forget(demand.index)
        elif isinstance(demand, Range):
            if demand in self.ranges:
                self.ranges.remove(demand)
        elif isinstance(demand, Update):
            if demand in self.updates:
                self.updates.remove(demand)
        elif isinstance(demand, Seek) and demand in self.seeks:
            self.seeks.remove(demand)

    def _forget(self, index: int) -> None:
        if self.whole or any(r.start <= index < r.stop for r in self.ranges):
            return
        for peer in self.peers:
            peer.forget(index)

    def _demanded(self, now: float) -> None:
        self.update(now)
        self.give_up()

    # --- what happened

    def appended(self, start: int, count: int, now: float) -> None:
        """Our own blocks ``[start, start + count)`` are durable: tell everybody."""
        self.now = now
        self.announced = start + count
        if count:  # an empty one would announce a block that does not exist
            for peer in self.peers:
                peer.announce(start, count)
        self._progress([(start, start + count)])

    def cleared(self, start: int, stop: int, now: float) -> None:
        """Blocks were forgotten on purpose: tell everybody."""
        self.now = now
        self._prefix = min(self._prefix, start)
        for peer in self.peers:
            peer.unannounce(start, stop - start)

    def damaged(self, indexes: Iterable[int], now: float) -> None:
        """Stored blocks were found damaged and forgotten: tell everybody, and ask for them."""
        self.now = now
        for index in indexes:
            self._prefix = min(self._prefix, index)
            for peer in self.peers:
                peer.unannounce(index, 1)
        self.update(now)

    def received(self, source: FeedPeer, indexes: list[int], now: float) -> None:
        """A peer's chunk brought these blocks (all verified): store, tell, ask for more."""
        self.now = now
        log = self.log
        log.flush()
        stored = _runs(indexes)
        for start, stop in stored:
            for peer in self.peers:
                if peer is not source:
                    peer.announce(start, stop - start)
            self.observer.on_downloaded(source, start, stop)
        self._progress(stored)
        self.update(now)
        self.give_up()
        for peer in list(self.peers):
            if peer is not source:  # which looks itself, when its chunk is used up
                peer.check_end(now)

    def _progress(self, stored: list[tuple[int, int]]) -> None:
        log = self.log
        if log.length > self._known_length:
            self._known_length = self.announced = log.length
            self.observer.on_length(log.length)
        if self.gets:
            self._finish_gets(stored)
        if self.updates:
            for update in [u for u in self.updates if u.min_length <= log.length]:
                self.updates.remove(update)
                update.done(None)
        if self.seeks:
            for seek in [s for s in self.seeks if s.found(log)]:
                self.seeks.remove(seek)
                seek.done(None)
        if self.ranges:
            self._finish_ranges()

    def _finish_gets(self, stored: list[tuple[int, int]]) -> None:
        for start, stop in stored:
            if stop - start < len(self.gets):
                found = [index for index in range(start, stop) if index in self.gets]
            else:
                found = [index for index in self.gets if start <= index < stop]
            for index in found:
                for demand in self.gets.pop(index):
                    demand.done(None)

    def _finish_ranges(self) -> None:
        for demand in [r for r in self.ranges if r.advance(self.log)]:
            self.ranges.remove(demand)
            demand.done(None)

    # --- asking

    def update(self, now: float) -> None:
        """Have every peer asked for what is wanted, those that answered well first."""
        self.now = now
        if self.closed:
            return
        peers = self.peers
        if len(peers) > 1:
            peers = sorted(peers, key=_rank)
        for peer in peers:
            peer.update(now)

    def first_missing(self) -> int:
        """A block below which nothing is missing."""
        log = self.log
        missing = log.next_missing(self._prefix, log.length)
        self._prefix = log.length if missing < 0 else missing
        return self._prefix

    def block_size(self) -> int:
        """The mean size of a block in bytes, for bounding what is asked for at once."""
        length = self.log.length
        return self.log.byte_length // length if length else UNKNOWN_BLOCK_SIZE

    def proof_under_way(self) -> bool:
        """Whether a peer was asked for a proof and has not answered."""
        return any(peer.waits_for_proof for peer in self.peers)

    def wants_from(self, peer: FeedPeer) -> bool:
        """Whether this peer has anything that is wanted."""
        remote, log = peer.remote, self.log
        length = remote.length
        if self.whole and log.next_wanted(remote, self.first_missing(), length) >= 0:
            return True
        if any(log.next_wanted(remote, r.start, min(r.stop, length)) >= 0 for r in self.ranges):
            return True
        if any(update.min_length <= length for update in self.updates):
            return True
        return bool(self.seeks and length) or any(remote.get(index) for index in self.gets)

    def give_up(self) -> None:
        """Fail what is wanted only if available, once no peer can be expected to have it.

        Of a forked feed of somebody else's everything fails.
        """
        if self.fork is not None and not self.log.writable:
            self._fail_demands(self.fork)  # nobody is asked any more
            return
        if not (self.gets or self.updates or self.seeks):
            return
        if any(not peer.settled or peer.waits_for_proof for peer in self.peers):
            return
        peers = [peer for peer in self.peers if peer.downloading and peer.remote_uploading]
        for index, demands in list(self.gets.items()):
            if not any(peer.remote.get(index) for peer in peers):
                for demand in [d for d in demands if d.if_available]:
                    self.cancel(demand)
                    error = BlockMissingError(
                        f"no peer has block {index}", key=self.log.key, index=index
                    )
                    demand.done(error)
        for update in [u for u in self.updates if u.if_available]:
            if not any(peer.remote.length >= update.min_length for peer in peers):
                self.updates.remove(update)
                update.done(BlockMissingError("no peer has a longer feed", key=self.log.key))
        for seek in [s for s in self.seeks if s.if_available]:
            if not any(peer.may_know(seek) for peer in peers):
                self.seeks.remove(seek)
                error = BlockMissingError(
                    f"no peer knows where byte {seek.byte_offset} is", key=self.log.key
                )
                seek.done(error)

    def report(self) -> MissingReport:
        """What is missing, and who has it."""
        log = self.log
        length = log.length
        have = log.count()
        anywhere = RemoteBitfield()
        for peer in self.peers:
            anywhere.add_all(peer.remote)
        claimed = max((peer.remote.length for peer in self.peers), default=0)
        return MissingReport(
            length=length,
            have=have,
            missing=length - have,
            claimed=max(0, claimed - length),
            in_flight=len(self.requested),
            peers=[(peer, log.count_wanted(peer.remote)) for peer in self.peers],
            nowhere=length - have - log.count_wanted(anywhere),
        )

    # --- the end

    def close(self, error: Exception | None = None) -> None:
        """Close every channel and fail everything that is waited for. Idempotent."""
        if self.closed:
            return
        self.closed = True
        for peer in list(self.peers):
            peer.channel.close()
        self._fail_demands(error or ClosedError("the feed is closed"))

    def _fail_demands(self, failure: Exception) -> None:
        demands: list[Demand] = [demand for waiting in self.gets.values() for demand in waiting]
        demands += [*self.ranges, *self.updates, *self.seeks]
        self.gets.clear()
        self.ranges.clear()
        self.updates.clear()
        self.seeks.clear()
        for demand in demands:
            demand.done(failure)

    def _quarantine(self, peer: FeedPeer, error: ForkError, now: float) -> None:
        self.fork = self.fork or error
        with suppress(StorageError):  # whoever writes next hears of it
            self.log.keep_fork()
        self.observer.on_fork(peer, error)
        self.set_downloading(now, downloading=False)

    def _extensions_changed(self) -> None:
        for peer in self.peers:
            peer.send_options()


def _rank(peer: FeedPeer) -> tuple[float, int]:
    return peer.downloads.retry_at, -peer.downloads.window


def _runs(indexes: list[int]) -> list[tuple[int, int]]:
    """The same indexes as ``[start, stop)`` pairs, in ascending order."""
    if not indexes:
        return []
    indexes.sort()
    first = indexes[0]
    if indexes[-1] - first == len(indexes) - 1:
        return [(first, indexes[-1] + 1)]
    result = []
    last = first
    for index in indexes[1:]:
        if index != last + 1:
            result.append((first, last + 1))
            first = index
        last = index
    result.append((first, last + 1))
    return result


__all__ = [
    "ENDLESS",
    "FeedPeer",
    "FeedSync",
    "MissingReport",
    "Observer",
    "TransferStats",
]
