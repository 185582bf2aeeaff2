"""Tree arithmetic against flat-tree 1.13."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.feed import flat_tree

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "flat-tree.json").read_text())


@pytest.mark.parametrize("case", VECTORS["indexes"], ids=lambda case: str(case["index"]))
def test_everything_about_a_node(case: dict[str, Any]) -> None:
    node = case["index"]
    children = list(flat_tree.children(node) or []) or None
    assert {
        "index": node,
        "depth": flat_tree.depth(node),
        "offset": flat_tree.offset(node),
        "parent": flat_tree.parent(node),
        "sibling": flat_tree.sibling(node),
        "children": children,
        "leftSpan": flat_tree.left_span(node),
        "rightSpan": flat_tree.right_span(node),
        "count": flat_tree.count(node),
    } == case


@pytest.mark.parametrize("case", VECTORS["index"], ids=str)
def test_node_of_a_depth_and_offset(case: dict[str, Any]) -> None:
    assert flat_tree.index(case["depth"], case["offset"]) == case["index"]


@pytest.mark.parametrize("case", VECTORS["fullRoots"], ids=lambda case: str(case["length"]))
def test_roots_of_a_length(case: dict[str, Any]) -> None:
    assert flat_tree.full_roots(case["length"]) == case["roots"]
