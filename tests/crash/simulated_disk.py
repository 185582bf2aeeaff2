"""A disk that records what was done to it, and every state a crash may leave.

``SimulatedDisk`` stands in for ``FolderDisk``. It knows, for each file and each folder, which
changes a successful sync has made durable. ``crash_states`` builds, at any operation, the disks
that a legal crash may leave:

* the process is killed: all done so far is there, the operation at hand wholly, partly or not;
* the power fails: of what was not synced any part may be there, in any order, torn anywhere;
  names too, where their folder was not synced.

A failed sync is what it is on Linux: the bytes stay readable, are taken for clean, and no later
sync of the same file writes them. (Sizes are not lost so: a file system that cannot write those
stops.)

How to use it with any program over storage::

    crashes = CrashCollector(random.Random(seed))
    disk = SimulatedDisk(crashes.observe)
    storage = simulated_files(disk)("full")
    ... work, and after each acknowledgement: crashes.mark = what must be found from here on ...
    for crash in crashes.states:        # each with .mark, .label, .power and .disk
        storage = simulated_files(crash.disk)("full")
        ... look ...
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from hypermultifeed.storage.file_storage import FileStorage, Limits
from hypermultifeed.storage.lock import NoLock

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hypermultifeed.storage import Durability, StorageFactory
    from hypermultifeed.storage.disk import Buffer

TEST_LIMITS = Limits(
    journal_bytes=600,
    dirty_bytes=2000,
    clean_pages=4,
    descriptors=2,
    small_page_shift=5,
    bulk_page_shift=6,
)
"""Everything small, so that a few dozen commits pass through every state."""


class Operation(NamedTuple):
    """What the disk is asked to do: ``kind`` is the method's name."""

    kind: str
    name: str
    inode: Inode | None = None
    offset: int = 0
    data: bytes = b""


class Change:
    """A change of one file's bytes: a write, or a cut or extension to ``offset``."""

    __slots__ = ("cut", "data", "durable", "lost", "offset")

    def __init__(self, offset: int, data: bytes, *, cut: bool = False) -> None:
        self.offset = offset
        self.data = data
        self.cut = cut
        self.durable = False
        self.lost = False  # a sync failed: taken for clean, perhaps not on the disk

    def apply(self, content: bytearray, size: int | None = None) -> None:
        if self.cut:
            del content[self.offset :]
            content.extend(bytes(self.offset - len(content)))
            return
        data = self.data if size is None else self.data[:size]
        if data:
            content.extend(bytes(max(0, self.offset - len(content))))
            content[self.offset : self.offset + len(data)] = data


