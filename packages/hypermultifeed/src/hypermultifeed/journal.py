"""The journal of file storage: commits as checksummed records in segment files.

A record holds one commit. A segment is a file of records, one behind the other, numbered without
a gap; it is used again from its start once all of it is in the feeds' own files, so that behind
its last record may lie records of an earlier use. What makes a record valid is therefore more than
its checksum: the number that must come next, and the salt of this opening of the folder. The
first record that is not valid ends the journal: it was never acknowledged.

Unless a later record says that it was: each carries the number up to which the journal was known
to be on the disk when it was written. Then bytes were lost that no crash can lose.

Record: header, then operations.

======  ====  =========================================================
offset  size  (little-endian)
======  ====  =========================================================
0       4     magic
4       4     CRC-32 of all that follows
8       8     salt
16      8     number of the record
24      8     number up to which all was on the disk before
32      8     bytes of the operations
======  ====  =========================================================

Operation: kind (1 byte), file (4), offset (8), size (4), then ``size`` bytes. A DEFINE gives a file
its number, and is repeated in each segment.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import CorruptStorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.disk import Buffer, Disk

WRITE: Final = 0
CUT: Final = 1
DEFINE: Final = 2
REMOVE: Final = 3

_MAGIC: Final = 0x314A4648  # "HFJ1"
_HEAD: Final = struct.Struct("<II")
_REST: Final = struct.Struct("<QQQQ")
_HEADER_SIZE: Final = _HEAD.size + _REST.size
_OPERATION: Final = struct.Struct("<BIQI")
_SCAN_BYTES: Final = 1 << 20

_pack_head = _HEAD.pack
_pack_rest = _REST.pack
pack_operation = _OPERATION.pack
"""``pack_operation(kind, file, offset, size)``; ``struct.error`` for what does not fit."""

EMPTY_HEADER: Final = bytes(_HEADER_SIZE)
"""Written over the first record, it empties a segment."""


class Record(NamedTuple):
    """A valid record; ``end`` is the offset behind it in its segment."""

    salt: int
    number: int
    durable: int
    operations: bytes
    end: int


class Operation(NamedTuple):
    """One operation of a record; ``data`` is the name for DEFINE."""

    kind: int
    file: int
    offset: int
    data: memoryview


def encode_record(salt: int, number: int, durable: int, operations: list[Buffer]) -> bytes:
    """One record as bytes; for small ones."""
    body = b"".join(operations)
    rest = _pack_rest(salt, number, durable, len(body))
    return _pack_head(_MAGIC, zlib.crc32(body, zlib.crc32(rest))) + rest + body


def encode_large_record(
    salt: int, number: int, durable: int, operations: list[Buffer]
) -> list[Buffer]:
    """One record as a list of buffers, without a copy of the data."""
    rest = _pack_rest(salt, number, durable, sum(map(len, operations)))
    checksum = zlib.crc32(rest)
    for operation in operations:
        checksum = zlib.crc32(operation, checksum)
    return [_pack_head(_MAGIC, checksum) + rest, *operations]


def read_record(disk: Disk, descriptor: int, offset: int, size: int) -> Record | None:
    """The record at ``offset`` of a segment of ``size`` bytes, if there is a valid one."""
    header = disk.read(descriptor, offset, _HEADER_SIZE)
    if len(header) < _HEADER_SIZE:
        return None
    magic, checksum = _HEAD.unpack_from(header)
    salt, number, durable, length = _REST.unpack_from(header, _HEAD.size)
    start = offset + _HEADER_SIZE
    if magic != _MAGIC or length > size - start:
        return None
    body = disk.read(descriptor, start, length)
    if zlib.crc32(body, zlib.crc32(header[_HEAD.size :])) != checksum:
        return None
    return Record(salt, number, durable, body, start + length)


def read_segment(disk: Disk, descriptor: int, size: int) -> Iterator[Record]:
    """The valid records of a segment.

    Raises:
        CorruptStorageError: a record is damaged that is known to have been on the disk.
    """
    record = read_record(disk, descriptor, 0, size)
    while record is not None:
        yield record
        following = read_record(disk, descriptor, record.end, size)
        if following is not None and not _follows(following, record):
            following = None
        if following is None:
            _check_tail(disk, descriptor, record, size)
        record = following


def read_operations(record: Record) -> Iterator[Operation]:
    """Take a valid record apart.

    Raises:
        CorruptStorageError: the checksum is right, but this code did not write it.
    """
    body = memoryview(record.operations)
    position = 0
    while position < len(body):
        if len(body) - position < _OPERATION.size:
            raise CorruptStorageError(f"journal record {record.number} ends too early")
        kind, file, offset, size = _OPERATION.unpack_from(body, position)
        position += _OPERATION.size
        if size > len(body) - position or kind > REMOVE:
            raise CorruptStorageError(f"journal record {record.number} has an unknown form")
        yield Operation(kind, file, offset, body[position : position + size])
        position += size


def _follows(record: Record, before: Record) -> bool:
    return record.salt == before.salt and record.number == before.number + 1


def _check_tail(disk: Disk, descriptor: int, last: Record, size: int) -> None:
    """Raise if behind the last valid record lies proof that there were more on the disk.

    A torn tail is what any crash may leave. A damaged record that had been synced is not: then
    acknowledged data are gone, and going on in silence would hide it.
    """
    salt = struct.pack("<Q", last.salt)
    position = last.end
    while position < size:
        chunk = disk.read(descriptor, position, _SCAN_BYTES + len(salt) - 1)
        found = chunk.find(salt)
        while found >= 0:
            record = read_record(disk, descriptor, position + found - _HEAD.size, size)
            if record is not None and record.salt == last.salt and record.durable > last.number:
                raise CorruptStorageError(
                    f"the journal is damaged at byte {last.end}: record {last.number + 1} cannot"
                    f" be read, though all up to {record.durable} had been on the disk"
                )
            found = chunk.find(salt, found + 1)
        position += _SCAN_BYTES
