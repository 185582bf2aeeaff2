"""The nodes that new blocks add to a tree, level by level."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, NamedTuple

from hypermultifeed.crypto import leaf_hash, leaf_hashes, parent_hash, parent_hashes
from hypermultifeed.feed import flat_tree
from hypermultifeed.feed.layout import BLANK_NODE, pack_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.feed.store import Root


class Growth(NamedTuple):
    """What appending does to a tree.

    Attributes:
        entries: nodes from twice the old length on, as stored; blank where they wait for more.
        earlier: nodes before those that are complete now.
        roots: of the new length.
        size: bytes of the new blocks.
    """

    entries: list[bytes]
    earlier: list[tuple[int, bytes]]
    roots: list[Root]
    size: int


def grow(
    roots: Sequence[Root], length: int, blocks: Sequence[bytes | bytearray | memoryview]
) -> Growth:
    """Put ``blocks`` (at least one) behind a tree of ``length`` blocks with these roots."""
    if len(blocks) == 1:
        return _grow_by_one(roots, length, blocks[0])
    base = 2 * length
    entries = [BLANK_NODE] * (2 * len(blocks) - 1)
    earlier: list[tuple[int, bytes]] = []
    waiting = list(roots)  # old roots that no new node has taken in so far
    fresh: list[Root] = []  # new roots, from right to left
    hashes = leaf_hashes(blocks)
    sizes = list(map(len, blocks))
    total = sum(sizes)
    first = length  # place of the first new node among those of its depth
    depth = 0
    while hashes:
        packed = {size: pack_size(size) for size in set(sizes)}  # mostly they are few
        nodes = list(map(add, hashes, map(packed.__getitem__, sizes)))
        start = flat_tree.index(depth, first) - base
        if start < 0:
            earlier.append((start + base, nodes[0]))
            del nodes[0]
            start += 2 << depth
        if nodes:
            entries[start : start + ((2 << depth) * len(nodes)) : 2 << depth] = nodes
        if first & 1:
            _, digest, size = waiting.pop()
            hashes.insert(0, digest)
            sizes.insert(0, size)
            first -= 1
        if len(hashes) & 1:
            last = flat_tree.index(depth, first + len(hashes) - 1)
            fresh.append((last, hashes.pop(), sizes.pop()))
        sizes = list(map(add, sizes[::2], sizes[1::2]))
        hashes = parent_hashes(sizes, hashes[::2], hashes[1::2])
        first >>= 1
        depth += 1
    return Growth(entries, earlier, waiting + fresh[::-1], total)


def _grow_by_one(
    roots: Sequence[Root], length: int, block: bytes | bytearray | memoryview
) -> Growth:
    """From the leaf up, which for one block costs a third of going level by level."""
    node, digest, size = 2 * length, leaf_hash(block), len(block)
    entries = [digest + pack_size(size)]
    earlier = []
    waiting = list(roots)
    while length & 1:  # the node is a right child: its parent is complete
        _, left, left_size = waiting.pop()
        size += left_size
        digest = parent_hash(size, left, digest)
        node = flat_tree.parent(node)
        earlier.append((node, digest + pack_size(size)))
        length >>= 1
    waiting.append((node, digest, size))
    return Growth(entries, earlier, waiting, len(block))
