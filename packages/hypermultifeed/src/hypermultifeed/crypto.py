"""Cryptographic primitives: the only module that imports the crypto libraries.

BLAKE2b comes from :mod:`hashlib`, Ed25519, X25519 and ChaCha20-Poly1305 from PyNaCl. XSalsa20
is libsodium's, reached inside PyNaCl's own binary where that works, else pycryptodome's Salsa20
under an HSalsa20 of our own; both give the same bytes.

Hash inputs are those of hypercore-crypto 2 (leaf, parent and root hashes).
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import importlib
import struct
from typing import TYPE_CHECKING, Final, Protocol

from Crypto.Cipher import Salsa20
from nacl import bindings
from nacl.exceptions import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Buffer = bytes | bytearray | memoryview
    _XorFunction = Callable[[object, object, int, bytes, int, bytes], int]

HASH_BYTES: Final = 32
KEY_BYTES: Final = 32
SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SECRET_KEY_BYTES: Final = 64
"""An Ed25519 secret key in libsodium's form: seed, then public key."""
NONCE_BYTES: Final = 24
AEAD_NONCE_BYTES: Final = 12
AEAD_TAG_BYTES: Final = 16

_U64: Final = struct.Struct(">Q").pack
_U64_PAIR: Final = struct.Struct(">QQ").pack

# Copying a prepared object is about half the cost of making a new one with its parameters.
_EMPTY: Final = hashlib.blake2b(digest_size=HASH_BYTES)
_LEAF: Final = hashlib.blake2b(b"\x00", digest_size=HASH_BYTES)
_PARENT: Final = hashlib.blake2b(b"\x01", digest_size=HASH_BYTES)
_ROOT: Final = hashlib.blake2b(b"\x02", digest_size=HASH_BYTES)


# -- hashes ------------------------------------------------------------------------------------


def blake2b_256(data: Buffer, key: bytes = b"") -> bytes:
    """BLAKE2b with 32 bytes of output, keyed if ``key`` (at most 64 bytes) is not empty."""
    return hashlib.blake2b(data, digest_size=HASH_BYTES, key=key).digest()


def blake2b_512(data: Buffer) -> bytes:
    """BLAKE2b with 64 bytes of output, without key: the hash of the Noise handshake."""
    return hashlib.blake2b(data).digest()


def hmac_blake2b(key: bytes, data: bytes) -> bytes:
    """Classic HMAC (RFC 2104) over BLAKE2b-512 with its 128 byte blocks: 64 bytes."""
    return hmac.digest(key, data, hashlib.blake2b)


def leaf_hash(data: Buffer) -> bytes:
    """Hash of one block: ``00``, its length as big-endian u64, its bytes."""
    state = _LEAF.copy()
    state.update(_U64(len(data)))
    state.update(data)
    return state.digest()


def parent_hash(size: int, left: bytes, right: bytes) -> bytes:
    """Hash of two nodes: ``01``, the sum of their sizes, the left hash, the right one.

    Args:
        size: bytes below both nodes together.
        left: hash of the node with the smaller index.
        right: hash of its sibling.
    """
    state = _PARENT.copy()
    state.update(_U64(size) + left + right)
    return state.digest()


def leaf_hashes(blocks: Iterable[Buffer]) -> list[bytes]:
    """`leaf_hash` of many blocks, half as long for each where they are of one size."""
    hashes = []
    size, start = -1, _LEAF
    for block in blocks:
        if len(block) != size:
            size, start = len(block), _LEAF.copy()
            start.update(_U64(size))
        state = start.copy()
        state.update(block)
        hashes.append(state.digest())
    return hashes


def parent_hashes(
    sizes: Iterable[int], lefts: Iterable[bytes], rights: Iterable[bytes]
) -> list[bytes]:
    """`parent_hash` of many pairs; it ends with the shortest argument."""
    hashes = []
    last, start = -1, _PARENT
    for size, left, right in zip(sizes, lefts, rights, strict=False):
        if size != last:
            last, start = size, _PARENT.copy()
            start.update(_U64(size))
        state = start.copy()
        state.update(left + right)
        hashes.append(state.digest())
    return hashes


def tree_hash(roots: Iterable[tuple[int, bytes, int]]) -> bytes:
    """Hash of a feed's roots from left to right, each ``(index, hash, size)``."""
    state = _ROOT.copy()
    for index, digest, size in roots:
        state.update(digest + _U64_PAIR(index, size))
    return state.digest()


