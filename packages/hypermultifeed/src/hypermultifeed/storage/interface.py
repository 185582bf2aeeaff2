"""What a storage is: the interface that cores use, and that yours can implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.feed.files import Write

Durability = Literal["full", "relaxed"]
"""What ``Storage.sync`` waits for; see the package's description."""


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


def check_durability(durability: str) -> None:
    """Refuse, by ``ValueError``, anything but the two names."""
    if durability not in ("full", "relaxed"):
        raise ValueError(f'durability is "full" or "relaxed", not {durability!r}')
