"""The limiter under a clock that only the test moves."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.sources.errors import BudgetError
from pkgstats.sources.limiter import (
    BURST,
    DAY_S,
    GROUP_RATE_MAX,
    HOST_RATE,
    PAUSE_MAX_S,
    PAUSE_S,
    PENALTY_S,
    RATES,
    Limiter,
    Rate,
    read_retry_after,
    share_of,
)

NOON = 20_700 * 86_400.0 + 43_200
HOST = "127.0.0.1"


def run(limiter: Limiter, role: str, start: float, seconds: float, chance: float = 0.0) -> int:
    """Ask as fast as may be for so long; how many requests went."""
    now, made = start, 0
    while now < start + seconds:
        if wait := limiter.wait(role, HOST, now):
            now += wait
            continue
        limiter.take(role, HOST, now, chance)
        made += 1
    return made


@pytest.mark.parametrize("role", RATES)
def test_rates_are_kept_for_hours(role: str) -> None:
    limiter = Limiter(NOON, share=10.0)
    rate = RATES[role]
    made = run(limiter, role, NOON, 7200)
    assert rate.per_s * 7200 - 1 <= made <= rate.per_s * 7200 + rate.burst + 1


def test_the_share_bounds_all_roles_together() -> None:
    limiter = Limiter(NOON, share=0.1)
    now, made = NOON, 0
    for _ in range(1000):
        for role in RATES:
            if not limiter.wait(role, HOST, now):
                limiter.take(role, HOST, now, 0.0)
                made += 1
        now += 1
    assert made <= 0.1 * 1000 + BURST + 1
    limiter.set_share(0.0)
    assert 0 < limiter.wait("registry", HOST, now) <= PAUSE_MAX_S


def test_roles_at_one_host_share_its_rate() -> None:
    limiter = Limiter(NOON, share=100.0, rates={"a": Rate(10, 9), "b": Rate(10, 9)})
    made = 0
    for second in range(500):
        for role in ("a", "b"):
            if not limiter.wait(role, HOST, NOON + second):
                limiter.take(role, HOST, NOON + second, 0.0)
                made += 1
    assert made <= HOST_RATE.per_s * 500 + HOST_RATE.burst


def test_chance_only_slows() -> None:
    chances = random.Random(1)
    fast, slow = Limiter(NOON, share=9.0), Limiter(NOON, share=9.0)
    most = run(fast, "registry", NOON, 1000)
    now, made = NOON, 0
    while now < NOON + 1000:
        if wait := slow.wait("registry", HOST, now):
            now += wait
            continue
        slow.take("registry", HOST, now, chances.random())
        made += 1
    assert 0.85 * most < made < most


def test_a_refusal_pauses_and_halves_for_an_hour() -> None:
    limiter = Limiter(NOON)
    assert limiter.refused("downloads", HOST, NOON, None, 0.0) == PAUSE_S
    assert limiter.wait("downloads", HOST, NOON) == PAUSE_S
    assert limiter.wait("registry", HOST, NOON) == 0.0
    assert limiter.rate(NOON) == 250
    after = NOON + PAUSE_S
    made = run(limiter, "downloads", after, PENALTY_S - PAUSE_S - 1)
    assert made <= 0.25 * PENALTY_S + RATES["downloads"].burst + 1
    assert limiter.rate(NOON + PENALTY_S) == 500


def test_requests_on_their_way_halve_once_and_later_ones_again() -> None:
    limiter = Limiter(NOON)
    for _ in range(4):
        limiter.refused("downloads", HOST, NOON, "10", 0.0)
    lane = limiter._lanes["downloads", HOST]
    assert lane.factor(NOON) == 0.5
    limiter.refused("downloads", HOST, NOON + 11, "10", 0.0)
    assert lane.factor(NOON + 11) == 0.25
    for turn in range(10):
        limiter.refused("downloads", HOST, NOON + 100 * turn, "10", 0.0)
    assert lane.factor(NOON + 1000) == 1 / 16


@pytest.mark.parametrize("said", [None, "0", "soon", "-5", "9" * 70])
def test_a_refusal_that_says_nothing_pauses_longer_each_time(said: str | None) -> None:
    limiter = Limiter(NOON)
    pauses = [limiter.refused("search", HOST, NOON, said, 0.0) for _ in range(8)]
    assert pauses[:3] == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    assert pauses[-1] == PAUSE_MAX_S
    limiter.answered("search", HOST, NOON)
    assert limiter.refused("search", HOST, NOON, said, 0.5) == PAUSE_S * 1.1


def test_retry_after_is_seconds_or_a_date() -> None:
    assert read_retry_after("120", NOON) == 120
    date = format_datetime(datetime.fromtimestamp(NOON + 90, UTC), usegmt=True)
    assert read_retry_after(date, NOON) == 90
    assert read_retry_after(date, NOON + 100) == 0
    assert read_retry_after("Mon, 99 Foo 2026 00:00:00 GMT", NOON) is None
    limiter = Limiter(NOON)
    assert limiter.refused("registry", HOST, NOON, date, 0.0) == 90
    assert limiter.refused("registry", HOST, NOON, "99999999", 0.0) == PAUSE_MAX_S


@given(st.text(max_size=80))
def test_any_retry_after_is_read_or_left(text: str) -> None:
    found = read_retry_after(text, NOON)
    assert found is None or found >= 0


def test_failures_pause_a_little_and_a_clock_set_back_locks_nothing() -> None:
    limiter = Limiter(NOON)
    assert [limiter.failed("registry", HOST, NOON, 0.0) for _ in range(3)] == [2, 4, 8]
    assert limiter.failed("registry", HOST, NOON, 0.0, "300") == 300 * 8
    assert limiter.wait("registry", HOST, NOON - 1_000_000) <= PAUSE_MAX_S
    assert limiter.rate(NOON) == 500


def test_the_requests_of_a_day_are_counted() -> None:
    midnight = 20_701 * 86_400.0
    limiter = Limiter(NOON, day_max=5, spent=(20_700, 3))
    for _ in range(2):
        assert limiter.wait("registry", HOST, NOON) == 0
        limiter.take("registry", HOST, NOON, 0.0)
    assert limiter.spent == (20_700, 5)
    with pytest.raises(BudgetError) as caught:
        limiter.wait("registry", HOST, midnight - 1)
    assert caught.value.until == midnight
    assert limiter.wait("registry", HOST, midnight) == 0
    limiter.take("registry", HOST, midnight, 0.0)
    assert limiter.spent == (20_701, 1)
    assert DAY_S == 86_400


def test_shares_add_up_to_the_groups_budget() -> None:
    assert share_of(500, 4) == 0.125
    assert share_of(500, 4, refused=2) == 0.125
    assert share_of(500, 4, refused=3) == 0.0625
    assert share_of(10**9, 1) == GROUP_RATE_MAX
    assert share_of(500, 0) == 0.5


def test_counters_tell_roles_not_hosts() -> None:
    limiter = Limiter(NOON)
    for host in ("a.example.org", "b.example.org"):
        limiter.take("registry", host, NOON, 0.0)
    limiter.refused("registry", "a.example.org", NOON, None, 0.0)
    limiter.failed("search", "a.example.org", NOON, 0.0)
    counters = limiter.counters()
    assert (counters["registry"].asked, counters["registry"].refused) == (2, 1)
    assert counters["search"].failed == 1
    assert limiter.take_refusals() == {"registry": 1}
    assert limiter.take_refusals() == {}
