from __future__ import annotations

from pkgstats.crawler import sampling
from pkgstats.records import counts
from pkgstats.records.model import DayCounts

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


def test_only_settled_days_are_compared() -> None:
    record = DayCounts(
        observed_at=24 * 86_400_000, name="a", first_day=18, span=5, counts=counts.pack([[1] * 5])
    )
    assert set(sampling.row_of(record, None, "a")) == {18, 19, 20}
