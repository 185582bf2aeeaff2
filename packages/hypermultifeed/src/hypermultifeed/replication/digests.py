"""Digests that count on answers under way.

A Request tells by a *digest* which nodes on the way to the root we have, so that the answer may
leave them out (hypercore 9 lib/tree-index.js). While 64 requests are under way most of what the
next one needs is in their answers; saying so saves a third of the bytes. The price: an answer
that comes before the one it counts on must wait for it, so each request remembers its *anchor*,
the node counted on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hypermultifeed.feed.log import Log

NO_ANCHOR: Final = -1
"""The digest counts on nothing that is not here."""

FULL_PROOF: Final = -2
"""The digest says that we have nothing, so the answer needs nothing of ours."""

MAX_EXPECTED: Final = 65_536
"""Nodes remembered as under way; above it they are forgotten, and digests exact for a while."""

MAX_DEPTH: Final = 53


class ExpectedNodes:
    """Nodes that the answers under way from one peer will bring."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: set[int] = set()

    def clear(self) -> None:
        """Nothing is under way any more, or what is cannot be counted on."""
        if self._nodes:
            self._nodes = set()

    def digest(self, log: Log, index: int) -> tuple[int, int]:
        """Digest and anchor for a request of block ``index``; its answer is expected from now on.

        Only for blocks below the feed's length: above it nobody knows which roots will come.
        """
        known = log.has_tree_node
        nodes = self._nodes
        node = 2 * index
        if known(node):
            return 1, NO_ANCHOR
        if node in nodes:
            return 1, node
        digest = 0
        bit = 2
        path: list[int] = []
        for _ in range(MAX_DEPTH):
            below = ~node & (node + 1)
            sibling = node ^ (below << 1)
            path += (node, sibling)
            if known(sibling):
                digest |= bit
            node = (node | below) & ~(below << 1)
            bit <<= 1
            here = known(node)
            if here or node in nodes:
                self._expect(path)
                digest |= bit | 1
                if digest + 1 == bit << 1:
                    digest = 1
                return digest, NO_ANCHOR if here else node
        return 0, NO_ANCHOR

    def _expect(self, path: list[int]) -> None:
        if len(self._nodes) > MAX_EXPECTED:
            self._nodes = set()
        self._nodes.update(path)
