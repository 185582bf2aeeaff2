from __future__ import annotations

import math

from hypermultifeed.discovery.quota import Quota


def test_each_and_all_together_are_limited() -> None:
    quota = Quota(10.0, each=2, total=3)
    assert [quota.allow("a", 100.0) for _ in range(4)] == [True, True, False, False]
    assert quota.allow("b", 109.9)
    assert not quota.allow("c", 109.9)


def test_what_is_refused_does_not_count() -> None:
    quota = Quota(10.0, each=1, total=2)
    assert [quota.allow("a", 0.0) for _ in range(9)].count(True) == 1
    assert quota.allow("b", 0.0)


def test_the_next_window_begins_with_its_first_use() -> None:
    quota = Quota(10.0, each=1, total=1)
    assert quota.allow("a", 100.0)
    assert not quota.allow("a", 109.9)
    assert quota.allow("a", 115.0)
    assert not quota.allow("a", 124.9)
    assert quota.allow("a", 125.0)


def test_it_says_when_there_is_more() -> None:
    quota = Quota(10.0, each=2, total=2)
    assert quota.renewed_at == -math.inf
    quota.allow("a", 100.0)
    assert quota.renewed_at == -math.inf
    quota.allow("a", 103.0)
    assert quota.renewed_at == 110.0


def test_it_remembers_no_more_than_the_total() -> None:
    quota = Quota(10.0, each=1, total=5)
    for number in range(1000):
        quota.allow(str(number), 100.0)
    assert len(quota._counts) == 5
