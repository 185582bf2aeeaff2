from __future__ import annotations

import asyncio
import errno
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.simulated_disk import (
    TEST_LIMITS,
    Operation,
    SimulatedDisk,
    run_at_once,
    simulated_files,
)

from hypermultifeed.errors import ClosedError, StorageError, StorageLockedError
from hypermultifeed.storage import Write, files
from hypermultifeed.storage.checkpoint import SyncFailedError
from hypermultifeed.storage.disk import FolderDisk
from hypermultifeed.storage.file_storage import (
    JOURNAL_NAMES,
    FileStorage,
    Limits,
    Segment,
    run_in_worker,
)
from hypermultifeed.storage.lock import FEED_LOCKS_MAX, LOCK_NAME, NoLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Later:
    """Workers that begin when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], None], Future[None]]] = []

    def start(self, function: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()
        self.waiting.append((function, future))
        return future

    def work(self) -> None:
        while self.waiting:
            function, future = self.waiting.pop(0)
            done = run_at_once(function)
            if done.exception() is None:
                future.set_result(None)
            else:
                future.set_exception(done.exception())


def open_simulated(
    disk: SimulatedDisk, start: Callable[..., Future[None]] = run_at_once, **limits: int
) -> FileStorage:
    return FileStorage(disk, NoLock(), "full", limits=TEST_LIMITS._replace(**limits), start=start)


def kinds(disk: SimulatedDisk) -> list[str]:
    """A list that grows with the kinds of what is done to the disk."""
    found: list[str] = []
    disk.observe = lambda _, operation: found.append(operation.kind)
    return found


async def test_a_commit_is_one_write() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk, journal_bytes=10_000, dirty_bytes=10_000)
    storage.commit([Write("key", 0, b"first, which makes the journal")])
    done = kinds(disk)
    storage.commit([Write("tree", 0, b"1"), Write("data", 0, b"2"), Write("tree", 9, b"3")])
    assert done == ["write"]
    await storage.close()


async def test_an_empty_commit_does_nothing() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([])
    await storage.sync()
    await storage.close()
    assert disk.operations == 0


async def test_callers_of_sync_share_one() -> None:
    disk = SimulatedDisk()
    later = Later()
    storage = open_simulated(disk, later.start, journal_bytes=10_000)
    storage.commit([Write("data", 0, b"x")])
    first = asyncio.ensure_future(storage.sync())
    await asyncio.sleep(0)
    done = kinds(disk)
    waiting = []
    for number in range(20):
        storage.commit([Write("data", number, b"x")])
        waiting.append(asyncio.ensure_future(storage.sync()))
    await asyncio.sleep(0)
    later.work()
    await asyncio.gather(first, *waiting)
    assert done.count("sync") == 1
    await storage.sync()
    assert done.count("sync") == 1
    closing = asyncio.ensure_future(storage.close())
    while not closing.done():
        later.work()
        await asyncio.sleep(0)


async def test_what_comes_while_a_sync_runs_waits_for_the_next() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk, journal_bytes=10_000)
    syncs = 0

    def commit_meanwhile(_: SimulatedDisk, operation: Operation) -> None:
        nonlocal syncs
        if operation.kind == "sync":
            syncs += 1
            if syncs == 1:
                storage.commit([Write("data", 1, b"late")])

    storage.commit([Write("data", 0, b"x")])
    disk.observe = commit_meanwhile
    await storage.sync()
    assert syncs == 1
    await storage.sync()
    assert syncs == 2
    disk.observe = None
    await storage.close()


async def test_a_cancelled_sync_disturbs_nobody() -> None:
    disk = SimulatedDisk()
    later = Later()
    storage = open_simulated(disk, later.start, journal_bytes=10_000)
    storage.commit([Write("data", 0, b"x")])
    cancelled = asyncio.ensure_future(storage.sync())
    other = asyncio.ensure_future(storage.sync())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    assert cancelled.cancelled()
    later.work()
    await other
    storage.abandon()


async def test_commits_and_reading_go_on_beside_a_checkpoint() -> None:
    disk = SimulatedDisk()
    later = Later()
    storage = open_simulated(disk, later.start)
    model = bytearray()
    number = 0
    while not later.waiting:
        model += bytes([number]) * 50
        storage.commit([Write("data", number * 50, bytes([number]) * 50)])
        number += 1
    storage.commit([Write("data", 10, b"while it waits"), Write("tree", 0, b"t")])
    model[10:24] = b"while it waits"
    assert storage.read("data", 0, 10_000) == model
    later.work()
    assert disk.files()["data"][:50] == bytes(50)  # the checkpoint is of the state before
    assert storage.read("data", 0, 10_000) == model
    storage.commit([Write("tree", 1, b"t")])
    assert storage.read("data", 0, 10_000) == model
    closing = asyncio.ensure_future(storage.close())
    while not closing.done():
        later.work()
        await asyncio.sleep(0)
    assert disk.files() == {"data": bytes(model), "tree": b"tt"}


async def test_only_when_both_segments_are_full_a_commit_waits(tmp_path: Path) -> None:
    """Real threads: the checkpoint is held until a commit has to wait for it."""
    disk = FolderDisk(str(tmp_path))
    release = threading.Event()
    checkpoints = []

    def start(function: Callable[[], None]) -> Future[None]:
        def held() -> None:
            release.wait()
            function()

        checkpoints.append(run_in_worker(held))
        return checkpoints[-1]

    storage = FileStorage(disk, NoLock(), "full", limits=TEST_LIMITS, start=start)
    journal = [tmp_path / name for name in JOURNAL_NAMES]
    for number in range(100):
        storage.commit([Write("data", number * 50, b"x" * 50)])
        if checkpoints and (journal[1].exists() and journal[1].stat().st_size > 1000):
            break
    assert not checkpoints[0].done()
    release.set()
    for number in range(100, 300):
        storage.commit([Write("data", number * 50, b"x" * 50)])
    assert max(path.stat().st_size for path in journal) < 4 * TEST_LIMITS.journal_bytes
    await storage.close()


async def test_memory_stays_within_bounds(tmp_path: Path) -> None:
    limits = Limits(journal_bytes=1 << 20, dirty_bytes=1 << 20)
    storage = FileStorage(FolderDisk(str(tmp_path)), NoLock(), "relaxed", limits=limits)
    data, tree = storage.file("data"), storage.file("tree")
    held = 0
    for number in range(400):
        storage.commit(
            [
                Write("data", number * 65536, bytes(65536)),
                Write("tree", number * 1_000_000, bytes(40)),
            ]
        )
        held = max(held, sum(len(p) for f in (data, tree) for p in f.pages.values()))
    assert held < 8 << 20
    assert (data.size, tree.size) == (400 * 65536, 399 * 1_000_000 + 40)
    await storage.close()


async def test_one_commit_may_be_much_larger_than_the_journal(tmp_path: Path) -> None:
    block = os.urandom(1 << 20)
    storage = files(tmp_path)("full")
    storage.commit([Write("data", number << 20, block) for number in range(40)])
    await storage.sync()
    storage.commit([Write("tree", 0, b"small")])
    assert isinstance(storage, FileStorage)
    storage.abandon()  # as if killed
    storage = files(tmp_path)("full")
    assert storage.size("data") == 40 << 20
    assert storage.read("data", 39 << 20, 1 << 20) == block
    await storage.close()
    assert sorted(os.listdir(tmp_path)) == ["data", "tree"]


async def test_the_journal_gives_back_the_space_of_a_large_commit() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("data", 0, bytes(100_000))])
    storage.commit([Write("data", 0, bytes(1000))])
    storage.commit([Write("data", 0, bytes(1000))])
    assert max(len(disk.files()[name]) for name in JOURNAL_NAMES) < 3000
    await storage.close()


def open_descriptors() -> int:
    """How many this process has; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


