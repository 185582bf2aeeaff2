"""What the user of a feed waits for: blocks, ranges, a longer feed, the block of a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.feed.log import Log

    Done = Callable[[Exception | None], None]

ENDLESS: Final = 1 << 53
"""The end of a range that grows with the feed."""


class Demand:
    """One thing waited for; ``done(error)`` is called once, None meaning that it is here.

    Attributes:
        if_available: give up as soon as no peer can be expected to have it.
    """

    __slots__ = ("done", "if_available")

    def __init__(self, done: Done, *, if_available: bool = False) -> None:
        self.done = done
        self.if_available = if_available


class Get(Demand):
    """One block."""

    __slots__ = ("index",)

    def __init__(self, index: int, done: Done, *, if_available: bool = False) -> None:
        super().__init__(done, if_available=if_available)
        self.index = index


class Range(Demand):
    """Blocks ``[start, stop)``.

    Attributes:
        linear: ask for them in order, for somebody who reads along.
    """

    __slots__ = ("linear", "start", "stop")

    def __init__(self, start: int, stop: int, done: Done, *, linear: bool = False) -> None:
        super().__init__(done)
        self.start = start
        self.stop = stop
        self.linear = linear

    def advance(self, log: Log) -> bool:
        """Skip what is here from the start on; True once nothing is missing."""
        if self.stop >= ENDLESS:
            missing = log.next_missing(self.start, log.length)
            self.start = log.length if missing < 0 else missing
            return False
        missing = log.next_missing(self.start, self.stop)
        if missing < 0:
            return True
        self.start = missing
        return False


class Update(Demand):
    """A feed of at least ``min_length`` blocks (their hashes, not the blocks)."""

    __slots__ = ("min_length",)

    def __init__(self, min_length: int, done: Done, *, if_available: bool = False) -> None:
        super().__init__(done, if_available=if_available)
        self.min_length = min_length


class Seek(Demand):
    """Enough of the tree to find a byte.

    Attributes:
        byte_offset: the byte.
        asked: peers that were asked for it, and answered or not; they are asked for a byte once,
            then for the hashes of blocks that may hold it.
        holder: the peer that is being asked.
    """

    __slots__ = ("asked", "byte_offset", "holder")

    def __init__(self, byte_offset: int, done: Done, *, if_available: bool = False) -> None:
        super().__init__(done, if_available=if_available)
        self.byte_offset = byte_offset
        self.asked: list[object] = []
        self.holder: object = None

    def found(self, log: Log) -> bool:
        """Whether the block is known, or known not to exist yet."""
        try:
            return len(log.seek_span(self.byte_offset)) <= 1
        except ValueError:
            return True
