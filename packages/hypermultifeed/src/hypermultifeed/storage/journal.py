"""The journal of file storage: commits as checksummed records in segment files.

A record holds one commit. A segment is a file of records, one behind the other, numbered without
a gap; it is used again from its start once all of it is in the feeds' own files, so that behind
its last record may lie records of an earlier use. What makes a record valid is therefore more than
its checksum: the number that must come next, and the salt of this opening of the folder. The
first record that is not valid ends the journal: it was never acknowledged.

Where the journal begins says the *mark*: the number up to which all is in the files. It lies in
front of the records of the first segment, twice, and the older of the two is overwritten, so that
there is always one. A segment that lies wholly below the mark counts for nothing.

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

    from hypermultifeed.storage.disk import Buffer, Disk

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

RECORDS_START: Final = 128
"""Offset of the first record of a segment."""

_MARK_OFFSETS: Final = (0, 64)


class Record(NamedTuple):
    """A valid record; ``end`` is the offset behind it in its segment."""

    salt: int
    number: int
    durable: int
    operations: bytes
    end: int


class Mark(NamedTuple):
    """All records up to ``number`` are in the files. ``slot`` is where this mark lies."""

    salt: int
    number: int
    slot: int

    def next(self, number: int) -> Mark:
        """The mark to be written after this one."""
        return Mark(self.salt, number, 1 - self.slot)


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


def write_mark(disk: Disk, descriptor: int, mark: Mark) -> None:
    """Write, but do not sync, a mark in the first segment."""
    data = encode_record(mark.salt, mark.number, mark.number, [])
    disk.write(descriptor, _MARK_OFFSETS[mark.slot], data)


def read_mark(disk: Disk, descriptor: int) -> Mark | None:
    """The newer of the marks that can be read; None if none was written yet."""
    marks = []
    for slot, offset in enumerate(_MARK_OFFSETS):
        record = read_record(disk, descriptor, offset, offset + _HEADER_SIZE)
        if record is not None:
            marks.append(Mark(record.salt, record.number, slot))
    return max(marks, key=lambda mark: mark.number, default=None)


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
    """The valid records of a segment, from its start to the first that is not."""
    record = read_record(disk, descriptor, RECORDS_START, size)
    while record is not None:
        yield record
        following = read_record(disk, descriptor, record.end, size)
        if following is not None and not _follows(following, record):
            return
        record = following


def check_tail(disk: Disk, descriptor: int, *, end: int, salt: int, last: int, size: int) -> None:
    """Look whether behind the last valid record lies proof that there was more on the disk.

    A torn tail is what any crash may leave. A damaged record that had been synced is not: then
    acknowledged data are gone, and going on in silence would hide it.

    Raises:
        CorruptStorageError: there is.
    """
    pattern = struct.pack("<Q", salt)
    for position in range(end, size, _SCAN_BYTES):
        chunk = disk.read(descriptor, position, _SCAN_BYTES + len(pattern) - 1)
        found = chunk.find(pattern)
        while found >= 0:
            record = read_record(disk, descriptor, position + found - _HEAD.size, size)
            if record is not None and record.salt == salt and record.durable > last:
                raise CorruptStorageError(
                    f"the journal is damaged at byte {end}: record {last + 1} cannot be read,"
                    f" though all up to {record.durable} had been on the disk"
                )
            found = chunk.find(pattern, found + 1)


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
