"""Whom to ask whether it is there, how many at a time, and what an answer is worth."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from hypermultifeed.peers import asking
from hypermultifeed.peers.asking import (
    ASKED_BLOCKS_MAX,
    ASKS_BURST,
    ASKS_PER_BLOCK,
    ASKS_PER_SECOND,
    Asking,
)
from hypermultifeed.peers.candidate import Candidate, State

if TYPE_CHECKING:
    from hypermultifeed.peers.turns import Path


def stranger(number: int = 0, *, per_block: int = 1, source: str = "node") -> Candidate:
    """Candidates in different networks, or some in each."""
    block, last = divmod(number, per_block)
    host = f"20.{block >> 8 & 255}.{block & 255}.{last + 1}"
    made = Candidate((host, 4711), source=source, local=False)
    made.state = State.WAITING
    made.path = "topic", source, made.block
    return made


def begun(*candidates: Candidate) -> Asking:
    made = Asking(Random(1), 0.0)
    made.begin(candidates)
    return made


def asked(of: Asking, now: float) -> list[Candidate]:
    found = []
    while (candidate := of.next(now)) is not None:
        found.append(candidate)
    return found


def anybody(_path: Path) -> bool:
    return True


def test_each_is_asked_once() -> None:
    candidates = [stranger(number) for number in range(3)]
    some = begun(*candidates[:2])
    some.add(candidates[2])
    some.add(candidates[0])
    assert some.unasked == 4
    assert sorted(asked(some, 0.0), key=lambda one: one.address) == candidates
    some.begin(candidates)
    assert asked(some, 100.0) == []
    assert some.unasked == 0


def test_nobody_is_asked_before_there_are_many_or_after() -> None:
    few = Asking(Random(1), 0.0)
    few.add(stranger())
    assert (few.active, few.next(0.0)) == (False, None)
    few.begin([stranger()])
    few.end()
    assert (few.active, few.next(0.0), few.unasked) == (False, None, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"pinned": True},
        {"local": True},
        {"block": None},
        {"tried": True},
        {"asked": True},
        {"state": State.DIALLING},
    ],
)
def test_only_strangers_who_wait_for_their_first_dial_are_asked(changes: dict[str, object]) -> None:
    one = stranger()
    for name, value in changes.items():
        setattr(one, name, value)
    assert begun(one).unasked == 0


def test_whose_dial_came_first_is_not_asked() -> None:
    one, other = stranger(1), stranger(2)
    both = begun(one, other)
    one.state = State.DIALLING
    assert asked(both, 0.0) == [other]


def test_so_many_a_second() -> None:
    many = begun(*(stranger(number) for number in range(1000)))
    assert len(asked(many, 0.0)) == ASKS_BURST
    assert asked(many, 0.0) == []
    assert len(asked(many, 0.125)) == ASKS_PER_SECOND / 8
    assert len(asked(many, 60.0)) == ASKS_BURST, "what was not used is not saved"


def test_so_many_a_second_in_one_network() -> None:
    other = stranger(255, per_block=100)
    many = begun(*(stranger(number, per_block=100) for number in range(100)), other)
    first = asked(many, 0.0)
    assert other in first
    assert len(first) == ASKS_PER_BLOCK + 1
    assert len(asked(many, 0.5)) == ASKS_PER_BLOCK / 2
    assert len(asked(many, 100.0)) == ASKS_PER_BLOCK


def test_networks_that_have_recovered_are_forgotten() -> None:
    many = begun()
    with patch.object(asking, "ASKS_BURST", 1e6), patch.object(asking, "ASKS_PER_SECOND", 1e6):
        for number in range(ASKED_BLOCKS_MAX):
            many.add(stranger(number))
        assert len(asked(many, 1.0)) == ASKED_BLOCKS_MAX
        many.add(stranger(2 * ASKED_BLOCKS_MAX))
        assert len(asked(many, 10.0)) == 1
    assert len(many._blocks) == 1


def test_those_who_were_told_of_by_few_are_not_held_up() -> None:
    liar = [stranger(number, source="liar") for number in range(500)]
    honest = stranger(1000, source="honest")
    assert honest in asked(begun(*liar, honest), 0.0)[:2]


def test_how_many_wait_is_bounded() -> None:
    with patch.object(asking, "UNASKED_MAX", 10):
        assert begun(*(stranger(number) for number in range(20))).unasked == 10


def test_who_has_answered_is_taken_once() -> None:
    one = stranger()
    some = begun(one)
    assert some.take(anybody) is None
    some.answered(one)
    assert some.take(lambda path: path != one.path) is None
    assert some.take(anybody) is one
    assert some.take(anybody) is None


def test_an_answer_that_comes_late_changes_nothing() -> None:
    one, other = stranger(1), stranger(2)
    some = begun(one, other)
    one.state = State.FORGOTTEN
    some.answered(one)
    some.answered(other)
    other.tried = True
    assert some.take(anybody) is None
