"""Dials are counted: at once, per topic, per block, per second."""

from __future__ import annotations

from hypermultifeed.peers.dial_budget import (
    BLOCK_RECOVERY_S,
    BLOCKS_MAX,
    DIALS_AT_ONCE,
    DIALS_BURST,
    DIALS_PER_BLOCK,
    DIALS_PER_SECOND,
    DIALS_PER_TOPIC,
    FAILURES_PER_BLOCK,
    DialBudget,
)

TOPIC, BLOCK = b"t", "10.0.0.0/24"


def test_dials_at_once() -> None:
    budget = DialBudget(0.0)
    for _ in range(DIALS_AT_ONCE):
        assert budget.allows(0.0)
        budget.begin(None, None, 0.0)
    assert budget.is_full
    assert not budget.allows(0.0)
    budget.end(None, None, succeeded=False)
    assert budget.allows(0.0)
    assert budget.at_once == DIALS_AT_ONCE - 1


def test_dials_per_topic() -> None:
    budget = DialBudget(0.0)
    for _ in range(DIALS_PER_TOPIC):
        assert budget.allows_topic(TOPIC)
        budget.begin(TOPIC, None, 0.0)
    assert not budget.allows_topic(TOPIC)
    assert budget.allows_topic(b"other")
    assert budget.allows_topic(None)
    budget.end(TOPIC, None, succeeded=True)
    assert budget.allows_topic(TOPIC)


def test_dials_per_block_at_once() -> None:
    budget = DialBudget(0.0)
    for _ in range(DIALS_PER_BLOCK):
        assert budget.allows_block(BLOCK, 0.0)
        budget.begin(None, BLOCK, 0.0)
    assert not budget.allows_block(BLOCK, 0.0)
    assert budget.allows_block("10.0.1.0/24", 0.0)
    budget.end(None, BLOCK, succeeded=True)
    assert budget.allows_block(BLOCK, 0.0)


def test_what_a_path_goes_through_counts() -> None:
    budget = DialBudget(0.0)
    for _ in range(DIALS_PER_BLOCK):
        budget.begin(None, BLOCK, 0.0)
    for _ in range(DIALS_PER_TOPIC):
        budget.begin(TOPIC, None, 0.0)
    assert not budget.allows_path((TOPIC,), 0.0)
    assert budget.allows_path((b"other",), 0.0)
    assert budget.allows_path((b"other", BLOCK), 0.0), "that is who told"
    assert not budget.allows_path((b"other", "node", BLOCK), 0.0)
    assert budget.allows_path((b"other", "node", None), 0.0)


def test_a_block_where_nobody_answers_recovers_slowly() -> None:
    budget = DialBudget(0.0)
    for _ in range(FAILURES_PER_BLOCK):
        budget.begin(None, BLOCK, 0.0)
        budget.end(None, BLOCK, succeeded=False)
    assert not budget.allows_block(BLOCK, BLOCK_RECOVERY_S - 0.1)
    assert budget.allows_block(BLOCK, BLOCK_RECOVERY_S)
    budget.begin(None, BLOCK, BLOCK_RECOVERY_S)
    assert not budget.allows_block(BLOCK, BLOCK_RECOVERY_S)


def test_a_block_where_all_answer_is_not_held_back() -> None:
    budget = DialBudget(0.0)
    for _ in range(10 * FAILURES_PER_BLOCK):
        assert budget.allows_block(BLOCK, 0.0)
        budget.begin(None, BLOCK, 0.0)
        budget.end(None, BLOCK, succeeded=True)


def test_dials_per_second() -> None:
    budget = DialBudget(0.0)
    begun = 0
    for tick in range(1001):
        now = tick / 100
        while budget.allows(now):
            budget.begin(None, None, now)
            budget.end(None, None, succeeded=False)
            begun += 1
    assert begun == DIALS_BURST + 10 * DIALS_PER_SECOND


def test_blocks_are_forgotten_when_they_have_recovered() -> None:
    budget = DialBudget(0.0)
    for number in range(20 * BLOCKS_MAX):
        block, now = str(number), number / DIALS_PER_SECOND
        budget.begin(None, block, now)
        budget.end(None, block, succeeded=False)
        assert len(budget._blocks) <= 2 * BLOCKS_MAX
    assert not budget._topics
