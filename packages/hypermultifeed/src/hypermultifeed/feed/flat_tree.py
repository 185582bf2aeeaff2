"""Binary trees as numbers: block ``i`` is node ``2 * i``, parents stand between their children.

::

          3
      1       5         nodes 0, 2, 4, 6 are blocks 0, 1, 2, 3
    0   2   4   6

Node ``offset`` of its depth has index ``(2 * offset + 1) * 2**depth - 1``, so the depth is the
number of trailing one bits (module flat-tree 1). Lengths here count blocks, not nodes.
"""

from __future__ import annotations


def depth(node: int) -> int:
    """Levels above the blocks: 0 for a block."""
    return (~node & (node + 1)).bit_length() - 1


def offset(node: int) -> int:
    """Place among the nodes of the same depth, from 0."""
    return node >> (depth(node) + 1)


def index(depth: int, offset: int) -> int:
    """The node at that depth and place."""
    return ((2 * offset + 1) << depth) - 1


def parent(node: int) -> int:
    """The node above."""
    bit = ~node & (node + 1)
    return (node | bit) & ~(bit << 1)


def sibling(node: int) -> int:
    """The other child of the same parent."""
    return node ^ ((~node & (node + 1)) << 1)


def is_left(node: int) -> bool:
    """Whether the node is its parent's left child."""
    return not node & ((~node & (node + 1)) << 1)


def left_child(node: int) -> int:
    """The left node below; a block is its own child."""
    return node - ((~node & (node + 1)) >> 1)


def right_child(node: int) -> int:
    """The right node below; a block is its own child."""
    return node + ((~node & (node + 1)) >> 1)


def children(node: int) -> tuple[int, int] | None:
    """Both nodes below, None for a block."""
    if not node & 1:
        return None
    return left_child(node), right_child(node)


def left_span(node: int) -> int:
    """The first block below, as a node."""
    return node + 1 - (~node & (node + 1))


def right_span(node: int) -> int:
    """The last block below, as a node."""
    return node - 1 + (~node & (node + 1))


def count(node: int) -> int:
    """How many nodes the subtree has, itself included."""
    return 2 * (~node & (node + 1)) - 1


def full_roots(length: int) -> list[int]:
    """Roots of the largest complete subtrees over blocks ``[0, length)``, from left to right."""
    roots = []
    first = 0
    while length:
        size = 1 << (length.bit_length() - 1)
        roots.append(2 * first + size - 1)
        first += size
        length -= size
    return roots
