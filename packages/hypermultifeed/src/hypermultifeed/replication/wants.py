"""Which ranges of a feed a peer was asked about, and whether it has told.

A Want covers 2**20 blocks, each range once a connection; a Have of exactly that length is its
answer (hypercore 9 lib/replicate.js).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.wire.messages import MessageType, encode_want

if TYPE_CHECKING:
    from hypermultifeed.replication.feed_peer import FeedPeer

WANT: Final = MessageType.WANT

WANT_LENGTH: Final = 1 << 20
"""Blocks in one Want, and its alignment."""

MAX_WANTS_PENDING: Final = 16
"""Wants of either side without an answer."""

MAX_WANTS: Final = 4096
"""Ranges asked about in one connection: four thousand million blocks."""

WANT_TIMEOUT_S: Final = 20.0
"""After so long without an answer a peer counts as having told all it will tell."""


class Wants:
    """The Wants sent to one peer.

    Attributes:
        told: the peer has answered something.
    """

    __slots__ = ("_pages", "_peer", "_pending", "told")

    def __init__(self, peer: FeedPeer) -> None:
        self._peer = peer
        self._pages: set[int] = set()
        self._pending: dict[int, float] = {}
        self.told = False

    @property
    def settled(self) -> bool:
        """Whether everything was answered."""
        return self.told and not self._pending

    def answered(self, start: int, length: int) -> None:
        """Note a Have, which may be an answer."""
        if length == WANT_LENGTH:
            self._pending.pop(start, None)
            self.told = True
        self.told = self.told or not self._pending

    def clear(self) -> None:
        """The peer stopped uploading: it forgot what we wanted."""
        self._pages.clear()
        self._pending.clear()

    def send(self, now: float) -> None:
        """Ask about everything that is wanted and was not asked about yet."""
        sync = self._peer.sync
        length = self._peer.remote.length
        for index in sync.gets:
            self._ask(index, now)
        for demand in sync.ranges:
            self._ask_range(demand.start, min(demand.stop, length), now)
        for seek in sync.seeks:
            self._ask(sync.log.seek_span(seek.byte_offset).start, now)
        for update in sync.updates:
            if update.min_length <= length:
                self._ask(update.min_length - 1, now)
        if sync.whole:
            self._ask_range(sync.first_missing(), length, now)
        self._ask(0, now)  # as JavaScript does; the answer also tells the length

    def send_for_ours(self, now: float) -> None:
        """Ask which of the blocks we have the peer has too, though we want none."""
        self._ask_range(0, max(1, self._peer.log.length), now)

    def ask_again(self, now: float) -> None:
        """Ask once more about all that was asked before, and about the blocks we have."""
        asked, self._pages = self._pages, set()
        for page in asked:
            self._ask(page * WANT_LENGTH, now)
        self.send_for_ours(now)

    def _ask_range(self, start: int, stop: int, now: float) -> None:
        at = start
        while at < stop and len(self._pending) < MAX_WANTS_PENDING:
            if not self._ask(at, now):
                return
            at = (at // WANT_LENGTH + 1) * WANT_LENGTH

    def _ask(self, index: int, now: float) -> bool:
        """Ask about the range around ``index``; False once no more may be asked."""
        page = index // WANT_LENGTH
        if page in self._pages:
            return True
        if len(self._pending) >= MAX_WANTS_PENDING or len(self._pages) >= MAX_WANTS:
            return False
        self._pages.add(page)
        start = page * WANT_LENGTH
        self._pending[start] = now
        self._peer.channel.send(WANT, encode_want(start, WANT_LENGTH))
        self._peer.arm(now)
        return True

    def due(self) -> float | None:
        """When the oldest Want has waited for too long."""
        return min(self._pending.values()) + WANT_TIMEOUT_S if self._pending else None

    def expire(self, now: float) -> None:
        """Wait no longer for answers that do not come."""
        for start in [s for s, at in self._pending.items() if now >= at + WANT_TIMEOUT_S]:
            del self._pending[start]
            self.told = True
