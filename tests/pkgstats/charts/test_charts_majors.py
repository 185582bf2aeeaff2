from __future__ import annotations

from pkgstats.charts.majors import by_major

MONDAY = 20_514


def test_versions_are_summed_by_their_major_the_newest_first() -> None:
    told = [("9.1.0", 6, 1), ("10.0.0", 6, 2), ("10.2.0-rc.1", 6, 3), ("10.0.0", 13, 4)]
    found = by_major(told)
    assert [(one.name, list(one.points)) for one in found] == [
        ("10.x", [(6, 5), (13, 4)]),
        ("9.x", [(6, 1)]),
    ]


def test_what_is_no_version_is_other_and_comes_last() -> None:
    found = by_major([("nightly", 6, 1), ("01.2.3", 6, 2), ("v0.1.0", 6, 4), ("9" * 400, 6, 8)])
    assert [(one.name, list(one.points)) for one in found] == [
        ("0.x", [(6, 4)]),
        ("other", [(6, 11)]),
    ]


def test_of_two_reports_in_a_calendar_week_the_later_one_counts() -> None:
    told = [("1.0.0", MONDAY, 5), ("1.0.0", MONDAY + 6, 7), ("1.0.0", MONDAY + 7, 9)]
    assert list(by_major(told)[0].points) == [(MONDAY + 6, 7), (MONDAY + 7, 9)]


def test_nothing_is_no_band() -> None:
    assert by_major([]) == []
