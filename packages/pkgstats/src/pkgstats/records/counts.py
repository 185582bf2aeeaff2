"""Downloads a day, packed: most days are like the same weekday of the week before.

For each package its days in order, each as a varint: the difference to the count a week
earlier, zigzag coded, or for the first week the count itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.records.kinds import NUMBER_MAX, RecordError

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEK: Final = 7

VARINT_BYTES_MAX: Final = 8
"""Bytes of the largest difference that two counts can have."""


def pack(rows: Sequence[Sequence[int]]) -> bytes:
    """Pack the days of several packages; all rows have one length.

    Raises:
        RecordError: a count is negative or above 2**53 - 1.
    """
    out = bytearray()
    for row in rows:
        for day, count in enumerate(row):
            if not 0 <= count <= NUMBER_MAX:
                raise RecordError("no count of downloads")
            delta = count - row[day - WEEK] if day >= WEEK else count
            put_number(out, delta * 2 if delta >= 0 else -delta * 2 - 1)
    return bytes(out)


def unpack(data: bytes, packages: int, span: int) -> list[list[int]]:
    """Return the rows again.

    Args:
        data: what `pack` gave.
        packages: how many rows.
        span: how many days each has.

    Raises:
        RecordError: the bytes are not that many counts, or one is out of bounds. Nothing is
            built before the bytes are known to be enough.
    """
    if packages * span > len(data):
        raise RecordError("fewer counts than packages and days")
    rows: list[list[int]] = []
    offset = 0
    for _ in range(packages):
        row, offset = take_row(data, offset, span)
        rows.append(row)
    if offset != len(data):
        raise RecordError("more counts than packages and days")
    return rows


def nth_row(data: bytes, number: int, span: int) -> list[int]:
    """The row of one package, counted from 0, of what `pack` gave.

    Raises:
        RecordError: as `unpack`.
    """
    offset = 0
    for _ in range(number):
        _, offset = take_row(data, offset, span)
    return take_row(data, offset, span)[0]


def take_row(data: bytes, offset: int, span: int) -> tuple[list[int], int]:
    """The days of one package that begin at ``offset``, and where they end.

    Raises:
        RecordError: as `unpack`.
    """
    row: list[int] = []
    for day in range(span):
        value, offset = take_number(data, offset)
        delta = -(value + 1 >> 1) if value & 1 else value >> 1
        count = row[day - WEEK] + delta if day >= WEEK else delta
        if not 0 <= count <= NUMBER_MAX:
            raise RecordError("no count of downloads")
        row.append(count)
    return row, offset


def put_number(out: bytearray, value: int) -> None:
    """Append a number from 0 as a varint."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def take_number(data: bytes, offset: int) -> tuple[int, int]:
    """The varint at ``offset``, and where it ends.

    Raises:
        RecordError: it is cut off or longer than any that `put_number` writes of a count.
    """
    value = shift = 0
    while offset < len(data) and shift < 7 * VARINT_BYTES_MAX:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
    raise RecordError("counts are cut off")
