"""Which tree nodes are known, and what follows from it: lengths, digests, proofs.

The rules are those of hypercore 9 (lib/tree-index.js); both sides of a connection must have the
same, or proofs come out with too few nodes. Nodes are flat tree indexes here, without hashes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from hypermultifeed.feed import flat_tree
from hypermultifeed.feed.bitfield import Bits, Pages

if TYPE_CHECKING:
    from collections.abc import Callable

_MEMORY_PAGE_BYTES: Final = 1024
_NOTES_MAX: Final = 1024


def mark_known(tree: Bits, node: int) -> bool:
    """Mark a node, and each parent both of whose children are marked; whether it was not."""
    if not tree.set(node):
        return False
    while tree.get(flat_tree.sibling(node)):
        node = flat_tree.parent(node)
        if not tree.set(node):
            break
    return True


def mark_appended(tree: Bits, start: int, stop: int) -> None:
    """Mark what blocks ``[start, stop)``, put behind a complete tree, make known."""
    first, last = 2 * start, 2 * stop - 1
    for begin in range(first - first % tree.per_page, last, tree.per_page):
        tree.fill(max(first, begin), min(last, begin + tree.per_page), value=True)
    node = last + 1
    while flat_tree.left_span(node):  # parents that still wait for block ``stop``
        node = flat_tree.parent(node)
        if first <= node < last:
            tree.clear(node)
    node = first
    while flat_tree.left_span(node):  # parents that waited for block ``start``
        node = flat_tree.parent(node)
        if node < first and flat_tree.right_span(node) < last:
            tree.set(node)


def forget_from(tree: Bits, start: int) -> None:
    """Unmark every node that stands above a block from ``start`` on."""
    first = 2 * start
    node = tree.next_set(first, 8 * tree.byte_length)
    while node >= 0:
        tree.clear(node)
        node = tree.next_set(node + 1, 8 * tree.byte_length)
    node = first
    while flat_tree.left_span(node):
        node = flat_tree.parent(node)
        tree.clear(node)


def known_length(tree: Bits) -> int:
    """How many blocks the known nodes prove, from the first one on."""
    top = node = 0
    while flat_tree.right_span(node) < 8 * tree.byte_length:
        node = flat_tree.parent(node)
        if tree.get(node):
            top = node
    return verified_by(tree.get, top) // 2


def verified_by(known: Callable[[int], bool], node: int) -> int:
    """Twice the length of the newest tree whose roots, with ``node``, are all known; or 0."""
    if not known(node):
        return 0
    parent = flat_tree.parent(node)
    while known(parent) and known(flat_tree.sibling(node)):
        node, parent = parent, flat_tree.parent(parent)
    depth = flat_tree.depth(node)
    while depth:
        node = flat_tree.left_child(flat_tree.index(depth, flat_tree.offset(node) + 1))
        depth -= 1
        while depth and not known(node):
            node = flat_tree.left_child(node)
            depth -= 1
    return node + 2 if known(node) else node


def digest(known: Callable[[int], bool], node: int, bit_length: int) -> int:
    """What is known on the way from a block's node to its root, as one number.

    Bit 0: a root above it; bit ``k``: the ``k``-th uncle; with bit 0 set, the top bit is the
    place of that root. 1 means that nothing is missing.

    Args:
        known: which nodes are known.
        node: the block's.
        bit_length: no node from this number on is known.
    """
    if known(node):
        return 1
    result = 0
    node = flat_tree.sibling(node)
    limit = max(node + 2, bit_length)
    parent = flat_tree.parent(node)
    bit = 2
    while flat_tree.right_span(node) < limit or flat_tree.left_span(parent):
        if known(node):
            result += bit
        if known(parent):
            result += 2 * bit + 1
            return 1 if result + 1 == 4 * bit else result
        node = flat_tree.sibling(parent)
        parent = flat_tree.parent(node)
        bit *= 2
    return result


class ProofMemory:
    """What one peer has said, on one connection, to have of one feed's tree.

    It learns from the digests of requests only, never from what was sent: that may get lost.
    Digests that are answered without it are only noted, until one comes that is not.
    """

    __slots__ = ("_bits", "_notes")

    def __init__(self) -> None:
        self._bits = Bits(Pages(_MEMORY_PAGE_BYTES, tracked=False), 0, _MEMORY_PAGE_BYTES)
        self._notes: deque[tuple[int, int]] = deque(maxlen=_NOTES_MAX)

    def note(self, node: int, digest: int) -> None:
        """Remember a digest for :meth:`recall`; the oldest may be forgotten."""
        self._notes.append((node, digest))

    def recall(self, known: Callable[[int], bool]) -> None:
        """Learn from what was noted."""
        while self._notes:
            self.learn(known, *self._notes.popleft())

    def get(self, node: int) -> bool:
        """Whether the peer has the node."""
        return self._bits.get(node)

    def learn(self, known: Callable[[int], bool], node: int, digest: int) -> None:
        """Mark what a digest about ``node`` says, as far as it is known here."""
        has_root = digest & 1
        digest >>= 1
        while digest:
            if digest == 1 and has_root:
                self._mark(known, node)
                last = min(node, flat_tree.sibling(node))
                for root in flat_tree.full_roots(flat_tree.right_span(last) // 2 + 1):
                    self._mark(known, root)
                return
            if digest & 1:
                self._mark(known, flat_tree.sibling(node))
            node = flat_tree.parent(node)
            digest >>= 1

    def _mark(self, known: Callable[[int], bool], node: int) -> None:
        if not self._bits.get(node) and known(node):
            mark_known(self._bits, node)


def prove(
    known: Callable[[int], bool],
    node: int,
    digest: int,
    memory: ProofMemory,
    *,
    itself: bool,
) -> tuple[list[int], int] | None:
    """The nodes a peer needs to verify ``node``, and the length whose signature it needs.

    Args:
        known: which nodes are known here.
        node: of the block asked for.
        digest: what the peer says it has.
        memory: what it said before; updated.
        itself: the node itself is asked for too, and comes first.

    Returns:
        Siblings from the bottom up, then roots from left to right; the length is 0 if no
        signature is needed. None if ``node`` is not known.
    """
    if not known(node):
        return None
    nodes = [node] if itself else []
    if digest & 1:
        uncles = _missing_uncles(known, node, digest)
        if uncles is not None:
            memory.note(node, digest)
            return nodes + uncles, 0
    memory.recall(known)
    memory.learn(known, node, digest)
    has = memory.get
    while not has(node):
        sibling = flat_tree.sibling(node)
        if not known(sibling):
            end = verified_by(known, node)
            roots = flat_tree.full_roots(end // 2)
            nodes += [root for root in roots if root != node and not has(root)]
            return nodes, end // 2
        if not has(sibling):
            nodes.append(sibling)
        node = flat_tree.parent(node)
    return nodes, 0


def _missing_uncles(known: Callable[[int], bool], node: int, digest: int) -> list[int] | None:
    """What a digest with a root says to be missing below that root; None if we lack some of it."""
    uncles = []
    rest = digest >> 1
    while rest > 1:
        bit = ~node & (node + 1)
        if not rest & 1:
            sibling = node ^ (bit << 1)
            if not known(sibling):
                return None
            uncles.append(sibling)
        node = (node | bit) & ~(bit << 1)
        rest >>= 1
    return uncles if known(node) else None
