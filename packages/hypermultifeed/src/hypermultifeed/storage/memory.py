"""Storage in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypermultifeed.errors import ClosedError, StorageError, StorageLockedError
from hypermultifeed.storage.disk import check_name
from hypermultifeed.storage.interface import check_durability
from hypermultifeed.storage.pager import BULK_PAGE_SHIFT, SMALL_PAGE_SHIFT, PagedFile, is_bulk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypermultifeed.feed.files import Write
    from hypermultifeed.storage.interface import Durability, StorageFactory


def memory() -> StorageFactory:
    """Storage in memory. The factory keeps the files: what it opens next finds them again."""
    return _Memory()


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


def check_writes(writes: Iterable[Write]) -> None:
    """Refuse, by ``StorageError``, offsets that no file has and views of other than bytes."""
    for file, offset, data in writes:
        if not 0 <= offset < 1 << 62:
            raise StorageError("offset out of range", file=file, offset=offset)
        if type(data) is memoryview and data.nbytes != len(data):
            raise StorageError("a memoryview must be one of bytes", file=file)
