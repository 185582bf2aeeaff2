"""What a crash has left: finding the journal's valid part, and doing it again."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.checkpoint import sync, sync_root
from hypermultifeed.disk import check_name
from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.journal import (
    CUT,
    DEFINE,
    EMPTY_HEADER,
    WRITE,
    read_operations,
    read_record,
    read_segment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.disk import Disk
    from hypermultifeed.journal import Record
    from hypermultifeed.pager import StoredFile

_COPY_BYTES: Final = 1 << 20


class OldSegment(NamedTuple):
    """A journal segment of an earlier opening; ``first`` to ``last`` number its valid records."""

    name: str
    descriptor: int
    end: int
    salt: int
    first: int
    last: int
    durable: int


def open_segments(disk: Disk, names: Sequence[str]) -> list[OldSegment]:
    """The segments that are there, the older first; those without use have no records.

    What is valid is written once more and synced: a process whose fsync() had failed may have
    left it in the system's memory only, marked as if it were on the disk.

    Raises:
        CorruptStorageError: records are lost that had been on the disk.
        OSError: reading or writing failed.
    """
    segments: list[OldSegment] = []
    try:
        for name in names:
            size = disk.size(name)
            if size is not None:
                descriptor = disk.open(name, write=True)
                segments.append(OldSegment(name, descriptor, 0, 0, 0, 0, 0))
                segments[-1] = _measure(disk, segments[-1], size)
        segments.sort(key=lambda segment: segment.first)
        segments = _connect(disk, segments)
        for segment in segments:
            _write_again(disk, segment)
    except BaseException:
        for segment in segments:
            disk.close(segment.descriptor)
        raise
    return segments


def replay(
    disk: Disk,
    segments: Sequence[OldSegment],
    find: Callable[[str], StoredFile],
    after_record: Callable[[], None],
) -> None:
    """Do all commits of the journal again."""
    for segment in segments:
        files: dict[int, StoredFile] = {}
        offset = 0
        while offset < segment.end:
            record = read_record(disk, segment.descriptor, offset, segment.end)
            if record is None:
                raise CorruptStorageError("the journal changed while it was read")
            _apply(record, files, find)
            offset = record.end
            after_record()


def remove_segments(disk: Disk, segments: Sequence[OldSegment]) -> None:
    """Remove a journal that is in the files, so that no part of it can come back alone.

    The newer segment without the older one would do no harm; the older one alone would take the
    files back.
    """
    for segment in segments:
        if segment.end:
            _empty(disk, segment)
    for segment in segments:
        disk.remove(segment.name)
    if segments:
        sync_root(disk)


def _measure(disk: Disk, segment: OldSegment, size: int) -> OldSegment:
    for record in read_segment(disk, segment.descriptor, size):
        segment = segment._replace(
            end=record.end,
            salt=record.salt,
            first=segment.first or record.number,
            last=record.number,
            durable=record.durable,
        )
    return segment


def _connect(disk: Disk, segments: list[OldSegment]) -> list[OldSegment]:
    """Empty the newer segment if records are missing between the two: it was never acknowledged.

    At once, on the disk: the older one is emptied later, and the newer alone must not be found.
    """
    used = [segment for segment in segments if segment.end]
    for before, after in itertools.pairwise(used):
        if after.salt != before.salt:
            raise CorruptStorageError("the journal's two files are of different sessions")
        if after.first == before.last + 1:
            continue
        if after.durable > before.last:
            raise CorruptStorageError(
                f"the journal has lost records {before.last + 1} to {after.first - 1}"
            )
        _empty(disk, after)
        return [s._replace(end=0) if s is after else s for s in segments]
    return segments


def _empty(disk: Disk, segment: OldSegment) -> None:
    disk.write(segment.descriptor, 0, EMPTY_HEADER)
    sync(disk, segment.descriptor)


def _write_again(disk: Disk, segment: OldSegment) -> None:
    for offset in range(0, segment.end, _COPY_BYTES):
        size = min(_COPY_BYTES, segment.end - offset)
        disk.write(segment.descriptor, offset, disk.read(segment.descriptor, offset, size))
    if segment.end:
        sync(disk, segment.descriptor)


def _apply(record: Record, files: dict[int, StoredFile], find: Callable[[str], StoredFile]) -> None:
    for kind, number, offset, data in read_operations(record):
        if kind == DEFINE:
            try:
                files[number] = find(check_name(bytes(data).decode()))
            except ValueError as error:
                raise CorruptStorageError("the journal names an impossible file") from error
            continue
        file = files.get(number)
        if file is None:
            raise CorruptStorageError("the journal writes to a file that it does not name")
        if kind == WRITE:
            file.write(offset, data)
        elif kind == CUT:
            file.cut(offset)
        else:
            file.remove()