class Inode:
    """A file's bytes: as read now, as they were durable once, and the changes since."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.base = bytes(content)
        self.changes: list[Change] = []

    def change(self, change: Change) -> None:
        change.apply(self.content)
        self.changes.append(change)

    def sync(self) -> None:
        for change in self.changes:
            if not change.lost:
                change.durable = True
        if all(change.durable for change in self.changes):
            self.base = bytes(self.content)
            self.changes.clear()


class NameChange:
    """A change of one folder: a file or folder appears or goes."""

    __slots__ = ("durable", "folder", "inode", "name")

    def __init__(self, folder: str, name: str, inode: Inode | str | None) -> None:
        self.folder = folder
        self.name = name
        self.inode = inode  # None: it goes; FOLDER: a folder appears
        self.durable = False

    def apply(self, names: dict[str, Inode | str]) -> None:
        if self.inode is None:
            for name in [n for n in names if n == self.name or n.startswith(f"{self.name}/")]:
                del names[name]
        else:
            names[self.name] = self.inode


Keep = Callable[[Change | NameChange], bool | int]

FOLDER = "folder"


class SimulatedDisk:
    """See the module. ``fail`` may raise ``OSError`` for an operation, or return how many bytes
    of a write succeed before the disk is full."""

    def __init__(self, observe: Callable[[SimulatedDisk, Operation], None] | None = None) -> None:
        self.names: dict[str, Inode | str] = {"": FOLDER}
        self.base_names: dict[str, Inode | str] = dict(self.names)
        self.name_changes: list[NameChange] = []
        self.observe = observe
        self.fail: Callable[[Operation], int | None] | None = None
        self.operations = 0
        self.open_descriptors: dict[int, tuple[str, Inode]] = {}
        self._next = 3

    # The Disk protocol

    def open(self, name: str, *, write: bool = False) -> int:
        self._do(Operation("open", name, data=b"w" if write else b"r"))
        inode = self.names.get(name)
        if not isinstance(inode, Inode):
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return self._descriptor(name, inode)

    def create(self, name: str) -> int:
        self._do(Operation("create", name))
        if name in self.names:
            raise FileExistsError(errno.EEXIST, "file exists", name)
        if self.names.get(_parent(name)) != FOLDER:
            raise FileNotFoundError(errno.ENOENT, "no such folder", name)
        inode = Inode()
        self._rename(NameChange(_parent(name), name, inode))
        return self._descriptor(name, inode)

    def close(self, descriptor: int) -> None:
        del self.open_descriptors[descriptor]

    def size(self, name: str) -> int | None:
        inode = self.names.get(name)
        if inode == FOLDER:
            raise IsADirectoryError(errno.EISDIR, "a folder", name)
        return len(inode.content) if isinstance(inode, Inode) else None

    def read(self, descriptor: int, offset: int, size: int) -> bytes:
        name, inode = self.open_descriptors[descriptor]
        self._do(Operation("read", name, inode, offset))
        return bytes(inode.content[offset : offset + size])

    def write(self, descriptor: int, offset: int, data: Buffer) -> None:
        name, inode = self.open_descriptors[descriptor]
        copy = bytes(data)
        done = self._do(Operation("write", name, inode, offset, copy))
        if done is None:
            inode.change(Change(offset, copy))
        else:
            inode.change(Change(offset, copy[:done]))
            raise OSError(errno.ENOSPC, "no space left on device")

    def write_all(self, descriptor: int, offset: int, buffers: list[Buffer]) -> None:
        self.write(descriptor, offset, b"".join(buffers))

    def truncate(self, descriptor: int, size: int) -> None:
        name, inode = self.open_descriptors[descriptor]
        self._do(Operation("truncate", name, inode, size))
        inode.change(Change(size, b"", cut=True))

    def sync(self, descriptor: int) -> None:
        name, inode = self.open_descriptors[descriptor]
        try:
            self._do(Operation("sync", name, inode))
        except OSError:
            for change in inode.changes:
                change.lost = not (change.durable or change.cut)
            raise
        inode.sync()

    def sync_folder(self, name: str) -> None:
        self._do(Operation("sync_folder", name))
        if self.names.get(name) != FOLDER:
            raise FileNotFoundError(errno.ENOENT, "no such folder", name)
        gone: set[str] = set()
        for change in reversed(self.name_changes):
            if change.folder == name or change.folder in gone:
                change.durable = True  # what was in a folder is gone when the folder is
                if change.inode is None:
                    gone.add(change.name)
        while self.name_changes and self.name_changes[0].durable:
            self.name_changes.pop(0).apply(self.base_names)

    def sync_everything(self) -> None:
        self._do(Operation("sync_everything", ""))

    def make_folder(self, name: str) -> bool:
        self._do(Operation("make_folder", name))
        if self.names.get(name) == FOLDER:
            return False
        if self.names.get(_parent(name)) != FOLDER:
            raise FileNotFoundError(errno.ENOENT, "no such folder", name)
        self._rename(NameChange(_parent(name), name, FOLDER))
        return True

    def remove(self, name: str) -> None:
        self._do(Operation("remove", name))
        if name in self.names:
            self._rename(NameChange(_parent(name), name, None))

    def remove_folder(self, name: str) -> bool:
        self._do(Operation("remove_folder", name))
        if self.names.get(name) != FOLDER or any(_parent(n) == name for n in self.names if n):
            return False
        self._rename(NameChange(_parent(name), name, None))
        return True

    def list_files(self, folder: str) -> list[str]:
        inside = f"{folder}/" if folder else ""
        return [n for n, i in self.names.items() if i != FOLDER and n.startswith(inside)]

    # For tests

    def files(self) -> dict[str, bytes]:
        """What is there now."""
        return {n: bytes(i.content) for n, i in self.names.items() if isinstance(i, Inode)}

    def copy(self) -> SimulatedDisk:
        """The same disk, all of it durable, nothing open: what a killed process leaves."""
        return _disk(
            {n: bytes(i.content) if isinstance(i, Inode) else FOLDER for n, i in self.names.items()}
        )

    def after_power_loss(self, keep: Keep, extra: Operation | None = None) -> SimulatedDisk:
        """The disk if of all that was not synced just ``keep`` arrived.

        ``keep`` answers for each change: yes, no, or how many bytes of it. ``extra`` is a write
        that was under way.
        """
        names = dict(self.base_names)
        for change in self.name_changes:
            if change.durable or keep(change):
                change.apply(names)
        contents: dict[str, bytes | str] = {}
        for name, inode in names.items():
            if not isinstance(inode, Inode):
                contents[name] = FOLDER
                continue
            content = bytearray(inode.base)
            changes = list(inode.changes)
            if extra is not None and extra.inode is inode and extra.kind in ("write", "truncate"):
                changes.append(Change(extra.offset, extra.data, cut=extra.kind == "truncate"))
            for one in changes:
                kept = True if one.durable else keep(one)
                if kept:
                    one.apply(content, None if kept is True else kept)
            contents[name] = bytes(content)
        return _disk({n: c for n, c in contents.items() if _reachable(n, contents)})

    def unsynced(self) -> list[Change | NameChange]:
        """All changes that a power loss may take."""
        found: list[Change | NameChange] = [c for c in self.name_changes if not c.durable]
        inodes = [i for i in {**self.base_names, **self.names}.values() if isinstance(i, Inode)]
        for inode in dict.fromkeys(inodes):
            found += [c for c in inode.changes if not c.durable]
        return found

    def digest(self) -> bytes:
        """Equal for equal disks."""
        hasher = hashlib.sha256()
        for name, inode in sorted(self.names.items()):
            content = b"" if isinstance(inode, str) else bytes(inode.content)
            hasher.update(repr((name, isinstance(inode, str), len(content))).encode())
            hasher.update(content)
        return hasher.digest()

    def _do(self, operation: Operation) -> int | None:
        self.operations += 1
        if self.observe is not None:
            self.observe(self, operation)
        return self.fail(operation) if self.fail is not None else None

    def _descriptor(self, name: str, inode: Inode) -> int:
        self._next += 1
        self.open_descriptors[self._next] = (name, inode)
        return self._next

    def _rename(self, change: NameChange) -> None:
        change.apply(self.names)
        self.name_changes.append(change)


def _parent(name: str) -> str:
    return name.rpartition("/")[0]


def _reachable(name: str, names: dict[str, bytes | str]) -> bool:
    while name:
        name = _parent(name)
        if names.get(name) != FOLDER:
            return False
    return True


def _disk(contents: dict[str, Any]) -> SimulatedDisk:
    disk = SimulatedDisk()
    for name, content in contents.items():
        disk.names[name] = FOLDER if content == FOLDER else Inode(content)
    disk.base_names = dict(disk.names)
    return disk


class CrashState(NamedTuple):
    """A disk as a crash may leave it; ``power`` is False where only the process died."""

    label: str
    power: bool
    disk: SimulatedDisk


def crash_states(
    disk: SimulatedDisk, operation: Operation, random: random.Random, *, samples: int = 4
) -> Iterator[CrashState]:
    """States that a crash during ``operation``, which is not done yet, may leave."""
    yield CrashState(f"killed before {operation.kind}", power=False, disk=disk.copy())
    size = len(operation.data)
    if operation.kind == "write" and operation.inode is not None and size > 1:
        for part in sorted({1, size // 2, size - 1, random.randrange(1, size)}):
            torn = disk.copy()
            inode = torn.names.get(operation.name)
            if isinstance(inode, Inode):
                inode.change(Change(operation.offset, operation.data[:part]))
                inode.sync()
                yield CrashState(f"killed after {part} bytes", power=False, disk=torn)
    changes = disk.unsynced()
    if not changes:
        return

    def power(label: str, keep: Keep) -> CrashState:
        return CrashState(label, power=True, disk=disk.after_power_loss(keep, operation))

    yield power("nothing unsynced", lambda _: False)
    yield power("everything", lambda _: True)
    for one in random.sample(changes, min(samples, len(changes))):
        yield power("all but one", _keep({one: False}, others=True))
        yield power("one alone", _keep({one: True}, others=False))
        if isinstance(one, Change) and len(one.data) > 1:
            part = random.randrange(1, len(one.data))
            yield power("one torn", _keep({one: part}, others=True))
    for share in [0.25, 0.5, 0.75, 0.9][:samples]:

        def some(change: Change | NameChange, share: float = share) -> bool | int:
            if random.random() > share:
                return False
            if isinstance(change, Change) and len(change.data) > 1 and random.random() < 0.2:
                return random.randrange(1, len(change.data))
            return True

        yield power(f"about {share:.0%}", some)


def _keep(some: dict[Change | NameChange, bool | int], *, others: bool) -> Keep:
    return lambda change: some.get(change, others)


class Crash(NamedTuple):
    """A state for a later look; ``mark`` is what the collector's mark was at the time."""

    label: str
    power: bool
    disk: SimulatedDisk
    mark: Any


