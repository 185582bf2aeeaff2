"""The files of the index in a folder: which one counts, and bringing it up to the facts.

An index is ``search-NUMBER.db``; the highest number counts. One that is made anew is written
beside it under another name, and gets the next number when it is whole. Who reads the old one
goes on with it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.search.index import (
    IN_PLACE_MAX,
    IN_PLACE_SHARE,
    build,
    connect,
    read_identity,
    read_note,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pkgstats.search.index import Facts

_BESIDE: Final = ("-journal", "-wal", "-shm")
"""Files that SQLite lays beside a database."""

_NAME: Final = re.compile(r"search-(\d{1,12})\.db")


class Refreshed(NamedTuple):
    """What was done to bring the index up to the facts.

    Attributes:
        kind: ``unchanged``, ``updated`` (in place) or ``rebuilt``.
        packages: how many were indexed.
        generation: of the facts that are in it now.
    """

    kind: str
    packages: int
    generation: int


class IndexFiles:
    """The index in a folder. One at a time may call `refresh` and `rebuild`.

    Args:
        folder: made if need be.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def number(self) -> int:
        """Of the file that counts; 0: there is none. Another process may have made it just now."""
        return max(self._numbers(), default=0)

    def path(self, number: int) -> Path:
        """Where the index of that number lies."""
        return self._folder / f"search-{number}.db"

    def refresh(self, facts: Facts, progress: Callable[[int], None] | None = None) -> Refreshed:
        """Bring the index up to the facts: in place after few changes, else by a new file."""
        try:
            changed = self._changed(facts)
        except sqlite3.Error:
            changed = None  # no index, a damaged one, or one of another schema
        if changed is None:
            return self.rebuild(facts, progress)
        if not changed:
            return Refreshed("unchanged", 0, facts.generation)
        update(self.path(self.number), facts, changed)
        return Refreshed("updated", len(changed), self._note("generation"))

    def rebuild(self, facts: Facts, progress: Callable[[int], None] | None = None) -> Refreshed:
        """Make the index anew, and let it count when it is whole."""
        unfinished = self._folder / "search.unfinished"
        for end in ("", *_BESIDE):
            unfinished.with_name(unfinished.name + end).unlink(missing_ok=True)
        build(unfinished, facts, progress)
        unfinished.rename(self.path(1 + self.number))
        self._remove_old()
        return Refreshed("rebuilt", self._note("total"), self._note("generation"))

    def _changed(self, facts: Facts) -> list[str] | None:
        """What has changed since the index was made; None: it has to be made anew."""
        with closing(connect(self.path(self.number))) as database:
            if read_identity(database) != facts.identity:
                return None
            generation = read_note(database, "generation")
            updates = read_note(database, "updates")
            total = read_note(database, "total")
        changed = facts.changed_since(generation)
        most = max(IN_PLACE_MAX, total // IN_PLACE_SHARE)
        return None if changed is None or updates + len(changed) > most else changed

    def _note(self, key: str) -> int:
        with closing(connect(self.path(self.number))) as database:
            return read_note(database, key)

    def _remove_old(self) -> None:
        """Remove files that no longer count; one that is still open may have to wait."""
        newest = self.number
        for number in self._numbers():
            if number < newest:
                for end in ("", *_BESIDE):
                    with suppress(OSError):
                        self._folder.joinpath(f"search-{number}.db{end}").unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        names = (_NAME.fullmatch(file.name) for file in self._folder.iterdir())
        return [int(name[1]) for name in names if name]
