"""Key pairs, discovery keys, and keys derived from a master key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from hypermultifeed import crypto

DEFAULT_KEY: Final = bytes.fromhex(
    "bee80ff3a4ee5e727dc44197cb9d25bf8f19d50b0f3ad2984cfe5b7d14e75de7"
)
"""The root key of a multifeed that was given none. Everybody knows it."""

_DISCOVERY_MESSAGE: Final = b"hypercore"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An Ed25519 key pair: it names a feed and signs its blocks.

    Attributes:
        public_key: 32 bytes.
        secret_key: 64 bytes (libsodium's form: seed, then public key). Not shown by ``repr``.

    Raises:
        ValueError: a key of another length, or a public key that is not the secret key's.
    """

    public_key: bytes
    secret_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_length("public key", self.public_key, crypto.KEY_BYTES)
        _check_length("secret key", self.secret_key, crypto.SECRET_KEY_BYTES)
        if self.secret_key[crypto.SEED_BYTES :] != self.public_key:
            raise ValueError("the secret key belongs to another public key")

    @classmethod
    def generate(cls) -> KeyPair:
        """A new pair from the system's randomness."""
        return cls.from_seed(secrets.token_bytes(crypto.SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """The pair of a 32 byte seed: the same seed gives the same pair, here and in JS."""
        _check_length("seed", seed, crypto.SEED_BYTES)
        return cls(*crypto.signing_key_pair(bytes(seed)))


@dataclass(frozen=True, slots=True)
class NoiseKeyPair:
    """An X25519 key pair: it identifies a peer towards others during the handshake.

    Attributes:
        public_key: 32 bytes.
        secret_key: 32 bytes. Not shown by ``repr``.

    Raises:
        ValueError: a key of another length.
    """

    public_key: bytes
    secret_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_length("public key", self.public_key, crypto.KEY_BYTES)
        _check_length("secret key", self.secret_key, crypto.KEY_BYTES)

    @classmethod
    def generate(cls) -> NoiseKeyPair:
        """A new pair from the system's randomness."""
        return cls.from_seed(secrets.token_bytes(crypto.SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> NoiseKeyPair:
        """The pair of a 32 byte seed, as libsodium's ``crypto_kx_seed_keypair`` makes it."""
        _check_length("seed", seed, crypto.SEED_BYTES)
        return cls(*crypto.noise_key_pair(bytes(seed)))


def discovery_key(public_key: bytes) -> bytes:
    """The 32 byte name under which a feed can be looked for without telling its public key."""
    return crypto.blake2b_256(_DISCOVERY_MESSAGE, key=public_key)


def derive_seed(master_key: bytes, namespace: str, name: bytes | str) -> bytes:
    """A 32 byte seed for ``name`` from a 32 byte master key, as npm's derive-key 1 does.

    A name given as text is taken as UTF-8.
    """
    raw_name = name.encode() if isinstance(name, str) else name
    raw_namespace = namespace.encode("ascii")
    prefix = b"%d\n%s" % (len(raw_namespace), raw_namespace)
    return crypto.blake2b_256(prefix + raw_name, key=master_key)


def parse_key(key: bytes | str) -> bytes:
    """A 32 byte public key from itself or from its 64 hex digits.

    Raises:
        ValueError: anything else; the text says what was expected and what came.
    """
    if isinstance(key, str):
        try:
            raw = bytes.fromhex(key)
        except ValueError:
            raw = b""
        if len(key) != 2 * crypto.KEY_BYTES or len(raw) != crypto.KEY_BYTES:
            raise ValueError(
                f"a key is written as {2 * crypto.KEY_BYTES} hex digits (0-9, a-f);"
                f" this text has {len(key)} characters"
            )
        return raw
    if not isinstance(key, (bytes, bytearray, memoryview)):
        raise TypeError(f"a key is bytes or text, not {type(key).__name__}")
    _check_length("key", key, crypto.KEY_BYTES)
    return bytes(key)


def _check_length(what: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise ValueError(f"a {what} has {size} bytes, not {len(value)}")
