from __future__ import annotations

from pkgstats.charts.model import COUNT_MAX, FIRST_DAY, LAST_DAY, POINTS_MAX, bounded


def test_what_was_not_told_is_left_out_and_the_rest_in_order() -> None:
    assert list(bounded([(3, 5), (1, 0), (2, None)]).items()) == [(1, 0), (3, 5)]


def test_counts_and_days_that_cannot_be_are_left_out() -> None:
    assert bounded([(1, -1), (FIRST_DAY - 1, 5), (LAST_DAY, 5)]) == {}
    assert bounded([(1, 2**80)]) == {1: COUNT_MAX}


def test_of_too_many_points_the_newest_are_kept() -> None:
    kept = bounded([(day, 1) for day in range(POINTS_MAX + 10)])
    assert (len(kept), min(kept)) == (POINTS_MAX, 10)
