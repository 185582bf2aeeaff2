from __future__ import annotations

from typing import Any

import pytest
from tests.crash.simulated_disk import SimulatedDisk

from hypermultifeed.errors import CorruptStorageError
from hypermultifeed.storage.journal import (
    CUT,
    DEFINE,
    RECORDS_START,
    REMOVE,
    WRITE,
    Mark,
    encode_record,
    pack_operation,
    read_mark,
    write_mark,
)
from hypermultifeed.storage.pager import PageCache, StoredFile
from hypermultifeed.storage.recovery import OldJournal

SALT = 77
NAMES = ("journal-0", "journal-1")


def define(number: int, name: bytes) -> bytes:
    return pack_operation(DEFINE, number, 0, len(name)) + name


def write(number: int, offset: int, data: bytes) -> bytes:
    return pack_operation(WRITE, number, offset, len(data)) + data


def segment(*records: tuple[int, int, list[Any]], salt: int = SALT) -> bytes:
    """Records, each as (number, durable, operations), as they lie in a segment."""
    encoded = [encode_record(salt, number, durable, ops) for number, durable, ops in records]
    return bytes(RECORDS_START) + b"".join(encoded)


def put(number: int, durable: int = 0) -> tuple[int, int, list[Any]]:
    """A record that defines a file and writes its own number into it."""
    return number, durable, [define(0, b"tree"), write(0, number, bytes([number]))]


class Folder:
    """A disk with a journal, and what replaying it makes."""

    def __init__(self, first: bytes | None, second: bytes | None = None, *, mark: int = 0) -> None:
        self.disk = SimulatedDisk()
        for name, content in zip(NAMES, (first, second), strict=True):
            if content is not None:
                descriptor = self.disk.create(name)
                self.disk.write(descriptor, 0, content)
                if mark and name == NAMES[0]:
                    write_mark(self.disk, descriptor, Mark(SALT, mark, 0))
                self.disk.close(descriptor)
        self.cache = PageCache(self.disk, clean_pages_max=9, descriptors_max=9)
        self.files: dict[str, StoredFile] = {}
        self.records = 0

    def find(self, name: str) -> StoredFile:
        if name not in self.files:
            self.files[name] = StoredFile(name, 4, self.cache, number=0, size=None, bulk=False)
        return self.files[name]

    def count(self) -> None:
        self.records += 1

    def replay(self) -> dict[str, bytes]:
        journal = OldJournal(self.disk, NAMES)
        journal.replay(self.find, self.count)
        journal.close()
        assert not self.disk.open_descriptors
        return {n: f.read(0, 1000) for n, f in self.files.items() if f.exists}


def test_without_a_journal_there_is_nothing_to_do() -> None:
    folder = Folder(None)
    assert folder.replay() == {}
    OldJournal(folder.disk, NAMES).remove()
    assert folder.disk.operations == 0


def test_all_operations_are_done_again() -> None:
    first = (1, 0, [define(0, b"a"), define(1, b"b/c"), write(0, 0, b"0123"), write(1, 0, b"x")])
    second = (2, 0, [write(0, 2, b"new"), pack_operation(CUT, 0, 4, 0)])
    third = (3, 0, [pack_operation(REMOVE, 1, 0, 0)])
    folder = Folder(segment(first, second, third))
    assert folder.replay() == {"a": b"01ne"}
    assert folder.records == 3


def test_the_second_file_goes_on_where_the_first_ends() -> None:
    assert Folder(segment(put(1), put(2)), segment(put(3))).replay() == {"tree": b"\0\1\2\3"}


def test_the_first_file_may_be_the_newer() -> None:
    folder = Folder(segment(put(5)), segment(put(3), put(4)), mark=2)
    assert folder.replay() == {"tree": b"\0\0\0\3\4\5"}


def test_what_the_mark_covers_is_not_done_again() -> None:
    assert Folder(segment(put(1), put(2)), segment(put(3)), mark=2).replay() == {
        "tree": b"\0\0\0\3"
    }
    assert Folder(segment(put(1), put(2)), mark=2).replay() == {}


def test_behind_a_gap_nothing_was_acknowledged() -> None:
    assert Folder(segment(put(1)), segment(put(3))).replay() == {"tree": b"\0\1"}
    assert Folder(b"", segment(put(3))).replay() == {}


def test_a_second_file_alone_is_no_journal() -> None:
    """Its first was removed after all was in the files, or never reached the disk."""
    folder = Folder(None, segment(put(1), put(2)))
    assert folder.replay() == {}
    OldJournal(folder.disk, NAMES).remove()
    assert folder.disk.files() == {}


def test_a_gap_in_what_had_been_synced_is_damage() -> None:
    with pytest.raises(CorruptStorageError, match="lost record 2"):
        Folder(segment(put(1)), segment(put(3, durable=2))).replay()


def test_damage_in_the_middle_is_told_from_a_torn_tail() -> None:
    torn = segment(put(1), put(2))[:-1]
    assert Folder(torn).replay() == {"tree": b"\0\1"}
    with pytest.raises(CorruptStorageError, match="record 2 cannot be read"):
        Folder(torn + b"?" + segment(put(3, durable=2))[RECORDS_START:]).replay()


def test_files_of_two_sessions_do_not_belong_together() -> None:
    with pytest.raises(CorruptStorageError, match="different sessions"):
        Folder(segment(put(1)), segment(put(2), salt=5)).replay()
    with pytest.raises(CorruptStorageError, match="different sessions"):
        Folder(segment(put(3), salt=5), mark=2).replay()


@pytest.mark.parametrize(
    "operations",
    [
        [define(0, b"../x")],
        [define(0, b"\xff")],
        [define(0, b".hypermultifeed.storage.lock")],
        [write(9, 0, b"x")],
    ],
)
def test_records_that_this_code_did_not_write_are_corrupt(operations: list[Any]) -> None:
    with pytest.raises(CorruptStorageError):
        Folder(segment((1, 0, operations))).replay()


def test_files_are_to_be_synced_even_if_nothing_is_left_to_do() -> None:
    operations = [define(0, b"tree"), pack_operation(CUT, 0, 100, 0)]
    folder = Folder(segment((1, 0, operations)))
    folder.replay()
    assert folder.cache.changed == [folder.files["tree"]]


def test_the_journal_is_durable_before_anything_is_replayed() -> None:
    folder = Folder(segment(put(1)), segment(put(2)))
    OldJournal(folder.disk, NAMES).close()
    left = folder.disk.after_power_loss(lambda _: False)
    assert left.files() == folder.disk.files()


def test_removing_marks_first_that_all_is_in_the_files() -> None:
    folder = Folder(segment(put(1)), segment(put(2)))
    journal = OldJournal(folder.disk, NAMES)
    marks = []

    def observe(disk: SimulatedDisk, operation: Any) -> None:
        if operation.kind == "remove":
            left = disk.after_power_loss(lambda _: False)
            marks.append(read_mark(left, left.open(NAMES[0])))

    folder.disk.observe = observe
    journal.remove()
    assert [mark.number for mark in marks if mark] == [2, 2]
    assert folder.disk.after_power_loss(lambda _: False).files() == {}
    assert not folder.disk.open_descriptors


def test_opening_that_fails_leaves_nothing_open() -> None:
    folder = Folder(segment(put(1)), segment(put(3, durable=2)))
    with pytest.raises(CorruptStorageError):
        OldJournal(folder.disk, NAMES)
    assert not folder.disk.open_descriptors
