"""One feed on its storage: append, read, prove, verify and store, reopen.

Everything here is synchronous and does no I/O but through :class:`~.files.Files`. Hashes, proofs
and files are those of hypercore 9.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed import crypto, keys
from hypermultifeed.encoding import runs
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import (
    BlockMissingError,
    BlockTooLargeError,
    CorruptStorageError,
    FeedError,
    ForkError,
    NotWritableError,
    StorageError,
    VerificationError,
)
from hypermultifeed.feed import flat_tree, layout, merkle, opening
from hypermultifeed.feed.audit import AuditReport, audit
from hypermultifeed.feed.growth import grow
from hypermultifeed.feed.verification import SignedRoot, is_signed, signable, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypermultifeed.feed.files import Files
    from hypermultifeed.feed.remote_bitfield import RemoteBitfield
    from hypermultifeed.feed.store import FeedStore, Root
    from hypermultifeed.feed.verification import Verified
    from hypermultifeed.keys import KeyPair

__all__ = ["AuditReport", "Log", "Proof", "SignedRoot"]

HAVE_BITS_MAX: Final = 2**20
"""Most blocks one Have tells about, as many as JS wants at a time."""


_SIGNED_SEARCH_MAX: Final = 4096
"""Lengths among which a signature is looked for to prove a fork."""


class Proof(NamedTuple):
    """What a peer needs to verify one block: nodes in the order it expects, and a signature."""

    nodes: list[Node]
    signature: bytes | None


class Log:
    """A feed: signed blocks, some or all of which are stored here.

    Attributes:
        key: 32 bytes.
        secret_key: 64 bytes, or None.
        length: blocks of the newest signed tree known.
        byte_length: bytes of them.
        claimed_length: blocks that the files, or their owner's signatures in them, once told of.
            If it is above ``length`` some are lost, and our own feed takes no append until a
            peer has given them back (:meth:`put`) or :meth:`accept_loss` is called.
        fork: the first proof seen that the owner signed two histories, or None.
    """

    __slots__ = (
        "_newest", "_roots", "_store", "byte_length", "claimed_length", "damaged", "fork", "key",
        "length", "secret_key",
    )  # fmt: skip

    def __init__(self, store: FeedStore, secret_key: bytes | None) -> None:
        self._store = store
        self._roots: list[Root] = []
        self._newest: SignedRoot | None = None
        self.key = store.key
        self.secret_key = secret_key
        self.length = self.byte_length = self.claimed_length = 0
        self.damaged: set[int] = set()
        """Blocks found damaged since opening and not restored."""
        self.fork: ForkError | None = None

    @classmethod
    def open(
        cls,
        storage: Files,
        prefix: str = "",
        *,
        key: bytes | None = None,
        key_pair: KeyPair | None = None,
        store_secret_key: bool = True,
        create: bool = True,
    ) -> Log:
        """Open the feed whose files are ``prefix + "tree"`` and so on; create it if absent.

        What is stored must lead to a signature of the owner. If it does not, because a crash or
        the disk lost some of it, the longest part that does is used; see ``claimed_length``.

        Args:
            storage: where the files are.
            prefix: before each file's name, empty or with a slash at the end.
            key: the public key expected, or to be created as a reader.
            key_pair: for a feed of our own whose secret key is derived or new.
            store_secret_key: write the secret key beside the feed (not for derived ones).
            create: False: fail if no feed is stored here.

        Raises:
            ValueError: ``key`` and ``key_pair`` name different feeds.
            StorageError: no feed is stored here, or another one.
            CorruptStorageError: which file is damaged, and where.
        """
        found = opening.open_store(
            storage,
            prefix,
            key=key,
            key_pair=key_pair,
            store_secret_key=store_secret_key,
            create=create,
        )
        log = cls(found.store, found.secret_key)
        log._set_tree(found.state.roots, found.state.signed)
        log.claimed_length = found.state.claimed
        if found.fork is not None:
            log.fork = log._fork_error(*found.fork)
        return log

    def _set_tree(self, roots: list[Root], newest: SignedRoot | None) -> None:
        self._roots = roots
        self._newest = newest
        self.length = 0 if newest is None else newest.length
        self.byte_length = sum(size for _, _, size in roots)

    @property
    def discovery_key(self) -> bytes:
        """What the feed is looked for by; it does not tell the key."""
        return keys.discovery_key(self.key)

    @property
    def writable(self) -> bool:
        """Whether the secret key is known."""
        return self.secret_key is not None

    @property
    def live(self) -> bool:
        """False for a static feed, whose key is the hash of its one and only tree."""
        return self._newest is None or bool(self._newest.signature)

    @property
    def signed_root(self) -> SignedRoot | None:
        """The newest signed root, None for an empty feed."""
        return self._newest

    # -- our own feed -------------------------------------------------------------------------

    def append(self, blocks: Sequence[bytes | bytearray | memoryview]) -> int:
        """Append all blocks with one signature and one commit; the index of the first.

        Raises:
            NotWritableError: no secret key, or blocks are lost or damaged.
            BlockTooLargeError: before anything was changed.
            StorageError: nothing was appended.
        """
        if self.secret_key is None:
            raise NotWritableError("this feed's secret key is not here", key=self.key)
        start = self.length
        if not blocks:
            return start
        self._check_appendable(blocks)
        self.flush()
        store = self._store
        grown = grow(self._roots, start, blocks)
        stop = start + len(blocks)
        tree_hash = crypto.tree_hash(grown.roots)
        signature = crypto.sign(signable(tree_hash, stop), self.secret_key)
        writes = store.append_writes(start, grown.entries, blocks, self.byte_length)
        writes += [store.node_write(node, entry) for node, entry in grown.earlier]
        writes.append(store.signature_write(stop, signature))
        if len(blocks) == 1:  # blocks first, as in JS: the index depends on which pages exist
            store.bits.set_block(start)
            merkle.mark_known(store.bits.tree, 2 * start)
        else:
            store.bits.set_blocks(start, stop)
            merkle.mark_appended(store.bits.tree, start, stop)
        try:
            store.commit(writes)
        except BaseException:
            store.load_bits()
            raise
        store.mark_checked(start, stop)
        self._roots = grown.roots
        self._newest = SignedRoot(stop, tree_hash, signature)
        self.length = self.claimed_length = stop
        self.byte_length += grown.size
        return start

    def _check_appendable(self, blocks: Sequence[bytes | bytearray | memoryview]) -> None:
        if not self.live:
            raise NotWritableError("a static feed never changes", key=self.key)
        if self.claimed_length > self.length:
            raise NotWritableError(
                f"blocks {self.length} to {self.claimed_length - 1} were signed before but are "
                "lost: fetch them from a peer, or accept the loss",
                key=self.key,
                index=self.length,
            )
        if self.damaged:
            raise NotWritableError(
                "stored blocks are damaged: fetch them from a peer, or accept the loss",
                key=self.key,
                index=min(self.damaged),
            )
        largest = max(map(len, blocks))
        if largest > layout.BLOCK_BYTES_MAX:
            raise BlockTooLargeError(
                f"a block of {largest} bytes; the limit is {layout.BLOCK_BYTES_MAX}", key=self.key
            )
        if self.length + len(blocks) > layout.LENGTH_MAX:
            raise NotWritableError(
                f"the feed has the most blocks there can be, {layout.LENGTH_MAX}", key=self.key
            )

    def accept_loss(self) -> None:
        """Go on without blocks that are lost or damaged.

        Whoever has seen blocks from ``length`` on will see a fork if other ones are appended.
        """
        if self.claimed_length > self.length:
            self._store.commit([self._store.cut_signatures(self.length)])
            self.claimed_length = self.length
        self.damaged.clear()

    # -- blocks -------------------------------------------------------------------------------

    def get(self, index: int) -> bytes:
        """One block, hashed against its leaf when it is first read.

        Raises:
            BlockMissingError: it is not here.
            CorruptStorageError: it is damaged. It is then forgotten, and can be fetched again.
        """
        if not self.has(index):
            raise BlockMissingError(f"block {index} is not here", key=self.key, index=index)
        try:
            return self._store.read_block(index)
        except CorruptStorageError:
            self.forget_damaged(index)
            raise

    def get_run(self, start: int, stop: int, *, check: bool = True) -> list[bytes]:
        """Blocks ``[start, stop)`` with one read. Raises as :meth:`get`.

        Args:
            check: False for a peer, who hashes every block anyway. If it then goes away, see
                :meth:`check_blocks`.
        """
        if not 0 <= start < stop:
            return []
        missing = self.next_missing(start, stop)
        if missing >= 0:
            raise BlockMissingError(f"block {missing} is not here", key=self.key, index=missing)
        try:
            return self._store.read_run(start, stop, check=check)
        except CorruptStorageError:
            return [self.get(index) for index in range(start, stop)]

    def check_blocks(self, indexes: Iterable[int]) -> None:
        """Hash those of these blocks that were not yet; what is damaged is forgotten."""
        for index in indexes:
            with contextlib.suppress(BlockMissingError, CorruptStorageError):
                self.get(index)

    def forget_damaged(self, index: int) -> None:
        """A stored block is not what it should be: it is no longer here."""
        self._store.bits.clear_block(index)
        self._store.mark_unchecked(index)
        self.damaged.add(index)

    def seek(self, byte_offset: int) -> tuple[int, int]:
        """The block that holds a byte of the feed, and where in it; the length at its end.

        Raises:
            ValueError: negative, or beyond ``byte_length``.
            BlockMissingError: not enough is known; its index is a block in question.
        """
        span, rest = self._descend(byte_offset)
        if len(span) > 1:
            raise BlockMissingError(
                f"which block has byte {byte_offset} is not known", key=self.key, index=span.start
            )
        return span.start, rest

    def seek_span(self, byte_offset: int) -> range:
        """The blocks one of which holds that byte, as far as is known. Raises ValueError."""
        return self._descend(byte_offset)[0]

    def _descend(self, byte_offset: int) -> tuple[range, int]:
        """The blocks that may hold a byte, and where in them it is."""
        if not 0 <= byte_offset <= self.byte_length:
            raise ValueError(f"byte {byte_offset} of a feed of {self.byte_length}")
        if byte_offset == self.byte_length:
            return range(self.length, self.length + 1), 0
        if byte_offset == 0:
            return range(1), 0
        node, rest = 2 * self.length, byte_offset
        for node, _, size in self._roots:  # noqa: B007 - the node it ends with is wanted
            if size > rest:
                break
            rest -= size
        store = self._store
        while node & 1:
            left = flat_tree.left_child(node)
            if not store.bits.tree.get(left):
                break
            size = store.size(left)
            if size > rest:
                node = left
            else:
                rest -= size
                node = flat_tree.right_child(node)
        return range(flat_tree.left_span(node) // 2, flat_tree.right_span(node) // 2 + 1), rest

    def clear(self, start: int, stop: int) -> int:
        """Forget blocks ``[start, stop)``; their hashes stay. How many were stored.

        ``data`` gets shorter if nothing follows them.

        Raises:
            StorageError: they may be back when the feed is opened again.
        """
        start, stop = max(0, start), min(stop, self.length)
        cleared = self.count(start, stop)
        if not cleared:
            return 0
        self.flush()
        store = self._store
        try:
            first = store.offset(start)
            last = self.byte_length if stop == self.length else store.offset(stop)
            writes = store.cut_data(first, last)
        except BlockMissingError:  # their place is not known, so their bytes stay
            writes = []
        store.bits.clear_blocks(start, stop)
        try:
            store.commit(writes)
        except BaseException:
            store.load_bits()
            raise
        return cleared

    def audit(self) -> AuditReport:
        """Hash all stored blocks again, and the tree above them.

        Damaged blocks are forgotten, so that they can be fetched again; our own feed takes no
        append until they are back (or :meth:`accept_loss` is called).
        """
        self.flush()
        report = audit(self, self._store, self._roots)
        self.flush()
        return report

    # -- which blocks are here ----------------------------------------------------------------

    def has(self, index: int) -> bool:
        """Whether the block is stored (or verified and about to be flushed)."""
        return index >= 0 and self._store.bits.data.get(index)

    def has_tree_node(self, node: int) -> bool:
        """Whether a tree node (block ``i`` has ``2 * i``) is known."""
        return self._store.bits.tree.get(node)

    def count(self, start: int = 0, stop: int | None = None) -> int:
        """How many of blocks ``[start, stop)`` are stored; ``stop`` defaults to the length."""
        if start <= 0 and (stop is None or stop >= self.length):
            return self._store.bits.total
        return self._store.bits.data.count(max(0, start), self.length if stop is None else stop)

    def next_missing(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that is not stored, -1 if all are."""
        return self._store.bits.data.next_clear(start, stop)

    def next_stored(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that is stored, -1 if none is."""
        return self._store.bits.data.next_set(start, stop)

    def next_wanted(self, remote: RemoteBitfield, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that the peer has and we have not, or -1."""
        return remote.next_unless(self._store.bits.data, start, stop)

    def is_covered_by(self, remote: RemoteBitfield) -> bool:
        """Whether the peer has every block that is stored here."""
        return remote.covers(self._store.bits.data, self.length)

    def count_wanted(self, remote: RemoteBitfield) -> int:
        """How many blocks below the length the peer has and we have not."""
        return remote.count_unless(self._store.bits.data, 0, self.length)

    def have_bitfield(self, start: int, length: int) -> bytes:
        """Run-length coded bits of ``[start, start + length)``, as the Have for a Want.

        Raises:
            ValueError: ``start`` is no multiple of 8, or ``length`` above 2**20.
        """
        if start < 0 or start % 8 or not 0 <= length <= HAVE_BITS_MAX:
            raise ValueError(f"no bitfield for {length} blocks from {start}")
        data = self._store.bits.data
        stop = min((start + length + 7) // 8, data.byte_length)
        return runs.encode(data.read(start // 8, stop))

    # -- proofs -------------------------------------------------------------------------------

    def digest(self, index: int) -> int:
        """What we know on the way from block ``index`` to its root (``Request.nodes``)."""
        tree = self._store.bits.tree
        return merkle.digest(tree.get, 2 * index, 8 * tree.byte_length)

    def proof(
        self,
        index: int,
        *,
        digest: int = 0,
        hash: bool = False,  # noqa: A002 - hypercore's word
        memory: merkle.ProofMemory | None = None,
    ) -> Proof:
        """The nodes and the signature a peer with that digest needs.

        Args:
            index: of the block.
            digest: what the peer says it has (see :meth:`digest`).
            hash: the leaf itself is asked for, not the value.
            memory: what this peer has said on this connection; updated.

        Raises:
            BlockMissingError: the hash of the block is not known here.
            CorruptStorageError: nodes that should be here are not.
        """
        store = self._store
        memory = merkle.ProofMemory() if memory is None else memory
        found = merkle.prove(store.bits.tree.get, 2 * index, digest, memory, itself=hash)
        if found is None:
            raise BlockMissingError(
                f"the hash of block {index} is not here", key=self.key, index=index
            )
        nodes = [store.node(node) for node in found[0]]
        if not found[1] or not self.live:
            return Proof(nodes, None)
        signature = store.signature(found[1])
        if not signature:
            raise BlockMissingError(
                f"the signature over {found[1]} blocks is not here", key=self.key, index=index
            )
        return Proof(nodes, signature)

    def put(
        self, index: int, value: bytes | None, nodes: Sequence[Node], signature: bytes | None
    ) -> None:
        """Verify a block (or, with None, a hash proof) and keep it; :meth:`flush` writes it.

        Raises:
            VerificationError: nothing was changed.
            ForkError: the owner signed something else than what is stored; nothing was changed.
        """
        verified = verify(self._store, self._newest, index, value, nodes, signature)
        if verified.conflicts:
            self._settle(verified)
        self._keep(index, value, verified)

    def _keep(self, index: int, value: bytes | None, verified: Verified) -> None:
        """Make what was verified known; the offset first, as it may fail."""
        store = self._store
        known = store.bits.tree.get
        replaced = verified.conflicts
        came = {}
        for node, digest, size in verified.nodes:
            if not known(node) or node in replaced:
                came[node] = digest + layout.pack_size(size)
        if value is not None and verified.trusted == 2 * index and not came:
            came = self._true_sizes(verified.leaf)
        if value is not None and not store.bits.data.get(index):
            offset = store.offset_with(index, came)
            if offset + len(value) > layout.BYTE_LENGTH_MAX:
                raise VerificationError("no feed has that many bytes", key=self.key, index=index)
            store.hold(index, offset, value)
        if came:
            store.nodes.update(came)
            if verified.trusted >= 0:  # the way up to a known node has no gap to be closed
                for node in came:
                    store.bits.tree.set(node)
            else:
                for node in came:
                    merkle.mark_known(store.bits.tree, node)
        if verified.signed is not None and verified.signed != self._newest:
            self._learn(verified.signed, verified.roots)
        if value is not None and store.bits.set_block(index):
            store.mark_checked(index, index + 1)
            if self.damaged:
                self.damaged.discard(index)

    def _true_sizes(self, leaf: Root) -> dict[int, bytes]:
        """The leaf and its sibling, if the leaf's size was not the true one.

        In a proof of hashes only the sum of two blocks' sizes is certain. The block itself
        decides, for its hash covers its size.
        """
        store = self._store
        node, digest, size = leaf
        if store.size(node) == size:
            return {}
        store.forget_offsets()
        sibling, parent = flat_tree.sibling(node), flat_tree.parent(node)
        sizes = {node: digest + layout.pack_size(size)}
        if store.bits.tree.get(sibling) and store.bits.tree.get(parent):
            rest = store.size(parent) - size
            sizes[sibling] = store.entry(sibling)[:32] + layout.pack_size(max(0, rest))
        return sizes

    def _learn(self, signed: SignedRoot, roots: list[Root]) -> None:
        if signed.signature:
            self._store.signatures[signed.length] = signed.signature
        if signed.length > self.length:
            self._set_tree(roots, signed)

    def flush(self) -> None:
        """Write everything put since the last flush as one commit.

        Raises:
            StorageError: nothing was written, and what was put is forgotten.
        """
        try:
            self._store.flush()
        except StorageError:
            self._store.load_bits()
            state = opening.reread(self._store)
            self._set_tree(state.roots, state.signed)
            raise

    # -- two histories ------------------------------------------------------------------------

    def _settle(self, verified: Verified) -> None:
        """Nodes proved by a peer differ from ours: is it a second history, or damage here?

        What is damaged leads to no signature of the owner, and is replaced.
        """
        for node in verified.conflicts:
            ours = self._signed_above(node)
            if ours is None:
                continue
            theirs = verified.signed or self._signed_above(verified.trusted)
            if theirs is None:
                continue
            error = self._fork_error(ours, theirs)
            self.fork = self.fork or error
            raise error
        self._store.forget_offsets()

    def _fork_error(self, ours: SignedRoot, theirs: SignedRoot) -> ForkError:
        return ForkError(
            f"the owner signed two histories: length {ours.length} and length {theirs.length}",
            ours=(ours.length, ours.tree_hash, ours.signature),
            theirs=(theirs.length, theirs.tree_hash, theirs.signature),
            key=self.key,
        )

    def keep_fork(self) -> None:
        """Write the proof of a fork beside the feed, so that it is known after reopening.

        This is a file that JS does not have, and does not mind.

        Raises:
            StorageError: it was not written.
        """
        if self.fork is not None:
            ours, theirs = SignedRoot(*self.fork.ours), SignedRoot(*self.fork.theirs)
            self._store.commit([self._store.fork_write(ours, theirs)])

    def _signed_above(self, node: int) -> SignedRoot | None:
        """The signed root that a stored node leads to, None if it leads to none."""
        store = self._store
        known = store.bits.tree.get
        digest, size = store.node(node)[1:]
        while known(flat_tree.sibling(node)) and known(flat_tree.parent(node)):
            other = store.node(flat_tree.sibling(node))
            if size + other.size > layout.BYTE_LENGTH_MAX:
                break
            parent = flat_tree.parent(node)
            pair = (digest, other.hash) if flat_tree.is_left(node) else (other.hash, digest)
            above = crypto.parent_hash(size + other.size, *pair)
            if above != store.entry(parent)[:32]:
                break
            node, digest, size = parent, above, size + other.size
        if (node, digest, size) in self._roots:
            return self._newest
        for length in self._signed_over(node):
            try:
                roots = store.roots(length)
            except FeedError:
                continue
            tree_hash = crypto.tree_hash(roots)
            found = store.signature(length)
            if (node, digest, size) in roots and is_signed(self.key, tree_hash, length, found):
                return SignedRoot(length, tree_hash, found)
        return None

    def _signed_over(self, node: int) -> list[int]:
        """Lengths of which ``node`` is a root and that have a signature, shortest first."""
        first = flat_tree.right_span(node) // 2 + 1
        stop = first + flat_tree.right_span(node) // 2 + 1 - flat_tree.left_span(node) // 2
        return sorted(
            length
            for length in self._store.signed_lengths(min(stop, first + _SIGNED_SEARCH_MAX))
            if length >= first
        )

    # -- signatures ---------------------------------------------------------------------------

    def root_hashes(self, index: int) -> list[Node]:
        """The roots of the tree of length ``index + 1``. Raises BlockMissingError."""
        return [Node(*root) for root in self._store.roots(index + 1)]

    def signature(self, index: int | None = None) -> tuple[int, bytes]:
        """The first stored signature at or after ``index`` (default: the last) and its index.

        Raises:
            BlockMissingError: there is none.
        """
        index = self.length - 1 if index is None else index
        if 0 <= index < self.length:
            length = self._store.next_signed_length(index + 1)
            if length:
                return length - 1, self._store.signature(length)
        raise BlockMissingError(
            f"no signature at or after block {index}", key=self.key, index=index
        )

    def verify(self, index: int, signature: bytes) -> bool:
        """Whether ``signature`` is the owner's over the tree of length ``index + 1``.

        Raises:
            BlockMissingError: that tree's roots are not known.
        """
        tree_hash = crypto.tree_hash(self._store.roots(index + 1))
        return is_signed(self.key, tree_hash, index + 1, signature)
