"""The view's one writer: blocks in, rows and positions out, both in one transaction.

What the tables say follows from the accepted feeds alone, whatever the order in which their
blocks come: of each core the blocks up to its bound, without what its writer took back. Where
that changes (a revocation, a retraction, another role) the core is *reset*: its rows go, and it
is read again from its start.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Self

from pkgstats import trust
from pkgstats.view import applying, cores, members, schema
from pkgstats.view.saying import writer_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from hypermultifeed import Entry

BEYOND: Final = (1 << 53) - 1
"""A block's number that no feed reaches: to skip all of a feed."""


class SchemaError(Exception):
    """The file is no view of this version; it can be made anew from the feeds."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction did.

    Attributes:
        blocks, records: how many came.
        refused: how many of these records (or blocks) count for nothing.
        generation: of the view from now on; packages that changed are marked with it.
    """

    blocks: int
    records: int
    refused: int
    generation: int


@dataclass(frozen=True, slots=True)
class Judged:
    """How many cores were accepted from their start on, and how many were reset before."""

    accepted: int
    reset: int


class Store:
    """Writes to a view; for one thread at a time."""

    def __init__(
        self, database: sqlite3.Connection, group: bytes, horizon: int | None = None
    ) -> None:
        """Take a connection to a file of this schema; see `open`."""
        self._database = database
        self._group = group
        self._horizon = horizon

    @classmethod
    def open(cls, path: Path | str, group: bytes, horizon: int | None = None) -> Self:
        """Open the view of a group in a file, which is made if need be.

        Args:
            path: the file.
            group: the group's public key; also the feed with its lists.
            horizon: take in no facts that were observed later, ms; the same each time.

        Raises:
            SchemaError: the file is of another version or group, or no view.
            sqlite3.Error: it cannot be opened or is damaged.
        """
        database = schema.connect_writer(path)
        try:
            with _transaction(database):
                _prepare(database, group)
        except BaseException:
            database.close()
            raise
        return cls(database, group, horizon)

    def close(self) -> None:
        """Close the file; what was applied is in it."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def generation(self) -> int:
        """Counts up with each transaction that may have changed a package."""
        return _generation(self._database)

    def positions(self, kind: str, feeds: Iterable[bytes] = ()) -> dict[str, str]:
        """Where to read on in the feeds of one kind, as `Multifeed.entries` wants it.

        Those of ``feeds`` that nobody accepts are skipped.
        """
        found = {feed.hex(): f"0:{BEYOND}" for feed in feeds}
        rows = self._database.execute("select key, position from cores where kind = ?", (kind,))
        return found | {key.hex(): position for key, position in rows}

    def apply(
        self, kind: str, entries: Iterable[Entry], positions: Mapping[str, str], *, now: int
    ) -> Applied:
        """Take in a batch of `Multifeed.entries`.

        Args:
            kind: of the multifeed.
            entries: the batch's; those of one feed follow each other in ascending order.
            positions: the batch's, of the feeds in it.
            now: ms since 1970, UTC.

        Raises:
            sqlite3.Error: nothing was applied.
        """
        with self._change(now) as applier:
            for feed, group in groupby(entries, key=attrgetter("feed")):
                core = cores.find(self._database, feed, kind)
                if core is None:
                    continue  # its position is not kept: should it be accepted, it is read then
                applier.take(core, [(entry.index, entry.value) for entry in group])
                cores.set_position(self._database, core, positions[feed.hex()])
            applier.release_waiting()
        return self._applied(applier)

    def apply_due(self, *, now: int) -> Applied | None:
        """Take in what had to wait for its time; None if there is nothing."""
        find = "select 1 from deferred where due <= ? limit 1"
        if self._database.execute(find, (now,)).fetchone() is None:
            return None
        with self._change(now) as applier:
            applier.release_due()
        return self._applied(applier)

    def next_due(self) -> int | None:
        """When `apply_due` will have something to do, ms."""
        row = self._database.execute("select min(due) from deferred").fetchone()
        due: int | None = row[0]
        return due

    def retrust(self, own: Collection[bytes] = (), *, only_meta: bool = False, now: int) -> Judged:
        """Accept whom the list and the cards that were read now name, and nobody else.

        Cores for which something has changed are reset, and accepted anew if they still count.

        Args:
            own: keys of my writers' ``meta`` feeds.
            only_meta: leave the feeds about packages as they are: some of the ``meta`` feeds
                are still to be read.
            now: ms since 1970, UTC.
        """
        wanted = self._authorities(own)
        present = cores.present(self._database)
        if only_meta:
            wanted = {key: one for key, one in wanted.items() if one.kind == trust.META}
            present = {key: one for key, one in present.items() if one.kind == trust.META}
        stale = cores.stale(present, wanted)
        fresh = {key: one for key, one in wanted.items() if key in stale or key not in present}
        if not stale and not fresh:
            return Judged(0, 0)
        with self._change(now):
            for key in stale:
                cores.reset(self._database, present[key])
                cores.remove(self._database, present[key])
            for key, authority in fresh.items():
                cores.add(self._database, key, authority)
        return Judged(len(fresh), len(stale))

    def note_check(self, writer: bytes, *, wrong: bool) -> None:
        """Note that a record of a writer was looked at again; `retrust` draws the conclusion."""
        update = "update writers set checked = checked + 1, wrong = wrong + ? where key = ?"
        with _transaction(self._database):
            writer_id(self._database, writer)
            self._database.execute(update, (wrong, writer))

    def forget_checks(self, writer: bytes) -> None:
        """Begin a writer's score anew; `retrust` draws the conclusion."""
        update = "update writers set checked = 0, wrong = 0 where key = ?"
        with _transaction(self._database):
            self._database.execute(update, (writer,))

    def checks(self) -> list[tuple[bytes, int, int]]:
        """Writers whose records were looked at again: how many of them, how many were wrong."""
        find = "select key, checked, wrong from writers where checked > 0"
        return self._database.execute(find).fetchall()

    def succeed(self, old: Store) -> None:
        """Take over what no feed tells: which records were checked, and which generation it is."""
        update = "update meta set value = ? where key = 'generation'"
        self.take_checks(old.checks())
        with _transaction(self._database):
            self._database.execute(update, (old.generation,))

    def take_checks(self, checks: Iterable[tuple[bytes, int, int]]) -> None:
        """Take over what another view of the group has noted, see `checks`."""
        add = """insert into writers (key, checked, wrong) values (?, ?, ?) on conflict (key)
                 do update set checked = excluded.checked, wrong = excluded.wrong"""
        with _transaction(self._database):
            self._database.executemany(add, checks)

    def behind(self, kind: str, lengths: Mapping[bytes, int]) -> int:
        """How many blocks of accepted cores were not read, of ``lengths`` by their keys."""
        find = "select key, until, position from cores where kind = ?"
        return sum(
            max(0, min(lengths.get(key, 0), BEYOND if until is None else until) - read(position))
            for key, until, position in self._database.execute(find, (kind,))
        )

    def changed_since(self, generation: int, limit: int) -> list[str] | None:
        """Names of packages that changed after ``generation``; None if more than ``limit``."""
        find = "select name from packages where changed > ? limit ?"
        found = [name for (name,) in self._database.execute(find, (generation, limit + 1))]
        return found if len(found) <= limit else None

    def _authorities(self, own: Collection[bytes]) -> dict[bytes, trust.Authority]:
        scores = self._database.execute("select key, checked, wrong from writers")
        aside = {key for key, checked, wrong in scores if trust.is_set_aside(checked, wrong)}
        listed = members.group_list(self._database)
        cards = members.cards(self._database)
        return trust.authorities(self._group, listed, cards, own=own, aside=aside)

    @contextmanager
    def _change(self, now: int) -> Iterator[applying.Applier]:
        """One transaction, and its generation: later than all before, in other files too."""
        with _transaction(self._database):
            update = "update meta set value = max(value + 1, ?) where key = 'generation'"
            self._database.execute(update, (now,))
            yield applying.Applier(self._database, self._group, now, self._horizon)

    def _applied(self, applier: applying.Applier) -> Applied:
        return Applied(applier.blocks, applier.records, applier.refused, self.generation)


def read(position: str) -> int:
    """How many blocks were delivered up to a position (`hypermultifeed.EntryBatch`)."""
    runs = (run.split(":") for run in position.split(",") if run)
    return sum(int(stop) - int(start) for start, stop in runs)


def _prepare(database: sqlite3.Connection, group: bytes) -> None:
    if schema.is_empty(database):
        schema.create(database, secrets.token_hex(8), group)
    elif schema.made_for(database) != (schema.SCHEMA, group):
        raise SchemaError(f"no view of this group, or not of version {schema.SCHEMA}")


def _generation(database: sqlite3.Connection) -> int:
    found: int = database.execute("select value from meta where key = 'generation'").fetchone()[0]
    return found


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("begin immediate")
    try:
        yield
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise
