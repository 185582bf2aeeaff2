"""A view's file, opened to read it in one thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pkgstats.view import schema

if TYPE_CHECKING:
    import sqlite3


class State:
    """As long as the block lasts. A class, as the generator of a `contextmanager` would take longer
    than many a question, and a page asks a dozen of them."""

    __slots__ = ("_began", "_connection")

    def __init__(self, connection: ReadConnection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._began = self._connection._begin()  # noqa: SLF001 - a part of it
        return self._connection._database  # noqa: SLF001

    def __exit__(self, *exc_info: object) -> None:
        if self._began:
            self._connection._end()  # noqa: SLF001


class ReadConnection:
    """Gives states of the file, each as it is at one moment, whatever is written meanwhile."""

    def __init__(self, path: Path | str) -> None:
        """Open the file.

        Raises:
            sqlite3.OperationalError: there is no such file.
        """
        self._path = Path(path)
        self._database, self._file = _open(self._path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def state(self) -> State:
        """One state; within another one, the same."""
        return State(self)

    def _begin(self) -> bool:
        """Whether a state begins: there was none."""
        if self._database.in_transaction:
            return False
        self._follow()
        self._database.execute("begin")
        return True

    def _end(self) -> None:
        if self._database.in_transaction:
            self._database.execute("commit")

    def _follow(self) -> None:
        """A view that was made anew is another file of the same name."""
        if _identity(self._path) != self._file:
            database, file = _open(self._path)
            self._database.close()
            self._database, self._file = database, file


def _open(path: Path) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
    file = _identity(path)  # before it is opened: an older one is noticed, and opened again
    return schema.connect_reader(path), file


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
