"""Whatever moment the crash comes at, reopening finds a state between two commits."""

from __future__ import annotations

import asyncio
import errno
import random
from typing import TYPE_CHECKING

import pytest
from tests.crash.simulated_disk import (
    Operation,
    SimulatedDisk,
    crash_states,
    run_at_once,
    simulated_files,
)

from hypermultifeed.errors import ClosedError, StorageError
from hypermultifeed.storage import Durability, Write
from hypermultifeed.storage.disk import RESERVED_PREFIX
from hypermultifeed.storage.file_storage import FileStorage, Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

Files = dict[str, bytes]

NAMES = ["key", "tree", "data", "bitfield", "ab/cd/feed/tree", "ab/cd/feed/data", "ab/ef/x/key"]


class Model:
    """Every state the storage has been in, one after each commit."""

    def __init__(self) -> None:
        self.history: list[Files] = [{}]
        self.acknowledged = 0

    @property
    def files(self) -> Files:
        return self.history[-1]

    def after(self, writes: list[Write]) -> Files:
        files = dict(self.files)
        for name, offset, data in writes:
            content = bytearray(files.get(name, b""))
            if data is None:
                if name in files:
                    del content[offset:]
                    files[name] = bytes(content)
                continue
            if data:
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
            files[name] = bytes(content)
        return files


def contents(storage: FileStorage) -> Files:
    return {n: storage.read(n, 0, storage.size(n)) for n in storage.list_files()}


def difference(found: Files, newest: Files) -> str:
    """In a few words, what is not as in the newest state."""
    words = []
    for name in sorted(found.keys() | newest.keys()):
        ours, theirs = found.get(name), newest.get(name)
        if ours is None or theirs is None:
            words.append(f"{name} {'there' if theirs is None else 'missing'}")
        elif ours != theirs:
            size = min(len(ours), len(theirs))
            at = next((i for i in range(size) if ours[i] != theirs[i]), size)
            words.append(f"{name} ({len(ours)} for {len(theirs)} bytes) differs at {at}")
    return ", ".join(words)


