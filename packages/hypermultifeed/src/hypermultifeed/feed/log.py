"""One feed on its storage: append, read, prove, verify and store, reopen.

Everything here is synchronous and does no I/O but through :class:`~.files.Files`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.encoding.node import Node
    from hypermultifeed.feed.files import Files
    from hypermultifeed.feed.merkle import ProofMemory
    from hypermultifeed.feed.remote_bitfield import RemoteBitfield
    from hypermultifeed.keys import KeyPair


class Proof(NamedTuple):
    """What a peer needs to verify one block: nodes in the order it expects, and a signature."""

    nodes: list[Node]
    signature: bytes | None


class SignedRoot(NamedTuple):
    """A length, the tree hash of the roots of that length, and the owner's signature."""

    length: int
    tree_hash: bytes
    signature: bytes


class AuditReport(NamedTuple):
    """What :meth:`Log.audit` found.

    Attributes:
        valid: stored blocks that hash to their leaf.
        invalid: stored blocks that do not.
        bad: the first of their indexes, at most 1000.
    """

    valid: int
    invalid: int
    bad: tuple[int, ...]


class Log:
    """A feed: signed blocks, some or all of which are stored here."""

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
        overwrite: bool = False,
    ) -> Log:
        """Open the feed whose files are ``prefix + "tree"`` and so on; create it if absent.

        Args:
            key: the public key expected, or to be created as a reader.
            key_pair: for a feed of our own whose secret key is derived or new.
            store_secret_key: write the secret key beside the feed (not for derived ones).
            create: False: fail if no feed is stored here.
            overwrite: forget what is stored and begin again.

        Raises:
            StorageError: no feed here, or another one.
            CorruptStorageError: which file, and where.
        """
        raise NotImplementedError

    # -- what it is -----------------------------------------------------------------------

    key: bytes
    discovery_key: bytes
    secret_key: bytes | None
    live: bool
    length: int
    byte_length: int

    @property
    def writable(self) -> bool:
        """Whether the secret key is known."""
        raise NotImplementedError

    @property
    def signed_root(self) -> SignedRoot | None:
        """The newest signed root, None for an empty or a static feed."""
        raise NotImplementedError

    # -- blocks ---------------------------------------------------------------------------

    def append(self, blocks: Sequence[bytes]) -> int:
        """Append all blocks with one signature and one commit; the index of the first.

        Raises:
            NotWritableError: no secret key, or stored blocks are damaged.
            BlockTooLargeError: before anything was changed.
        """
        raise NotImplementedError

    def get(self, index: int) -> bytes:
        """One block. Raises BlockMissingError, or CorruptStorageError."""
        raise NotImplementedError

    def get_run(self, start: int, stop: int) -> list[bytes]:
        """Blocks ``[start, stop)`` with one read. Raises BlockMissingError."""
        raise NotImplementedError

    def seek(self, byte_offset: int) -> tuple[int, int]:
        """The block that holds a byte of the feed, and where in it.

        Raises BlockMissingError (with the index to ask peers for) if not enough is known, and
        ValueError beyond ``byte_length``.
        """
        raise NotImplementedError

    def clear(self, start: int, stop: int) -> int:
        """Forget blocks ``[start, stop)``; their hashes stay. How many were stored."""
        raise NotImplementedError

    def audit(self) -> AuditReport:
        """Hash all stored blocks again and forget those that are damaged."""
        raise NotImplementedError

    # -- which blocks are here ----------------------------------------------------------------

    def has(self, index: int) -> bool:
        """Whether the block is stored (or verified and about to be flushed)."""
        raise NotImplementedError

    def has_node(self, index: int) -> bool:
        """Whether the hash of block ``index`` is known."""
        raise NotImplementedError

    def count(self, start: int = 0, stop: int | None = None) -> int:
        """How many of blocks ``[start, stop)`` are stored; ``stop`` defaults to the length."""
        raise NotImplementedError

    def next_missing(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that is not stored, -1 if all are."""
        raise NotImplementedError

    def next_stored(self, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that is stored, -1 if none is."""
        raise NotImplementedError

    def next_wanted(self, remote: RemoteBitfield, start: int, stop: int) -> int:
        """The first block of ``[start, stop)`` that the peer has and we have not, or -1."""
        raise NotImplementedError

    def have_bitfield(self, start: int, length: int) -> bytes:
        """Run-length coded bits of ``[start, start + length)``, as the ``Have`` for a ``Want``.

        ``start`` must be a multiple of 8, ``length`` at most 2**20 (longer ones are cut).
        """
        raise NotImplementedError

    # -- proofs -------------------------------------------------------------------------------

    def digest(self, index: int) -> int:
        """What we know on the way from block ``index`` to its root (``Request.nodes``)."""
        raise NotImplementedError

    def proof(
        self,
        index: int,
        *,
        digest: int = 0,
        hash: bool = False,  # noqa: A002 - hypercore's word
        memory: ProofMemory | None = None,
    ) -> Proof:
        """The nodes and the signature a peer with that digest needs.

        Args:
            digest: what the peer says it has (see :meth:`digest`).
            hash: the leaf itself is asked for, not the value.
            memory: what this peer has said on this connection; updated.

        Raises:
            BlockMissingError: the hash of the block is not known here.
        """
        raise NotImplementedError

    def put(
        self, index: int, value: bytes | None, nodes: Sequence[Node], signature: bytes | None
    ) -> None:
        """Verify a block (or, with None, a hash proof) and remember it until :meth:`flush`.

        Raises:
            VerificationError: nothing was changed.
            ForkError: the owner signed something else than what is stored; nothing was changed.
        """
        raise NotImplementedError

    def flush(self) -> None:
        """Write everything put since the last flush as one commit."""
        raise NotImplementedError

    def root_hashes(self, index: int) -> list[Node]:
        """The roots of the tree of length ``index + 1``. Raises BlockMissingError."""
        raise NotImplementedError

    def signature(self, index: int | None = None) -> tuple[int, bytes]:
        """The first stored signature at or after ``index`` (default: the last) and its index."""
        raise NotImplementedError

    def verify(self, index: int, signature: bytes) -> bool:
        """Whether ``signature`` is the owner's over the tree of length ``index + 1``."""
        raise NotImplementedError
