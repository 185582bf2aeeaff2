"""An index over feeds: every block of every feed once, in batches, with positions to store.

    async for batch in multi.entries(after=positions):
        with database:  # one transaction: rows and positions, or neither
            for entry in batch.entries:
                insert(entry.feed, entry.index, entry.value)
            store(batch.changed)

Positions belong to the caller. What he has not stored is delivered again, after a crash, a
cancellation or an error of his own, and what he has stored never is. So an effect that is
committed together with its positions happens exactly once.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left, bisect_right
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self

from hypermultifeed.errors import ClosedError
from hypermultifeed.keys import parse_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from hypermultifeed.events import Watch
    from hypermultifeed.hypercore import Hypercore

    Holes = Literal["wait", "skip"]

BATCH_ENTRIES_MAX: Final = 1024
"""Entries of one batch."""

BATCH_BYTES_MAX: Final = 4 << 20
"""Bytes of blocks above which a batch takes no further feed's turn."""

TURN_ENTRIES_MAX: Final = 256
"""Entries of one feed in a row, so that no busy writer holds up the others."""

TURN_BYTES_MAX: Final = 1 << 20
"""Bytes of blocks above which a turn ends."""

_RUN: Final = re.compile(r"(0|[1-9][0-9]{0,15}):([1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One block of one feed.

    Attributes:
        feed: the feed's public key.
        index: the block's number in it.
        value: its value; None if there is an error.
        error: why the value encoding could not read the block. Whoever may write may write
            nonsense, and one block must not hold up an index for ever.
    """

    feed: bytes
    index: int
    value: Any
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class EntryBatch:
    """Entries, and the positions to store with their effect.

    A position says which blocks of a feed were delivered, as Python slices: ``"0:120"``, or
    ``"0:120,200:210"`` after a hole. Positions are plain text by the feed's key in hex, ready
    for JSON or a database.

    Attributes:
        entries: of one or several feeds; those of one feed in ascending order.
        changed: the new positions of these feeds.
        positions: the positions of all feeds, these included.
    """

    entries: list[Entry]
    changed: dict[str, str]
    positions: dict[str, str]


class FeedSource(Protocol):
    """What entries need of a multifeed."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def feeds(self) -> Sequence[Hypercore]:
        """All feeds, in the order they came."""

    def watch(self, on_event: Callable[[], None]) -> Watch[Any]:
        """Call back whenever a feed comes."""


async def read_entries(
    source: FeedSource, after: Mapping[str, str], *, live: bool, holes: Holes
) -> AsyncIterator[EntryBatch]:
    """Yield batches of what is here and was not delivered; see ``Multifeed.entries``."""
    with _Reader(source, after, live=live, holes=holes) as reader:
        while True:
            batch = reader.next_batch()
            if batch is not None:
                yield batch
            elif not live or source.closed:
                return
            else:
                await reader.wait()


class Runs:
    """A set of block numbers as sorted runs ``[start, stop)`` that do not touch."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, text: str = "") -> None:
        """Read what ``str`` wrote.

        Raises:
            ValueError: that is no position.
        """
        self._starts: list[int] = []
        self._stops: list[int] = []
        for part in text.split(",") if text else ():
            found = _RUN.fullmatch(part)
            start, stop = (int(found[1]), int(found[2])) if found else (0, 0)
            if start >= stop or (self._stops and start <= self._stops[-1]):
                raise ValueError(f"no position: {text[:80]!r}")
            self._starts.append(start)
            self._stops.append(stop)

    def __str__(self) -> str:
        pairs = zip(self._starts, self._stops, strict=True)
        return ",".join(f"{start}:{stop}" for start, stop in pairs)

    def add(self, start: int, stop: int) -> None:
        """Add ``[start, stop)``, which is not empty."""
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def next_outside(self, index: int) -> int:
        """The first number from ``index`` on that is not in the set."""
        run = bisect_right(self._starts, index) - 1
        return self._stops[run] if run >= 0 and index < self._stops[run] else index

    def next_inside(self, index: int, default: int) -> int:
        """The first number from ``index`` on that is in the set, or ``default``."""
        run = bisect_right(self._stops, index)
        return max(index, self._starts[run]) if run < len(self._starts) else default


class _Reader:
    """Reads feeds in turn; with ``live`` it watches them for what comes."""

    def __init__(
        self, source: FeedSource, after: Mapping[str, str], *, live: bool, holes: Holes
    ) -> None:
        if holes not in {"wait", "skip"}:
            raise ValueError(f"holes are to be waited for or skipped, not {holes!r}")
        self._source = source
        self._live = live
        self._skips = holes == "skip"
        self._delivered = {parse_key(key): Runs(text) for key, text in after.items()}
        self._positions = {key.hex(): str(runs) for key, runs in self._delivered.items()}
        self._pending: dict[Hypercore, None] = {}
        self._known = 0
        self._watches = ExitStack()
        self._woken = asyncio.Event()

    def __enter__(self) -> Self:
        self._watches.enter_context(self._source.watch(self._woken.set))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._watches.close()

    async def wait(self) -> None:
        """Wait until there may be something new."""
        await self._woken.wait()
        self._woken.clear()

    def next_batch(self) -> EntryBatch | None:
        """The next entries, or None when all that is here was delivered."""
        self._take_new_feeds()
        entries: list[Entry] = []
        changed: dict[str, str] = {}
        size = 0
        while self._pending and size < BATCH_BYTES_MAX:
            room = min(BATCH_ENTRIES_MAX - len(entries), TURN_ENTRIES_MAX)
            if room == 0:
                break
            feed = next(iter(self._pending))
            del self._pending[feed]
            found, taken = self._turn(feed, room)
            if found:
                size += taken
                entries += found
                changed[feed.key.hex()] = str(self._delivered[feed.key])
                self._pending[feed] = None  # there may be more, after the others' turn
        if not entries:
            return None
        self._positions.update(changed)
        return EntryBatch(entries, changed, dict(self._positions))

    def _take_new_feeds(self) -> None:
        feeds = self._source.feeds()
        for feed in feeds[self._known :]:
            self._delivered.setdefault(feed.key, Runs())
            self._pending[feed] = None
            if self._live:
                self._watches.enter_context(feed.watch(partial(self._wake, feed)))
        self._known = len(feeds)

    def _wake(self, feed: Hypercore) -> None:
        self._pending[feed] = None
        self._woken.set()

    def _turn(self, feed: Hypercore, room: int) -> tuple[list[Entry], int]:
        """Up to ``room`` entries of a feed, noted as delivered, and their size."""
        entries: list[Entry] = []
        size = 0
        delivered = self._delivered[feed.key]
        index = -1
        while len(entries) < room and size < TURN_BYTES_MAX:
            if feed.closed:
                if self._live:
                    break  # which is how a live reading ends
                raise ClosedError("the multifeed is closed")
            start, stop = self._next_run(feed, delivered, index + 1)
            if start >= stop:
                break
            for index in range(start, min(stop, start + room - len(entries))):
                block = feed.log.get(index)
                size += len(block)
                entries.append(_entry(feed, index, block))
                if size >= TURN_BYTES_MAX:
                    break
            delivered.add(start, index + 1)
        return entries, size

    def _next_run(self, feed: Hypercore, delivered: Runs, index: int) -> tuple[int, int]:
        """The next blocks ``[start, stop)`` that are here and were not delivered."""
        length, log = feed.length, feed.log
        while True:
            start = delivered.next_outside(index)
            if start >= length:
                return length, length
            stored = log.next_stored(start, length)
            if stored < 0 or (stored > start and not self._skips):
                return length, length
            if delivered.next_outside(stored) == stored:
                break
            index = stored
        missing = log.next_missing(stored, length)
        stop = length if missing < 0 else missing
        return stored, min(stop, delivered.next_inside(stored, stop))


def _entry(feed: Hypercore, index: int, block: bytes) -> Entry:
    try:
        return Entry(feed.key, index, feed.value_encoding.decode(block))
    except Exception as error:  # a codec may be the caller's own
        return Entry(feed.key, index, None, error)
