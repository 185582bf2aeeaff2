from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import StorageError, StorageLockedError
from hypermultifeed.storage import lock as lock_module
from hypermultifeed.storage.lock import LOCK_NAME, FolderLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys
from hypermultifeed.storage.lock import FolderLock
lock = FolderLock(sys.argv[1])
for feed in sys.argv[2:]:
    lock.hold_feed(feed, create=True)
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that holds a folder's lock until it is killed."""

    def __init__(self, folder: Path, *feeds: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), *feeds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == b"held"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(tmp_path, "bitfield")
    yield made
    made.kill()


def test_releasing_leaves_nothing_behind(tmp_path: Path) -> None:
    FolderLock(str(tmp_path)).release()
    assert list(tmp_path.iterdir()) == []


def test_two_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    first = FolderLock(str(tmp_path))
    with pytest.raises(StorageLockedError, match="this process") as caught:
        FolderLock(str(tmp_path))
    assert caught.value.holder == f"this process ({os.getpid()})"
    first.release()
    FolderLock(str(tmp_path)).release()


def test_a_symbolic_link_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first = FolderLock(str(tmp_path / "link"))
    with pytest.raises(StorageLockedError):
        FolderLock(str(tmp_path / "real"))
    first.release()


def test_the_error_names_the_process_that_holds_it_and_its_death_frees_it(
    tmp_path: Path, holder: Holder
) -> None:
    with pytest.raises(StorageLockedError) as caught:
        FolderLock(str(tmp_path))
    assert caught.value.holder.startswith(f"process {holder.process.pid} on ")
    holder.kill()
    FolderLock(str(tmp_path)).release()


@pytest.mark.skipif(sys.platform == "win32", reason="there, feeds are looked at, not held")
def test_a_feed_held_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "bitfield").symlink_to(tmp_path / "b" / "bitfield")
    other = Holder(tmp_path / "b", "bitfield")
    lock = FolderLock(str(tmp_path / "a"))
    with pytest.raises(StorageLockedError) as caught:
        lock.hold_feed("bitfield", create=False)
    assert caught.value.file == "bitfield"
    if sys.platform == "linux":
        assert caught.value.holder == f"process {other.process.pid}"
    other.kill()
    lock.hold_feed("bitfield", create=False)
    lock.release()


def test_a_feed_that_is_not_there_is_not_created_unasked(tmp_path: Path) -> None:
    lock = FolderLock(str(tmp_path))
    lock.hold_feed("bitfield", create=False)
    assert not (tmp_path / "bitfield").exists()
    lock.hold_feed("bitfield", create=True)
    assert (tmp_path / "bitfield").exists()
    lock.release()
    assert list(tmp_path.iterdir()) == []  # it was only there to be locked


def test_a_feed_file_that_was_written_stays(tmp_path: Path) -> None:
    lock = FolderLock(str(tmp_path))
    lock.hold_feed("bitfield", create=True)
    (tmp_path / "bitfield").write_bytes(b"header")
    lock.release()
    assert [p.name for p in tmp_path.iterdir()] == ["bitfield"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_feeds_do_not_use_up_descriptors(tmp_path: Path) -> None:
    lock = FolderLock(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        folder = tmp_path / f"feed{number}"
        folder.mkdir()
        (folder / "bitfield").touch()
        lock.hold_feed(f"feed{number}/bitfield", create=False)
    assert len(os.listdir("/proc/self/fd")) - before <= lock_module.FEED_LOCKS_MAX
    lock.release()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_released_feed_can_be_taken_by_others(tmp_path: Path) -> None:
    lock = FolderLock(str(tmp_path))
    lock.hold_feed("bitfield", create=True)
    lock.release_feed("bitfield")
    lock.release_feed("bitfield")
    lock.hold_feed("bitfield", create=True)
    lock.release()


def test_a_lock_file_removed_by_its_last_holder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our opening and our locking, the holder closed: that file is no longer the lock."""
    try_lock = lock_module._try_lock
    attempts: list[int] = []

    def removed_once(descriptor: int, offset: int) -> bool:
        if not attempts:
            (tmp_path / LOCK_NAME).unlink()
        attempts.append(descriptor)
        return try_lock(descriptor, offset)

    monkeypatch.setattr(lock_module, "_try_lock", removed_once)
    lock = FolderLock(str(tmp_path))
    assert len(attempts) == 2
    assert (tmp_path / LOCK_NAME).exists()
    lock.release()


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_needs_the_explicit_override(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def unsupported(*_: Any) -> bool:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(lock_module, "_try_lock", unsupported)
    with pytest.raises(StorageError, match="lock=False") as caught:
        FolderLock(str(tmp_path))
    assert not isinstance(caught.value, StorageLockedError)
    FolderLock(str(tmp_path), locking=False).release()


def test_without_locks_the_latest_opener_owns_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = FolderLock(str(tmp_path), locking=False)
    assert "without a lock" in caplog.text
    ours.check()
    (tmp_path / LOCK_NAME).write_text("process 4711 on elsewhere\nanother token\n")
    with pytest.raises(StorageLockedError) as caught:
        ours.check()
    assert caught.value.holder == "process 4711 on elsewhere"
    ours.release()
    assert (tmp_path / LOCK_NAME).exists()  # it is theirs


def test_without_locks_a_removed_lock_file_is_noticed(tmp_path: Path) -> None:
    ours = FolderLock(str(tmp_path), locking=False)
    (tmp_path / LOCK_NAME).unlink()
    with pytest.raises(StorageLockedError):
        ours.check()
    ours.release()


def test_what_the_lock_file_says_is_printable(tmp_path: Path) -> None:
    ours = FolderLock(str(tmp_path), locking=False)
    (tmp_path / LOCK_NAME).write_bytes(b"\x1b[31mprocess 1\xff\0\n")
    with pytest.raises(StorageLockedError) as caught:
        ours.check()
    assert caught.value.holder.isprintable()
    ours.release()


def test_a_folder_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match=r"cannot write in .*Permission denied"):
        FolderLock(str(tmp_path))
