"""Run-length coding of bitfields (npm's bitfield-rle 2).

A sequence of chunks, each a varint ``v``. Even: ``v / 2`` literal bytes follow. Odd: a run of
``v >> 2`` bytes, all ``ff`` if bit 1 of ``v`` is set, else all ``00``. Zero bytes at the end are
left out, so the decoded form can be shorter than what was encoded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hypermultifeed.encoding import varint
from hypermultifeed.errors import RemoteProtocolError

if TYPE_CHECKING:
    from hypermultifeed.crypto import Buffer

_RUN: Final = re.compile(rb"\x00+|\xff+")


def encode(bitfield: Buffer) -> bytes:
    """Encode as bitfield-rle does, byte for byte: a run only where it is shorter than literal."""
    data = bytes(bitfield).rstrip(b"\x00")
    parts: list[bytes] = []
    done = 0
    for match in _RUN.finditer(data):
        start, stop = match.span()
        fill = 2 if data[start] else 0
        run = varint.encode((stop - start) << 2 | fill | 1)
        pending = start - done
        cost = len(run) + (_literal_size(pending) if pending else 0)
        if cost >= _literal_size(stop - done):
            continue
        if pending:
            parts += (varint.encode(2 * pending), data[done:start])
        parts.append(run)
        done = stop
    if done < len(data):
        parts += (varint.encode(2 * (len(data) - done)), data[done:])
    return b"".join(parts)


def decode(data: Buffer, *, bytes_max: int) -> bytes:
    """Decode what a peer sent.

    Args:
        data: the encoded bitfield.
        bytes_max: most bytes it may expand to; checked before anything is expanded.

    Raises:
        RemoteProtocolError: it is malformed, or expands to more.
    """
    parts: list[bytes] = []
    size = 0
    offset = 0
    end = len(data)
    try:
        while offset < end:
            head, offset = varint.decode(data, offset)
            length = head >> 2 if head & 1 else head >> 1
            size += length
            if size > bytes_max:
                raise RemoteProtocolError(f"bitfield expands to more than {bytes_max} bytes")
            if head & 1:
                parts.append((b"\xff" if head & 2 else b"\x00") * length)
                continue
            if offset + length > end:
                raise RemoteProtocolError("bitfield is cut off within a literal")
            parts.append(bytes(data[offset : offset + length]))
            offset += length
    except ValueError as error:
        raise RemoteProtocolError(f"bitfield: {error}") from None
    return b"".join(parts)


def _literal_size(length: int) -> int:
    return len(varint.encode(2 * length)) + length
