"""What a feed asks of its storage: a set of named byte files with atomic commits.

The protocol is here, below the storages that implement it, so that this folder needs no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Write(NamedTuple):
    """One change of one file.

    Attributes:
        file: name within the storage, such as ``"tree"`` or ``"ab/cd/abcd…/tree"``.
        offset: where it begins, in bytes; a gap before it reads as zeros.
        data: the bytes (``b""`` only creates the file), or None to cut the file at ``offset``,
            which changes nothing if the file is shorter. A memoryview must be one of bytes; it
            is not kept.
    """

    file: str
    offset: int
    data: bytes | bytearray | memoryview | None


class File(Protocol):
    """A file by handle: cheaper than by name where it is read often."""

    @property
    def name(self) -> str:
        """The name within the storage."""

    @property
    def size(self) -> int:
        """Bytes; 0 if the file is not there."""

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer at the end of the file, none if it does not exist."""


class Files(Protocol):
    """The part of a storage that a feed uses. All calls are synchronous."""

    def file(self, name: str) -> File:
        """A handle, whether there is such a file or not; it stays right whatever is committed."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Make all changes or none; later reads see them at once.

        Raises:
            StorageError: nothing was changed, and the storage accepts no further commit.
        """