async def test_a_thousand_feeds_stay_small(tmp_path: Path) -> None:
    before = open_descriptors()
    storage = files(tmp_path)("relaxed")
    assert isinstance(storage, FileStorage)
    for number in range(1000):
        prefix = f"{number % 256:02x}/00/{number:064x}/"
        storage.commit(
            [
                Write(prefix + "key", 0, bytes(32)),
                Write(prefix + "tree", 0, bytes(32)),
                Write(prefix + "signatures", 0, bytes(32)),
                Write(prefix + "bitfield", 0, bytes(32)),
            ]
        )
    held = sum(len(p) for file in storage._files.values() for p in file.pages.values())
    assert held == 4000 * 32
    assert open_descriptors() - before <= FEED_LOCKS_MAX + Limits().descriptors + 3
    assert len(storage.list_files()) == 4000
    storage.remove("")
    await storage.close()
    assert os.listdir(tmp_path) == []


async def test_asking_for_names_that_are_not_there_keeps_nothing() -> None:
    storage = open_simulated(SimulatedDisk())
    for number in range(100):
        name = f"ab/{number}/key"
        assert not storage.exists(name)
        assert storage.size(name) == 0
        assert storage.read(name, 0, 32) == b""
    assert storage._files == {}
    await storage.close()


def test_a_failed_sync_of_a_segment_is_never_tried_again() -> None:
    disk = SimulatedDisk()
    segment = Segment(disk, "journal")
    segment.create()
    segment.last = 1
    disk.fail = fail_on("sync")
    with pytest.raises(SyncFailedError, match=r"fsync failed"):
        segment.sync()
    disk.fail = None
    with pytest.raises(SyncFailedError, match="before"):
        segment.sync()
    segment.close()


def fail_on(kind: str, error: int = errno.EIO) -> Callable[[Operation], None]:
    def fail(operation: Operation) -> None:
        if operation.kind == kind:
            raise OSError(error, os.strerror(error))

    return fail


