"""When is a sync over? Decided from what feeds and peers say, and the time that is passed in."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.mux import Mux
    from hypermultifeed.replication.feed_peer import FeedPeer

QUIET_S: Final = 0.3
"""Nothing to do for so long means that all is done: peers tell of new feeds a moment later."""

SEARCH_PATIENCE_S: Final = 3.0
"""The same while peers that were found are still being dialled; dead ones take 10 s each."""

UPLOAD_QUIET_S: Final = 1.0
"""A peer that lacks blocks of ours, and has asked for none for so long, does not want them."""


class Situation(NamedTuple):
    """What there is at one moment.

    Attributes:
        greeted: peers connected that share the multifeed.
        busy: one of them has something for us, or is owed something.
        progress: changes whenever anything comes or goes.
        searched: the first search for peers is over, and each that it found was dialled.
    """

    greeted: int
    busy: bool
    progress: object
    searched: bool


class Verdict(Enum):
    """What follows from it."""

    GO_ON = auto()
    DONE = auto()
    NOBODY = auto()
    STALLED = auto()


class Completion:
    """Judges one situation after the other.

    Args:
        now: the time in seconds, by any clock that does not jump.
        wait_s: how long to wait for a first peer, and later for anything to happen.
    """

    def __init__(self, now: float, wait_s: float) -> None:
        self._wait_s = wait_s
        self._met = False
        self._unfinished = False
        self._progress: object = None
        self._progress_at = now
        self._busy_at = now

    def judge(self, situation: Situation, now: float) -> Verdict:
        """Say whether to go on."""
        if situation.greeted:
            self._met = True
            self._unfinished = situation.busy
        progress = (situation.greeted, situation.progress)
        if progress != self._progress:
            if self._progress is not None or situation.greeted:
                self._progress_at = self._busy_at = now
            self._progress = progress
        if self._unfinished:  # also when the last peer went away in the middle
            self._busy_at = now
        quiet_s = QUIET_S if situation.searched else SEARCH_PATIENCE_S
        if self._met and now >= self._busy_at + quiet_s:
            return Verdict.DONE
        if now >= self._progress_at + self._wait_s:
            return Verdict.STALLED if self._met else Verdict.NOBODY
        return Verdict.GO_ON


def situation_of(multi: Multifeed, now: float, *, searched: bool) -> Situation:
    """What the feeds and the peers of a multifeed say; ``now`` is the event loop's time.

    Peers that were sent blocks are asked what they have, so that a later call can tell.
    """
    exchanges = [exchange for exchange in multi.exchanges() if exchange.greeted]
    peers = [peer for exchange in exchanges for peer in feed_peers(multi, exchange)]
    for peer in peers:
        peer.inquire(now)
    feeds = multi.feeds()
    return Situation(
        greeted=len(exchanges),
        busy=any(not exchange.settled for exchange in exchanges)
        or any(is_fetching(peer) or is_serving(peer, now) for peer in peers),
        progress=(
            len(feeds),
            sum(feed.length + feed.downloaded() for feed in feeds),
            sum(peer.stats.uploaded_blocks for peer in peers),
        ),
        searched=searched,
    )


def feed_peers(multi: Multifeed, exchange: Mux) -> list[FeedPeer]:
    """The channels of the feeds that one peer and we have agreed to replicate."""
    feeds = (multi.feed(key) for key in exchange.agreed)
    return [
        peer
        for feed in feeds
        if feed is not None
        for peer in feed.peers
        if peer.stream is exchange.stream
    ]


def is_fetching(peer: FeedPeer) -> bool:
    """Whether a peer has, or may have, what is missing here."""
    if not peer.opened:
        return True
    if not peer.downloading or not peer.remote_uploading:
        return False
    return not peer.settled or peer.in_flight > 0 or peer.sync.wants_from(peer)


def is_serving(peer: FeedPeer, now: float) -> bool:
    """Whether a peer is being sent blocks, or may yet ask for some."""
    if not peer.opened or not peer.uploading:
        return False
    if peer.uploads.queue:
        return True
    if not peer.remote_downloading or now >= peer.uploads.served_at + UPLOAD_QUIET_S:
        return False
    return not peer.log.is_covered_by(peer.remote)
