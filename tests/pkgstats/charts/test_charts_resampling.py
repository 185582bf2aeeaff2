from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.model import FIRST_DAY, LAST_DAY
from pkgstats.charts.resampling import (
    DAILY_MAX,
    WEEKLY_MAX,
    Resolution,
    monday,
    month_start,
    resampled,
    resolution_of,
)
from pkgstats.charts.wording import as_date

JANUARY = 20_454  # 2026-01-01, a Thursday


def test_a_span_is_shown_by_what_fits_it() -> None:
    assert [resolution_of(span) for span in (1, DAILY_MAX, DAILY_MAX + 1)] == ["day", "day", "week"]
    assert [resolution_of(WEEKLY_MAX), resolution_of(WEEKLY_MAX + 1)] == ["week", "month"]


def test_only_whole_weeks_count_and_say_how_many_outages() -> None:
    days = dict.fromkeys(range(JANUARY, JANUARY + 20), 2)
    found = resampled(days, "week", outages={JANUARY + 5})
    assert [(one.start - JANUARY, one.downloads, one.outages) for one in found] == [
        (4, 14, 1),
        (11, 14, 0),
    ]


def test_only_whole_months_count() -> None:
    days = dict.fromkeys(range(JANUARY - 3, JANUARY + 31 + 28 + 5), 1)
    assert [one.downloads for one in resampled(days, "month")] == [31, 28]
    del days[JANUARY + 3]
    assert [one.downloads for one in resampled(days, "month")] == [28]


def test_days_stay_days() -> None:
    found = resampled({5: 1, 3: 2}, "day", outages={5})
    assert [(one.start, one.stop, one.downloads, one.outages) for one in found] == [
        (3, 4, 2, 0),
        (5, 6, 1, 1),
    ]


@given(st.integers(FIRST_DAY, LAST_DAY), st.integers(0, 40))
def test_months_begin_on_firsts_and_weeks_on_mondays(day: int, later: int) -> None:
    first = month_start(day, later)
    assert as_date(first).day == 1
    assert 28 * later - 31 < first - day <= 31 * later
    assert as_date(monday(day)).weekday() == 0
    assert 0 <= day - monday(day) < 7


@pytest.mark.parametrize("by", ["day", "week", "month"])
@given(days=st.dictionaries(st.integers(-40, 90), st.integers(0, 99)))
def test_no_download_is_made_up(by: Resolution, days: dict[int, int]) -> None:
    found = resampled(days, by)
    assert sum(one.downloads for one in found) <= sum(days.values())
    assert [one.start for one in found] == sorted({one.start for one in found})
    assert all(one.told == one.stop - one.start for one in found)