def equal(left: bytes, right: bytes) -> bool:
    """Compare two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)


# -- signatures --------------------------------------------------------------------------------


def signing_key_pair(seed: bytes) -> tuple[bytes, bytes]:
    """The Ed25519 pair of a 32 byte seed: public key (32 bytes), secret key (64 bytes)."""
    public_key, secret_key = bindings.crypto_sign_seed_keypair(seed)
    return public_key, secret_key


def sign(message: bytes, secret_key: bytes) -> bytes:
    """Ed25519 signature (64 bytes) of ``message`` by a 64 byte secret key."""
    signed: bytes = bindings.crypto_sign(message, secret_key)
    return signed[:SIGNATURE_BYTES]


def verify(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether ``signature`` is that key's over ``message``; inputs of a wrong length are not.

    libsodium's rules: non-canonical signatures and keys of small order are refused.
    """
    if len(signature) != SIGNATURE_BYTES or len(public_key) != KEY_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True


# -- key exchange and the handshake's cipher ---------------------------------------------------


def noise_key_pair(seed: bytes) -> tuple[bytes, bytes]:
    """The X25519 pair (public, secret, 32 bytes each) of a 32 byte seed, as libsodium's kx."""
    public_key, secret_key = bindings.crypto_kx_seed_keypair(seed)
    return public_key, secret_key


def dh(secret_key: bytes, public_key: bytes) -> bytes:
    """X25519 shared secret, 32 bytes.

    Raises:
        ValueError: a key of another length, or a public key that gives an all-zero secret.
    """
    if len(secret_key) != KEY_BYTES or len(public_key) != KEY_BYTES:
        raise ValueError(f"X25519 keys have {KEY_BYTES} bytes")
    try:
        shared: bytes = bindings.crypto_scalarmult(secret_key, public_key)
    except CryptoError:
        raise ValueError("public key of low order") from None
    return shared


def aead_encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """ChaCha20-Poly1305 (RFC 8439): ciphertext with its 16 byte tag behind it."""
    sealed: bytes = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
        plaintext, associated, nonce, key
    )
    return sealed


def aead_decrypt(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Undo :func:`aead_encrypt`.

    Raises:
        ValueError: the tag does not match, or the input is shorter than a tag.
    """
    if len(sealed) < AEAD_TAG_BYTES:
        raise ValueError("ciphertext shorter than its tag")
    try:
        opened: bytes = bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
            sealed, associated, nonce, key
        )
    except CryptoError:
        raise ValueError("ciphertext does not authenticate") from None
    return opened


# -- XSalsa20 ----------------------------------------------------------------------------------

_BLOCK_BYTES: Final = 64


class StreamCipher(Protocol):
    """A key stream that goes on from call to call."""

    def __init__(self, key: bytes, nonce: bytes) -> None: ...

    def process(self, data: Buffer) -> bytes:
        """Return ``data`` XORed with the next bytes of the key stream."""

    def join(self, parts: Sequence[Buffer]) -> bytearray:
        """Return the concatenated ``parts`` XORed with the next bytes of the key stream."""

    def apply(self, buffer: bytearray) -> None:
        """XOR ``buffer`` in place with the next bytes of the key stream."""


def _check_stream_arguments(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError(f"XSalsa20 needs {KEY_BYTES} bytes of key and {NONCE_BYTES} of nonce")


def _load_sodium() -> _XorFunction:
    """``crypto_stream_xsalsa20_xor_ic`` of the libsodium in PyNaCl's binary, if it is there.

    PyNaCl has no binding for it, but its binary exports libsodium's functions (or is linked to a
    libsodium that does). The Windows build does not.
    """
    try:
        path = importlib.import_module("nacl._sodium").__file__
        function = ctypes.PyDLL(path).crypto_stream_xsalsa20_xor_ic
    except (ImportError, OSError, AttributeError):
        return _no_sodium
    function.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_ulonglong,
        ctypes.c_char_p,
        ctypes.c_uint64,
        ctypes.c_char_p,
    ]
    function.restype = ctypes.c_int
    found: _XorFunction = function
    return found


def _no_sodium(*_: object) -> int:
    raise RuntimeError("libsodium's XSalsa20 cannot be reached")


_sodium_xor: Final = _load_sodium()


class _Scratch:
    """A buffer that is used again: fresh large ones would cost page faults each time."""

    __slots__ = ("place", "view")

    def __init__(self) -> None:
        buffer = bytearray(_SCRATCH_BYTES + _BLOCK_BYTES)
        self.view = memoryview(buffer)
        self.place = ctypes.byref(ctypes.c_char.from_buffer(buffer))


_SCRATCH_BYTES: Final = 65536
_scratches: Final[list[_Scratch]] = []
"""Those not in use: one for each thread that has ever deciphered at the same time."""


class SodiumXSalsa20:
    """XSalsa20 by libsodium, with the place in the key stream kept here.

    libsodium starts at whole 64 byte blocks; a call that begins inside one has the bytes before
    its place padded and thrown away again (cutting the front off a bytearray moves nothing).
    """

    __slots__ = ("_key", "_nonce", "_position")

    def __init__(self, key: bytes, nonce: bytes) -> None:
        _check_stream_arguments(key, nonce)
        self._key = bytes(key)
        self._nonce = bytes(nonce)
        self._position = 0

    def process(self, data: Buffer) -> bytes:
        """Return ``data`` XORed with the next bytes of the key stream."""
        size = len(data)
        if size > _SCRATCH_BYTES:
            view = memoryview(data)
            starts = range(0, size, _SCRATCH_BYTES)
            return b"".join([self.process(view[at : at + _SCRATCH_BYTES]) for at in starts])
        position = self._position
        skip = position & 63
        stop = skip + size
        try:
            scratch = _scratches.pop()
        except IndexError:
            scratch = _Scratch()
        view, place = scratch.view, scratch.place
        view[skip:stop] = data
        _sodium_xor(place, place, stop, self._nonce, position >> 6, self._key)
        self._position = position + size
        out = view[skip:stop].tobytes()
        _scratches.append(scratch)
        return out

    def join(self, parts: Sequence[Buffer]) -> bytearray:
        """Return the concatenated ``parts`` XORed with the next bytes of the key stream."""
        skip = self._position & 63
        buffer = bytearray().join((bytes(skip), *parts))
        self._xor(buffer, skip)
        return buffer

    def apply(self, buffer: bytearray) -> None:
        """XOR ``buffer`` in place with the next bytes of the key stream."""
        skip = self._position & 63
        if skip:
            buffer[:0] = bytes(skip)
        self._xor(buffer, skip)

    def _xor(self, buffer: bytearray, skip: int) -> None:
        size = len(buffer)
        if size == skip:
            del buffer[:skip]
            return
        position = self._position
        reference = ctypes.byref(ctypes.c_char.from_buffer(buffer))
        _sodium_xor(reference, reference, size, self._nonce, position >> 6, self._key)
        del reference  # or the buffer could not shrink
        if skip:
            del buffer[:skip]
        self._position = position + size - skip


class PortableXSalsa20:
    """XSalsa20 as HSalsa20 (computed once, here) and pycryptodome's Salsa20."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes, nonce: bytes) -> None:
        _check_stream_arguments(key, nonce)
        self._cipher = Salsa20.new(key=hsalsa20(key, nonce[:16]), nonce=bytes(nonce[16:]))

    def process(self, data: Buffer) -> bytes:
        """Return ``data`` XORed with the next bytes of the key stream."""
        return self._cipher.encrypt(data)

    def join(self, parts: Sequence[Buffer]) -> bytearray:
        """Return the concatenated ``parts`` XORed with the next bytes of the key stream."""
        buffer = bytearray().join(parts)
        self.apply(buffer)
        return buffer

    def apply(self, buffer: bytearray) -> None:
        """XOR ``buffer`` in place with the next bytes of the key stream."""
        self._cipher.encrypt(buffer, output=buffer)


