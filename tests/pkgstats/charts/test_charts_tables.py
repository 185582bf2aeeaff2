from __future__ import annotations

from pkgstats.charts.model import ROWS_MAX, ChartTable
from pkgstats.charts.resampling import Resolution, resampled
from pkgstats.charts.tables import NOT_TOLD, table_of

MONDAY = 20_514  # 2026-03-02


def table(days: dict[int, int], by: Resolution, lost: frozenset[int] = frozenset()) -> ChartTable:
    drawn = [resampled(days, by, lost)]
    return table_of(["react"], [days], drawn, by=by, unit="downloads", outages=lost)


def test_rows_are_newest_first_and_name_their_days() -> None:
    found = table({MONDAY: 5, MONDAY + 1: 7}, "day")
    assert found.headers == ("Day", "react")
    assert found.rows == (("3 Mar 2026", 7), ("2 Mar 2026", 5))
    assert found.caption == "Downloads by day"


def test_many_days_are_told_by_week_and_many_weeks_by_month() -> None:
    days = dict.fromkeys(range(MONDAY, MONDAY + 100), 1)
    found = table(days, "day")
    assert found.caption == "Downloads by week, whole weeks only"
    assert (len(found.rows), found.rows[-1]) == (14, ("2 Mar 2026", 7))
    found = table(dict.fromkeys(range(MONDAY, MONDAY + 600), 1), "week")
    assert found.rows[-1] == ("Apr 2026", 30)


def test_more_rows_than_can_be_read_are_cut_and_the_caption_says_so() -> None:
    days = dict.fromkeys(range(MONDAY - 4000, MONDAY), 1)
    found = table(days, "month")
    assert len(found.rows) == ROWS_MAX
    assert found.caption.endswith(f"the newest {ROWS_MAX}")
    scattered = dict.fromkeys(range(MONDAY - 1000, MONDAY, 2), 3)
    found = table(scattered, "day")
    assert len(found.rows) == ROWS_MAX
    assert found.caption == f"Downloads by day; the newest {ROWS_MAX}"


def test_outages_have_a_column_where_there_were_any() -> None:
    days = dict.fromkeys(range(MONDAY, MONDAY + 14), 1)
    found = table(days, "week", frozenset({MONDAY, MONDAY + 2}))
    assert found.headers[-1] == "Days of outage"
    assert [row[-1] for row in found.rows] == [0, 2]


def test_what_one_of_two_does_not_tell_is_named() -> None:
    told = [{1: 5, 2: 6}, {2: 7}]
    drawn = [resampled(days, "day") for days in told]
    found = table_of(["a", "b"], told, drawn, by="day", unit="downloads", outages=())
    assert found.rows == (("3 Jan 1970", 6, 7), ("2 Jan 1970", 5, NOT_TOLD))
