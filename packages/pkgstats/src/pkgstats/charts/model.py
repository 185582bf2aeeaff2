"""What goes into a chart and what comes out, and how much of it at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

POINTS_MAX: Final = 4000
"""Points of one series; of more, the newest are drawn."""

SERIES_MAX: Final = 6
"""Lines in one chart: as many as can be told apart."""

BANDS_MAX: Final = 6
"""Bands of a stack, "other" among them."""

ROWS_MAX: Final = 60
"""Rows of the table beside a chart."""

COUNT_MAX: Final = 2**53
"""The largest count that JSON can tell."""

FIRST_DAY: Final = -25_567
"""1900-01-01. What lies before is left out: nobody counted downloads then."""

LAST_DAY: Final = 84_006
"""2200-01-01. What lies behind is left out."""


@dataclass(frozen=True, slots=True)
class Series:
    """Counts over time, of one package, or of one major version.

    Attributes:
        name: what it is called; may come from strangers.
        points: day (since 1970-01-01, UTC) and count; None, or no point at all: not told.
    """

    name: str
    points: Sequence[tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The numbers of a chart, to be read beside it.

    Attributes:
        caption: what they are, and of which days.
        headers: of the columns.
        rows: as many cells each as there are headers; text is not escaped.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, and its numbers.

    Attributes:
        svg: an ``<svg>`` element; all text in it is escaped.
        table: the same as a table; without rows where nothing was told.
    """

    svg: str
    table: ChartTable


def bounded(points: Sequence[tuple[int, int | None]]) -> dict[int, int]:
    """What was told of a series, by day, oldest first: within the bounds of this module."""
    told = {
        day: min(count, COUNT_MAX)
        for day, count in points
        if count is not None and count >= 0 and FIRST_DAY <= day < LAST_DAY
    }
    return {day: told[day] for day in sorted(told)[-POINTS_MAX:]}
