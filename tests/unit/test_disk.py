from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.storage import disk as disk_module
from hypermultifeed.storage.disk import FolderDisk, check_name, make_folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> FolderDisk:
    return FolderDisk(str(tmp_path))


@pytest.fixture
def descriptor(disk: FolderDisk) -> Iterator[int]:
    opened = disk.create("file")
    yield opened
    disk.close(opened)


@pytest.mark.parametrize(
    "name", ["key", "master_key", "ab/cd/00ff/tree", "a.b", "..a", "a/.b", "_-"]
)
def test_ordinary_names_are_accepted(name: str) -> None:
    assert check_name(name) == name


OUTSIDE = ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "./a", "a//b", "a/"]
UNUSUAL = ["a\\b", "C:x", "a\0b", "a\n", "\u00e9", "a b", "x" * 513]
RESERVED = [".hypermultifeed.storage.lock", ".hypermultifeed"]


@pytest.mark.parametrize("name", OUTSIDE + UNUSUAL + RESERVED)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name of a file"):
        check_name(name)


def test_what_is_written_is_read(disk: FolderDisk, descriptor: int) -> None:
    disk.write(descriptor, 3, b"abc")
    disk.write_all(descriptor, 6, [b"de", bytearray(b"f"), memoryview(b"gh")])
    assert disk.read(descriptor, 0, 100) == b"\0\0\0abcdefgh"
    assert disk.read(descriptor, 4, 2) == b"bc"
    assert disk.read(descriptor, 100, 5) == b""
    disk.truncate(descriptor, 5)
    assert disk.size("file") == 5
    assert disk.size("other") is None


def test_more_buffers_than_one_call_takes(disk: FolderDisk, descriptor: int) -> None:
    buffers: list[Any] = [bytes([i % 251]) * 3 for i in range(2000)]
    disk.write_all(descriptor, 1, buffers)
    assert disk.read(descriptor, 1, 6000) == b"".join(buffers)


def test_short_reads_and_writes_are_continued(
    disk: FolderDisk, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write, vector = disk_module._read, disk_module._write, disk_module._write_vector

    def short_write(descriptor: int, offset: int, data: Any) -> int:
        return write(descriptor, offset, bytes(data)[:3])

    def short_vector(descriptor: int, offset: int, buffers: Any) -> int:
        return vector(descriptor, offset, [b"".join(buffers)[:5]])

    monkeypatch.setattr(disk_module, "_write", short_write)
    monkeypatch.setattr(disk_module, "_write_vector", short_vector)
    monkeypatch.setattr(disk_module, "_read", lambda d, o, s: read(d, o, min(s, 4)))
    disk.write(descriptor, 0, b"0123456789")
    disk.write_all(descriptor, 10, [b"abcdef", b"ghij"])
    assert disk.read(descriptor, 0, 20) == b"0123456789abcdefghij"
    assert disk.read(descriptor, 15, 20) == b"fghij"


def test_a_write_that_writes_nothing_is_an_error(
    disk: FolderDisk, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "_write", lambda *_: 0)
    with pytest.raises(OSError, match="wrote nothing"):
        disk.write(descriptor, 0, b"data")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o377])
def test_modes_are_for_the_owner_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        make_folders(str(tmp_path / "a" / "b"))
        disk = FolderDisk(str(tmp_path / "a" / "b"))
        disk.make_folder("c")
        disk.close(disk.create("c/file"))
    finally:
        os.umask(before)
    for folder in ["a", "a/b", "a/b/c"]:
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a/b/c/file").stat().st_mode) == 0o600


def test_creating_what_is_there_fails(disk: FolderDisk, descriptor: int) -> None:
    assert descriptor >= 0
    with pytest.raises(FileExistsError):
        disk.create("file")


def test_folders(disk: FolderDisk) -> None:
    assert disk.make_folder("a")
    assert not disk.make_folder("a")
    disk.close(disk.create("a/file"))
    assert not disk.remove_folder("a")
    with pytest.raises(IsADirectoryError):
        disk.size("a")
    assert disk.size("a/file/below") is None
    assert disk.list_files("") == ["a/file"]
    assert disk.list_files("a") == ["a/file"]
    assert disk.list_files("b") == []
    disk.remove("a/file")
    disk.remove("a/file")
    assert disk.remove_folder("a")
    assert not disk.remove_folder("a")
    disk.close(disk.create("file"))
    with pytest.raises(FileExistsError):
        disk.make_folder("file")


def test_syncs_reach_the_system(disk: FolderDisk, descriptor: int) -> None:
    disk.sync(descriptor)
    disk.sync_folder("")
    if os.name != "nt":
        with pytest.raises(FileNotFoundError):
            disk.sync_folder("missing")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_process_that_may_open_few_files_keeps_few_open(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    for limit, share in ((64, 8), (256, 32), (1024, 64), (8, 4), (resource.RLIM_INFINITY, 64)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert disk_module.share_of_descriptors(64) == share
