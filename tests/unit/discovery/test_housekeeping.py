"""What a node does unasked, and when."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.housekeeping import (
    ADAPT_S,
    LATE_S,
    LOOK_AGAIN_EVERY,
    PING_COUNT,
    PING_COUNT_BUSY,
    PING_S,
    Housekeeping,
)
from hypermultifeed.discovery.kbucket import Node

START = 500.0


class Home:
    """Notes what is wanted of it."""

    def __init__(self, known: int, *, holepunchable: bool = True) -> None:
        self.known = known
        self.running = 0
        self.holepunchable = holepunchable
        self.pinged: list[float] = []
        self.bootstraps: list[float] = []
        self.persistent: list[float] = []

    def __len__(self) -> int:
        return self.known

    def oldest(self, count: int, now: float) -> list[Node]:
        return [Node(bytes(32), Address("10.0.0.1", 1))] * min(count, self.known)

    def check(self, node: Node, now: float) -> None:
        self.pinged.append(now - START)

    def bootstrap_again(self, now: float) -> None:
        self.bootstraps.append(now - START)

    def become_persistent(self, now: float) -> None:
        self.persistent.append(now - START)


def run(home: Home, seconds: float, *, adaptive: bool = False) -> Housekeeping:
    work = Housekeeping(home, random.Random(1), START, adaptive=adaptive)
    work.settled(START)
    while work.get_timer() <= START + seconds:
        work.handle_timer(work.get_timer())
    return work


def test_the_oldest_nodes_are_pinged_every_forty_seconds() -> None:
    home = Home(50)
    run(home, 100.0)
    assert home.pinged == [40.0] * PING_COUNT + [80.0] * PING_COUNT
    assert home.bootstraps == []


def test_fewer_are_pinged_while_much_is_going_on() -> None:
    home = Home(50)
    home.running = 3
    run(home, 50.0)
    assert len(home.pinged) == PING_COUNT_BUSY


def test_a_node_that_knows_nobody_looks_again_at_once() -> None:
    home = Home(0)
    run(home, 100.0)
    assert home.bootstraps == [40.0, 80.0]


def test_a_node_that_knows_few_looks_again_after_320_seconds() -> None:
    home = Home(19)
    run(home, 700.0)
    assert home.bootstraps == [PING_S * LOOK_AGAIN_EVERY, 2 * PING_S * LOOK_AGAIN_EVERY]
    home = Home(20)
    run(home, 700.0)
    assert home.bootstraps == []


def test_an_adaptive_node_becomes_persistent_once() -> None:
    home = Home(50)
    run(home, 10_000.0, adaptive=True)
    (when,) = home.persistent
    assert ADAPT_S[0] <= when <= ADAPT_S[1]
    home = Home(50)
    run(home, 10_000.0)
    assert home.persistent == []


def test_who_cannot_be_reached_stays_ephemeral_and_tries_again() -> None:
    home = Home(50, holepunchable=False)
    work = run(home, 4000.0, adaptive=True)
    assert home.persistent == []
    home.holepunchable = True
    while work.get_timer() <= START + 6000.0:
        work.handle_timer(work.get_timer())
    assert len(home.persistent) == 1


@pytest.mark.parametrize(("late", "persistent"), [(LATE_S - 1, 1), (LATE_S + 1, 0)])
def test_a_machine_that_slept_has_not_been_there_for_long(late: float, persistent: int) -> None:
    home = Home(50)
    work = Housekeeping(home, random.Random(1), START, adaptive=True)
    work.settled(START)
    assert work._adapt_at is not None
    work.handle_timer(work._adapt_at + late)
    assert len(home.persistent) == persistent
    assert work.get_timer() > START + ADAPT_S[0]


def test_what_was_missed_is_done_once() -> None:
    home = Home(50)
    work = Housekeeping(home, random.Random(1), START, adaptive=False)
    work.handle_timer(START + 100 * PING_S + 1)
    assert len(home.pinged) == PING_COUNT
    assert work.get_timer() == START + 101 * PING_S
