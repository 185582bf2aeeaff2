"""A view's file, opened to read it in one thread."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pkgstats.view import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


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

    @contextmanager
    def state(self) -> Iterator[sqlite3.Connection]:
        """One state; within another one, the same."""
        if self._database.in_transaction:
            yield self._database
            return
        self._follow()
        database = self._database
        database.execute("begin")
        try:
            yield database
        finally:
            if database.in_transaction:
                database.execute("commit")

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
