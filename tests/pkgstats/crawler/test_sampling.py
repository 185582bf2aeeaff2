from __future__ import annotations

from pkgstats.crawler import sampling
from pkgstats.records import counts
from pkgstats.records.model import DayCounts, WeekCounts

KEY, SEED = b"w" * 32, b"s" * 32


def test_one_in_a_thousand_is_selected_and_others_each_day() -> None:
    names = [f"P package-{number}" for number in range(50_000)]
    chosen = [
        {name for name in names if sampling.is_selected(SEED, KEY, day, name)} for day in (1, 2)
    ]
    assert all(25 < len(one) < 80 for one in chosen)
    assert len(chosen[0] & chosen[1]) < 5
    assert chosen[0] == {name for name in names if sampling.is_selected(SEED, KEY, 1, name)}
    assert not all(sampling.is_selected(b"other", KEY, 1, name) for name in chosen[0])


def test_counts_that_differ_by_more_than_a_hundredth_are_wrong() -> None:
    assert sampling.days_wrong({1: 1000}, {1: 1010}) is False
    assert sampling.days_wrong({1: 1000}, {1: 1011}) is True
    assert sampling.days_wrong({1: 0, 2: 5}, {1: 7, 2: 0}) is None


def test_weeks_are_compared_with_the_same_week_alone() -> None:
    told = {"1.0.0": 100, "2.0.0": 50, "3.0.0": 0}
    assert sampling.week_wrong(told, 9, {"1.0.0": 100, "2.0.0": 50, "3.0.0": 7}, 9) is False
    assert sampling.week_wrong(told, 9, {"1.0.0": 120, "2.0.0": 99}, 9) is False, "counted later"
    assert sampling.week_wrong(told, 9, {"1.0.0": 100, "2.0.0": 101}, 9) is True
    assert sampling.week_wrong(told, 9, {"1.0.0": 98}, 9) is True
    assert sampling.week_wrong(told, 9, {"1.0.0": 1}, 10) is None
    assert sampling.week_wrong(told, 9, {"4.0.0": 1, "3.0.0": 5, "1.0.0": 0}, 9) is None


def test_only_the_last_week_can_be_asked_for_again() -> None:
    week = WeekCounts(observed_at=0, name="a", last_day=100, versions={"2.0.0": 1, "1.0.0": 2})
    assert list(sampling.subjects(week, None, 103)) == [("W a 100 1.0.0", "a")]
    assert list(sampling.subjects(week, None, 104)) == []


def test_a_month_is_wrong_if_no_month_of_the_year_before_was_like_it() -> None:
    year = {day: 100 if day < 200 else 10 for day in range(365)}
    for told in (300, 2900, 1000, 226, 3749):
        assert sampling.month_wrong(told, year, 365) is False
    for told in (224, 3751, 1):
        assert sampling.month_wrong(told, year, 365) is True
    assert sampling.month_wrong(0, year, 365) is None
    assert sampling.month_wrong(5, {}, 365) is None
    assert sampling.month_wrong(5, dict.fromkeys(range(365), 0), 365) is None
    assert sampling.month_wrong(5, dict.fromkeys(range(340, 365), 9), 365) is None


def test_one_wrong_part_is_enough_and_one_that_is_right_too() -> None:
    assert sampling.either([None, False]) is False
    assert sampling.either([False, True]) is True
    assert sampling.either([None, None]) is None


def test_only_settled_days_are_compared() -> None:
    record = DayCounts(
        observed_at=24 * 86_400_000, name="a", first_day=18, span=5, counts=counts.pack([[1] * 5])
    )
    assert set(sampling.row_of(record, None, "a")) == {18, 19, 20}
