"""Capabilities: proof, within one connection, of knowing the key of a channel that is opened.

hypercore-crypto 2: BLAKE2b-256 keyed with the prover's receiving key over a fixed text, the
prover's sending key, and the public key. So a proof is worth nothing on another connection, nor
sent back on the same one.
"""

from __future__ import annotations

from typing import Final

from hypermultifeed import crypto

_TEXT: Final = b"hypercore capability"


def capability(tx: bytes, rx: bytes, key: bytes) -> bytes:
    """Our proof of knowing ``key``, 32 bytes, from our two keys of the connection."""
    return crypto.blake2b_256(_TEXT + tx + key, key=rx)


def remote_capability(tx: bytes, rx: bytes, key: bytes) -> bytes:
    """The proof we expect of the peer; compare with :func:`hypermultifeed.crypto.equal`."""
    return capability(rx, tx, key)


def verify_capability(proof: bytes | None, tx: bytes, rx: bytes, key: bytes) -> bool:
    """Whether the peer's ``proof`` for ``key`` is right, in constant time; none is wrong."""
    return crypto.equal(proof or b"", remote_capability(tx, rx, key))