def hsalsa20(key: bytes, nonce: bytes) -> bytes:
    """HSalsa20 (Bernstein, "Extending the Salsa20 nonce"): a 32 byte key from key and 16 bytes."""
    sigma = struct.unpack("<4I", b"expand 32-byte k")
    k = struct.unpack("<8I", key)
    n = struct.unpack("<4I", nonce)
    x = [sigma[0], *k[:4], sigma[1], *n, sigma[2], *k[4:], sigma[3]]
    for _ in range(10):
        for columns in (_COLUMNS, _ROWS):
            for a, b, c, d in columns:
                x[b] ^= _rotate(x[a] + x[d], 7)
                x[c] ^= _rotate(x[b] + x[a], 9)
                x[d] ^= _rotate(x[c] + x[b], 13)
                x[a] ^= _rotate(x[d] + x[c], 18)
    return struct.pack("<8I", x[0], x[5], x[10], x[15], *x[6:10])


_COLUMNS: Final = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS: Final = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def _rotate(value: int, bits: int) -> int:
    value &= 0xFFFFFFFF
    return (value << bits & 0xFFFFFFFF) | value >> (32 - bits)


def _choose_cipher() -> type[StreamCipher]:
    """The fast one if it gives the right bytes across a block boundary, else the other."""
    if _sodium_xor is _no_sodium:
        return PortableXSalsa20
    key, nonce = bytes(range(32)), bytes(range(24))
    fast, sure = SodiumXSalsa20(key, nonce), PortableXSalsa20(key, nonce)
    for size in (1, _BLOCK_BYTES, 3):
        if fast.process(bytes(size)) != sure.process(bytes(size)):
            return PortableXSalsa20
    return SodiumXSalsa20


XSalsa20: Final = _choose_cipher()


def _keep_freed_memory() -> None:
    """Let the C library keep up to 2 MiB that was freed, instead of 128 KiB.

    glibc gives free memory at the end of its heap back to the kernel and fetches it again, page by
    page, which doubled the cost of a 64 KiB block on its way through a connection. Freeing one
    larger block, never touched, raises that limit to twice its size. Elsewhere it does nothing.
    """
    bytearray(1 << 20)


_keep_freed_memory()
