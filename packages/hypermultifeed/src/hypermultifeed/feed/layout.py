"""The files of a feed's folder and the limits of what goes into them.

Six files, as hypercore 9 (lib/storage.js) writes them: ``key`` and ``secret_key`` are raw keys,
``data`` is all blocks one after the other, and ``tree``, ``signatures`` and ``bitfield`` begin
with a header of 32 bytes.
"""

from __future__ import annotations

import struct
from typing import Final

from hypermultifeed.errors import CorruptStorageError

KEY: Final = "key"
SECRET_KEY: Final = "secret_key"  # noqa: S105 - a file name
TREE: Final = "tree"
DATA: Final = "data"
SIGNATURES: Final = "signatures"
BITFIELD: Final = "bitfield"
FORK: Final = "fork"
"""Ours alone: two signed roots that contradict each other, where there are such."""

HEADER_BYTES: Final = 32
HASH_BYTES: Final = 32
NODE_BYTES: Final = 40
SIGNATURE_BYTES: Final = 64
BLANK_NODE: Final = bytes(NODE_BYTES)
BLANK_SIGNATURE: Final = bytes(SIGNATURE_BYTES)

BLOCK_BYTES_MAX: Final = 8 * 1024 * 1024 - 4096
"""Largest block to append. A Data message of 8 MiB must hold it and the longest proof."""

RECEIVED_BLOCK_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest block to accept: what JS appends and a frame can carry."""

LENGTH_MAX: Final = 2**32
"""Most blocks in a feed. Its owner may sign any length, without having the blocks; with this
``tree`` stays below 1 TiB and what is done once for each page of bits takes less than a second."""

BYTE_LENGTH_MAX: Final = 2**43
"""Most bytes in a feed: what common file systems can address in one file."""

PROOF_NODES_MAX: Final = 128
"""Most nodes in a proof; honest ones have about one per tree level."""

BITFIELD_PAGE_BYTES_MIN: Final = 3072

_MAGIC: Final = b"\x05\x02\x57"
_TYPES: Final = {BITFIELD: 0, SIGNATURES: 1, TREE: 2}
_NAMES: Final = {BITFIELD: b"", SIGNATURES: b"Ed25519", TREE: b"BLAKE2b"}
_HEADER: Final = struct.Struct(">3sBBHB24s")

SIGNED_ROOT: Final = struct.Struct(">Q32s64s")
"""One of the two in ``fork``: length, tree hash, signature."""

pack_size = struct.Struct(">Q").pack
"""The last 8 bytes of a node: how many bytes of blocks are below it."""


def header(file: str, entry_bytes: int) -> bytes:
    """The first 32 bytes of ``tree``, ``signatures`` or ``bitfield``."""
    name = _NAMES[file]
    return _HEADER.pack(_MAGIC, _TYPES[file], 0, entry_bytes, len(name), name)


def entry_bytes(file: str, stored: bytes, name: str) -> int:
    """The entry size that a stored header names.

    Args:
        file: which of the three.
        stored: its first 32 bytes.
        name: how the storage calls it, for the error.

    Raises:
        CorruptStorageError: these bytes are no header of such a file.
    """
    magic, kind, version, size, _, _ = _HEADER.unpack(stored)
    if magic != _MAGIC or kind != _TYPES[file] or version != 0:
        raise CorruptStorageError(f"no header of a feed's {file} file", file=name, offset=0)
    wanted: int = size
    return wanted


def node_offset(node: int) -> int:
    """Where in ``tree`` a node is."""
    return HEADER_BYTES + NODE_BYTES * node


def signature_offset(length: int) -> int:
    """Where in ``signatures`` the signature over a length (at least 1) is."""
    return HEADER_BYTES + SIGNATURE_BYTES * (length - 1)
