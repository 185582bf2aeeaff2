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
            which changes nothing if the file is shorter.
    """

    file: str
    offset: int
    data: bytes | bytearray | memoryview | None


class Files(Protocol):
    """The part of a storage that a feed uses. All calls are synchronous."""

    def exists(self, file: str) -> bool:
        """Whether there is such a file."""

    def size(self, file: str) -> int:
        """Its length in bytes, 0 if it does not exist."""

    def read(self, file: str, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer at the end of the file, none if it does not exist."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Make all changes or none; later reads see them at once.

        Raises:
            StorageError: nothing was changed, and the storage accepts no further commit.
        """
