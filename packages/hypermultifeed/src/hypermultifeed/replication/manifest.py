"""The JSON messages of the multifeed exchange: made, read and checked.

Four extension messages travel on the root key's channel (hypermultifeed 1.1.0 ``mux.js``), as
JSON without a newline. They come from strangers, and the original lets most wrong shapes end its
process. Here every message is measured before it is parsed (bytes, nesting, elements), and each
key is looked at alone: bad ones are left out and counted, good ones beside them are kept.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from hypermultifeed.errors import ClientMismatchError, RemoteProtocolError, VersionMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CLIENT: Final = "MULTIFEED"
PROTOCOL_VERSION: Final = "4.0.0"

HANDSHAKE: Final = "MULTIFEED_HANDSHAKE"
MANIFEST: Final = "MULTIFEED_MANIFEST"
REPLICATE_FEEDS: Final = "MULTIFEED_REPLICATE_FEEDS"
REQUEST_FEEDS: Final = "MULTIFEED_REQUEST_FEEDS"
EXTENSIONS: Final = (HANDSHAKE, MANIFEST, REPLICATE_FEEDS, REQUEST_FEEDS)

HANDSHAKE_BYTES_MAX: Final = 64 * 1024  # user data included
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024  # no frame is larger
KEYS_PER_MESSAGE_MAX: Final = 131_072  # more than one frame can hold
EXTRA_BYTES_MAX: Final = 64 * 1024  # of a message, beyond its keys
DEPTH_MAX: Final = 32
CONTAINERS_MAX: Final = 4096
NUMBER_DIGITS_MAX: Final = 64

KEY_JSON_BYTES: Final = 67  # quotes, 64 hex digits, a comma
_SHOWN_CHARS_MAX: Final = 64

# Points of small order (libsodium's list, both signs and the non-canonical forms): no honest
# feed has such a key, and signatures under it prove nothing.
_SMALL_ORDER: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)

_KEY = re.compile(r"[0-9a-f]{64}")
# Possessive, and a string may lack its end: one pass whatever the bytes are.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_MAJOR = re.compile(r"\s*([+-]?[0-9]{1,9})")


class Handshake(NamedTuple):
    """A peer's greeting, already found compatible with ours."""

    version: str
    user_data: Any


class KeyList(NamedTuple):
    """Keys of one message: good ones in order without repeats, and how many were bad."""

    keys: list[bytes]
    skipped: int
    hints: dict[str, Any]


def encode_handshake(user_data: object = None) -> bytes:
    """Return our HANDSHAKE; ``user_data`` is any JSON value, None leaves it out.

    Raises:
        ValueError: the user data are no JSON, or too large for the peer's limit.
    """
    message: dict[str, object] = {"client": CLIENT, "version": PROTOCOL_VERSION}
    if user_data is not None:
        message["userData"] = user_data
    try:
        payload = _encode(message)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"user data must be plain JSON: {error}") from error
    if len(payload) > HANDSHAKE_BYTES_MAX:
        raise ValueError(f"user data make a handshake above {HANDSHAKE_BYTES_MAX} bytes")
    return payload


def encode_manifest(keys: Iterable[bytes]) -> bytes:
    """Return a MANIFEST offering these feeds."""
    return _encode({"keys": [key.hex() for key in keys]})


def encode_keys(keys: Iterable[bytes]) -> bytes:
    """Return the body of a REQUEST_FEEDS or REPLICATE_FEEDS."""
    return _encode([key.hex() for key in keys])


def _encode(message: object) -> bytes:
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def decode_handshake(payload: bytes) -> Handshake:
    """Read a HANDSHAKE and check that we understand each other (version first, as JS does).

    Raises:
        VersionMismatchError, ClientMismatchError: with both sides' values.
        RemoteProtocolError: it is no handshake at all.
    """
    if len(payload) > HANDSHAKE_BYTES_MAX:
        raise RemoteProtocolError(f"HANDSHAKE above {HANDSHAKE_BYTES_MAX} bytes")
    message = _decode(payload, "HANDSHAKE")
    if not isinstance(message, dict):
        raise RemoteProtocolError("HANDSHAKE is not a JSON object")
    version = message.get("version")
    if not isinstance(version, str) or _major(version) != _major(PROTOCOL_VERSION):
        raise VersionMismatchError(PROTOCOL_VERSION, _shown(version))
    client = message.get("client")
    if client != CLIENT:
        raise ClientMismatchError(CLIENT, _shown(client))
    return Handshake(version, message.get("userData"))


