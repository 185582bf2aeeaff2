"""Statistics of downloads by day. Pure.

Nothing is smoothed and nothing made up: a day that nobody told of is missing, a day on which a
registry counted nothing at all is an outage and is left out of comparisons, on both sides.
Days are counted from 1970-01-01, UTC.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

WEEK: Final = 7
MONTH: Final = 30
YEAR: Final = 365

THURSDAY: Final = 3
"""1970-01-01 was one, counted from Monday."""

PACKAGES_MIN: Final = 20
"""Packages that must agree that nothing was counted on a day, before it is an outage."""

USUAL_MIN: Final = 50
"""Downloads a day, in the median, of a package whose 0 means something."""

GROWTH_DAYS: Final = 0.6
"""Share of a period's days that must be known, on both sides, to compare it."""


@dataclass(frozen=True, slots=True)
class Period:
    """Downloads in the days ``[start, stop)``.

    Attributes:
        downloads: of the days that were told.
        told: how many of them were.
        outages: how many of them were outages.
    """

    start: int
    stop: int
    downloads: int
    told: int
    outages: int


@dataclass(frozen=True, slots=True)
class Growth:
    """A period against the one before it, of the same length.

    Attributes:
        now, before: the periods.
        ratio: downloads a day now to those before, over days that count in both; None where too
            few do, or there were none before. 1.1: a tenth more.
    """

    now: Period
    before: Period
    ratio: float | None


def period(days: Mapping[int, int], start: int, stop: int, outages: Collection[int] = ()) -> Period:
    """The sum of some days, as they were told.

    Args:
        days: downloads by day.
        start, stop: ``[start, stop)``.
        outages: days that count for nothing (`outages_of`).
    """
    told = [day for day in range(start, stop) if day in days]
    lost = sum(day in outages for day in told)
    return Period(start, stop, sum(days[day] for day in told), len(told), lost)


def growth(days: Mapping[int, int], span: int, stop: int, outages: Collection[int] = ()) -> Growth:
    """The ``span`` days up to ``stop`` against those before.

    A day counts only if the day in its place in the other period does, so that a Sunday that is
    missing does not make the other days look better.
    """
    pairs = [
        (days[day], days[day - span])
        for day in range(stop - span, stop)
        if not {day, day - span} & set(outages) and day in days and day - span in days
    ]
    before = sum(pair[1] for pair in pairs)
    known = before > 0 and len(pairs) >= GROWTH_DAYS * span
    return Growth(
        now=period(days, stop - span, stop, outages),
        before=period(days, stop - 2 * span, stop - span, outages),
        ratio=sum(pair[0] for pair in pairs) / before if known else None,
    )


def outages_of(
    packages: Iterable[Mapping[int, int]], whole: Mapping[int, int] | None = None
) -> set[int]:
    """Days on which a registry counted nothing: the whole of it read 0.

    Where nobody told of the whole, all packages that matter did.

    Args:
        packages: downloads by day of each of many packages; a few unpopular ones prove nothing.
        whole: downloads by day of the whole registry, of those days that were told.
    """
    whole = whole or {}
    told: defaultdict[int, int] = defaultdict(int)
    zero: defaultdict[int, int] = defaultdict(int)
    for days in packages:
        if _median(days.values()) < USUAL_MIN:
            continue
        for day, count in days.items():
            told[day] += 1
            zero[day] += not count
    lost = {day for day, number in told.items() if number >= PACKAGES_MIN and zero[day] == number}
    return {day for day in lost | whole.keys() if not whole.get(day)}


def weeks_of(days: Mapping[int, int], outages: Collection[int] = ()) -> list[Period]:
    """Downloads by week, from Monday to Sunday, oldest first; weeks that nobody told of are out."""
    starts = sorted({_monday(day) for day in days})
    return [period(days, start, start + WEEK, outages) for start in starts]


def share(days: Mapping[int, int], all_days: Mapping[int, int], start: int, stop: int) -> float:
    """The part of all downloads that are one package's, over the days told of both; else 0."""
    both = [day for day in range(start, stop) if day in days and day in all_days]
    whole = sum(all_days[day] for day in both)
    return sum(days[day] for day in both) / whole if whole else 0.0


def _monday(day: int) -> int:
    return day - (day + THURSDAY) % WEEK


def _median(counts: Iterable[int]) -> int:
    found = sorted(counts)
    return found[len(found) // 2] if found else 0
