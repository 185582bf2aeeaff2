"""Is this what the owner of the feed signed? Decided before anything is stored.

The steps are those of hypercore 9 (``_putBuffer``, ``_verifyAndWrite``), stricter where that
accepts forgeries: what is computed must end at a node known here or at one of the signed roots,
every node of the proof must be used, and a node that contradicts a known one is never taken
quietly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypermultifeed import crypto
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import VerificationError
from hypermultifeed.feed import flat_tree, layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.feed.store import FeedStore, Root

_SIZE_MAX = 2**53 - 1


class SignedRoot(NamedTuple):
    """A length, the tree hash of the roots of that length, and the owner's signature.

    The signature of a static feed is empty: its key is the tree hash.
    """

    length: int
    tree_hash: bytes
    signature: bytes


class Verified(NamedTuple):
    """What a proof has shown.

    Attributes:
        leaf: the block's node.
        nodes: nodes to store, in JS's order; known ones may be among them.
        conflicts: the places of nodes that are known here with another hash.
        trusted: the known node that the proof ended at, -1 if it ended at signed roots.
        roots: those roots, empty if it ended at a known node.
        signed: what the owner signed, None if it ended at a known node.
    """

    leaf: Root
    nodes: list[Root]
    conflicts: list[int]
    trusted: int
    roots: list[Root]
    signed: SignedRoot | None


def signable(tree_hash: bytes, length: int) -> bytes:
    """What the owner signs: 40 bytes."""
    return tree_hash + layout.pack_size(length)


def is_signed(key: bytes, tree_hash: bytes, length: int, signature: bytes) -> bool:
    """Whether the owner signed these roots, in today's form or in hypercore 8's (hash alone)."""
    return crypto.verify(signable(tree_hash, length), signature, key) or crypto.verify(
        tree_hash, signature, key
    )


def verify(
    store: FeedStore,
    newest: SignedRoot | None,
    index: int,
    value: bytes | None,
    nodes: Sequence[Node],
    signature: bytes | None,
) -> Verified:
    """Verify a block, or with ``value`` None the hash of one.

    Args:
        store: what is known here.
        newest: our newest signed root; it need not be verified again.
        index: of the block.
        value: the block.
        nodes: the proof, in the order in which it is used.
        signature: over the roots the proof ends at; not looked at if it ends at a known node.

    Raises:
        VerificationError: it is not, or cannot be shown to be, what the owner signed.
    """
    key = store.key
    if not 0 <= index < layout.LENGTH_MAX:
        raise VerificationError("no feed is that long", key=key, index=index)
    if len(nodes) > layout.PROOF_NODES_MAX:
        raise VerificationError(f"a proof of {len(nodes)} nodes", key=key, index=index)
    if value is not None:
        if len(value) > layout.RECEIVED_BLOCK_BYTES_MAX:
            raise VerificationError(f"a block of {len(value)} bytes", key=key, index=index)
        leaf = (2 * index, crypto.leaf_hash(value), len(value))
    elif nodes and nodes[0][0] == 2 * index:
        _check_node(nodes[0], key, index)
        leaf, nodes = tuple(nodes[0]), nodes[1:]  # type: ignore[assignment] # a Node is such a tuple
    else:
        raise VerificationError("the proof is for another block", key=key, index=index)
    conflicts: list[int] = []
    try:
        return _climb(store, newest, leaf, nodes, signature, conflicts, ours=True)
    except VerificationError:
        if not conflicts:
            raise
        # Nodes of ours may be those of another history than the proof's: leave them out.
        return _climb(store, newest, leaf, nodes, signature, [], ours=False)


def _climb(
    store: FeedStore,
    newest: SignedRoot | None,
    leaf: Root,
    nodes: Sequence[Node],
    signature: bytes | None,
    conflicts: list[int],
    *,
    ours: bool,
) -> Verified:
    """From the leaf up to a known node or to the roots; ``ours``: with known siblings."""
    key = store.key
    index = leaf[0] // 2
    node, digest, size = leaf
    place = 0
    known = store.known
    fresh: list[Root] = []
    while True:
        own = known(node)
        if own is not None:
            if own[:32] == digest:
                return Verified(leaf, fresh, conflicts, node, [], None)
            conflicts.append(node)
        bit = ~node & (node + 1)
        sibling = node ^ (bit << 1)
        if place < len(nodes) and nodes[place][0] == sibling:
            other = nodes[place]
            place += 1
            _check_node(other, key, index)
            fresh.append(tuple(other))  # type: ignore[arg-type] # a Node is such a tuple
            own = known(sibling)
            if own is not None and own[:32] != other[1]:
                conflicts.append(sibling)
        else:
            own = known(sibling) if ours else None
            if own is None:
                break
            other = Node(sibling, own[:32], int.from_bytes(own[32:], "big"))
        fresh.append((node, digest, size))
        size += other[2]
        if size > _SIZE_MAX:
            raise VerificationError(f"a tree of {size} bytes", key=key, index=index)
        if sibling > node:
            digest = crypto.parent_hash(size, digest, other[1])
        else:
            digest = crypto.parent_hash(size, other[1], digest)
        node = (node | bit) & ~(bit << 1)
    top = (node, digest, size)
    fresh.append(top)
    roots, rest = _roots(store, index, top, nodes[place:], conflicts)
    signed = _signed(key, newest, index, roots, signature)
    return Verified(leaf, fresh + rest, conflicts, -1, roots, signed)


def _check_node(node: Node, key: bytes, index: int) -> None:
    if len(node[1]) != layout.HASH_BYTES or not 0 <= node[2] <= _SIZE_MAX:
        raise VerificationError(f"node {node[0]} is malformed", key=key, index=index)


def _roots(
    store: FeedStore, index: int, top: Root, nodes: Sequence[Node], conflicts: list[int]
) -> tuple[list[Root], list[Root]]:
    """All roots of the length that ``nodes`` reach to, and those of them that came with it."""
    key = store.key
    last = max(flat_tree.right_span(top[0]), flat_tree.right_span(nodes[-1][0]) if nodes else 0)
    length = last // 2 + 1
    if length > layout.LENGTH_MAX:
        raise VerificationError("no feed is that long", key=key, index=index)
    roots: list[Root] = []
    came: list[Root] = []
    for root in flat_tree.full_roots(length):
        own = store.known(root)
        if root == top[0]:
            roots.append(top)
        elif len(came) < len(nodes) and nodes[len(came)][0] == root:
            node = nodes[len(came)]
            _check_node(node, key, index)
            if own is not None and own[:32] != node[1]:
                conflicts.append(root)
            came.append(tuple(node))  # type: ignore[arg-type] # a Node is such a tuple
            roots.append(came[-1])
        elif own is not None:
            roots.append((root, own[:32], int.from_bytes(own[32:], "big")))
        else:
            raise VerificationError("roots needed to verify are missing", key=key, index=index)
    if top not in roots or len(came) != len(nodes):
        raise VerificationError("the proof does not lead to the roots", key=key, index=index)
    if sum(size for _, _, size in roots) > layout.BYTE_LENGTH_MAX:
        raise VerificationError("no feed has that many bytes", key=key, index=index)
    return roots, came


def _signed(
    key: bytes,
    newest: SignedRoot | None,
    index: int,
    roots: list[Root],
    signature: bytes | None,
) -> SignedRoot:
    tree_hash = crypto.tree_hash(roots)
    length = flat_tree.right_span(roots[-1][0]) // 2 + 1
    signed = SignedRoot(length, tree_hash, signature or b"")
    if signed == newest:
        return signed
    if signature:
        if not is_signed(key, tree_hash, length, signature):
            raise VerificationError("the signature is not the owner's", key=key, index=index)
    elif newest is not None and newest.signature:
        raise VerificationError("the proof has no signature", key=key, index=index)
    elif tree_hash != key:
        raise VerificationError("the roots do not hash to the key", key=key, index=index)
    return signed