class CrashCollector:
    """An observer that keeps every different state, with the mark of its time."""

    def __init__(self, random: random.Random, *, samples: int = 2) -> None:
        self.mark: Any = None
        self.states: list[Crash] = []
        self._random = random
        self._samples = samples
        self._seen: set[tuple[bytes, bool, int]] = set()

    def observe(self, disk: SimulatedDisk, operation: Operation) -> None:
        if operation.kind in ("open", "read"):
            return
        states = crash_states(disk, operation, self._random, samples=self._samples)
        for label, power, state in states:
            key = (state.digest(), power, id(self.mark))
            if key not in self._seen:
                self._seen.add(key)
                where = f"operation {disk.operations}, {operation.name}: {label}"
                self.states.append(Crash(where, power, state, self.mark))


def run_at_once(function: Callable[[], None]) -> Future[None]:
    """A worker that has done its work when it is given it: the same order at each run."""
    future: Future[None] = Future()
    try:
        function()
    except Exception as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    return future


def simulated_files(
    disk: SimulatedDisk,
    *,
    limits: Limits = TEST_LIMITS,
    start: Callable[[Callable[[], None]], Future[None]] = run_at_once,
) -> StorageFactory:
    """``files()`` on a simulated disk."""

    def open_disk(durability: Durability) -> FileStorage:
        return FileStorage(disk, NoLock(), durability, limits=limits, start=start)

    return open_disk
