"""Bits in pages: memory grows with the pages that are used, not with the numbers in them.

Bit ``i`` of a byte string is byte ``i >> 3``, most significant bit first. Several bit arrays may
share one sequence of pages, each with its own part of every page, as in the files of hypercore.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MERGE_GAP_BYTES: Final = 24
"""Changed bytes that are nearer than this are written together: a write costs more."""

_PAGES_READ: Final = 64

BLANK_PAGES_MAX: Final = 4096
"""Pages known to be all zeros outside; a feed may claim to be long and have many of them."""


HOLES_MAX: Final = 64
"""Runs of blank pages that are remembered, so that they are looked through once."""


@cache
def _zeros(size: int) -> bytes:
    """Zeros: one page for all that have none yet, or a run of pages to compare with."""
    return bytes(size)


class Pages:
    """Pages of ``size`` bytes, loaded when they are first asked for; knows what was changed.

    Args:
        size: bytes in a page.
        stored: how many pages exist outside, all of them readable.
        read: gives the bytes of some stored pages, fewer if their end is missing: number of
            the first, how many.
        tracked: remember what is changed, for :meth:`take_changes`.
    """

    __slots__ = (
        "_blank", "_bytes", "_holes", "_ranges", "_read", "count", "loaded", "size", "stored",
        "tracked", "zeros",
    )  # fmt: skip

    def __init__(
        self,
        size: int,
        stored: int = 0,
        read: Callable[[int, int], bytes] | None = None,
        *,
        tracked: bool = True,
    ) -> None:
        self.size = size
        self.stored = stored
        self.count = stored
        """One more than the highest page there is, here or outside."""
        self._read = read
        self.zeros = _zeros(size)
        self.loaded: dict[int, bytes | bytearray] = {}
        """The pages that are here, by number. For looking up only."""
        self._blank: set[int] = set()
        self._holes: list[range] = []
        """Long runs known to be all zeros outside; pages of them may have come here since."""
        self.tracked = tracked
        self._bytes: set[int] = set()
        self._ranges: list[tuple[int, int]] = []

    def page(self, number: int) -> bytes | bytearray:
        """The page, to be read only."""
        page = self.loaded.get(number)
        if page is None:
            if number >= self.stored or number in self._blank or self._read is None:
                return self.zeros
            if self._hole_of(number):
                return self.zeros
            page = self._load(number, self._read)
        return page

    def next_used(self, number: int, stop: int) -> int:
        """The first page of ``[number, stop)`` that is not all zeros outside, or ``stop``."""
        while number < stop and number < self.stored and self._read is not None:
            if hole := self._hole_of(number):
                end = min(stop, hole.stop)
                used = self._next_loaded(number, end)
                if used < end:
                    return used
                number = end
                continue
            end = min(stop, self.stored, number + _PAGES_READ)
            raw = self._read(number, end - number)
            blank = _zeros(self.size * _PAGES_READ).startswith(raw)  # much faster than stripping
            rest = b"" if blank else raw.lstrip(b"\0")
            used = number + (len(raw) - len(rest)) // self.size if rest else end
            self._note_hole(number, used)
            for page in range(number, used):
                if page in self.loaded:
                    return page
            if rest:
                return used
            number = end
        return self._next_loaded(number, stop)

    def _next_loaded(self, number: int, stop: int) -> int:
        return min((page for page in self.loaded if number <= page < stop), default=stop)

    def _hole_of(self, number: int) -> range | None:
        return next((hole for hole in self._holes if number in hole), None)

    def _note_hole(self, start: int, stop: int) -> None:
        """Pages ``[start, stop)`` are all zeros outside."""
        if start >= stop:
            return
        for place, hole in enumerate(self._holes):
            if hole.start <= start <= hole.stop:
                self._holes[place] = range(hole.start, max(stop, hole.stop))
                return
        self._holes.append(range(start, stop))
        if len(self._holes) > HOLES_MAX:
            self._holes.remove(min(self._holes, key=len))

    def writable(self, number: int) -> bytearray:
        """The page, to be changed; report changes to :meth:`touch` or :meth:`touch_range`."""
        page = self.loaded.get(number)
        if isinstance(page, bytearray):
            return page
        page = bytearray(self.page(number))
        self.loaded[number] = page
        if number >= self.count:
            self.count = number + 1
        return page

    def touch(self, number: int, offset: int) -> None:
        """One byte of a page was changed."""
        if not self.tracked:
            return
        self._bytes.add(number * self.size + offset)
        if number >= self.stored:
            self._store(number)

    def touch_range(self, number: int, start: int, stop: int) -> None:
        """Bytes ``[start, stop)`` of a page were changed."""
        if not self.tracked:
            return
        base = number * self.size
        self._ranges.append((base + start, base + stop))
        if number >= self.stored:
            self._store(number)

    def take_changes(self) -> list[tuple[int, bytes]]:
        """What was changed since the last call, as byte offsets and bytes, in order.

        A new page's last byte is always among it, so that whole pages exist outside.
        """
        spans = [(at, at + 1) for at in self._bytes]
        spans += self._ranges
        spans.sort()
        self._bytes.clear()
        self._ranges.clear()
        changes = []
        size = self.size
        start = stop = end = 0  # end: of the page that start is in
        for first, last in spans:
            if first > stop + MERGE_GAP_BYTES or first >= end:
                if stop:
                    changes.append((start, self._bytes_at(start, stop)))
                start, stop = first, last
                end = (first // size + 1) * size
            elif last > stop:
                stop = last
        if stop:
            changes.append((start, self._bytes_at(start, stop)))
        return changes

    @property
    def changed(self) -> bool:
        """Whether :meth:`take_changes` would give anything."""
        return bool(self._bytes or self._ranges)

    def _bytes_at(self, start: int, stop: int) -> bytes:
        number, offset = divmod(start, self.size)
        return bytes(self.page(number)[offset : offset + stop - start])

    def _store(self, number: int) -> None:
        self._note_hole(self.stored, number)
        self.stored = number + 1
        self._bytes.add((number + 1) * self.size - 1)
        # Pages below that were never used read as zeros from now on; so do they outside.

    def _load(self, number: int, read: Callable[[int, int], bytes]) -> bytes:
        page = read(number, 1)
        if page.count(0) == len(page):
            if len(self._blank) >= BLANK_PAGES_MAX:
                self._blank.clear()
            self._blank.add(number)
            return self.zeros
        if len(page) < self.size:
            page = page.ljust(self.size, b"\0")
        self.loaded[number] = page
        return page


class Bits:
    """An array of bits over one part of every page.

    Args:
        pages: shared pages.
        offset: where in every page this array's part begins.
        part: bytes of that part, a power of two.
    """

    __slots__ = (
        "_loaded", "_mask", "_offset", "_pages", "_part", "_shift", "byte_length", "per_page",
    )  # fmt: skip

    def __init__(self, pages: Pages, offset: int, part: int) -> None:
        self._pages = pages
        self._loaded = pages.loaded
        self._offset = offset
        self._part = part
        self._mask = part - 1
        self._shift = part.bit_length() + 2
        self.per_page = 8 * part
        """Bits in a page."""
        self.byte_length = pages.count * part
        """One more than the highest byte that was ever changed; whole pages after opening."""

    def get(self, index: int) -> bool:
        """Whether the bit is set."""
        page = self._loaded.get(index >> self._shift)
        if page is None:
            page = self._pages.page(index >> self._shift)
        return page[self._offset + ((index >> 3) & self._mask)] & (0x80 >> (index & 7)) != 0

    def set(self, index: int) -> bool:
        """Set the bit; whether it was clear."""
        number = index >> self._shift
        at = self._offset + ((index >> 3) & self._mask)
        page = self._loaded.get(number)
        if not isinstance(page, bytearray):
            page = self._pages.writable(number)
        old = page[at]
        new = old | (0x80 >> (index & 7))
        if new == old:
            return False
        page[at] = new
        self._pages.touch(number, at)
        if index >> 3 >= self.byte_length:
            self.byte_length = (index >> 3) + 1
        return True

    def clear(self, index: int) -> bool:
        """Clear the bit; whether it was set."""
        if not self.get(index):
            return False
        number = index >> self._shift
        at = self._offset + ((index >> 3) & self._mask)
        self._pages.writable(number)[at] &= ~(0x80 >> (index & 7)) & 0xFF
        self._pages.touch(number, at)
        return True

    def byte(self, position: int) -> int:
        """Bits ``[8 * position, 8 * position + 8)`` as a number."""
        page = self._pages.page(position >> (self._shift - 3))
        return page[self._offset + (position & self._mask)]

    def set_byte(self, position: int, value: int) -> bool:
        """Set eight bits at once; whether any of them changed."""
        number = position >> (self._shift - 3)
        at = self._offset + (position & self._mask)
        page = self._pages.writable(number)
        if page[at] == value:
            return False
        page[at] = value
        self._pages.touch(number, at)
        if position >= self.byte_length:
            self.byte_length = position + 1
        return True

    def fill(self, start: int, stop: int, *, value: bool) -> None:
        """Set or clear ``[start, stop)``, which must lie in one page."""
        if start >= stop:
            return
        number = start >> self._shift
        page = self._pages.writable(number)
        base = self._offset + ((start >> 3) & self._mask)
        length = ((stop - 1) >> 3) - (start >> 3) + 1
        end = base + length
        mask = ((1 << (stop - start)) - 1) << (-stop & 7)
        old = int.from_bytes(page[base:end], "big")
        new = old | mask if value else old & ~mask
        if new == old:
            return
        page[base:end] = new.to_bytes(length, "big")
        self._pages.touch_range(number, base, end)
        self.byte_length = max(self.byte_length, ((stop - 1) >> 3) + 1)

    def page_bits(self, number: int) -> int:
        """All bits of this array's part of a page as one number, the first bit on top."""
        page = self._pages.page(number)
        return int.from_bytes(page[self._offset : self._offset + self._part], "big")

    def read(self, start: int, stop: int) -> bytes:
        """The bytes ``[start, stop)``: bits ``[8 * start, 8 * stop)``."""
        parts = []
        while start < stop:
            page = self._pages.page(start >> (self._shift - 3))
            begin = start & self._mask
            length = min(self._part - begin, stop - start)
            parts.append(page[self._offset + begin : self._offset + begin + length])
            start += length
        return b"".join(parts)

    def count(self, start: int, stop: int) -> int:
        """How many bits of ``[start, stop)`` are set."""
        stop = min(stop, self._pages.count << self._shift)
        total = 0
        while (start := self._skip_blank(start, stop)) < stop:
            end = min(stop, ((start >> self._shift) + 1) << self._shift)
            total += (self.page_bits(start >> self._shift) & self._between(start, end)).bit_count()
            start = end
        return total

    def next_set(self, start: int, stop: int) -> int:
        """The first set bit of ``[start, stop)``, -1 if there is none."""
        stop = min(stop, self._pages.count << self._shift)
        while (start := self._skip_blank(start, stop)) < stop:
            end = min(stop, ((start >> self._shift) + 1) << self._shift)
            found = self.page_bits(start >> self._shift) & self._between(start, end)
            if found:
                return self._position(start >> self._shift, found)
            start = end
        return -1

    def next_clear(self, start: int, stop: int) -> int:
        """The first clear bit of ``[start, stop)``, -1 if there is none."""
        if start < stop and not self.get(start):
            return start
        while start < stop:
            end = min(stop, ((start >> self._shift) + 1) << self._shift)
            found = ~self.page_bits(start >> self._shift) & self._between(start, end)
            if found:
                return self._position(start >> self._shift, found)
            start = end
        return -1

    def _skip_blank(self, start: int, stop: int) -> int:
        """``start``, or the beginning of a later page if there is nothing before that."""
        number = start >> self._shift
        if start >= stop or self._pages.page(number) is not self._pages.zeros:
            return start
        last = ((stop - 1) >> self._shift) + 1
        return self._pages.next_used(number + 1, last) << self._shift

    def _between(self, start: int, end: int) -> int:
        """A mask for bits ``[start, end)`` of one page."""
        size = 1 << self._shift
        first = start & (size - 1)
        return ((1 << (end - start)) - 1) << (size - first - (end - start))

    def _position(self, number: int, found: int) -> int:
        """The index of the topmost bit of ``found``, a part of page ``number``."""
        return ((number + 1) << self._shift) - found.bit_length()
