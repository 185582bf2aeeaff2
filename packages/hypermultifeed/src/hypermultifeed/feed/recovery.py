"""What a feed's files say when it is opened, and what to do if they do not fit together.

JS neither syncs its files nor commits them together, so any of them may be older than the rest.
The rule: nothing counts that does not lead to a signature of the owner. A reader goes back to the
longest length that does, and fetches the rest again. An owner must not sign a second history, so
it goes forward to the longest length it ever signed if the blocks are there, and otherwise
remembers that it has lost some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.errors import BlockMissingError, CorruptStorageError
from hypermultifeed.feed import flat_tree, layout, merkle
from hypermultifeed.feed.growth import grow
from hypermultifeed.feed.verification import SignedRoot, is_signed, signable

if TYPE_CHECKING:
    from hypermultifeed.feed.files import Write
    from hypermultifeed.feed.store import FeedStore, Root

SIGNATURES_TRIED_MAX: Final = 64
"""Older signatures that are tried before everything counts as lost."""

_REBUILD_BLOCKS: Final = 1024


class Opened(NamedTuple):
    """The state a feed's files prove.

    Attributes:
        length, roots, signed: the newest verified tree; ``signed`` is None if it is empty.
        claimed: the length the files claimed, or once had; above ``length`` if blocks are lost.
        writes: what makes the files agree with it.
    """

    length: int
    roots: list[Root]
    signed: SignedRoot | None
    claimed: int
    writes: list[Write]


def read_state(store: FeedStore, secret_key: bytes | None) -> Opened:
    """Find the newest tree that the owner signed.

    Raises:
        CorruptStorageError: our own feed, and there is none.
    """
    claimed = merkle.known_length(store.bits.tree)
    if claimed > layout.LENGTH_MAX:
        raise CorruptStorageError(
            f"{claimed} blocks are claimed", file=store.prefix + layout.BITFIELD
        )
    found = _verified(store, claimed) if claimed else Opened(0, [], None, 0, [])
    if found is None and secret_key is not None:
        found = _sign_again(store, claimed, secret_key)
    if found is None:
        found = _go_back(store, claimed, own=secret_key is not None)
    if secret_key is not None and store.signed_length_max > found.length:
        found = _go_forward(store, found)
    return found


def _verified(store: FeedStore, length: int) -> Opened | None:
    """The tree of that length if all its roots are here and signed."""
    try:
        roots = store.roots(length)
    except (BlockMissingError, CorruptStorageError):
        return None
    tree_hash = crypto.tree_hash(roots)
    signature = store.signature(length)
    if signature:
        if not is_signed(store.key, tree_hash, length, signature):
            return None
    elif tree_hash != store.key:  # that of a static feed
        return None
    return Opened(length, roots, SignedRoot(length, tree_hash, signature), length, [])


def _sign_again(store: FeedStore, length: int, secret_key: bytes) -> Opened | None:
    """Only the signature is damaged: the same blocks give the same signature."""
    roots = _rebuild(store, [], 0, length)
    try:
        if roots is None or roots != store.roots(length):
            return None
    except (BlockMissingError, CorruptStorageError):
        return None
    tree_hash = crypto.tree_hash(roots)
    signature = crypto.sign(signable(tree_hash, length), secret_key)
    signed = SignedRoot(length, tree_hash, signature)
    return Opened(length, roots, signed, length, [store.signature_write(length, signature)])


def _go_back(store: FeedStore, claimed: int, *, own: bool) -> Opened:
    """The longest shorter length that is signed; bits beyond it are cleared."""
    found = None
    for tried, length in enumerate(store.signed_lengths(claimed)):
        if tried == SIGNATURES_TRIED_MAX:
            break
        found = _verified(store, length)
        if found is not None:
            break
    if found is None:
        if own:
            raise CorruptStorageError(
                f"none of {claimed} blocks leads to a signature of the feed's owner",
                file=store.prefix + layout.SIGNATURES,
                offset=layout.signature_offset(claimed),
            )
        found = Opened(0, [], None, 0, [])
    merkle.forget_from(store.bits.tree, found.length)
    store.bits.clear_blocks(found.length, claimed)
    stale = store.bits.data.next_set(found.length, 8 * store.bits.data.byte_length)
    if stale >= 0:
        store.bits.clear_blocks(stale, 8 * store.bits.data.byte_length)
    return found._replace(claimed=claimed)


def _go_forward(store: FeedStore, found: Opened) -> Opened:
    """Signatures over more blocks exist: the bits were not written any more. Are the blocks?"""
    length = store.signed_length_max
    signature = store.signature(length)
    if not signature:
        return found
    roots = _rebuild(store, found.roots, found.length, length)
    if roots is None:
        return found._replace(claimed=length)
    tree_hash = crypto.tree_hash(roots)
    if not is_signed(store.key, tree_hash, length, signature):
        return found._replace(claimed=length)
    merkle.mark_appended(store.bits.tree, found.length, length)
    store.bits.set_blocks(found.length, length)
    return Opened(length, roots, SignedRoot(length, tree_hash, signature), length, found.writes)


def _rebuild(store: FeedStore, roots: list[Root], start: int, stop: int) -> list[Root] | None:
    """The roots that the stored blocks ``[start, stop)`` give, put behind ``roots``.

    None if they do not give the nodes that are stored.
    """
    offset = sum(size for _, _, size in roots)
    for begin in range(start, stop, _REBUILD_BLOCKS):
        count = min(_REBUILD_BLOCKS, stop - begin)
        blocks = []
        for index in range(begin, begin + count):
            try:
                size = store.size(2 * index)
            except CorruptStorageError:
                return None
            if size > layout.RECEIVED_BLOCK_BYTES_MAX:
                return None
            block = store.read_data(offset, size)
            if len(block) != size:
                return None
            blocks.append(block)
            offset += size
        grown = grow(roots, begin, blocks)
        nodes = [*enumerate(grown.entries, 2 * begin), *grown.earlier]
        for node, entry in nodes:
            if flat_tree.right_span(node) < 2 * (begin + count) and not store.holds(node, entry):
                return None
        roots = grown.roots
    return roots
