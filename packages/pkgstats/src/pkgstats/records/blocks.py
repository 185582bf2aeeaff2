"""Blocks of a feed: an array of records, compressed with zstandard (RFC 8878).

    byte 0      1, the form of the block
    byte 1      0
    the rest    one zstandard frame that tells its content's size, without a dictionary

A dictionary would save 12 % of 32 manifests together, as writers say them, and 6 % of 128. At most
64 kB of records lie in one block, so that nothing a stranger sends can cost more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cbor2
import zstandard

from pkgstats.records.codec import BadRecord, UnknownRecord, decode, to_map
from pkgstats.records.kinds import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pkgstats.records.model import Known

HEAD: Final = b"\x01\x00"

CONTENT_BYTES_MAX: Final = 64 << 10
"""Records of one block before compression."""

BLOCK_BYTES_MAX: Final = CONTENT_BYTES_MAX + 1024
"""A block that could not be compressed at all."""

RECORDS_MAX: Final = 8192
"""Records of one block; each costs memory above its bytes."""

LEVEL: Final = 12
"""Blocks are written once and sent to every peer; beyond this level, time grows and size hardly."""

ARRAY_HEAD: Final = 3
"""Bytes before the records of an array of at most 65,535."""


def encode_block(records: Iterable[Known], *, level: int = LEVEL) -> bytes:
    """One block of these records.

    Raises:
        RecordError: a record passes a bound, or all together are more than one block holds.
    """
    return _seal([cbor2.dumps(to_map(record)) for record in records], level)


def split_blocks(records: Iterable[Known], *, level: int = LEVEL) -> Iterator[bytes]:
    """As few blocks as hold these records, in their order; records never lie across two.

    Raises:
        RecordError: a record passes a bound, or is too large for a block of its own.
    """
    waiting: list[bytes] = []
    size = ARRAY_HEAD
    for record in records:
        encoded = cbor2.dumps(to_map(record))
        if waiting and (size + len(encoded) > CONTENT_BYTES_MAX or len(waiting) == RECORDS_MAX):
            yield _seal(waiting, level)
            waiting, size = [], ARRAY_HEAD
        waiting.append(encoded)
        size += len(encoded)
    if waiting:
        yield _seal(waiting, level)


def encoded_size(record: Known) -> int:
    """Bytes that a record takes in a block before compression."""
    return len(cbor2.dumps(to_map(record)))


def decode_block(data: bytes) -> list[Known | UnknownRecord | BadRecord]:
    """The records of a block; those that are bad or unknown come as such.

    Raises:
        RecordError: it is no block.
    """
    records = decode(_open(data))
    if len(records) > RECORDS_MAX:
        raise RecordError(f"more than {RECORDS_MAX} records in a block")
    return records


def _seal(encoded: list[bytes], level: int) -> bytes:
    content = _array(encoded)
    if len(content) > CONTENT_BYTES_MAX or len(encoded) > RECORDS_MAX:
        raise RecordError(f"more than {CONTENT_BYTES_MAX} bytes of records in a block")
    return HEAD + zstandard.ZstdCompressor(level=level, write_content_size=True).compress(content)


def _array(encoded: list[bytes]) -> bytes:
    head = cbor2.dumps([None] * len(encoded))[: -len(encoded) or None]
    return head + b"".join(encoded)


def _open(data: bytes) -> bytes:
    if not len(HEAD) < len(data) <= BLOCK_BYTES_MAX or not data.startswith(HEAD):
        raise RecordError("no block of records")
    frame = data[len(HEAD) :]
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if not 0 < size <= CONTENT_BYTES_MAX:
            raise RecordError("a block whose content is too large, or does not tell its size")
        opened = zstandard.ZstdDecompressor(max_window_size=1 << 17)
        return opened.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RecordError(f"a block that does not unpack: {error}") from error
