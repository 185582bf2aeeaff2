"""What a peer says it has of a feed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hypermultifeed.feed.bitfield import Bits

PAGES_MAX: Final = 4096
"""Pages of single bits kept of one peer and feed, 1 KiB each."""

PAGES_FREE: Final = 4
"""Of those, so many do not count against the budget of the whole stream."""

PAGES_PER_STREAM_MAX: Final = 65_536
"""Pages kept of one peer and all its feeds, beyond the free ones."""

RUNS_MAX: Final = 4096
"""Runs of whole pages kept of one peer and feed."""

INDEX_MAX: Final = 2**53
"""No block has this number or a higher one."""

_SHIFT: Final = 13
_SIZE: Final = 1 << _SHIFT
_ALL: Final = (1 << _SIZE) - 1


def _mask(first: int, last: int) -> int:
    """Bits ``[first, last)`` of a page, the first bit of a page being the topmost."""
    return ((1 << (last - first)) - 1) << (_SIZE - last)


class PageBudget:
    """Pages that may still be kept of one peer, whatever the feed.

    Attributes:
        left: how many.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = PAGES_PER_STREAM_MAX


class RemoteBitfield:
    """Blocks a peer has. Any claim costs the same, whatever it covers.

    Runs of whole pages are kept as numbers, single blocks as pages of bits. Above the limits a
    claim is not kept: then we know less of what the peer has, which does no harm.
    """

    __slots__ = ("_budget", "_charged", "_numbers", "_pages", "_starts", "_stops", "length")

    def __init__(self) -> None:
        self._budget = PageBudget()
        self._charged = 0
        self.length = 0
        """One more than the last block that the peer ever announced."""
        self._pages: dict[int, int] = {}
        self._numbers: list[int] = []  # of the pages, sorted
        self._starts: list[int] = []  # of runs of whole pages: sorted, apart from each other
        self._stops: list[int] = []

    def share(self, budget: PageBudget) -> None:
        """From now on, while nothing is kept yet, this budget counts."""
        self._budget = budget

    def release(self) -> None:
        """This is not used any more: give back what it took of the budget."""
        self._budget.left += self._charged
        self._charged = 0
        self._budget = PageBudget()

    def get(self, index: int) -> bool:
        """Whether the peer has the block."""
        number = index >> _SHIFT
        page = self._pages.get(number)
        if page is not None:
            return bool(page >> (~index & (_SIZE - 1)) & 1)
        return self._run_stop(number) > 0

    def set_range(self, start: int, length: int) -> None:
        """The peer has ``length`` blocks from ``start`` on (``Have``)."""
        stop = min(start + length, INDEX_MAX)
        if not 0 <= start < stop:
            return
        self.length = max(self.length, stop)
        first, last = -(-start >> _SHIFT), stop >> _SHIFT  # whole pages
        if last < first:
            self._change(last, start & (_SIZE - 1), stop & (_SIZE - 1), value=True)
            return
        if start & (_SIZE - 1):
            self._change(first - 1, start & (_SIZE - 1), _SIZE, value=True)
        if stop & (_SIZE - 1):
            self._change(last, 0, stop & (_SIZE - 1), value=True)
        if first < last:
            self._drop(first, last)
            self._add_run(first, last)

    def clear_range(self, start: int, length: int) -> None:
        """The peer no longer has them (``Unhave``)."""
        stop = min(start + length, INDEX_MAX)
        if not 0 <= start < stop:
            return
        first, last = -(-start >> _SHIFT), stop >> _SHIFT
        if last < first:
            self._change(last, start & (_SIZE - 1), stop & (_SIZE - 1), value=False)
            return
        if start & (_SIZE - 1):
            self._change(first - 1, start & (_SIZE - 1), _SIZE, value=False)
        if stop & (_SIZE - 1):
            self._change(last, 0, stop & (_SIZE - 1), value=False)
        if first < last:
            self._drop(first, last)

    def set_bits(self, start: int, bits: bytes) -> None:
        """A ``Have`` with a bitfield, decoded: what the peer has, and has not, from ``start``."""
        count = 8 * len(bits)
        if not 0 <= start < start + count <= INDEX_MAX:
            return
        value = int.from_bytes(bits, "big")
        if value:
            last = count - ((value & -value).bit_length() - 1)
            self.length = max(self.length, start + last)
        at, stop = start, start + count
        while at < stop:
            number = at >> _SHIFT
            end = min(stop, (number + 1) << _SHIFT)
            part = value >> (stop - end) & ((1 << (end - at)) - 1)
            first, last = at & (_SIZE - 1), end - (number << _SHIFT)
            page = self._page(number) & ~_mask(first, last) | part << (_SIZE - last)
            self._set_page(number, page)
            at = end

    def next(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that the peer has, -1 if none."""
        return self.next_unless(None, start, stop)

    def next_unless(self, ours: Bits | None, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that the peer has and that is not in ``ours``.

        ``ours`` must have pages of 8192 bits. -1 if there is no such block.
        """
        stop = min(stop, self.length)
        while start < stop:
            number = start >> _SHIFT
            page = self._pages.get(number)
            if page is not None:
                end = min(stop, (number + 1) << _SHIFT)
                found = page & _mask(start & (_SIZE - 1), end - (number << _SHIFT))
                if ours is not None:
                    found &= ~ours.page_bits(number)
                if found:
                    return ((number + 1) << _SHIFT) - found.bit_length()
                start = end
                continue
            run_stop = self._run_stop(number)
            if not run_stop:
                number = self._next_number(number)
                if number < 0:
                    return -1
                start = number << _SHIFT
                continue
            end = min(stop, run_stop << _SHIFT)
            index = start if ours is None else ours.next_clear(start, end)
            if index >= 0:
                return index
            start = end
        return -1

    def covers(self, ours: Bits, stop: int) -> bool:
        """Whether the peer has every block of ``[0, stop)`` that is in ``ours``.

        ``ours`` must have pages of 8192 bits.
        """
        at = ours.next_set(0, stop)
        while at >= 0:
            number = at >> _SHIFT
            if ours.page_bits(number) & ~self._page(number):
                return False
            at = ours.next_set((number + 1) << _SHIFT, stop)
        return True

    def count_unless(self, ours: Bits, start: int, stop: int) -> int:
        """How many blocks of ``[start, stop)`` the peer has that are not in ``ours``.

        ``ours`` must have pages of 8192 bits. Takes as long as there are pages and runs, not
        as there are blocks.
        """
        total = 0
        for number, page in self._pages.items():
            first, last = max(start, number << _SHIFT), min(stop, (number + 1) << _SHIFT)
            if first < last:
                base = number << _SHIFT
                bits = page & ~ours.page_bits(number) & _mask(first - base, last - base)
                total += bits.bit_count()
        for run_start, run_stop in zip(self._starts, self._stops, strict=True):
            first, last = max(start, run_start << _SHIFT), min(stop, run_stop << _SHIFT)
            if first < last:
                total += last - first - ours.count(first, last)
        return total

    def add_all(self, other: RemoteBitfield) -> None:
        """What another peer has, too."""
        for first, last in zip(other._starts, other._stops, strict=True):
            self.set_range(first << _SHIFT, (last - first) << _SHIFT)
        for number, page in other._pages.items():
            self._set_page(number, self._page(number) | page)
        self.length = max(self.length, other.length)

    # -- pages and runs -----------------------------------------------------------------------

    def _run_stop(self, number: int) -> int:
        """The end of the run that a page is in, 0 if it is in none."""
        place = bisect_right(self._starts, number) - 1
        if place < 0 or self._stops[place] <= number:
            return 0
        return self._stops[place]

    def _next_number(self, number: int) -> int:
        """The first page after that one of which anything is known, -1 if there is none."""
        place = bisect_right(self._numbers, number)
        page = self._numbers[place] if place < len(self._numbers) else -1
        place = bisect_right(self._starts, number)
        if place < len(self._starts) and (page < 0 or self._starts[place] < page):
            return self._starts[place]
        return page

    def _page(self, number: int) -> int:
        page = self._pages.get(number)
        if page is None:
            return _ALL if self._run_stop(number) else 0
        return page

    def _change(self, number: int, first: int, last: int, *, value: bool) -> None:
        page = self._page(number)
        mask = _mask(first, last)
        self._set_page(number, page | mask if value else page & ~mask)

    def _set_page(self, number: int, page: int) -> None:
        if number in self._pages:
            if page not in (0, _ALL):
                self._pages[number] = page
                return
        elif page == (_ALL if self._run_stop(number) else 0):
            return
        self._drop(number, number + 1)
        if page == _ALL:
            self._add_run(number, number + 1)
        elif page and self._has_room():
            self._pages[number] = page
            insort(self._numbers, number)
            self._charge()

    def _has_room(self) -> bool:
        count = len(self._pages)
        return count < PAGES_FREE or (count < PAGES_MAX and self._budget.left > 0)

    def _charge(self) -> None:
        charged = max(0, len(self._pages) - PAGES_FREE)
        self._budget.left += self._charged - charged
        self._charged = charged

    def _drop(self, first: int, last: int) -> None:
        """Forget pages ``[first, last)``, also of runs."""
        low, high = bisect_left(self._numbers, first), bisect_left(self._numbers, last)
        for number in self._numbers[low:high]:
            del self._pages[number]
        if low < high:
            del self._numbers[low:high]
            self._charge()
        low, high = bisect_right(self._stops, first), bisect_left(self._starts, last)
        if low >= high:
            return
        start, stop = self._starts[low], self._stops[high - 1]
        starts = ([start] if start < first else []) + ([last] if last < stop else [])
        stops = ([first] if start < first else []) + ([stop] if last < stop else [])
        if len(starts) > high - low and len(self._starts) >= RUNS_MAX:
            del starts[-1], stops[-1]
        self._starts[low:high] = starts
        self._stops[low:high] = stops

    def _add_run(self, first: int, last: int) -> None:
        """Pages ``[first, last)``, of which nothing is known now, are whole."""
        low = bisect_left(self._stops, first)  # a run that ends here is made longer
        high = bisect_right(self._starts, last)
        if low < high:
            first = min(first, self._starts[low])
            last = max(last, self._stops[high - 1])
        elif len(self._starts) >= RUNS_MAX:
            return
        self._starts[low:high] = [first]
        self._stops[low:high] = [last]
