"""Numbers that several pages show: outages, growth, and the weeks of a list's small lines."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from pkgstats.growth import LOOKED_BACK, growth_of, outages_in
from pkgstats.stats import MONTH, WEEK, growth
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pkgstats.stats import Growth
    from pkgstats.view.facts import DayFacts
    from pkgstats.view.reading import View

DAY_MS: Final = 86_400_000

EPOCH: Final = date(1970, 1, 1)

OUTAGES_BACK: Final = 550
"""Days back in which outages are looked for: as many as one request to a registry tells."""

OUTAGES_MS: Final = 600_000
"""For so long what was found is true: it takes the counts of many packages."""

SPARK_WEEKS: Final = 13
"""Weeks in a list's small lines: a quarter of a year."""

_memo: Final = Memo()


def outages(view: View, now: int) -> frozenset[int]:
    """Days on which a registry counted nothing at all, as they were known some minutes ago."""
    key = (view.identity, now // OUTAGES_MS)
    return _memo.get(key, lambda: frozenset(outages_in(view, now // DAY_MS, OUTAGES_BACK)))


def growths(view: View, names: Sequence[str], now: int) -> dict[str, Growth]:
    """The last 30 days that were told of packages against the 30 before."""
    return growth_of(view, names, now // DAY_MS, outages(view, now))


def growth_in(days: Sequence[DayFacts], now: int, outages: Collection[int]) -> Growth | None:
    """As `growths`, of one package all of whose days are at hand; None: none of them is recent."""
    today = now // DAY_MS
    told = {one.day: one.count for one in days if today - LOOKED_BACK <= one.day <= today}
    return growth(told, MONTH, max(told) + 1, outages) if told else None


def weeks_of(view: View, names: Sequence[str], now: int) -> dict[str, tuple[int | None, ...]]:
    """Downloads of the last weeks, oldest first, up to the last day told of any of the packages.

    None for a week of which a day is missing; packages without any week are left out.
    """
    today = now // DAY_MS
    told = view.days_of(names, today - WEEK * (SPARK_WEEKS + 1), today)
    last = max((days[-1].day for days in told.values() if days), default=0)
    found = {name: _weeks(days, last + 1) for name, days in told.items()}
    return {name: weeks for name, weeks in found.items() if any(weeks)}


def _weeks(days: Sequence[DayFacts], stop: int) -> tuple[int | None, ...]:
    told = {one.day: one.count for one in days}
    starts = range(stop - WEEK * SPARK_WEEKS, stop, WEEK)
    return tuple(_sum(told, start) for start in starts)


def _sum(told: Mapping[int, int], start: int) -> int | None:
    counts = [told.get(day) for day in range(start, start + WEEK)]
    known = [one for one in counts if one is not None]
    return sum(known) if len(known) == WEEK else None


def day_asked(text: str | None) -> int | None:
    """A date such as ``2026-11-01`` out of an address, as days since 1970; None if there is none.

    Raises:
        BadRequestError: it is no date.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise BadRequestError("at is a date such as 2026-11-01")
    return (day - EPOCH).days
