"""Named byte files with atomic commits: the interface, in memory, and in a folder.

A storage holds what the JavaScript modules keep in a folder: files such as ``master_key`` or
``ab/cd/<64 hex digits>/tree``. Changes go in as *commits*: all of one commit's writes survive a
crash, or none. ``read()`` sees a commit at once.

    storage = files("./store")("full")      # or memory()("full")
    storage.commit([Write("key", 0, key), Write("tree", 0, header)])
    await storage.sync()                    # from here on it survives a power loss
    await storage.close()                   # a folder any JavaScript peer can open

Durability is a choice of two:

``"full"``
    ``sync()`` returns when everything committed so far survives a power loss.
``"relaxed"``
    ``sync()`` returns at once. After a power loss an older state may be back, always one that
    was there between two commits, never a mixture. A crash of the process alone loses nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, Protocol

from hypermultifeed.disk import FolderDisk, check_name, make_folders
from hypermultifeed.errors import ClosedError, StorageError, StorageLockedError
from hypermultifeed.feed.files import Write
from hypermultifeed.file_storage import FileStorage
from hypermultifeed.lock import FolderLock
from hypermultifeed.pager import BULK_PAGE_SHIFT, SMALL_PAGE_SHIFT, PagedFile, is_bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Durability",
    "MemoryStorage",
    "Storage",
    "StorageFactory",
    "StorageFile",
    "Write",
    "files",
    "memory",
]

Durability = Literal["full", "relaxed"]


class StorageFile(Protocol):
    """A file of a storage by handle: cheaper than by name where it is read often.

    Handles stay right whatever is committed, also over removal and creation of the file.
    """

    @property
    def name(self) -> str:
        """The name within the storage."""

    @property
    def size(self) -> int:
        """Bytes; 0 if the file is not there."""

    @property
    def exists(self) -> bool:
        """Whether the file is there."""

    def read(self, offset: int, size: int) -> bytes:
        """As ``Storage.read``."""


class Storage(Protocol):
    """Named byte files with atomic commits. Used by one thread."""

    def file(self, name: str) -> StorageFile:
        """A handle to a file, there or not; it stays valid until ``close()``.

        Raises:
            ValueError: the name is no relative path of plain parts.
            StorageLockedError: a ``bitfield`` that another process holds (JavaScript's lock).
        """

    def exists(self, file: str) -> bool:
        """Whether the file is there."""

    def size(self, file: str) -> int:
        """Bytes in the file; 0 if it is not there."""

    def read(self, file: str, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer at the end of the file, none beyond it.

        Raises:
            StorageError: the disk failed.
        """

    def commit(self, writes: Sequence[Write]) -> None:
        """Do all of ``writes``, in order, or none of them.

        Raises:
            StorageError: the disk failed or is full. Nothing was changed, reading goes on, and
                every later commit fails too until the storage is opened anew.
        """

    async def sync(self) -> None:
        """Wait until everything committed so far survives a power loss, if so chosen.

        Raises:
            StorageError: it cannot be known to survive; the storage must be opened anew.
        """

    def list_files(self, prefix: str = "") -> list[str]:
        """The names of all files that start with ``prefix``, sorted."""

    def remove(self, prefix: str) -> None:
        """Remove all files whose names start with ``prefix``, as one commit."""

    async def close(self) -> None:
        """Let go of everything; a folder is left with the files of JavaScript and no others.

        Idempotent. Afterwards every other method raises ``ClosedError``.
        """


class StorageFactory(Protocol):
    """Opens a storage; what ``files()`` and ``memory()`` return."""

    def __call__(self, durability: Durability) -> Storage:
        """Open.

        Raises:
            StorageLockedError: it is open already, here or in another process.
            StorageError: the folder cannot be used.
            CorruptStorageError: what is there cannot be what was written.
        """


def memory() -> StorageFactory:
    """Storage in memory. The factory keeps the files: what it opens next finds them again."""
    return _Memory()


def files(path: str | os.PathLike[str], *, lock: bool = True) -> StorageFactory:
    """Storage in a folder, created when first opened (mode 0700, files 0600).

    The folder holds JavaScript's files, byte for byte, once closed; while open, and after a
    crash, also a journal, which the next opening replays.

    Args:
        path: the folder; it may be a symbolic link to one.
        lock: False only where the file system has no locks. The latest opener then owns the
            folder, and an earlier one fails at its next commit.
    """
    root = os.path.abspath(path)

    def open_folder(durability: Durability) -> FileStorage:
        check_durability(durability)
        disk = FolderDisk(root)
        try:
            make_folders(root)
            folder_lock = FolderLock(root, locking=lock)
        except OSError as error:
            raise StorageError(f"cannot use {root}: {error.strerror or error}") from error
        return FileStorage(disk, folder_lock, durability)

    return open_folder


class _Memory:
    """Factory and files of one storage in memory."""

    def __init__(self) -> None:
        self.files: dict[str, PagedFile] = {}
        self.is_open = False

    def __call__(self, durability: Durability) -> MemoryStorage:
        check_durability(durability)
        if self.is_open:
            raise StorageLockedError("this memory storage is open already", holder="this process")
        self.is_open = True
        return MemoryStorage(self)


class MemoryStorage:
    """See ``memory()``."""

    def __init__(self, owner: _Memory) -> None:
        self._owner = owner
        self._open = True

    def file(self, name: str) -> PagedFile:  # noqa: D102
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = PagedFile(
                check_name(name), BULK_PAGE_SHIFT if is_bulk(name) else SMALL_PAGE_SHIFT
            )
        return file

    def exists(self, file: str) -> bool:  # noqa: D102
        found = self._files.get(file)
        return found is not None and found.exists

    def size(self, file: str) -> int:  # noqa: D102
        found = self._files.get(file)
        return 0 if found is None else found.size

    def read(self, file: str, offset: int, size: int) -> bytes:  # noqa: D102
        found = self._files.get(file)
        return b"" if found is None else found.read(offset, size)

    def commit(self, writes: Sequence[Write]) -> None:  # noqa: D102
        check_writes(writes)
        found = [self.file(write.file) for write in writes]
        for file, (_, offset, data) in zip(found, writes, strict=True):
            if data is None:
                file.cut(offset)
            else:
                file.write(offset, data)

    async def sync(self) -> None:
        """Nothing to wait for."""
        self._check_open()

    def list_files(self, prefix: str = "") -> list[str]:  # noqa: D102
        return sorted(n for n, f in self._files.items() if f.exists and n.startswith(prefix))

    def remove(self, prefix: str) -> None:  # noqa: D102
        for name in self.list_files(prefix):
            self._files[name].remove()

    async def close(self) -> None:  # noqa: D102
        if self._open:
            self._open = False
            self._owner.is_open = False

    @property
    def _files(self) -> dict[str, PagedFile]:
        self._check_open()
        return self._owner.files

    def _check_open(self) -> None:
        if not self._open:
            raise ClosedError("the storage is closed")


def check_durability(durability: str) -> None:
    """Refuse, by ``ValueError``, anything but the two names."""
    if durability not in ("full", "relaxed"):
        raise ValueError(f'durability is "full" or "relaxed", not {durability!r}')


def check_writes(writes: Iterable[Write]) -> None:
    """Refuse, by ``StorageError``, offsets that no file has and views of other than bytes."""
    for file, offset, data in writes:
        if not 0 <= offset < 1 << 62:
            raise StorageError("offset out of range", file=file, offset=offset)
        if type(data) is memoryview and data.nbytes != len(data):
            raise StorageError("a memoryview must be one of bytes", file=file)
