"""A node of a feed's Merkle tree, as it travels and as it is stored."""

from __future__ import annotations

from typing import NamedTuple


class Node(NamedTuple):
    """One tree node.

    Attributes:
        index: position in the flat tree (block ``i`` is node ``2 * i``).
        hash: 32 bytes, BLAKE2b-256.
        size: bytes of all blocks below the node.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs on a node
    hash: bytes
    size: int
