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
from hypermultifeed.feed import layout, merkle
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
    empty = Opened(0, [], None, 0, [])
    found = _verified(store, claimed) if claimed else empty
    if found is None and secret_key is not None:
        found = _from_blocks(store, empty, claimed, claimed, secret_key)
    if found is None:
        found = _go_back(store, claimed, own=secret_key is not None)
    stop = 8 * store.bits.data.byte_length
    stale = store.bits.data.next_set(found.length, stop)
    if stale >= 0:
        store.bits.clear_blocks(stale, stop)
    newest = store.signed_length_max
    if secret_key is not None and newest > found.length and store.signature(newest):
        ahead = _from_blocks(store, found, found.length, newest, secret_key)
        found = ahead or found._replace(claimed=_claimed(store, found.claimed, newest))
    return found


def _claimed(store: FeedStore, claimed: int, newest: int) -> int:
    """The length to claim where a longer one has a signature, but its blocks are not there.

    A folder may also have signatures by a former key, if JS was told to overwrite it.
    """
    roots = store.stored_roots(newest)
    if roots is None:
        return max(claimed, newest)
    tree_hash = crypto.tree_hash(roots)
    ours = is_signed(store.key, tree_hash, newest, store.signature(newest))
    return max(claimed, newest) if ours else claimed


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
    return found._replace(claimed=claimed)


def _from_blocks(
    store: FeedStore, found: Opened, claimed: int, length: int, secret_key: bytes
) -> Opened | None:
    """Our own tree of that length, made from the blocks behind what was found.

    None unless we signed it. If only the signature is damaged, it is made again: where every
    stored node fits, we once appended exactly these blocks, and they give the same signature.
    Below ``claimed`` the bits of blocks are left alone: some may have been cleared on purpose.
    """
    rebuilt = _rebuild(store, found.roots, found.length, length)
    if rebuilt is None:
        return None
    roots, writes = rebuilt
    tree_hash = crypto.tree_hash(roots)
    signature = store.signature(length)
    if not signature or not is_signed(store.key, tree_hash, length, signature):
        if writes:
            return None
        signature = crypto.sign(signable(tree_hash, length), secret_key)
        writes = [store.signature_write(length, signature)]
    merkle.mark_appended(store.bits.tree, found.length, length)
    store.bits.set_blocks(max(found.length, claimed), length)
    signed = SignedRoot(length, tree_hash, signature)
    return Opened(length, roots, signed, length, found.writes + writes)


def _rebuild(
    store: FeedStore, roots: list[Root], start: int, stop: int
) -> tuple[list[Root], list[Write]] | None:
    """The roots that the stored blocks ``[start, stop)`` give, put behind ``roots``.

    With them the nodes that are stored otherwise or not at all. None if the blocks are not
    there, or their sizes are not; that of the last block is what is left of the file.
    """
    offset = sum(size for _, _, size in roots)
    writes: list[Write] = []
    for begin in range(start, stop, _REBUILD_BLOCKS):
        count = min(_REBUILD_BLOCKS, stop - begin)
        blocks = []
        for index in range(begin, begin + count):
            try:
                size = store.size(2 * index)
            except CorruptStorageError:
                size = store.data_size - offset if index == stop - 1 else -1
            if not 0 <= size <= layout.RECEIVED_BLOCK_BYTES_MAX:
                return None
            block = store.read_data(offset, size)
            if len(block) != size:
                return None
            blocks.append(block)
            offset += size
        grown = grow(roots, begin, blocks)
        for node, entry in [*enumerate(grown.entries, 2 * begin), *grown.earlier]:
            if entry != layout.BLANK_NODE and not store.holds(node, entry):
                writes.append(store.node_write(node, entry))
        roots = grown.roots
    return roots, writes
