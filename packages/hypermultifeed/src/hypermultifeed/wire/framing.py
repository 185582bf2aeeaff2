"""Frames: the message boundaries inside the (decrypted) byte stream.

``varint(length) | varint(channel << 4 | type) | body``, where the length counts the second varint
and the body (npm's simple-message-channels 1). A lone zero byte between frames is a keep-alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.encoding import varint
from hypermultifeed.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest body, the same as in JS."""

FRAME_VARINT_BYTES_MAX: Final = 8
"""JS gives up on longer ones when they are cut by the end of a chunk; we always do."""

CHANNEL_MAX: Final = 2**27 - 1
"""Largest channel number that JS can read back (it shifts a 32 bit integer)."""

KEEP_ALIVE: Final = b"\x00"

_SMALL_PART_BYTES: Final = 4096
"""Smaller parts of a body are gathered: as objects of their own they would cost a multiple."""

_HEADER_MAX: Final = CHANNEL_MAX << 4 | 15
_LENGTH_MAX: Final = FRAME_BODY_BYTES_MAX + FRAME_VARINT_BYTES_MAX
_TOO_LARGE: Final = "frame is larger than allowed, or shorter than its own header"


def frame_head(channel: int, type_: int, size: int) -> bytes:
    """What goes before a body of ``size`` bytes.

    Raises:
        LocalProtocolError: the body or the channel number is above its limit.
    """
    if size > FRAME_BODY_BYTES_MAX:
        raise LocalProtocolError(
            f"a message of {size} bytes is above the limit of {FRAME_BODY_BYTES_MAX}"
        )
    if not 0 <= channel <= CHANNEL_MAX:
        raise LocalProtocolError(f"there is no channel {channel}")
    header = varint.encode(channel << 4 | type_)
    return varint.encode(size + len(header)) + header


def encode_frame(channel: int, type_: int, body: bytes) -> bytes:
    """One whole frame.

    Raises:
        LocalProtocolError: the body or the channel number is above its limit.
    """
    return frame_head(channel, type_, len(body)) + body


class FrameParser:
    """Cuts a stream of chunks into frames, the same for every way of chunking.

    Memory grows with the bytes received of an unfinished frame, never with the size it claims.

    Args:
        on_frame: called with channel, type and body of each whole frame, in order.
    """

    __slots__ = (
        "_channel",
        "_head",
        "_missing",
        "_on_frame",
        "_parts",
        "_parts_size",
        "_type",
    )

    def __init__(self, on_frame: Callable[[int, int, bytes], None]) -> None:
        self._on_frame = on_frame
        self._head = b""  # an unfinished pair of varints
        self._missing = 0  # of an unfinished body; zero if there is none
        self._parts: list[bytes | bytearray] = []  # what is there of it
        self._parts_size = 0
        self._channel = 0
        self._type = 0

    @property
    def pending(self) -> int:
        """Bytes received of a frame that is not whole yet; zero between frames."""
        if self._missing:
            return self._parts_size + 1
        return len(self._head)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            RemoteProtocolError: the stream is malformed; the frames before that have been
                delivered, and the parser must not be fed again.
        """
        offset = 0
        if self._missing:
            offset = self._feed_body(chunk)
        elif self._head:
            chunk = self._head + chunk
            self._head = b""
        end = len(chunk)
        on_frame = self._on_frame
        while offset < end:
            length = chunk[offset]
            if length == 0:
                offset += 1
                continue
            body = offset + 2
            if length < 128 and body <= end and (header := chunk[offset + 1]) < 128:
                length -= 1
            else:
                found = _read_heads(chunk, offset)
                if found is None:
                    self._head = chunk[offset:]
                    return
                length, header, body = found
                if length < 0:
                    offset = body
                    continue
            stop = body + length
            if stop > end:
                self._start_body(header, chunk[body:], stop - end)
                return
            on_frame(header >> 4, header & 15, chunk[body:stop])
            offset = stop

    def _start_body(self, header: int, body: bytes, missing: int) -> None:
        self._channel = header >> 4
        self._type = header & 15
        self._missing = missing
        self._add(body)

    def _feed_body(self, chunk: bytes) -> int:
        missing = self._missing
        if len(chunk) < missing:
            self._missing = missing - len(chunk)
            self._add(chunk)
            return len(chunk)
        self._missing = 0
        body = b"".join((*self._parts, memoryview(chunk)[:missing]))
        self._parts.clear()
        self._parts_size = 0
        self._on_frame(self._channel, self._type, body)
        return missing

    def _add(self, part: bytes) -> None:
        self._parts_size += len(part)
        parts = self._parts
        if len(part) >= _SMALL_PART_BYTES:
            parts.append(part)
        elif parts and isinstance(parts[-1], bytearray):
            parts[-1] += part
        else:
            parts.append(bytearray(part))


def _read_heads(chunk: bytes, offset: int) -> tuple[int, int, int] | None:
    """Body size, header and place of the body; None if the chunk ends before the body.

    A length of zero in more than one byte is a keep-alive too: it has no header, and its "body"
    of -1 bytes is told apart by the caller.
    """
    found = _read_varint(chunk, offset)
    if found is None:
        return None
    length, start = found
    if length == 0:
        return -1, 0, start
    if length > _LENGTH_MAX:
        raise RemoteProtocolError(_TOO_LARGE)
    found = _read_varint(chunk, start)
    if found is None:
        return None
    header, body = found
    size = length - (body - start)
    if not 0 <= size <= FRAME_BODY_BYTES_MAX:
        raise RemoteProtocolError(_TOO_LARGE)
    if header > _HEADER_MAX:
        raise RemoteProtocolError(f"channel {header >> 4} is above the limit of {CHANNEL_MAX}")
    return size, header, body


def _read_varint(chunk: bytes, offset: int) -> tuple[int, int] | None:
    value = shift = 0
    for place in range(offset, min(offset + FRAME_VARINT_BYTES_MAX, len(chunk))):
        group = chunk[place]
        value |= (group & 127) << shift
        if group < 128:
            return value, place + 1
        shift += 7
    if len(chunk) - offset < FRAME_VARINT_BYTES_MAX:
        return None
    raise RemoteProtocolError("frame begins with a varint that is too long")
