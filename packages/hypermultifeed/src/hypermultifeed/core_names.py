"""How a store names its cores, derives their keys and lays them out: pure functions.

All of it as corestore 5, derived-key-storage 2 and derive-key 1 do it, so that one folder serves
both. The master key and a name give a core's key pair; the name is kept beside the core, the
secret key is not.
"""

from __future__ import annotations

from typing import Final

from hypermultifeed.encoding import varint
from hypermultifeed.keys import KeyPair, derive_seed

MASTER_KEY_FILE: Final = "master_key"
MASTER_KEY_BYTES: Final = 32
NOISE_SEED_FILE: Final = "noise_seed"
"""Beside the master key: 32 bytes, from which come the keys that peers know us by. Ours alone;
JavaScript has new ones in every process."""
DEFAULT_NAME: Final = "default"

CORE_NAME_BYTES_MAX: Final = 4096
"""Longest name of a core, in bytes."""

_NAMESPACE: Final = "corestore"
_SEPARATOR: Final = ":"


def derive_key_pair(master_key: bytes, name: str | bytes) -> KeyPair:
    """Return the key pair of the core ``name`` under a 32 byte master key.

    Raises:
        ValueError: the name is longer than ``CORE_NAME_BYTES_MAX``, or no text at all.
    """
    return KeyPair.from_seed(derive_seed(master_key, _NAMESPACE, raw_name(name)))


def raw_name(name: str | bytes) -> bytes:
    """Return a name's bytes (UTF-8 for text).

    Raises:
        ValueError: too long, or text with lone surrogates.
    """
    raw = name.encode() if isinstance(name, str) else bytes(name)
    if len(raw) > CORE_NAME_BYTES_MAX:
        raise ValueError(f"a core's name has at most {CORE_NAME_BYTES_MAX} bytes, not {len(raw)}")
    return raw


def core_folder(discovery_key: bytes) -> str:
    """Return the prefix of a core's files: ``"dd/dd/<64 hex digits>/"``."""
    text = discovery_key.hex()
    return f"{text[:2]}/{text[2:4]}/{text}/"


def nested_name(parent: str | None, name: str | bytes) -> str:
    """Return the full name of a namespace in another (None: in the store itself)."""
    text = name.hex() if isinstance(name, bytes) else name
    return text if parent is None else f"{parent}{_SEPARATOR}{text}"


def encode_name_file(name: bytes) -> bytes:
    """Return the content of a core's ``name`` file: length, then the name."""
    return varint.encode(len(name)) + name


def decode_name_file(content: bytes) -> bytes | None:
    """Read a ``name`` file; None for anything that is not exactly one name, as in JS."""
    if not content:
        return None
    try:
        size, start = varint.decode(content, 0)
    except ValueError:
        return None
    name = content[start:]
    return name if name and len(name) == size else None
