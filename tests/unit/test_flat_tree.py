from __future__ import annotations

import pytest

from hypermultifeed.feed import flat_tree

NODES = [*range(200), 2**40 - 1, 2**40, 2**53 - 2]


@pytest.mark.parametrize("node", NODES)
def test_a_node_is_given_by_depth_and_offset(node: int) -> None:
    assert flat_tree.index(flat_tree.depth(node), flat_tree.offset(node)) == node


@pytest.mark.parametrize("node", NODES)
def test_family(node: int) -> None:
    parent, sibling = flat_tree.parent(node), flat_tree.sibling(node)
    assert flat_tree.sibling(sibling) == node
    assert flat_tree.parent(sibling) == parent
    assert flat_tree.children(parent) == tuple(sorted((node, sibling)))
    assert flat_tree.is_left(node) == (node < sibling) == (not flat_tree.is_left(sibling))
    assert flat_tree.left_child(parent) == min(node, sibling)
    assert flat_tree.right_child(parent) == max(node, sibling)


@pytest.mark.parametrize("node", NODES)
def test_spans_are_those_of_the_children(node: int) -> None:
    left, right = flat_tree.left_span(node), flat_tree.right_span(node)
    assert left <= node <= right
    assert left % 2 == right % 2 == 0
    assert flat_tree.count(node) == right - left + 1
    children = flat_tree.children(node)
    if children is None:
        assert left == right == node
        assert flat_tree.left_child(node) == flat_tree.right_child(node) == node
    else:
        assert flat_tree.left_span(children[0]) == left
        assert flat_tree.right_span(children[0]) + 2 == flat_tree.left_span(children[1])
        assert flat_tree.right_span(children[1]) == right


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 1025, 2**36 - 1])
def test_roots_stand_side_by_side_over_all_blocks(length: int) -> None:
    following = 0
    for root in flat_tree.full_roots(length):
        assert flat_tree.left_span(root) == following
        assert flat_tree.is_left(root)
        following = flat_tree.right_span(root) + 2
    assert following == 2 * length
