from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.storage.disk import FolderDisk
from hypermultifeed.storage.journal import (
    CUT,
    DEFINE,
    RECORDS_START,
    WRITE,
    Mark,
    Operation,
    Record,
    check_tail,
    encode_large_record,
    encode_record,
    pack_operation,
    read_mark,
    read_operations,
    read_record,
    read_segment,
    write_mark,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SALT = 0x1122334455667788

OPERATIONS: list[Any] = [
    pack_operation(DEFINE, 7, 0, 4),
    b"tree",
    pack_operation(WRITE, 7, 32, 5),
    bytearray(b"bytes"),
    pack_operation(CUT, 7, 40, 0),
]


class Segment:
    """A segment file in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.disk = FolderDisk(str(folder))
        self.descriptor = self.disk.create("segment")

    @property
    def size(self) -> int:
        return self.disk.size("segment") or 0

    def write(self, *records: bytes, offset: int = RECORDS_START) -> None:
        self.disk.write(self.descriptor, offset, b"".join(records))

    def numbers(self) -> list[int]:
        return [r.number for r in read_segment(self.disk, self.descriptor, self.size)]


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Segment]:
    made = Segment(tmp_path)
    yield made
    made.disk.close(made.descriptor)


def record(number: int, *, salt: int = SALT, durable: int = 0, size: int = 20) -> bytes:
    return encode_record(salt, number, durable, [pack_operation(WRITE, 0, 0, size), bytes(size)])


def test_a_record_comes_back(segment: Segment) -> None:
    encoded = encode_record(SALT, 3, 2, OPERATIONS)
    segment.write(encoded)
    found = read_record(segment.disk, segment.descriptor, RECORDS_START, segment.size)
    assert found is not None
    assert found[:3] == (SALT, 3, 2)
    assert found.end == segment.size
    assert list(read_operations(found)) == [
        Operation(DEFINE, 7, 0, memoryview(b"tree")),
        Operation(WRITE, 7, 32, memoryview(b"bytes")),
        Operation(CUT, 7, 40, memoryview(b"")),
    ]


def test_both_ways_of_encoding_give_the_same_bytes() -> None:
    large = b"".join(encode_large_record(SALT, 3, 2, OPERATIONS))
    assert large == encode_record(SALT, 3, 2, OPERATIONS)


def test_no_damaged_record_is_valid(segment: Segment) -> None:
    encoded = encode_record(SALT, 1, 0, OPERATIONS)
    for position in range(len(encoded)):
        damaged = bytearray(encoded)
        damaged[position] ^= 0x10
        segment.write(bytes(damaged))
        assert read_record(segment.disk, segment.descriptor, RECORDS_START, segment.size) is None


def test_no_torn_record_is_valid(segment: Segment) -> None:
    encoded = encode_record(SALT, 1, 0, OPERATIONS)
    for size in range(len(encoded)):
        segment.disk.truncate(segment.descriptor, 0)
        segment.write(encoded[:size])
        assert read_record(segment.disk, segment.descriptor, RECORDS_START, segment.size) is None


def test_a_segment_ends_where_numbers_do_not_follow(segment: Segment) -> None:
    segment.write(record(4), record(5), record(7))
    assert segment.numbers() == [4, 5]


def test_a_segment_ends_where_another_session_begins(segment: Segment) -> None:
    segment.write(record(4), record(5, salt=1))
    assert segment.numbers() == [4]


def test_records_of_an_earlier_use_are_not_read(segment: Segment) -> None:
    segment.write(*[record(n) for n in range(1, 9)])
    segment.write(record(20), record(21))
    assert segment.numbers() == [20, 21]


def test_an_empty_segment_has_no_records(segment: Segment) -> None:
    assert segment.numbers() == []
    segment.disk.truncate(segment.descriptor, 1000)
    assert segment.numbers() == []


def test_a_torn_tail_is_no_damage(segment: Segment) -> None:
    segment.write(record(1), record(2)[:-1], record(3, durable=1))
    check(segment, last=1, end=RECORDS_START + len(record(1)))


def test_a_damaged_record_that_had_been_synced_is_damage(segment: Segment) -> None:
    segment.write(record(1), record(2)[:-1] + b"x", record(3, durable=2))
    with pytest.raises(CorruptStorageError, match="record 2 cannot be read"):
        check(segment, last=1, end=RECORDS_START + len(record(1)))


def test_a_damaged_record_is_found_out_by_one_far_behind(segment: Segment) -> None:
    for gap in ((1 << 20) - 4, 1 << 20, (2 << 20) - 9):
        segment.disk.truncate(segment.descriptor, 0)
        segment.write(record(1), bytes(gap), record(9, durable=8))
        with pytest.raises(CorruptStorageError):
            check(segment, last=1, end=RECORDS_START + len(record(1)))


def check(segment: Segment, *, last: int, end: int) -> None:
    check_tail(segment.disk, segment.descriptor, end=end, salt=SALT, last=last, size=segment.size)


@pytest.mark.parametrize(
    "operations",
    [b"\0", pack_operation(WRITE, 0, 0, 5) + b"1234", pack_operation(9, 0, 0, 0)],
)
def test_operations_of_an_unknown_form_are_corrupt(operations: bytes) -> None:
    with pytest.raises(CorruptStorageError):
        list(read_operations(Record(SALT, 1, 0, operations, 0)))


def test_the_newer_mark_counts_and_a_torn_one_leaves_the_older(segment: Segment) -> None:
    assert read_mark(segment.disk, segment.descriptor) is None
    first = Mark(SALT, 0, 0).next(10)
    second = first.next(25)
    write_mark(segment.disk, segment.descriptor, first)
    assert read_mark(segment.disk, segment.descriptor) == first
    write_mark(segment.disk, segment.descriptor, second)
    assert read_mark(segment.disk, segment.descriptor) == second
    third = second.next(40)
    assert third.slot == first.slot
    before = segment.disk.read(segment.descriptor, 0, RECORDS_START)
    write_mark(segment.disk, segment.descriptor, third)
    after = segment.disk.read(segment.descriptor, 0, RECORDS_START)
    for torn in range(1, len(after)):
        segment.write(after[:torn] + before[torn:], offset=0)
        assert read_mark(segment.disk, segment.descriptor) in (second, third)


def test_marks_lie_in_front_of_the_records(segment: Segment) -> None:
    segment.write(record(1))
    write_mark(segment.disk, segment.descriptor, Mark(SALT, 5, 0))
    write_mark(segment.disk, segment.descriptor, Mark(SALT, 6, 1))
    assert segment.numbers() == [1]
