"""What a crash has left: finding the journal's valid part, and doing it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.storage.checkpoint import sync, sync_root
from hypermultifeed.storage.disk import check_name
from hypermultifeed.storage.journal import (
    CUT,
    DEFINE,
    RECORDS_START,
    WRITE,
    Mark,
    check_tail,
    read_mark,
    read_operations,
    read_record,
    read_segment,
    write_mark,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.storage.disk import Disk
    from hypermultifeed.storage.journal import Record
    from hypermultifeed.storage.pager import StoredFile

_COPY_BYTES: Final = 1 << 20


class OldSegment(NamedTuple):
    """A segment with records that are not all in the files; ``end`` is behind the last valid."""

    descriptor: int
    size: int
    end: int
    salt: int
    first: int
    last: int
    durable: int


class OldJournal:
    """The journal of an earlier opening, if there is one. When this is made, it is on the disk.

    What is valid is written once more for that: a process whose fsync() had failed may have left
    it in the system's memory only, marked as if it were stored.

    Without the first file there is no journal: either its name had never reached the disk, then
    nothing was acknowledged; or it was removed already, after all was in the files.

    Raises:
        CorruptStorageError: records are lost that had been on the disk.
        OSError: reading or writing failed.
    """

    def __init__(self, disk: Disk, names: Sequence[str]) -> None:
        self._disk = disk
        self._names = [name for name in names if disk.size(name) is not None]
        self._descriptors: list[int] = []
        self._mark: Mark | None = None
        self.segments: list[OldSegment] = []
        if names[0] in self._names:
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    def replay(self, find: Callable[[str], StoredFile], after_record: Callable[[], None]) -> None:
        """Do all commits again that may not be in the files."""
        for segment in self.segments:
            files: dict[int, StoredFile] = {}
            offset = RECORDS_START
            while offset < segment.end:
                record = read_record(self._disk, segment.descriptor, offset, segment.end)
                if record is None:
                    raise CorruptStorageError("the journal changed while it was read")
                _apply(record, files, find)
                offset = record.end
                after_record()

    def remove(self) -> None:
        """Remove the journal, all of which is in the files now."""
        if self.segments:
            last = self.segments[-1]
            mark = self._mark or Mark(last.salt, 0, 0)
            write_mark(self._disk, self._descriptors[0], mark.next(last.last))
            sync(self._disk, self._descriptors[0])
        self.close()
        for name in self._names:
            self._disk.remove(name)
        if self._names:
            sync_root(self._disk)

    def close(self) -> None:
        """Close the files."""
        while self._descriptors:
            self._disk.close(self._descriptors.pop())

    def _open(self) -> None:
        found: list[OldSegment] = []
        for name in self._names:
            self._descriptors.append(self._disk.open(name, write=True))
            segment = _measure(self._disk, self._descriptors[-1], self._disk.size(name) or 0)
            if segment is not None:
                found.append(segment)
        self._mark = read_mark(self._disk, self._descriptors[0])
        self.segments = _select(found, self._mark)
        for segment in self.segments:
            check_tail(
                self._disk,
                segment.descriptor,
                end=segment.end,
                salt=segment.salt,
                last=segment.last,
                size=segment.size,
            )
            _write_again(self._disk, segment)
        if self.segments:
            sync_root(self._disk)  # a crash may have come before their names were on the disk


def _measure(disk: Disk, descriptor: int, size: int) -> OldSegment | None:
    segment: OldSegment | None = None
    for record in read_segment(disk, descriptor, size):
        first = record.number if segment is None else segment.first
        segment = OldSegment(
            descriptor, size, record.end, record.salt, first, record.number, record.durable
        )
    return segment


def _select(found: list[OldSegment], mark: Mark | None) -> list[OldSegment]:
    """The segments that go on from the mark without a gap, in order.

    What lies behind a gap was never acknowledged, unless it says that what is missing had been
    on the disk.
    """
    selected: list[OldSegment] = []
    last = mark.number if mark else 0
    salts = {segment.salt for segment in found} | ({mark.salt} if mark else set())
    if len(salts) > 1:
        raise CorruptStorageError("the journal's files are of different sessions")
    for segment in sorted(found, key=lambda segment: segment.first):
        if segment.first == last + 1:
            selected.append(segment)
            last = segment.last
        elif segment.durable > last:
            raise CorruptStorageError(f"the journal has lost record {last + 1}")
    return selected


def _write_again(disk: Disk, segment: OldSegment) -> None:
    for offset in range(0, segment.end, _COPY_BYTES):
        size = min(_COPY_BYTES, segment.end - offset)
        disk.write(segment.descriptor, offset, disk.read(segment.descriptor, offset, size))
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
        file.touch()  # even if this finds its work done: it may not be on the disk
        if kind == WRITE:
            file.write(offset, data)
        elif kind == CUT:
            file.cut(offset)
        else:
            file.remove()