class Workload:
    """Random commits, with every crash state checked as it comes up."""

    def __init__(
        self,
        seed: int,
        durability: Durability,
        *,
        watch: bool = True,
        during_checkpoints: bool = False,
        recovery_share: float = 0.0,
    ) -> None:
        self.random = random.Random(seed)
        self.durability: Durability = durability
        self.model = Model()
        self.in_flight: Files | None = None
        self.states = 0
        self.seen: set[tuple[bytes, bool, int]] = set()
        self.busy = False
        self.watch = watch
        self.during_checkpoints = during_checkpoints
        self.commits_during_checkpoints = 0
        self.recovery_share = recovery_share
        self.states_of_recovery = 0
        self.disk = SimulatedDisk(self.observe)
        self.storage = self.open()

    def open(self) -> FileStorage:
        storage = simulated_files(self.disk, start=self.start)(self.durability)
        assert isinstance(storage, FileStorage)
        return storage

    def start(self, function: Callable[[], None]) -> Future[None]:
        self.busy = function.__name__ == "_run_checkpoint"
        try:
            return run_at_once(function)
        finally:
            self.busy = False

    def observe(self, disk: SimulatedDisk, operation: Operation) -> None:
        if operation.kind in ("open", "read") or not self.watch:
            return
        for label, power, state in crash_states(disk, operation, self.random):
            key = (state.digest(), power, self.model.acknowledged)
            if key not in self.seen:
                self.seen.add(key)
                where = f"{operation.kind} {operation.name}: {label}"
                if self.random.random() < self.recovery_share:
                    self.crash_again(where, state.copy(), power=power)
                self.check(where, state, power=power)
        if self.busy and self.during_checkpoints and self.random.random() < 0.15:
            self.busy = False  # a commit while the worker is at work
            self.commits_during_checkpoints += 1
            self.commit()
            self.busy = True

    def crash_again(self, label: str, disk: SimulatedDisk, *, power: bool) -> None:
        """Crash at each step of the recovery from a crash."""

        def observe(disk: SimulatedDisk, operation: Operation) -> None:
            if operation.kind in ("open", "read"):
                return
            for again, power_again, state in crash_states(disk, operation, self.random):
                self.states_of_recovery += 1
                self.check(f"{label}, then {again}", state, power=power or power_again)

        disk.observe = observe
        simulated_files(disk)(self.durability)

    def check(self, label: str, disk: SimulatedDisk, *, power: bool) -> None:
        """Whether a crashed disk opens, with a state that may be there, and goes on."""
        self.states += 1
        storage = simulated_files(disk)(self.durability)
        assert isinstance(storage, FileStorage)
        found = contents(storage)
        history = self.model.history
        oldest = len(history) - 1
        if power:
            oldest = self.model.acknowledged if self.durability == "full" else 0
        allowed = history[oldest:]
        if self.in_flight is not None:
            allowed = [*allowed, self.in_flight]
        if found not in allowed:
            pytest.fail(f"{label}: {difference(found, history[-1])}; allowed: {len(allowed)}")
        storage.commit([Write("key", 0, b"after the crash")])
        assert storage.read("key", 0, 15) == b"after the crash"

    def check_still_readable(self) -> None:
        """After a failure, the storage shows the newest state, unless it is closed already."""
        try:
            found = contents(self.storage)
        except ClosedError:
            return
        assert found == self.model.files, difference(found, self.model.files)

    def check_reopened(self) -> None:
        """The state after reopening: nothing acknowledged is missing. The model goes on there."""
        found = contents(self.storage)
        allowed = self.model.history[self.model.acknowledged :]
        if self.in_flight is not None:
            allowed = [*allowed, self.in_flight]
        assert found in allowed, difference(found, self.model.files)
        self.model.history.append(found)
        self.in_flight = None
        self.model.acknowledged = len(self.model.history) - 1

    def writes(self) -> list[Write]:
        writes = []
        for _ in range(self.random.randrange(1, 4)):
            name = self.random.choice(NAMES)
            size = len(self.model.files.get(name, b""))
            offset = self.random.choice([size, self.random.randrange(size + 40)])
            kind = self.random.random()
            if kind < 0.15:
                writes.append(Write(name, offset, None))
            elif kind < 0.2:
                writes.append(Write(name, offset, b""))
            else:
                data = self.random.randbytes(self.random.choice([3, 20, 40, 150]))
                writes.append(Write(name, offset, data))
        return writes

    def begin(self, files: Files) -> None:
        self.in_flight = files

    def end(self) -> None:
        """What is in flight is committed; known early if a checkpoint runs, as its record is in
        the journal by then."""
        if self.in_flight is not None:
            self.model.history.append(self.in_flight)
            self.in_flight = None

    def commit(self) -> None:
        self.end()
        writes = self.writes()
        self.begin(self.model.after(writes))
        self.storage.commit(writes)
        self.end()

    def commit_many(self, count: int) -> None:
        for _ in range(count):
            self.commit()

    def remove(self) -> None:
        prefix = self.random.choice(["ab/cd/feed/", "ab/", "key"])
        kept = {n: c for n, c in self.model.files.items() if not n.startswith(prefix)}
        if kept != self.model.files:
            self.begin(kept)
            self.storage.remove(prefix)
            self.end()

    async def sync(self) -> None:
        committed = len(self.model.history) - 1
        await self.storage.sync()
        self.model.acknowledged = committed

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            kind = self.random.random()
            if kind < 0.7:
                self.commit()
            elif kind < 0.78:
                self.remove()
            elif kind < 0.95:
                await self.sync()
            else:
                await self.close()
                self.storage = self.open()
        await self.close()

    async def close(self) -> None:
        self.during_checkpoints, during = False, self.during_checkpoints
        await self.storage.close()
        self.during_checkpoints = during
        self.model.acknowledged = len(self.model.history) - 1
        there = self.disk.files()
        assert there == self.model.files, difference(there, self.model.files)
        assert not self.disk.open_descriptors


@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize("seed", range(3))
def test_every_crash_leaves_a_state_between_two_commits(seed: int, durability: Durability) -> None:
    workload = Workload(seed, durability)
    asyncio.run(workload.run(60))
    assert workload.states > 500


@pytest.mark.parametrize("durability", ["full", "relaxed"])
@pytest.mark.parametrize("seed", range(100, 103))
def test_commits_go_on_while_a_checkpoint_runs(seed: int, durability: Durability) -> None:
    workload = Workload(seed, durability, during_checkpoints=True)
    asyncio.run(workload.run(16))
    assert workload.commits_during_checkpoints


