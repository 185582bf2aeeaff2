from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from pkgstats.crawler import plan
from pkgstats.crawler.plan import FULL, LIGHT, Work
from pkgstats.records.model import Heartbeat
from pkgstats.view.facts import WriterFacts

NOW = 1_790_000_000_000
KEYS = [hashlib.blake2b(bytes([number]), digest_size=32).digest() for number in range(4)]
NAMES = [f"package-{number}" for number in range(2000)]


def writer(key: bytes, beat_at: int | None, role: str = "crawler") -> WriterFacts:
    heartbeat = None if beat_at is None else Heartbeat(observed_at=beat_at)
    return WriterFacts(key, role, None, heartbeat, {}, 0, 0, aside=False)


def test_each_name_has_one_owner_and_all_have_about_as_many() -> None:
    owned = [plan.owner(name, KEYS) for name in NAMES]
    assert owned == [plan.owner(name, KEYS[::-1]) for name in NAMES]
    counts = [owned.count(key) for key in KEYS]
    assert sum(counts) == 2000
    assert all(400 < count < 600 for count in counts)


def test_when_one_leaves_only_its_names_change_hands() -> None:
    for name in NAMES:
        before = plan.owner(name, KEYS)
        after = plan.owner(name, KEYS[1:])
        assert before in {after, KEYS[0]}


def test_mine_are_a_part_of_all_and_all_where_i_am_alone() -> None:
    parts = [set(plan.mine(NAMES, key, KEYS)) for key in KEYS]
    assert set().union(*parts) == set(NAMES)
    assert sum(map(len, parts)) == len(NAMES)
    assert list(plan.mine(NAMES, KEYS[0], [])) == NAMES


@pytest.mark.parametrize(
    ("one", "heard"),
    [
        (writer(KEYS[1], NOW - plan.FRESH_MS), True),
        (writer(KEYS[1], NOW - plan.FRESH_MS - 1), False),
        (writer(KEYS[1], NOW + 2 * plan.FRESH_MS), False),
        (writer(KEYS[1], NOW, role="watcher"), False),
        (writer(KEYS[1], NOW, role=""), False),
        (replace(writer(KEYS[1], NOW), aside=True), False),
        (writer(KEYS[1], None), False),
        (writer(KEYS[0], None), True),
    ],
)
def test_who_is_at_work(one: WriterFacts, heard: bool) -> None:
    assert bool(plan.heard_of([one], KEYS[0], NOW)) is heard


def test_what_waits_longest_comes_first_and_what_is_fresh_not_at_all() -> None:
    checked = {"a": NOW - plan.DAY_MS, "b": NOW - 8 * plan.DAY_MS, "c": NOW - 21 * plan.DAY_MS}
    assert plan.due(["a", "b", "c", "new"], checked, NOW) == ["new", "c", "b"]
    assert plan.due(["a", "b", "c", "new"], checked, NOW, limit=1) == ["new"]
    ahead = {"a": NOW + plan.DAY_MS}  # the clock was set back
    assert plan.due(["a"], ahead, NOW) == ["a"]


def test_tiers() -> None:
    assert plan.period_ms(0) == plan.WEEK_MS
    assert plan.period_ms(plan.TOP) == plan.MONTH_MS
    assert plan.period_ms(plan.LISTED) == plan.HALF_YEAR_MS
    assert plan.period_ms(plan.LISTED, watched=True) == plan.WEEK_MS


def test_a_run_leaves_out_what_was_looked_at_lately() -> None:
    checked = {"a": NOW - 1000, "b": NOW - 5000, "ahead": NOW + 5}
    assert list(plan.unchecked(["a", "b", "c", "ahead"], checked, NOW, 2000)) == ["b", "c", "ahead"]
    assert list(plan.unchecked(["a"], checked, NOW, 0)) == ["a"]


def test_days_are_asked_from_a_month_before_the_end_of_what_was_said() -> None:
    assert plan.first_day(None, 20_000) == 20_000 - 364
    assert plan.first_day(20_000, 20_000) == 20_000 - 30
    assert plan.first_day(15_000, 20_000) == 20_000 - 364
    assert plan.first_day(30_000, 20_000) == 20_000 - 30


def test_a_dry_run_names_each_request() -> None:
    last = 20_699
    asks = list(plan.asks(Work(("a", "@s/b", "c"), FULL), {"a": last, "c": last}, last))
    assert [one.path for one in asks] == [
        "/a",
        "/@s%2Fb",
        "/c",
        "/downloads/range/2025-09-04:2026-09-03/@s/b",
        "/downloads/range/2026-08-04:2026-09-03/a,c",
        "/downloads/range/2025-09-04:2026-09-03",
        "/downloads/point/last-week",
        "/versions/a/last-week",
        "/versions/@s%2Fb/last-week",
        "/versions/c/last-week",
    ]
    light = list(plan.asks(Work(("a",), LIGHT), {}, last))
    assert [one.path for one in light] == [
        "/a/latest",
        "/downloads/range/2025-09-04:2026-09-03/,a",
        "/downloads/range/2025-09-04:2026-09-03",
    ]
