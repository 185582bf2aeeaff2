"""A limit on how often something may happen, for each of several parties and for all together."""

from __future__ import annotations

from math import inf


class Quota:
    """So many in each window of time, and then no more until the next one.

    What it remembers is bounded by ``total``, whoever and however many the parties are.

    Args:
        window_s: length of a window in seconds; the first use after its end begins another.
        each: most for one party in a window.
        total: most for all of them.
    """

    __slots__ = ("_counts", "_each", "_ends_at", "_spent", "_total", "_window_s")

    def __init__(self, window_s: float, each: int, total: int) -> None:
        self._window_s = window_s
        self._each = each
        self._total = total
        self._ends_at = -inf
        self._spent = 0
        self._counts: dict[str, int] = {}

    def allow(self, party: str, now: float) -> bool:
        """Whether ``party`` may do it now; if so, it counts as done."""
        if now >= self._ends_at:
            self._ends_at = now + self._window_s
            self._spent = 0
            self._counts.clear()
        count = self._counts.get(party, 0)
        if self._spent >= self._total or count >= self._each:
            return False
        self._spent += 1
        self._counts[party] = count + 1
        return True

    @property
    def renewed_at(self) -> float:
        """When there is more; in the past (-inf) if there is some left for all together."""
        return self._ends_at if self._spent >= self._total else -inf
