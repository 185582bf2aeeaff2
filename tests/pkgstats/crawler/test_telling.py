from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.crawler.telling import (
    TAIL_DAYS,
    Tail,
    fresh,
    grown,
    joined,
    landed,
    listed,
    told_days,
)
from pkgstats.records import counts
from pkgstats.records.model import Snapshot
from pkgstats.sources.downloads import DaySeries

if TYPE_CHECKING:
    from collections.abc import Sequence


def series(first: int, told: Sequence[int], name: str = "a") -> DaySeries:
    return DaySeries(name, first, tuple(told), 1_790_000_000_000, {})


def test_only_days_from_the_first_difference_on_are_new() -> None:
    tail = Tail(100, (1, 2, 0, 4))
    assert fresh(series(100, [1, 2, 0, 4]), tail) is None
    assert fresh(series(98, [9, 9, 1, 2]), tail) is None
    assert fresh(series(101, [2, 3, 4, 5]), tail) == series(102, [3, 4, 5])
    assert fresh(series(103, [4, 5]), tail) == series(104, [5])
    assert fresh(series(100, [1, 0, 0, 4]), tail) is None  # an outage takes nothing back
    assert fresh(series(100, [1]), None) == series(100, [1])
    assert fresh(series(100, []), None) is None


def test_the_last_zeros_have_not_landed_yet() -> None:
    assert landed(series(100, [5, 0, 0, 0]), 103).counts == (5, 0)
    assert landed(series(100, [5, 0, 0, 7]), 103).counts == (5, 0, 0, 7)
    assert landed(series(100, [0, 0]), 200).counts == (0, 0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=100), st.lists(st.integers(0, 9)))
def test_what_was_said_is_never_new_again(said: list[int], later: list[int]) -> None:
    tail = grown(None, 100, said)
    window = series(100, said + later)
    new = fresh(window, tail)
    assert (new is None) == (not later)
    if new is not None:
        after = grown(tail, new.first_day, new.counts)
        assert fresh(window, after) is None
        assert len(after.counts) <= TAIL_DAYS


def test_a_month_is_thirty_days_or_none() -> None:
    assert Tail(0, (1,) * 29).month() is None
    assert Tail(0, (9, *((1,) * 30))).month() == 30


def test_alike_days_are_told_together() -> None:
    found = [series(100, [1, 2], "a"), series(100, [3, 4], "b"), series(90, [5], "@s/c")]
    names, records = told_days(found, {}, 200)
    assert [block.names for block in names] == [("a", "b")]
    assert [record.name for record in records] == [None, "@s/c"]
    assert counts.unpack(records[0].counts, 2, 2) == [[1, 2], [3, 4]]


def test_windows_that_follow_each_other_are_one() -> None:
    parts = [series(103, [4]), series(100, [1, 2, 3]), series(110, [9])]
    assert list(joined(parts)) == [series(100, [1, 2, 3, 4]), series(110, [9])]


def test_a_row_has_one_line() -> None:
    found = Snapshot(name="a", version="1.0.0", description="two\nlines", observed_at=1)
    assert listed(found, 7) == ("a", "1.0.0", 7, "two lines")
