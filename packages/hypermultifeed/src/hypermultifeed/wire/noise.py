"""The Noise handshake ``Noise_XX_25519_ChaChaPoly_BLAKE2b``, without I/O.

The Noise protocol framework, revision 34, section 5, with an empty prologue (which is mixed). Both
static keys are unknown beforehand and are sent encrypted. Key pairs and payload are arguments, so
a handshake can be replayed from a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed import crypto
from hypermultifeed.errors import HandshakeError

if TYPE_CHECKING:
    from hypermultifeed.keys import NoiseKeyPair

PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_BLAKE2b"
HASH_BYTES: Final = 64
KEY_BYTES: Final = 32
TAG_BYTES: Final = crypto.AEAD_TAG_BYTES

_FAILED: Final = "Noise handshake failed"  # and nothing about where or why


class SymmetricState:
    """Chaining key, hash and cipher key of a handshake (Noise 5.1 and 5.2).

    Attributes:
        chaining_key: 64 bytes.
        hash: 64 bytes, over everything both sides have sent.
        cipher_key: 32 bytes, or empty before the first :meth:`mix_key`.
        nonce: counter of messages under this cipher key.
    """

    __slots__ = ("chaining_key", "cipher_key", "hash", "nonce")

    def __init__(self) -> None:
        self.hash = PROTOCOL_NAME.ljust(HASH_BYTES, b"\x00")
        self.chaining_key = self.hash
        self.cipher_key = b""
        self.nonce = 0

    def mix_hash(self, data: bytes) -> None:
        """Take ``data`` into the hash."""
        self.hash = crypto.blake2b_512(self.hash + data)

    def mix_key(self, secret: bytes) -> None:
        """Take a shared secret into the chaining key and begin with a new cipher key."""
        self.chaining_key, key = self._derive(secret)
        self.cipher_key = key[:KEY_BYTES]
        self.nonce = 0

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Encrypt if there is a key yet; what comes out is taken into the hash."""
        out = plaintext
        if self.cipher_key:
            out = crypto.aead_encrypt(self.cipher_key, self._next_nonce(), plaintext, self.hash)
        self.mix_hash(out)
        return out

    def decrypt_and_hash(self, data: bytes) -> bytes:
        """Undo :meth:`encrypt_and_hash`; ValueError if the tag does not match."""
        out = data
        if self.cipher_key:
            out = crypto.aead_decrypt(self.cipher_key, self._next_nonce(), data, self.hash)
        self.mix_hash(data)
        return out

    def split(self) -> tuple[bytes, bytes]:
        """Two 32 byte keys: initiator to responder, and back."""
        first, second = self._derive(b"")
        return first[:KEY_BYTES], second[:KEY_BYTES]

    def _derive(self, secret: bytes) -> tuple[bytes, bytes]:
        """HKDF with two outputs of 64 bytes (Noise 4.3)."""
        temporary = crypto.hmac_blake2b(self.chaining_key, secret)
        first = crypto.hmac_blake2b(temporary, b"\x01")
        return first, crypto.hmac_blake2b(temporary, first + b"\x02")

    def _next_nonce(self) -> bytes:
        nonce = bytes(4) + self.nonce.to_bytes(8, "little")
        self.nonce += 1
        return nonce


class Handshake:
    """One side of the three messages ``e``, ``e ee s es``, ``s se``.

    The initiator writes, reads, writes; the responder reads, writes, reads.

    Args:
        initiator: whether this side speaks first.
        key_pair: our static key pair.
        ephemeral: a key pair used for this handshake only.
        payload: sent along with each of our messages; in clear with the very first one.

    Attributes:
        remote_public_key: the peer's static key, as soon as it is known.
        remote_payload: the last payload that was not empty.
        finished: whether all three messages have passed; then ``tx``, ``rx`` (32 bytes each)
            and ``hash`` (64 bytes) are set.
    """

    def __init__(
        self, *, initiator: bool, key_pair: NoiseKeyPair, ephemeral: NoiseKeyPair, payload: bytes
    ) -> None:
        self.initiator = initiator
        self.remote_public_key: bytes | None = None
        self.remote_payload = b""
        self.finished = False
        self.tx = self.rx = self.hash = b""
        self._static = key_pair
        self._ephemeral = ephemeral
        self._payload = payload
        self._remote_ephemeral = b""
        self._messages = 0
        self._state = SymmetricState()
        self._state.mix_hash(b"")  # the prologue

    @property
    def writes_next(self) -> bool:
        """Whether it is our turn to write."""
        return not self.finished and self.initiator == (self._messages % 2 == 0)

    def write_message(self) -> bytes:
        """Our next message, without a length before it.

        Raises:
            HandshakeError: the key that the peer has sent is of low order.
        """
        state = self._state
        out = b""
        if self._messages < 2:
            out = self._ephemeral.public_key
            state.mix_hash(out)
        if self._messages == 1:
            self._mix(self._ephemeral, self._remote_ephemeral)
        if self._messages > 0:
            out += state.encrypt_and_hash(self._static.public_key)
            self._mix(self._static, self._remote_ephemeral)
        out += state.encrypt_and_hash(self._payload)
        self._advance()
        return out

    def read_message(self, message: bytes) -> None:
        """Take the peer's next message.

        Raises:
            HandshakeError: anything is wrong with it. The text does not say what.
        """
        try:
            self._read(message)
        except ValueError:
            raise HandshakeError(_FAILED) from None
        self._advance()

    def _read(self, message: bytes) -> None:
        state = self._state
        if self._messages < 2:
            self._remote_ephemeral, message = _cut(message, KEY_BYTES)
            state.mix_hash(self._remote_ephemeral)
        if self._messages == 1:
            self._mix(self._ephemeral, self._remote_ephemeral)
        if self._messages > 0:
            sealed, message = _cut(message, KEY_BYTES + TAG_BYTES)
            remote_public_key = state.decrypt_and_hash(sealed)
            self._mix(self._ephemeral, remote_public_key)
            payload = state.decrypt_and_hash(message)
            self.remote_public_key = remote_public_key
        else:
            payload = state.decrypt_and_hash(message)
        self.remote_payload = payload or self.remote_payload

    def _mix(self, ours: NoiseKeyPair, theirs: bytes) -> None:
        try:
            shared = crypto.dh(ours.secret_key, theirs)
        except ValueError:
            raise HandshakeError(_FAILED) from None
        self._state.mix_key(shared)

    def _advance(self) -> None:
        self._messages += 1
        if self._messages < 3:
            return
        first, second = self._state.split()
        self.tx, self.rx = (first, second) if self.initiator else (second, first)
        self.hash = self._state.hash
        self.finished = True


def _cut(message: bytes, size: int) -> tuple[bytes, bytes]:
    if len(message) < size:
        raise ValueError("message is cut off")
    return message[:size], message[size:]
