"""What stands in a crawler's file, to be read: what was looked at, and what was said."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from pkgstats.crawler.recall import SCHEMA, tail_of
from pkgstats.records.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pkgstats.crawler.telling import Tail

FILE: Final = "crawl.db"
"""In a node's folder."""

SEQUENCE: Final = "sequence"
SPENT: Final = "spent"
SEED: Final = "seed"
RECHECKED: Final = "rechecked"


class Notes:
    """Reads the file; see `peek`, and `pkgstats.crawler.memory.Memory`, which writes it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Take the file, which is open."""
        self._database = database

    def checked(self, *parts: str) -> dict[str, int]:
        """When each package was looked at last, in any of these parts, ms."""
        found: dict[str, int] = {}
        find = "select name, at from checked where part = ?"
        for part in parts:
            for name, at in self._database.execute(find, (part,)):
                found[name] = max(at, found.get(name, 0))
        return found

    def looked_at(self, name: str, part: str) -> int:
        """When a package was looked at last, ms; 0: never."""
        find = "select at from checked where part = ? and name = ?"
        row = self._database.execute(find, (part, name)).fetchone()
        return int(row[0]) if row else 0

    def etag(self, name: str, part: str) -> str:
        """Of the last answer; empty if there was none."""
        find = "select etag from checked where part = ? and name = ?"
        row = self._database.execute(find, (part, name)).fetchone()
        return str(row[0]) if row else ""

    def watched(self) -> list[str]:
        """The packages that are looked at each week, in order of their names."""
        find = "select name from watched order by name"
        return [name for (name,) in self._database.execute(find)]

    def sequence(self) -> str:
        """Up to where changes were followed; empty: not yet."""
        return str(self._value(SEQUENCE) or "")

    def pending(self, limit: int) -> list[str]:
        """Packages that have changed and were not looked at, the first that did first."""
        find = "select name from pending order by rowid limit ?"
        return [name for (name,) in self._database.execute(find, (limit,))]

    def spent(self) -> tuple[int, int]:
        """The last day of requests (counted from 1970) and how many were made, for a `Limiter`."""
        day, _, number = str(self._value(SPENT) or "0 0").partition(" ")
        return int(day), int(number)

    def tail(self, name: str) -> Tail | None:
        """The last days of a package that I have said."""
        return tail_of(self._database, name)

    def told(self, name: str) -> str | None:
        """What `recall.gist` gives of the manifest I have said last; None: none, or it is gone."""
        row = self._state(name)
        return row[1] if row is not None and row[0] == Snapshot.letter else None

    def _state(self, name: str) -> Any:
        find = "select letter, gist, at, block, place from said where key = ?"
        return self._database.execute(find, (f"P {name}",)).fetchone()

    def _value(self, key: str) -> Any:
        row = self._database.execute("select value from meta where key = ?", (key,)).fetchone()
        return row[0] if row else None


@contextmanager
def peek(path: Path) -> Iterator[Notes]:
    """The notes in a file, to be read only; where there is no file, there are none yet."""
    exists = path.exists()
    where = f"{path.absolute().as_uri()}?mode=ro" if exists else "file::memory:"
    with closing(sqlite3.connect(where, uri=True)) as database:
        if not exists:
            database.executescript(SCHEMA)
        yield Notes(database)