async def test_a_failed_sync_ends_writing_for_all_who_wait() -> None:
    disk = SimulatedDisk()
    later = Later()
    storage = open_simulated(disk, later.start, journal_bytes=10_000)
    storage.commit([Write("data", 0, b"kept")])
    waiting = [asyncio.ensure_future(storage.sync()) for _ in range(3)]
    await asyncio.sleep(0)
    disk.fail = fail_on("sync")
    later.work()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [StorageError] * 3
    disk.fail = None
    with pytest.raises(StorageError, match="opened anew"):
        storage.commit([Write("data", 0, b"lost")])
    with pytest.raises(StorageError, match="opened anew"):
        storage.remove("data")
    with pytest.raises(StorageError, match="opened anew"):
        await storage.sync()
    assert storage.read("data", 0, 4) == b"kept"
    await storage.close()
    assert set(JOURNAL_NAMES) & set(disk.files())


async def test_a_failure_that_nobody_was_told_of_is_raised_by_close() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    disk.fail = fail_on("sync")
    storage.commit([Write("data", 0, bytes(1000))])  # begins a checkpoint, which fails
    storage._poll()
    with pytest.raises(StorageError, match="opened anew"):
        await storage.close()
    assert not disk.open_descriptors


async def test_a_close_that_cannot_write_keeps_the_journal() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("data", 0, b"data")])
    disk.fail = fail_on("create", errno.ENOSPC)
    with pytest.raises(StorageError, match="No space"):
        await storage.close()
    assert not disk.open_descriptors
    disk.fail = None
    storage = open_simulated(disk)
    assert storage.read("data", 0, 4) == b"data"
    await storage.close()
    assert disk.files() == {"data": b"data"}


async def test_callers_of_close_share_one() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("data", 0, b"data")])
    await asyncio.gather(storage.close(), storage.close())
    assert disk.files() == {"data": b"data"}


async def test_a_read_that_fails_before_a_commit_changes_nothing() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("tree", 0, b"x" * 100)])
    await storage.close()
    storage = open_simulated(disk)
    disk.fail = fail_on("read")
    with pytest.raises(StorageError) as caught:
        storage.commit([Write("data", 0, b"new"), Write("tree", 40, b"y")])
    assert caught.value.file == "tree"
    disk.fail = None
    assert storage.read("tree", 0, 200) == b"x" * 100
    storage.commit([Write("tree", 40, b"y")])
    assert storage.read("tree", 39, 3) == b"xyx"
    await storage.close()
    assert disk.files() == {"tree": b"x" * 40 + b"y" + b"x" * 59}


async def test_a_journal_that_cannot_be_read_is_a_storage_error() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("tree", 0, b"x")])
    storage.abandon()
    disk.fail = fail_on("read")
    with pytest.raises(StorageError, match="cannot replay"):
        open_simulated(disk)
    assert not disk.open_descriptors
    disk.fail = None
    storage = open_simulated(disk)
    assert storage.read("tree", 0, 1) == b"x"
    await storage.close()


async def test_a_folder_taken_by_another_refuses_commits(tmp_path: Path) -> None:
    storage = files(tmp_path, lock=False)("full")
    storage.commit([Write("key", 0, b"ours")])
    (tmp_path / LOCK_NAME).write_text("process 4711 on elsewhere\ntoken\n")
    with pytest.raises(StorageLockedError, match="4711"):
        storage.commit([Write("key", 0, b"no longer ours")])
    assert storage.read("key", 0, 4) == b"ours"
    with pytest.raises(StorageError):
        await storage.sync()
    await storage.close()


async def test_durable_commits_survive_without_close(tmp_path: Path) -> None:
    """With the real disk and the real worker threads, over many checkpoints."""
    limits = Limits(journal_bytes=20_000, dirty_bytes=20_000, clean_pages=8, descriptors=2)
    disk = FolderDisk(str(tmp_path))
    storage = FileStorage(disk, NoLock(), "full", limits=limits)
    names = [f"ab/{number}/tree" for number in range(6)]
    for number in range(600):
        storage.commit([Write(names[number % 6], number * 37, b"%037d" % number)])
        if number % 50 == 49:
            await storage.sync()
    storage.abandon()
    storage = FileStorage(disk, NoLock(), "full", limits=limits)
    for number in range(600):
        assert storage.read(names[number % 6], number * 37, 37) == b"%037d" % number
    await storage.close()
    assert sorted(disk.list_files("")) == names


async def test_an_abandoned_storage_refuses_everything() -> None:
    disk = SimulatedDisk()
    storage = open_simulated(disk)
    storage.commit([Write("data", 0, b"x")])
    handle = storage.file("data")
    storage.abandon()
    actions: list[Any] = [
        lambda: handle.read(0, 1),
        lambda: storage.commit([Write("data", 0, b"y")]),
        lambda: storage.file("data"),
    ]
    for action in actions:
        with pytest.raises(ClosedError, match=r"fork"):
            action()


async def test_simulated_files_are_a_factory() -> None:
    disk = SimulatedDisk()
    storage = simulated_files(disk)("relaxed")
    storage.commit([Write("data", 0, b"x")])
    await storage.close()
    assert disk.files() == {"data": b"x"}
