"""From counts and days to places in the picture, and the marks that make them readable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.charts.resampling import month_start
from pkgstats.charts.wording import MONTHS, as_date, month_text

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVALS_MAX: Final = 4
"""Between the lines of the grid: enough to read a value, few enough to forget them."""

TICK_WIDTH: Final = 230
"""Units from one date to the next, at least: "Oct 2025" and room around it."""

DAY_STEPS: Final = (1, 2, 7, 14, 21)
"""Days between dates, where they are closer than a month."""

MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 3600)
"""Months between dates; a step of 12 and more falls on Januaries."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the picture that has the data: days ``[start, stop)``, counts ``0`` to ``top``.

    Attributes:
        left, right, high, low: its edges, in units of the picture; ``low`` is where 0 is.
    """

    left: int
    right: int
    high: int
    low: int
    start: int
    stop: int
    top: int

    def x(self, day: float) -> int:
        """Where a day begins; its middle is half a day later."""
        width = self.right - self.left
        return self.left + round((day - self.start) * width / (self.stop - self.start))

    def y(self, count: float) -> int:
        """Where a count is."""
        return self.low - round(count * (self.low - self.high) / self.top)


def count_ticks(most: int) -> list[int]:
    """Round numbers from 0 to at least ``most``: 0, 500k, 1M."""
    step = _nice(max(1, -(-most // INTERVALS_MAX)))
    return list(range(0, max(step, -(-most // step) * step) + 1, step))


def date_ticks(start: int, stop: int, width: int, unit: int = 1) -> list[tuple[int, str]]:
    """Days of ``[start, stop)`` to be named, and their names; years where they change.

    Args:
        start, stop: the span.
        width: of the picture's part, in units; decides how many names fit.
        unit: days that a point stands for; dates are no closer.
    """
    room = max(2, width // TICK_WIDTH)
    for step in DAY_STEPS:
        if step >= unit and (stop - start - 1) // step < room:
            return _named(list(range(start, stop, step)), daily=True)
    for months in MONTH_STEPS:
        days = list(_months(start, stop, months))
        if len(days) <= room:
            break
    return _named(days, daily=False, yearly=months >= MONTH_STEPS[4])


def _nice(least: int) -> int:
    power = int("1" + "0" * (len(str(least)) - 1))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least)


def _months(start: int, stop: int, step: int) -> Iterator[int]:
    """First days of months, counted from a January so that the same ones return each year."""
    told = as_date(start)
    behind = (told.year * 12 + told.month - 1) % step
    day = month_start(start, (step - behind) % step)
    if day < start:
        day = month_start(day, step)
    while day < stop:
        yield day
        day = month_start(day, step)


def _named(days: list[int], *, daily: bool, yearly: bool = False) -> list[tuple[int, str]]:
    names = []
    year = None
    for day in days:
        told = as_date(day)
        name = month_text(day) if told.year != year else MONTHS[told.month - 1]
        year = told.year
        names.append(str(year) if yearly else f"{told.day} {name}" if daily else name)
    return list(zip(days, names, strict=True))