@pytest.mark.parametrize("seed", range(200, 203))
def test_a_crash_during_recovery_loses_nothing_either(seed: int) -> None:
    workload = Workload(seed, "full", recovery_share=0.03)
    asyncio.run(workload.run(30))
    assert workload.states_of_recovery > 100


@pytest.mark.parametrize("seed", range(300, 303))
def test_after_a_failed_sync_reopening_finds_all_acknowledged(seed: int) -> None:
    """Also when the power fails while the journal is replayed that the sync did not store."""
    for failing in range(seed % 3, 45, 5):
        workload = Workload(seed, "full", watch=False)
        syncs = 0

        def fail(operation: Operation, failing: int = failing) -> None:
            nonlocal syncs
            if operation.kind in ("sync", "sync_folder"):
                syncs += 1
                if syncs == failing + 1:
                    raise OSError(errno.EIO, "input/output error")

        workload.disk.fail = fail
        try:
            asyncio.run(workload.run(60))
        except StorageError:
            workload.check_still_readable()
        workload.storage.abandon()
        workload.disk.fail = None
        workload.watch = True
        workload.storage = workload.open()
        workload.check_reopened()
        asyncio.run(workload.run(3))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("seed", range(400, 402))
def test_any_call_may_fail_once(seed: int, error: int) -> None:
    """Nothing is acknowledged that is lost; everything is readable; reopening goes on."""
    total = 0
    failing = 0
    while failing <= total:
        workload = Workload(seed, "full", watch=False)
        calls = 0

        def fail(operation: Operation, failing: int = failing) -> int | None:
            nonlocal calls
            calls += 1
            if calls != failing + 1 or operation.kind == "sync_everything":
                return None
            if operation.kind == "write" and error == errno.ENOSPC and failing % 2:
                return len(operation.data) // 2
            raise OSError(error, "injected")

        workload.disk.fail = fail
        try:
            asyncio.run(workload.run(25))
        except StorageError:
            workload.check_still_readable()
            workload.storage.abandon()
            workload.storage = workload.open()
            workload.check_reopened()
            asyncio.run(workload.run(2))
        total = max(total, calls)
        failing += 3


def test_a_full_disk_stops_commits_only_and_reopening_resumes_when_there_is_space() -> None:
    workload = Workload(1, "full", watch=False)

    async def scenario() -> None:
        for _ in range(30):
            workload.commit()
        await workload.sync()
        workload.disk.fail = full
        with pytest.raises(StorageError):
            workload.commit_many(1000)
        workload.check_still_readable()
        with pytest.raises(StorageError, match="opened anew"):
            workload.commit()
        await workload.storage.close()

        workload.storage = workload.open()  # with no space, what is there can be read
        workload.check_reopened()
        with pytest.raises(StorageError, match="wait for space"):
            workload.commit()
        await workload.storage.close()

        workload.disk.fail = None
        workload.storage = workload.open()
        workload.check_reopened()
        await workload.run(10)

    def full(operation: Operation) -> int | None:
        if operation.kind == "write" and not is_journal(operation.name):
            return 3
        if operation.kind == "create":
            raise OSError(errno.ENOSPC, "no space left on device")
        return None

    asyncio.run(scenario())


def test_a_checkpoint_that_finds_no_space_is_tried_again() -> None:
    workload = Workload(2, "full", watch=False)
    failures = 0

    def full_for_a_while(operation: Operation) -> int | None:
        nonlocal failures
        if operation.kind == "write" and not is_journal(operation.name) and failures < 2:
            failures += 1
            return 1
        return None

    workload.disk.fail = full_for_a_while
    workload.commit_many(60)
    assert failures == 2
    asyncio.run(workload.close())


def test_a_relaxed_sync_does_not_touch_the_disk() -> None:
    async def scenario() -> None:
        disk = SimulatedDisk()
        storage = simulated_files(disk, limits=Limits())("relaxed")
        kinds = []
        disk.observe = lambda _, operation: kinds.append(operation.kind)
        for number in range(50):
            storage.commit([Write("data", number * 10, bytes(10))])
            await storage.sync()
        assert set(kinds) == {"create", "write"}
        assert kinds.count("write") == 50

    asyncio.run(scenario())


def is_journal(name: str) -> bool:
    return name.startswith(RESERVED_PREFIX)
