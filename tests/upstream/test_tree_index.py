"""hypercore 9.12.0, suite tree-index.js: what known nodes prove, without hashes."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.feed import flat_tree, merkle
from hypermultifeed.feed.bitfield import Bits, Pages


class Tree:
    """The known nodes of one peer."""

    def __init__(self, *nodes: int) -> None:
        self.bits = Bits(Pages(1024), 0, 1024)
        for node in nodes:
            self.set(node)

    def get(self, node: int) -> bool:
        return self.bits.get(node)

    def set(self, node: int) -> bool:
        return merkle.mark_known(self.bits, node)

    def digest(self, node: int) -> int:
        return merkle.digest(self.get, node, 8 * self.bits.byte_length)

    def verified_by(self, node: int) -> int:
        return merkle.verified_by(self.get, node)

    def proof(self, node: int, digest: int = 0) -> tuple[list[int], int] | None:
        """Nodes, and twice the length whose signature goes with them, for a peer newly met."""
        found = merkle.prove(self.get, node, digest, merkle.ProofMemory(), itself=False)
        return found and (found[0], 2 * found[1])


FORKED = (10, 8, 13, 3, 17)
SPREAD = (7, 16, 18, 21, 25, 28)


def test_set_and_get() -> None:
    """hypercore/tree-index "set and get"."""
    tree = Tree()
    assert not tree.get(0)
    assert tree.set(0)
    assert tree.get(0)
    assert not tree.set(0)
    assert tree.set(2)
    assert tree.get(1)  # both children are known
    tree = Tree(*range(0, 32, 2))
    assert all(tree.get(node) for node in (7, 15, 23))


@pytest.mark.parametrize(
    ("known", "node", "digest"),
    [
        pytest.param((), 0, 0b0, id="nothing"),
        pytest.param((0,), 0, 0b1, id="everything"),
        pytest.param((1,), 0, 0b101, id="the parent"),
        pytest.param((2,), 0, 0b10, id="the sibling"),
        pytest.param((1, 2), 0, 0b1, id="sibling and parent"),
        pytest.param((3, 2), 0, 0b1011, id="sibling and grandparent"),
        pytest.param((5,), 1, 0b10, id="a parent's sibling"),
        pytest.param((2, 5), 0, 0b110, id="sibling and uncle"),
    ],
)
def test_digest(known: tuple[int, ...], node: int, digest: int) -> None:
    """hypercore/tree-index "digest"."""
    assert Tree(*known).digest(node) == digest


def test_verified_by() -> None:
    """hypercore/tree-index "verified by"."""
    tree = Tree()
    assert tree.verified_by(0) == 0
    for node, end in ((0, 2), (2, 4), (5, 8), (8, 10)):
        tree.set(node)
        assert tree.verified_by(0) == end
    assert Tree(*FORKED).verified_by(10) == 20
    assert [Tree(*SPREAD).verified_by(node) for node in (16, 17, 18)] == [30, 30, 30]


def test_proof_without_a_digest() -> None:
    """hypercore/tree-index "proof without a digest"."""
    tree = Tree()
    assert tree.proof(0) is None
    nodes: list[int] = []
    for node, end in ((0, 2), (2, 4), (5, 8), (8, 10)):
        tree.set(node)
        nodes += [node] if node else []
        assert tree.proof(0) == (nodes, end)
    assert Tree(*FORKED).proof(10) == ([8, 13, 3, 17], 20)
    tree = Tree(*SPREAD)
    assert tree.proof(16) == ([18, 21, 7, 25, 28], 30)
    assert tree.proof(18) == ([16, 21, 7, 25, 28], 30)
    assert tree.proof(17) == ([21, 7, 25, 28], 30)


def test_proof_with_a_digest() -> None:
    """hypercore/tree-index "proof with a digest"."""
    tree = Tree(0, 2)
    assert tree.proof(0, 1) == ([], 0)
    tree.set(5)
    assert tree.proof(0, 0b10) == ([5], 8)
    assert tree.proof(0, 0b110) == ([], 8)
    tree.set(8)
    assert tree.proof(0, 0b101) == ([2], 0)
    assert tree.proof(0, 0b10) == ([5, 8], 10)

    tree = Tree(*FORKED)
    assert tree.proof(10, 0b1000001) == ([8, 13, 3, 17], 20)
    assert tree.proof(10, 0b10001) == ([8, 13, 3], 0)
    assert tree.proof(10, 0b1001) == ([8, 13], 0)
    assert tree.proof(10, 0b1000) == ([8, 13, 17], 20)

    tree = Tree(*SPREAD)
    assert tree.proof(16, 1) == ([], 0)
    assert tree.proof(18, 0b100) == ([16, 7, 25, 28], 30)
    assert tree.proof(18, 0b10) == ([21, 7, 25, 28], 30)
    assert tree.proof(17, 0b101) == ([21], 0)


def test_digest_sanity_checks() -> None:
    """hypercore/tree-index "digest sanity checks"."""
    for digest in (999_999_999_999_999, 2**53 - 1, 2**53 - 2):
        assert Tree(0).proof(0, digest) is not None


def _ancestors(node: int) -> list[int]:
    """The node and those above it, far beyond any tree here."""
    found = [node]
    for _ in range(20):
        found.append(flat_tree.parent(found[-1]))
    return found


def copy(block: int, source: Tree, target: Tree) -> None:
    """Carry one block's nodes over; check that none comes twice and that they suffice."""
    proof = source.proof(2 * block, target.digest(2 * block))
    assert proof is not None
    nodes, end = proof
    trusted = {node for node in _ancestors(2 * block) if target.get(node)}
    for node in nodes:
        assert target.set(node), f"node {node} was there already"
    target.set(2 * block)
    if end:
        roots = flat_tree.full_roots(end // 2)
        assert all(target.get(root) for root in roots)
        node = 2 * block
        while node not in roots:
            node = flat_tree.parent(node)
            assert target.get(node)
    else:  # everything up to a node that the reader trusted before
        node = 2 * block
        while node not in trusted:
            node = flat_tree.parent(node)
            assert target.get(node)


def test_chaos_monkey_test_1() -> None:
    """hypercore/tree-index "chaos monkey test #1"."""
    source, clone = Tree(), Tree()
    length = 0
    for grown, block in ((1, 0), (10, 9), (14, 13), (22, 20), (2200, 2000), (2222, 2010)):
        for index in range(length, grown):
            source.set(2 * index)
        length = grown
        copy(block, source, clone)
    copy(2200, source, clone)


def chaos(seed: int, peers: int, steps: int) -> int:
    """Appends at the first peer and copies between random ones; how many copies."""
    rng = random.Random(seed)
    trees = [Tree() for _ in range(peers + 1)]
    held: list[set[int]] = [set() for _ in trees]
    copies = 0
    for _ in range(steps):
        if rng.random() < 0.3:
            trees[0].set(2 * len(held[0]))
            held[0].add(len(held[0]))
        source, target = rng.sample(range(peers + 1), 2)
        missing = sorted(held[source] - held[target])
        if target and missing and rng.random() < 0.5:
            block = rng.choice(missing)
            copy(block, trees[source], trees[target])
            held[target].add(block)
            copies += 1
    return copies


@pytest.mark.parametrize("seed", [2, 3, 4, 5, 6, 7])
def test_chaos_monkey_test(seed: int) -> None:
    """hypercore/tree-index, two readers, short and long.

    "chaos monkey test #2"; "chaos monkey test #3"; "chaos monkey test #4";
    "chaos monkey test #5"; "chaos monkey test #6"; "chaos monkey test #7".
    """
    assert chaos(seed, peers=2, steps=40 * 2**seed) > 5


def test_chaos_monkey_randomized() -> None:
    """hypercore/tree-index "chaos monkey randomized"."""
    assert chaos(1, peers=8, steps=5000) > 1000
