from __future__ import annotations

import errno

import pytest
from tests.crash.simulated_disk import Operation, SimulatedDisk

from hypermultifeed.storage.checkpoint import Checkpointer, SyncFailedError, sync, sync_root
from hypermultifeed.storage.pager import Frozen


def frozen(name: str, *pages: bytes, exists: bool = True, cut: int | None = None) -> Frozen:
    """Pages of four bytes, one behind the other."""
    held = {number: bytearray(page) for number, page in enumerate(pages) if page}
    size = max((n * 4 + len(page) for n, page in held.items()), default=cut or 0)
    return Frozen(name, exists, cut, size, held, 4)


def watched() -> tuple[SimulatedDisk, list[tuple[str, str]]]:
    done: list[tuple[str, str]] = []
    return SimulatedDisk(lambda _, op: done.append((op.kind, op.name))), done


def test_pages_go_into_files_in_runs() -> None:
    disk, done = watched()
    Checkpointer(disk).write([frozen("ab/tree", b"0123", b"4567", b"89", b"", b"last")])
    assert disk.files() == {"ab/tree": b"0123456789" + bytes(6) + b"last"}
    assert done.count(("write", "ab/tree")) == 2


def test_an_existing_file_is_changed_in_place() -> None:
    disk, _ = watched()
    checkpointer = Checkpointer(disk)
    checkpointer.write([frozen("tree", b"aaaa", b"bbbb", b"cccc")])
    checkpointer.write([frozen("tree", b"", b"xxxx")])
    assert disk.files() == {"tree": b"aaaaxxxxcccc"}


@pytest.mark.parametrize(("cut", "expected"), [(6, b"aaaabb"), (0, b""), (11, b"aaaabbbb\0\0\0")])
def test_a_file_is_cut_or_extended(cut: int, expected: bytes) -> None:
    disk, _ = watched()
    checkpointer = Checkpointer(disk)
    checkpointer.write([frozen("tree", b"aaaa", b"bbbb")])
    checkpointer.write([frozen("tree", cut=cut)])
    assert disk.files() == {"tree": expected}


def test_an_empty_file_is_created() -> None:
    disk, _ = watched()
    Checkpointer(disk).write([frozen("data")])
    assert disk.files() == {"data": b""}


def test_removing_takes_empty_folders_along() -> None:
    disk, _ = watched()
    checkpointer = Checkpointer(disk)
    checkpointer.write([frozen("a/b/c", b"x"), frozen("a/b/d", b"x"), frozen("a/e", b"x")])
    checkpointer.write([frozen("a/b/c", exists=False), frozen("a/b/d", exists=False)])
    assert disk.files() == {"a/e": b"x"}
    assert "a/b" not in disk.names
    assert disk.copy().files() == disk.after_power_loss(lambda _: False).files()


def test_all_is_durable_when_it_returns() -> None:
    disk, _ = watched()
    names = [f"a{number % 3}/b{number}/file" for number in range(80)]
    Checkpointer(disk).write([frozen(name, b"1234", b"5") for name in names])
    assert disk.after_power_loss(lambda _: False).files() == dict.fromkeys(names, b"12345")
    assert not disk.open_descriptors


def test_folders_known_to_be_durable_are_not_synced_again() -> None:
    disk, done = watched()
    checkpointer = Checkpointer(disk)
    checkpointer.write([frozen("a/b/one", b"x")])
    del done[:]
    checkpointer.write([frozen("a/b/one", b"y")])
    assert [op for op in done if op[0] == "sync_folder"] == []
    checkpointer.write([frozen("a/b/two", b"y")])
    assert [op for op in done if op[0] == "sync_folder"] == [("sync_folder", "a/b")]


@pytest.mark.parametrize("kind", ["create", "make_folder", "write", "truncate"])
def test_writing_that_fails_can_be_tried_again(kind: str) -> None:
    disk, _ = watched()
    checkpointer = Checkpointer(disk)
    work = [frozen("a/tree", b"1234", cut=0), frozen("a/data", b"5")]

    def full(operation: Operation) -> None:
        if operation.kind == kind:
            raise OSError(errno.ENOSPC, "no space left on device")

    disk.fail = full
    with pytest.raises(OSError, match="no space"):
        checkpointer.write(work)
    assert not disk.open_descriptors
    disk.fail = None
    checkpointer.write(work)
    expected = {"a/tree": b"1234", "a/data": b"5"}
    assert disk.after_power_loss(lambda _: False).files() == expected


@pytest.mark.parametrize("kind", ["sync", "sync_folder"])
def test_a_sync_that_fails_is_another_error(kind: str) -> None:
    disk, _ = watched()

    def broken(operation: Operation) -> None:
        if operation.kind == kind:
            raise OSError(errno.EIO, "input/output error")

    disk.fail = broken
    with pytest.raises(SyncFailedError, match="input/output error"):
        Checkpointer(disk).write([frozen("a/tree", b"1234")])
    assert not disk.open_descriptors
    descriptor = disk.open("a/tree")
    if kind == "sync":
        with pytest.raises(SyncFailedError):
            sync(disk, descriptor)
    else:
        with pytest.raises(SyncFailedError):
            sync_root(disk)
