"""The numbers of a chart as rows, few enough to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.charts.model import ROWS_MAX, ChartTable
from pkgstats.charts.resampling import COARSER, TYPICAL_DAYS, resampled
from pkgstats.charts.wording import day_text, month_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pkgstats.charts.resampling import Resolution
    from pkgstats.stats import Period

NOT_TOLD: Final = "not told"

NAMED: Final[dict[Resolution, str]] = {
    "day": "Day",
    "week": "Week from Monday",
    "month": "Month",
}

WHOLE: Final[dict[Resolution, str]] = {
    "day": "by day",
    "week": "by week, whole weeks only",
    "month": "by month, whole months only",
}


def table_of(
    names: Sequence[str],
    told: Sequence[Mapping[int, int]],
    drawn: Sequence[Sequence[Period]],
    *,
    by: Resolution,
    unit: str,
    outages: Collection[int],
) -> ChartTable:
    """Rows of a day, week or month, newest first: as fine as `ROWS_MAX` rows allow.

    Args:
        names: of the columns.
        told: counts by day, as many as names.
        drawn: the same as it is drawn.
        by: what that is by; the rows are no finer.
        unit: what is counted.
        outages: days; they make a column, if there were any.
    """
    days = len({day for one in told for day in one})
    coarse = by
    while days // TYPICAL_DAYS[coarse] > ROWS_MAX and coarse in COARSER:
        coarse = COARSER[coarse]
    rows = _rows([resampled(one, coarse, outages) for one in told]) if coarse != by else []
    by = coarse if rows else by  # there may be days, but no whole week or month of them
    rows = rows or _rows(drawn)
    cut = f"; the newest {ROWS_MAX}" if len(rows) > ROWS_MAX else ""
    rows = rows[-ROWS_MAX:][::-1]
    cells = [(_named(start, by), *_counts(found), _lost(found)) for start, found in rows]
    lost = any(row[-1] for row in cells)
    return ChartTable(
        caption=f"{unit.capitalize()} {WHOLE[by]}{cut}",
        headers=(NAMED[by], *names, *(["Days of outage"] if lost else [])),
        rows=tuple(row if lost else row[:-1] for row in cells),
    )


def _rows(columns: Sequence[Sequence[Period]]) -> list[tuple[int, list[Period | None]]]:
    """When each row starts, and what each column tells of it; oldest first."""
    by_start = [{one.start: one for one in column} for column in columns]
    starts = sorted({start for column in by_start for start in column})
    return [(start, [column.get(start) for column in by_start]) for start in starts]


def _named(start: int, by: Resolution) -> str:
    return month_text(start) if by == "month" else day_text(start)


def _counts(cells: Sequence[Period | None]) -> list[str | int]:
    return [NOT_TOLD if one is None else one.downloads for one in cells]


def _lost(cells: Sequence[Period | None]) -> int:
    return max((one.outages for one in cells if one), default=0)
