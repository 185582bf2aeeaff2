"""Protocol buffers (proto2), as much as npm's protocol-buffers needs.

Messages are described by a table from field number to :class:`Kind`. As the JS decoder does, this
one takes fields in any order, lets the last one win, skips unknown numbers by their wire type and
reads known ones by their kind, whatever the wire type says. Stricter than JS: nothing may reach
beyond the end of the message, and no number above 2**53 - 1 is accepted.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from hypermultifeed.encoding import varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Scalar = int | bool | bytes | str
    Value = Scalar | Sequence[str] | Sequence[bytes] | None

REPEATED_MAX: Final = 1024
"""Most values of one repeated field: each costs memory far above its two bytes on the wire."""

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}


class Kind(Enum):
    """How a field's value is read."""

    UINT = "uint64"
    BOOL = "bool"
    BYTES = "bytes"
    REPEATED_BYTES = "repeated bytes"


class Fields:
    """The fields of one message, by number.

    Args:
        data: the encoded message.
        kinds: how to read which field.

    Raises:
        ValueError: it is malformed, cut off, or uses groups.
    """

    __slots__ = ("_many", "_numbers", "_raw")

    def __init__(self, data: bytes, kinds: Mapping[int, Kind]) -> None:
        self._numbers: dict[int, int] = {}
        self._raw: dict[int, bytes] = {}
        self._many: dict[int, list[bytes]] = {}
        offset = 0
        while offset < len(data):
            tag, offset = varint.decode(data, offset)
            kind = kinds.get(tag >> 3)
            if kind is None:
                offset = _skip(data, offset, tag & 7)
            else:
                offset = self._read(data, offset, tag >> 3, kind)

    def required_uint(self, field: int) -> int:
        """The number in ``field``; ValueError if there is none."""
        if field not in self._numbers:
            raise ValueError(f"required field {field} is missing")
        return self._numbers[field]

    def uint(self, field: int, default: int) -> int:
        """The number in ``field``, or ``default``."""
        return self._numbers.get(field, default)

    def flag(self, field: int) -> bool:
        """The truth value in ``field``, false if there is none."""
        return self._numbers.get(field, 0) != 0

    def required_raw(self, field: int) -> bytes:
        """The bytes in ``field``; ValueError if there are none."""
        if field not in self._raw:
            raise ValueError(f"required field {field} is missing")
        return self._raw[field]

    def raw(self, field: int) -> bytes | None:
        """The bytes in ``field``, or None (which is not the same as empty ones)."""
        return self._raw.get(field)

    def repeated(self, field: int) -> list[bytes]:
        """All values of a repeated ``field``."""
        return self._many.get(field, [])

    def _read(self, data: bytes, offset: int, field: int, kind: Kind) -> int:
        if kind is Kind.BOOL and offset == len(data):
            self._numbers[field] = 0  # JS takes a flag whose value is cut off for false
            return offset
        number, offset = varint.decode(data, offset)
        if kind is Kind.UINT or kind is Kind.BOOL:
            self._numbers[field] = number
            return offset
        stop = _stop(data, offset, number)
        if kind is Kind.BYTES:
            self._raw[field] = data[offset:stop]
            return stop
        values = self._many.setdefault(field, [])
        if len(values) == REPEATED_MAX:
            raise ValueError(f"field {field} is repeated more than {REPEATED_MAX} times")
        values.append(data[offset:stop])
        return stop


def encode(values: Sequence[tuple[int, Value]]) -> bytes:
    """Write a message from pairs of field number and value, in the order given.

    None is left out; zero, false and empty bytes are written, as JS writes them. A list stands
    for a repeated field.
    """
    parts: list[bytes] = []
    for field, value in values:
        if value is None:
            continue
        if isinstance(value, (int, bytes, str)):
            _put(parts, field, value)
        else:
            for item in value:
                _put(parts, field, item)
    return b"".join(parts)


def _put(parts: list[bytes], field: int, value: Scalar) -> None:
    if isinstance(value, int):
        parts += (varint.encode(field << 3 | _VARINT), varint.encode(value))
        return
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    parts += (varint.encode(field << 3 | _LENGTH), varint.encode(len(raw)), raw)


def _skip(data: bytes, offset: int, wire_type: int) -> int:
    if wire_type == _VARINT:
        return varint.decode(data, offset)[1]
    if wire_type == _LENGTH:
        size, offset = varint.decode(data, offset)
        return _stop(data, offset, size)
    if wire_type in _FIXED_SIZES:
        return _stop(data, offset, _FIXED_SIZES[wire_type])
    raise ValueError(f"wire type {wire_type} is not supported")


def _stop(data: bytes, offset: int, size: int) -> int:
    stop = offset + size
    if stop > len(data):
        raise ValueError("field reaches beyond the message")
    return stop
