"""How long candidates rest, and who is given up when."""

from __future__ import annotations

from random import Random

import pytest

from hypermultifeed.peers.backoff import (
    FORGET_S,
    JITTER,
    KEPT_MAX,
    NAMED_S,
    PATIENT_WAIT_S,
    RECONNECT_WAIT_S,
    RETRY_WAITS_S,
    USEFUL_S,
    Backoff,
)
from hypermultifeed.peers.candidate import Candidate, State

LOW, HIGH = JITTER


class Same:
    """Chance that always falls the same way."""

    def random(self) -> float:
        return 0.5


def candidate(number: int = 0, *, failures: int = 0, pinned: bool = False) -> Candidate:
    made = Candidate(("198.51.100.7", number), source="node", local=False)
    made.failures = failures
    made.pinned = pinned
    return made


def rest(backoff: Backoff, one: Candidate, now: float) -> float:
    """Let it rest after a failure; returns when it has rested."""
    backoff.rest(one, now)
    assert one.state is State.RESTING
    assert backoff.next_time == one.since
    assert [*backoff.rested(one.since - 0.001)] == []
    assert [*backoff.rested(one.since)] == [one]
    return one.since


def test_waits_grow_and_then_it_is_remembered_for_a_while() -> None:
    backoff, one = Backoff(Random(1)), candidate()
    now = 0.0
    for wait in RETRY_WAITS_S:
        then = rest(backoff, one, now)
        assert LOW * wait <= then - now <= HIGH * wait
        assert not backoff.gives_up(one, then)
        now = then
    then = rest(backoff, one, now)
    assert LOW * FORGET_S <= then - now <= HIGH * FORGET_S
    assert backoff.gives_up(one, then)
    assert backoff.next_time is None


def test_waits_are_spread() -> None:
    backoff = Backoff(Random(1))
    resting = [candidate(number) for number in range(20)]
    for one in resting:
        backoff.rest(one, 0.0)
    assert len({one.since for one in resting}) == 20
    assert [*backoff.rested(100.0)] == sorted(resting, key=lambda one: one.since)


def test_of_those_whose_time_is_the_same_the_first_comes_first() -> None:
    backoff = Backoff(Same())
    resting = [candidate(number) for number in range(20)]
    for one in resting:
        backoff.rest(one, 0.0)
    assert [*backoff.rested(100.0)] == resting


def test_after_a_connection_that_was_no_failure_the_wait_is_short_and_failures_count_anew() -> None:
    backoff, one = Backoff(Random(1)), candidate(failures=3)
    backoff.rest_shortly(one, 10.0)
    assert LOW * RECONNECT_WAIT_S <= one.since - 10.0 <= HIGH * RECONNECT_WAIT_S
    assert one.failures == 1


def test_who_was_woken_meanwhile_has_not_rested() -> None:
    backoff, one, again = Backoff(Same()), candidate(1), candidate(2)
    backoff.rest(one, 0.0)
    backoff.rest(again, 0.0)
    one.state = State.WAITING
    backoff.rest(again, RETRY_WAITS_S[0] / 2)
    assert [*backoff.rested(again.since - 0.1)] == []
    assert [*backoff.rested(again.since)] == [again]


@pytest.mark.parametrize("pinned", [True, False])
def test_with_some_there_is_patience(pinned: bool) -> None:
    backoff = Backoff(Random(1))
    one = candidate(failures=len(RETRY_WAITS_S), pinned=pinned)
    if not pinned:
        backoff.keep_named(one, 0.0)
    then = rest(backoff, one, 0.0)
    assert LOW * PATIENT_WAIT_S <= then <= HIGH * PATIENT_WAIT_S
    assert not backoff.gives_up(one, NAMED_S - 0.1)
    assert backoff.gives_up(one, NAMED_S) is not pinned
    backoff.keep_no_longer(one)
    assert backoff.gives_up(one, then) is not pinned


def test_few_are_kept_and_a_useful_one_takes_the_place_of_the_oldest() -> None:
    backoff = Backoff(Random(1))
    named = [candidate(number, failures=9) for number in range(KEPT_MAX + 1)]
    for one in named:
        backoff.keep_named(one, 0.0)
    assert [backoff.gives_up(one, 1.0) for one in named] == [False] * KEPT_MAX + [True]
    useful = candidate(9999, failures=9)
    backoff.keep_useful(useful, 0.0)
    assert not backoff.gives_up(useful, USEFUL_S - 0.1)
    assert backoff.gives_up(useful, USEFUL_S)
    assert [backoff.gives_up(one, 1.0) for one in named[:2]] == [True, False]


def test_who_is_useful_again_has_a_new_place() -> None:
    backoff = Backoff(Random(1))
    useful = [candidate(number, failures=9) for number in range(KEPT_MAX + 1)]
    for one in useful[:KEPT_MAX]:
        backoff.keep_useful(one, 0.0)
    backoff.keep_useful(useful[0], 1.0)
    backoff.keep_useful(useful[-1], 1.0)
    given_up = [one for one in useful if backoff.gives_up(one, 2.0)]
    assert given_up == [useful[1]]
