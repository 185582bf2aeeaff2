from __future__ import annotations

import random

import pytest

from hypermultifeed.feed import flat_tree, merkle
from hypermultifeed.feed.bitfield import Bits, Pages


def tree() -> Bits:
    return Bits(Pages(2048), 0, 2048)


def nodes(bits: Bits) -> list[int]:
    return [node for node in range(8 * bits.byte_length) if bits.get(node)]


@pytest.mark.parametrize("seed", range(4))
def test_appending_many_marks_what_appending_one_by_one_does(seed: int) -> None:
    rng = random.Random(seed)
    one_by_one, at_once, length = tree(), tree(), 0
    while length < 9000:
        count = rng.choice([1, 2, 3, 7, 64, 100, 1000, 5000])
        for index in range(length, length + count):
            merkle.mark_known(one_by_one, 2 * index)
        merkle.mark_appended(at_once, length, length + count)
        length += count
        assert merkle.known_length(at_once) == length
    assert nodes(at_once) == nodes(one_by_one)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 6, 8, 17, 100])
def test_forgetting_leaves_the_shorter_tree(length: int) -> None:
    long, short = tree(), tree()
    merkle.mark_appended(long, 0, 100)
    merkle.mark_appended(short, 0, length)
    merkle.forget_from(long, length)
    assert nodes(long) == nodes(short)
    assert merkle.known_length(long) == length


def test_a_digest_of_everything_is_one_and_of_nothing_zero() -> None:
    bits = tree()
    assert merkle.digest(bits.get, 0, 0) == 0
    assert merkle.digest(bits.get, 2**41, 0) == 0
    merkle.mark_appended(bits, 0, 5)
    assert [merkle.digest(bits.get, 2 * index, 16) for index in range(5)] == [1] * 5
    assert merkle.digest(bits.get, 10, 16) == 0b1010  # uncles 8 and 3, not 13


def test_a_peer_is_sent_no_node_it_said_it_has() -> None:
    bits = tree()
    merkle.mark_appended(bits, 0, 17)
    memory = merkle.ProofMemory()
    first = merkle.prove(bits.get, 10, 0, memory, itself=False)
    assert first == ([8, 13, 3, 23, 32], 17)
    assert merkle.prove(bits.get, 10, 0, memory, itself=False) == first  # it may have got lost
    # block 1: parent 1 and sibling unknown, but uncle 5 and node 7 are there
    short = merkle.prove(bits.get, 2, 0b10001 | 0b100, memory, itself=False)
    assert short == ([0, 11], 0)
    assert merkle.prove(bits.get, 0, 0, memory, itself=True) == ([0, 2, 11], 0)


def test_no_proof_without_the_node() -> None:
    assert merkle.prove(tree().get, 4, 0, merkle.ProofMemory(), itself=False) is None


@pytest.mark.parametrize("digest", [2, 3, 5, 2**52 - 1, 2**53 - 1, 2**52 + 1])
def test_any_digest_costs_little_and_is_answered(digest: int) -> None:
    bits = tree()
    merkle.mark_appended(bits, 0, 100)
    memory = merkle.ProofMemory()
    found = merkle.prove(bits.get, 100, digest, memory, itself=False)
    assert found is not None
    assert set(found[0]) <= set(nodes(bits))
    assert len(memory._bits._pages.loaded) <= 1


def test_verified_by_names_the_newest_length_whose_roots_are_known() -> None:
    bits = tree()
    for node in (3, 9, 12):
        merkle.mark_known(bits, node)
    assert merkle.verified_by(bits.get, 3) == 14
    assert flat_tree.full_roots(7) == [3, 9, 12]
    assert merkle.known_length(bits) == 7
    assert merkle.verified_by(bits.get, 1) == 0
