"""Hashing again what is stored."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from hypermultifeed import crypto
from hypermultifeed.errors import BlockMissingError, CorruptStorageError
from hypermultifeed.feed import flat_tree, layout

if TYPE_CHECKING:
    from hypermultifeed.feed.store import FeedStore, Root

REPAIR_BLOCKS_MAX: Final = 2**20
"""Above so many blocks damaged nodes are not made again."""

BAD_MAX: Final = 1000
"""Most indexes in a report."""


class AuditReport(NamedTuple):
    """What an audit found.

    Attributes:
        valid: stored blocks that hash to their leaf, below hashes that lead to a signed root.
        invalid: stored blocks that do not.
        bad: the first of their indexes, at most 1000.
    """

    valid: int
    invalid: int
    bad: tuple[int, ...]


class _Keeper(Protocol):
    def forget_damaged(self, index: int) -> None: ...


def audit(log: _Keeper, store: FeedStore, roots: list[Root]) -> AuditReport:
    """Check every stored block, and forget those that are damaged.

    From the roots down: where two children do not hash to their parent, one of them is damaged.
    If the blocks below are whole, they give the nodes again; else nothing below counts.
    """
    untrusted = [span for span in _untrusted(store, roots) if not _repair(store, span)]
    valid = invalid = 0
    bad: list[int] = []
    stop = 8 * store.bits.data.byte_length
    index = store.bits.data.next_set(0, stop)
    while index >= 0:
        if _is_valid(store, index) and not any(index in span for span in untrusted):
            valid += 1
        else:
            invalid += 1
            bad += [index] if len(bad) < BAD_MAX else []
            log.forget_damaged(index)
        index = store.bits.data.next_set(index + 1, stop)
    for span in untrusted:
        forget_nodes(store, span)
    return AuditReport(valid, invalid, tuple(bad))


def _is_valid(store: FeedStore, index: int) -> bool:
    store.mark_unchecked(index)
    try:
        store.read_block(index)
    except (CorruptStorageError, BlockMissingError):
        return False
    return True


def _untrusted(store: FeedStore, roots: list[Root]) -> list[range]:
    """Runs of blocks whose hashes do not lead to the roots."""
    found = []
    known = store.bits.tree.get
    waiting = [root[0] for root in roots]
    while waiting:
        node = waiting.pop()
        left, right = flat_tree.left_child(node), flat_tree.right_child(node)
        if not node & 1:
            continue
        if known(left) and known(right):
            if not _fits(store, node, left, right):
                span = range(flat_tree.left_span(node) // 2, flat_tree.right_span(node) // 2 + 1)
                found.append(span)
                continue
            waiting += [right, left]
    return found


def _fits(store: FeedStore, node: int, left: int, right: int) -> bool:
    try:
        a, b = store.node(left), store.node(right)
        size = a.size + b.size
        if size > layout.BYTE_LENGTH_MAX:
            return False
        return crypto.parent_hash(size, a.hash, b.hash) == store.entry(node)[:32]
    except CorruptStorageError:
        return False


def _repair(store: FeedStore, span: range) -> bool:
    """Make the nodes above these blocks again, if the blocks are all there and give the top."""
    if len(span) > REPAIR_BLOCKS_MAX or store.bits.data.next_clear(span.start, span.stop) >= 0:
        return False
    hashes, sizes = [], []
    try:
        offset = store.offset(span.start)
        for index in range(span.start, span.stop):
            size = store.size(2 * index)
            if size > layout.RECEIVED_BLOCK_BYTES_MAX:
                return False
            hashes.append(crypto.leaf_hash(store.read_data(offset, size)))
            sizes.append(size)
            offset += size
        top = store.entry(span.start + span.stop - 1)
    except (CorruptStorageError, BlockMissingError):
        return False
    nodes = {}
    depth = 0
    while True:
        first = span.start >> depth
        for place, (digest, size) in enumerate(zip(hashes, sizes, strict=True), first):
            nodes[flat_tree.index(depth, place)] = digest + layout.pack_size(size)
        if len(hashes) == 1:
            break
        sizes = list(map(add, sizes[::2], sizes[1::2]))
        hashes = list(map(crypto.parent_hash, sizes, hashes[::2], hashes[1::2]))
        depth += 1
    if nodes.pop(span.start + span.stop - 1) != top:
        return False
    store.nodes.update(nodes)
    store.forget_offsets()
    return True


def forget_nodes(store: FeedStore, span: range) -> None:
    """Forget all nodes below the one that stands above these blocks."""
    top = span.start + span.stop - 1
    tree = store.bits.tree
    stop = 2 * span.stop - 1
    node = tree.next_set(2 * span.start, stop)
    while node >= 0:
        if node != top:
            tree.clear(node)
        node = tree.next_set(node + 1, stop)
    store.forget_offsets()
