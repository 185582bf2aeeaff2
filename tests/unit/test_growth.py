from __future__ import annotations

import pytest

from hypermultifeed.crypto import leaf_hash, parent_hash
from hypermultifeed.feed import flat_tree
from hypermultifeed.feed.growth import grow
from hypermultifeed.feed.layout import BLANK_NODE, pack_size

BLOCKS = [b"x" * (index % 5) for index in range(40)]


def node(index: int) -> tuple[bytes, int]:
    """Hash and size, by the definition."""
    if not index & 1:
        return leaf_hash(BLOCKS[index // 2]), len(BLOCKS[index // 2])
    (left, a), (right, b) = (
        node(flat_tree.left_child(index)),
        node(flat_tree.right_child(index)),
    )
    return parent_hash(a + b, left, right), a + b


@pytest.mark.parametrize("length", range(20))
@pytest.mark.parametrize("count", [1, 2, 3, 8, 20])
def test_growth_is_what_the_definition_says(length: int, count: int) -> None:
    stop = length + count
    roots = [(root, *node(root)) for root in flat_tree.full_roots(length)]
    grown = grow(roots, length, BLOCKS[length:stop])
    assert grown.roots == [(root, *node(root)) for root in flat_tree.full_roots(stop)]
    assert grown.size == sum(map(len, BLOCKS[length:stop]))
    complete = {
        index
        for index in range(2 * stop)
        if 2 * length <= flat_tree.right_span(index) < 2 * stop - 1
    }
    stored = {
        2 * length + place: entry
        for place, entry in enumerate(grown.entries)
        if entry != BLANK_NODE
    } | dict(grown.earlier)
    assert len(grown.entries) == 2 * count - 1
    assert all(index < 2 * length for index, _ in grown.earlier)
    assert stored.keys() == complete
    for index, entry in stored.items():
        digest, size = node(index)
        assert entry == digest + pack_size(size)
