"""Digests that count on answers under way."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.replication import digests
from hypermultifeed.replication.digests import NO_ANCHOR, ExpectedNodes

from .exchange import Side, blocks, fetch


@pytest.mark.parametrize("length", [1, 2, 7, 64, 100])
@pytest.mark.parametrize("seed", range(3))
def test_without_anything_under_way_digests_are_exact(length: int, seed: int) -> None:
    writer, reader = Side(blocks(length)), Side()
    rng = random.Random(seed)
    fetch(reader, writer, rng.sample(range(length), rng.randint(1, length)))
    for index in range(length):
        digest, anchor = ExpectedNodes().digest(reader.log, index)
        assert (digest, anchor) == (reader.log.digest(index), NO_ANCHOR)


@pytest.mark.parametrize("seed", range(5))
def test_answers_in_the_order_of_the_requests_verify_without_waiting(seed: int) -> None:
    """Whatever is asked for, each answer finds the node that its request counted on."""
    writer, reader = Side(blocks(100)), Side()
    rng = random.Random(seed)
    fetch(reader, writer, [rng.randrange(100)])
    order = [index for index in rng.sample(range(100), 100) if not reader.log.has(index)]
    expected = ExpectedNodes()
    for start in range(0, len(order), 10):
        asked = [
            (index, *expected.digest(reader.log, index)) for index in order[start : start + 10]
        ]
        for index, digest, anchor in asked:
            assert anchor < 0 or reader.log.has_tree_node(anchor)
            proof = writer.log.proof(index, digest=digest)
            reader.log.put(index, writer.log.get(index), proof.nodes, proof.signature)
    assert reader.stored() == set(range(100))


def test_a_neighbour_under_way_needs_nothing_more() -> None:
    writer, reader = Side(blocks(8)), Side()
    fetch(reader, writer, [7])
    expected = ExpectedNodes()
    exact = reader.log.digest(0)
    assert expected.digest(reader.log, 0) == (exact, NO_ANCHOR)
    assert expected.digest(reader.log, 1) == (1, 2)
    expected.clear()
    assert expected.digest(reader.log, 1)[1] == NO_ANCHOR


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "MAX_EXPECTED", 20)
    writer, reader = Side(blocks(200)), Side()
    fetch(reader, writer, [199])
    expected = ExpectedNodes()
    for index in range(0, 198, 2):
        expected.digest(reader.log, index)
    assert len(expected._nodes) < 40
