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
    *,
    by: Resolution,
    unit: str,
    outages: Collection[int],
) -> ChartTable:
    """Rows of a day, week or month, newest first: as fine as `ROWS_MAX` rows allow.

    Args:
        names: of the columns.
        told: counts by day, as many as names.
        by: no finer than this.
        unit: what is counted.
        outages: days; they make a column, if there were any.
    """
    days = len({day for one in told for day in one})
    fine = by
    while days // TYPICAL_DAYS[by] > ROWS_MAX and by in COARSER:
        by = COARSER[by]
    rows = _rows(told, by, outages)
    if not rows:  # there are days, but no whole week or month of them
        by, rows = fine, _rows(told, fine, outages)
    cut = f"; the newest {ROWS_MAX}" if len(rows) > ROWS_MAX else ""
    rows = rows[-ROWS_MAX:][::-1]
    lost = any(row[-1] for row in rows)
    return ChartTable(
        caption=f"{unit.capitalize()} {WHOLE[by]}{cut}",
        headers=(NAMED[by], *names, *(["Days of outage"] if lost else [])),
        rows=tuple(row if lost else row[:-1] for row in rows),
    )


def _rows(
    told: Sequence[Mapping[int, int]], by: Resolution, outages: Collection[int]
) -> list[tuple[str | int, ...]]:
    columns = [{one.start: one for one in resampled(days, by, outages)} for days in told]
    starts = sorted({start for column in columns for start in column})
    return [_row(start, [column.get(start) for column in columns], by) for start in starts]


def _row(start: int, cells: Sequence[Period | None], by: Resolution) -> tuple[str | int, ...]:
    named = month_text(start) if by == "month" else day_text(start)
    counts = [NOT_TOLD if one is None else one.downloads for one in cells]
    return (named, *counts, max((one.outages for one in cells if one), default=0))
