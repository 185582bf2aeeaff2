from __future__ import annotations

import math
import random

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.mdns_topic import (
    ANSWER_INTERVAL_S,
    REPORT_WINDOW_S,
    REPORTS_MAX,
    REPORTS_PER_HOST_MAX,
    Reports,
    Topic,
)


def topic(*, announce: bool = True, lookup: bool = True) -> Topic:
    return Topic(b"t" * 32, b"74" * 20, 4000, announce, lookup)


# -- schedule ----------------------------------------------------------------------------------


def test_questions_come_at_once_twice_soon_and_then_each_half_to_whole_minute() -> None:
    asked, when = topic(), 100.0
    asked.start(when)
    pauses = []
    randomness = random.Random(1)
    for _ in range(50):
        assert asked.query_at >= when
        pauses.append(asked.query_at - when)
        when = asked.query_at
        asked.queried(when, randomness)
    assert pauses[:3] == [0, 0.25, 0.5]
    assert all(30 <= pause <= 60 for pause in pauses[3:])
    assert max(pauses[3:]) - min(pauses[3:]) > 20


def test_announcements_come_at_once_and_twice_soon() -> None:
    told = topic()
    told.start(100.0)
    times = []
    while told.answer_at < math.inf:
        times.append(told.answer_at)
        told.answered(told.answer_at)
    assert times == [100.0, 100.25, 100.75]


def test_what_is_not_wanted_is_not_scheduled() -> None:
    searching, telling = topic(announce=False), topic(lookup=False)
    for one in (searching, telling):
        one.start(100.0)
    assert (searching.query_at, searching.answer_at) == (100.0, math.inf)
    assert (telling.query_at, telling.answer_at) == (math.inf, 100.0)
    searching.ask("10.0.0.1", 101.0)
    assert searching.answer_at == math.inf


def test_who_asks_is_answered_at_once_and_the_first_by_name() -> None:
    asked = topic()
    asked.ask("10.0.0.1", 100.0)
    asked.ask("10.0.0.2", 100.0)
    assert (asked.answer_at, asked.asker) == (100.0, "10.0.0.1")
    asked.answered(100.0)
    assert (asked.answer_at, asked.asker) == (math.inf, None)


def test_the_next_answer_waits_a_little() -> None:
    asked = topic()
    asked.answered(100.0)
    asked.ask("10.0.0.1", 100.01)
    assert asked.answer_at == 100.0 + ANSWER_INTERVAL_S
    asked.ask("10.0.0.1", 100.1)
    assert asked.answer_at == 100.0 + ANSWER_INTERVAL_S


def test_a_question_brings_a_repetition_forward() -> None:
    told = topic()
    told.start(100.0)
    told.answered(100.0)
    told.ask("10.0.0.1", 100.1)
    assert told.answer_at == 100.0 + ANSWER_INTERVAL_S
    told.answered(told.answer_at)
    assert told.answer_at < 101.0  # there is one more


# -- reports -----------------------------------------------------------------------------------


def test_a_peer_is_new_once_in_a_while() -> None:
    reports, peer = Reports(), Address("10.0.0.1", 1)
    assert reports.is_new(peer, 100.0)
    assert not reports.is_new(peer, 100.0)
    assert not reports.is_new(peer, 100.0 + REPORT_WINDOW_S - 0.1)
    assert reports.is_new(peer, 100.0 + REPORT_WINDOW_S)
    assert REPORT_WINDOW_S < 30  # so that who answers our next question is new again


def test_ports_of_one_host_are_limited() -> None:
    reports = Reports()
    new = [reports.is_new(Address("10.0.0.1", port), 0.0) for port in range(1, 1000)]
    assert new.count(True) == REPORTS_PER_HOST_MAX
    assert reports.is_new(Address("10.0.0.2", 1), 0.0)


@pytest.mark.parametrize("repeated", [1, 3])
def test_all_together_are_limited(repeated: int) -> None:
    reports = Reports()
    peers = [Address(f"10.0.{n >> 8}.{n & 255}", 1) for n in range(2000) for _ in range(repeated)]
    assert [reports.is_new(peer, 0.0) for peer in peers].count(True) == REPORTS_MAX
    assert sum(map(len, reports._ports.values())) == REPORTS_MAX
