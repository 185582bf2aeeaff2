"""Unsigned LEB128: seven bits a byte, low group first, the top bit set on all but the last.

JS keeps numbers exact below 2**53 only, so nothing larger is written or accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hypermultifeed.crypto import Buffer

VARINT_BYTES_MAX: Final = 10
"""Longest accepted form. Eight bytes hold 2**53; longer ones only pad with zero groups."""

NUMBER_MAX: Final = 2**53 - 1
"""Largest integer that JS represents together with all smaller ones."""

_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(128))


def encode(value: int) -> bytes:
    """The shortest form of ``value``.

    Raises:
        ValueError: a negative number, or one above :data:`NUMBER_MAX`.
    """
    if 0 <= value < 128:
        return _ONE_BYTE[value]
    if value < 16384:
        if value < 0:
            raise ValueError("a varint cannot be negative")
        return bytes((value & 127 | 128, value >> 7))
    if value < 2097152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    if value > NUMBER_MAX:
        raise ValueError("a varint above 2**53 - 1 cannot be read by others")
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def decode(data: Buffer, offset: int = 0) -> tuple[int, int]:
    """Read one varint: its value, and the offset behind it.

    Raises:
        ValueError: it does not end within the data, has more than :data:`VARINT_BYTES_MAX`
            bytes, or is above :data:`NUMBER_MAX`.
    """
    if offset >= len(data):
        raise ValueError("varint is cut off")
    first = data[offset]
    if first < 128:
        return first, offset + 1
    try:
        return finish(data, offset + 1, first)
    except IndexError:
        raise ValueError("varint is cut off") from None


def finish(data: Buffer, offset: int, first: int) -> tuple[int, int]:
    """Read the rest of a varint whose ``first`` byte has its top bit set.

    For hot decoders, which look at the first byte themselves: most varints have no second one.

    Args:
        data: what holds the varint.
        offset: place of its second byte.
        first: its first byte, 128 or more.

    Raises:
        IndexError: it does not end within the data.
        ValueError: it is too long or too large, as for :func:`decode`.
    """
    second = data[offset]
    if second < 128:
        return first - 128 + (second << 7), offset + 1
    value = first - 128 + (second - 128 << 7)
    shift = 14
    for place in range(offset + 1, offset + VARINT_BYTES_MAX - 1):
        group = data[place]
        if group < 128:
            value += group << shift
            if value > NUMBER_MAX:
                raise ValueError("varint is above 2**53 - 1")
            return value, place + 1
        value += group - 128 << shift
        shift += 7
    raise ValueError(f"varint has more than {VARINT_BYTES_MAX} bytes")
