"""Days as weeks or months, of which only whole ones count: half a week is not a fall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pkgstats.charts.wording import EPOCH, as_date
from pkgstats.stats import THURSDAY, WEEK, Period, period, weeks_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Resolution = Literal["day", "week", "month"]
"""How much time a point stands for."""

DAILY_MAX: Final = 120
"""Days of a span that is shown by day: more would be a saw of weekends."""

WEEKLY_MAX: Final = 3 * 366
"""Days of a span that is shown by week."""

TYPICAL_DAYS: Final[dict[Resolution, int]] = {"day": 1, "week": 7, "month": 30}
"""Days that a point stands for, about."""

COARSER: Final[dict[Resolution, Resolution]] = {"day": "week", "week": "month"}


def resolution_of(span: int) -> Resolution:
    """What a span of so many days is shown by."""
    if span <= DAILY_MAX:
        return "day"
    return "week" if span <= WEEKLY_MAX else "month"


def resampled(
    days: Mapping[int, int], by: Resolution, outages: Collection[int] = ()
) -> list[Period]:
    """Downloads by day, week (Monday to Sunday) or calendar month, oldest first.

    Periods of which a day was not told are left out. Those with outages are in, and say so: what
    was counted then was counted.
    """
    if by == "day":
        return [Period(day, day + 1, days[day], 1, int(day in outages)) for day in sorted(days)]
    found = weeks_of(days, outages) if by == "week" else _months_of(days, outages)
    return [one for one in found if one.told == one.stop - one.start]


def monday(day: int) -> int:
    """The first day of the week that a day lies in."""
    return day - (day + THURSDAY) % WEEK


def month_start(day: int, later: int = 0) -> int:
    """The first day of the month that a day lies in, or of one some months later."""
    told = as_date(day)
    months = told.year * 12 + told.month - 1 + later
    return (told.replace(year=months // 12, month=months % 12 + 1, day=1) - EPOCH).days


def _months_of(days: Mapping[int, int], outages: Collection[int]) -> list[Period]:
    found: list[Period] = []
    for day in sorted(days):
        if not found or day >= found[-1].stop:
            start = month_start(day)
            found.append(period(days, start, month_start(start, 1), outages))
    return found
