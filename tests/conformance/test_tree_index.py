"""What known nodes prove, against hypercore 9.12 lib/tree-index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.feed import flat_tree, merkle
from hypermultifeed.feed.bitfield import Bits, Pages

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tree-index.json").read_text())


def new_tree() -> Bits:
    return Bits(Pages(2048), 0, 2048)


def marked(tree: Bits) -> list[int]:
    return [node for node in range(8 * tree.byte_length) if tree.get(node)]


def prove(tree: Bits, node: int, digest: int, *, itself: bool = False) -> dict[str, Any] | None:
    proof = merkle.prove(tree.get, node, digest, merkle.ProofMemory(), itself=itself)
    return None if proof is None else {"nodes": proof[0], "verifiedBy": 2 * proof[1]}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    tree = new_tree()
    assert [merkle.mark_known(tree, node) for node in case["set"]] == case["setReturned"]
    assert marked(tree) == case["bits"]
    assert merkle.known_length(tree) == case["blocks"]
    assert flat_tree.full_roots(case["blocks"]) == case["roots"]
    for row in case["digest"]:
        node = row["index"]
        assert merkle.digest(tree.get, node, 8 * tree.byte_length) == row["digest"], row
        assert merkle.verified_by(tree.get, node) == row["verifiedBy"], row
    for row in case["proofs"]:
        assert prove(tree, row["index"], row["digest"]) == row["proof"], row
    for row in case["hashProofs"]:
        assert prove(tree, row["index"], 0, itself=True) == row["proof"], row


@pytest.mark.parametrize("case", VECTORS["simulations"], ids=lambda case: str(case["seed"]))
def test_simulation(case: dict[str, Any]) -> None:
    trees = [new_tree() for _ in range(case["peers"])]
    length = 0
    for step in case["steps"]:
        if "append" in step:
            merkle.mark_appended(trees[0], length, length + step["append"])
            length += step["append"]
            assert merkle.known_length(trees[0]) == length == step["length"]
            continue
        source, target, node = trees[step["from"]], trees[step["to"]], 2 * step["block"]
        digest = merkle.digest(target.get, node, 8 * target.byte_length)
        assert digest == step["digest"], step
        proof = prove(source, node, digest, itself=step["hash"])
        assert proof == {"nodes": step["nodes"], "verifiedBy": step["verifiedBy"]}, step
        for known in [*step["nodes"], node]:
            merkle.mark_known(target, known)
        assert merkle.known_length(target) == step["toBlocks"], step
    assert [marked(tree) for tree in trees] == case["finalBits"]
