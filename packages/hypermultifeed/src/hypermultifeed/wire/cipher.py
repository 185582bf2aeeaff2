"""The stream cipher of a connection: XSalsa20 in each direction, from handshake to end.

Nothing authenticates the bytes: a flipped bit shows up as a malformed frame or message, or as a
block that does not verify.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypermultifeed.crypto import XSalsa20

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.crypto import Buffer


class Cipher:
    """Both key streams of one connection.

    Each begins with the first byte after the handshake and goes on over all frames and
    keep-alives, however they are cut into chunks.

    Args:
        tx: 32 byte key for sending.
        nonce: 24 bytes, chosen by us and sent in our handshake payload.
        rx: 32 byte key for receiving.
        remote_nonce: 24 bytes, from the peer's payload.
    """

    __slots__ = ("_rx", "_tx")

    def __init__(self, *, tx: bytes, nonce: bytes, rx: bytes, remote_nonce: bytes) -> None:
        self._tx = XSalsa20(tx, nonce)
        self._rx = XSalsa20(rx, remote_nonce)

    def encrypt(self, parts: Sequence[Buffer]) -> bytearray:
        """Join ``parts`` and encrypt them, touching each byte twice only."""
        return self._tx.join(parts)

    def decrypt(self, data: Buffer) -> bytes:
        """Decrypt what was received."""
        return self._rx.process(data)