def decode_manifest(payload: bytes, *, reserved: bytes | None = None) -> KeyList:
    """Read a MANIFEST; ``reserved`` is a key that cannot be a feed (the root key).

    Missing or mistyped ``keys`` count as none, as in JS. Every other member is a hint.

    Raises:
        RemoteProtocolError: not an object, or above a limit.
    """
    message = _decode(payload, "MANIFEST")
    if not isinstance(message, dict):
        raise RemoteProtocolError("MANIFEST is not a JSON object")
    listed = message.pop("keys", None)
    entries = listed if isinstance(listed, list) else []
    keys, skipped = _good_keys(entries, len(payload), reserved)
    return KeyList(keys, skipped, message)


def decode_keys(payload: bytes, name: str, *, reserved: bytes | None = None) -> KeyList:
    """Read a REQUEST_FEEDS or REPLICATE_FEEDS; ``name`` is for the error text.

    Raises:
        RemoteProtocolError: not a list, or above a limit.
    """
    message = _decode(payload, name)
    if not isinstance(message, list):
        raise RemoteProtocolError(f"{name} is not a JSON list")
    keys, skipped = _good_keys(message, len(payload), reserved)
    return KeyList(keys, skipped, {})


def _good_keys(
    entries: Sequence[object], payload_bytes: int, reserved: bytes | None
) -> tuple[list[bytes], int]:
    """Return the usable keys, in order, and how many entries were not usable."""
    if len(entries) > KEYS_PER_MESSAGE_MAX:
        raise RemoteProtocolError(f"more than {KEYS_PER_MESSAGE_MAX} keys in one message")
    if payload_bytes - KEY_JSON_BYTES * len(entries) > EXTRA_BYTES_MAX:
        raise RemoteProtocolError(f"more than {EXTRA_BYTES_MAX} bytes beside the keys")
    match = _KEY.fullmatch
    good = {
        bytes.fromhex(entry): None
        for entry in entries
        if isinstance(entry, str) and match(entry) is not None
    }
    for bad in _SMALL_ORDER:
        good.pop(bad, None)
    if reserved is not None:
        good.pop(reserved, None)
    return list(good), len(entries) - len(good)


def _decode(payload: bytes, name: str) -> Any:
    _measure(payload, name)
    try:
        return json.loads(
            payload.decode(),
            parse_int=_parse_int,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are ValueErrors
        raise RemoteProtocolError(f"{name} is not JSON: {_shown(str(error))}") from None


def _measure(payload: bytes, name: str) -> None:
    """Refuse what would be costly to parse, in one pass and without parsing it."""
    if len(payload) > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError(f"{name} above {MESSAGE_BYTES_MAX} bytes")
    if payload.count(b",") > KEYS_PER_MESSAGE_MAX + CONTAINERS_MAX:
        raise RemoteProtocolError(f"{name} has too many elements")
    containers = payload.count(b"[") + payload.count(b"{")
    if containers <= DEPTH_MAX:
        return
    depth = opened = 0
    for token in _TOKEN.finditer(payload):
        byte = payload[token.start()]
        if byte in b"[{":
            depth += 1
            opened += 1
            if depth > DEPTH_MAX or opened > CONTAINERS_MAX:
                raise RemoteProtocolError(f"{name} is nested too deeply or has too many parts")
        elif byte in b"]}":
            depth -= 1


def _parse_int(text: str) -> int:
    _check_digits(text)
    return int(text)


def _parse_float(text: str) -> float:
    _check_digits(text)
    return float(text)


def _check_digits(text: str) -> None:
    if len(text) > NUMBER_DIGITS_MAX:
        raise ValueError(f"a number of more than {NUMBER_DIGITS_MAX} characters")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON value")


def _major(version: str) -> int | None:
    found = _MAJOR.match(version.partition(".")[0])
    return int(found[1]) if found else None


def _shown(value: object) -> str:
    """Return a peer's value for an error text: short, printable, never a lone surrogate."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else type(value).__name__
    printable = text[:_SHOWN_CHARS_MAX].encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in printable)
