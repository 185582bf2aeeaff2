from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.stats import growth, outages_of, period, share, weeks_of

DAYS = st.dictionaries(st.integers(0, 60), st.integers(0, 1000))


def test_a_sum_is_of_what_was_told_and_says_of_how_many_days() -> None:
    found = period({1: 5, 2: 0, 4: 7}, 0, 5, outages={2})
    assert (found.downloads, found.told, found.outages) == (12, 3, 1)


def test_growth_is_against_the_period_before() -> None:
    days = dict.fromkeys(range(7), 10) | dict.fromkeys(range(7, 14), 15)
    found = growth(days, 7, 14)
    assert found.ratio == 1.5
    assert (found.now.downloads, found.before.downloads) == (105, 70)


def test_an_outage_is_no_fall_and_its_end_no_rise() -> None:
    days = dict.fromkeys(range(14), 10)
    days[9] = 0
    assert growth(days, 7, 14).ratio == pytest.approx(6 / 7)
    assert growth(days, 7, 14, outages={9}).ratio == 1.0
    assert growth(days, 7, 21, outages={9}).ratio is None


def test_nothing_is_compared_with_nothing() -> None:
    assert growth({}, 7, 14).ratio is None
    assert growth(dict.fromkeys(range(14), 0), 7, 14).ratio is None
    few = {day: 10 for day in range(14) if day % 7 < 4}
    assert growth(few, 7, 14).ratio is None


def test_an_outage_is_when_all_that_matter_read_zero() -> None:
    popular = [{day: 0 if day == 3 else 100 + number for day in range(7)} for number in range(25)]
    unpopular = [dict.fromkeys(range(7), 0), {3: 1}]
    assert outages_of([*popular, *unpopular]) == {3}
    assert outages_of(popular[:5]) == set()
    assert outages_of(popular, {2: 0, 3: 9, 4: 7}) == {2}, "the whole decides where it is told"
    assert outages_of(popular, {2: 0, 4: 7}) == {2, 3}
    popular[7][3] = 5
    assert outages_of(popular) == set()


def test_weeks_begin_on_mondays() -> None:
    start = 20_702
    found = weeks_of(dict.fromkeys(range(start, start + 14), 1), outages=[start + 1])
    assert all((one.start + 3) % 7 == 0 for one in found)
    assert sum(one.downloads for one in found) == 14
    assert sum(one.outages for one in found) == 1


def test_a_share_is_of_days_told_of_both() -> None:
    assert share({1: 5, 2: 5}, {1: 50, 3: 9}, 0, 9) == 0.1
    assert share({}, {1: 50}, 0, 9) == 0


@given(DAYS, st.integers(1, 30), st.integers(0, 70), st.sets(st.integers(0, 60)))
def test_no_number_is_made_up(days: dict[int, int], span: int, stop: int, out: set[int]) -> None:
    found = growth(days, span, stop, out)
    assert found.now.downloads + found.before.downloads <= sum(days.values())
    assert sum(one.downloads for one in weeks_of(days)) == sum(days.values())
    assert found.ratio is None or found.ratio >= 0
