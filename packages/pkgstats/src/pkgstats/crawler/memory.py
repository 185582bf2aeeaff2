"""What I have said, so that I say nothing twice; and what I have looked at, so that I go on there.

One small SQLite file beside the feeds. What was said follows from my own feeds alone: it is read
from them, also after each append, so the file may be deleted and no crash can part the two. What
was looked at (`checked`) and the place in the registry's changes stand here only; to lose them
costs requests and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from pkgstats.crawler.notes import RECHECKED, SEED, SEQUENCE, SPENT, Notes
from pkgstats.crawler.recall import SCHEMA, readme_key, recall, row_hash, said_key
from pkgstats.merge import state_at
from pkgstats.records.codec import content_hash
from pkgstats.records.model import Retraction, Tombstone

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from pkgstats.listing import Row
    from pkgstats.records.model import Known, Snapshot
    from pkgstats.writer import Writer

KINDS: Final = ("meta", "index", "detail", "days", "readme")
"""Cores that are read, names before the counts that need them."""

MANY_ROWS: Final = 1000
"""Rows from which on it is quicker to read all that was said than to look each of them up."""

BLOCKS_AT_ONCE: Final = 64
"""Blocks of one transaction."""


MANIFESTS: Final = ("packument", "latest")
"""Parts that were looked at: the document of a package, or its latest manifest alone."""


class Memory(Notes):
    """Of one writer; an async context manager. Nobody else may append to its feeds meanwhile."""

    def __init__(self, path: Path, writer: Writer) -> None:
        """Take the file, made if need be, and my writer."""
        self._path = path
        self._writer = writer
        self._reading = asyncio.Lock()
        self._lock = threading.RLock()

    async def __aenter__(self) -> Self:
        """Open the file, and read what my feeds have that it does not know.

        Raises:
            sqlite3.OperationalError: it cannot be opened or written.
        """
        try:
            self._database = self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: all but a few requests can be had again
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + suffix).unlink()
            self._database = self._open()
        try:
            await self.catch_up()
        except BaseException:
            self._database.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._database.close()

    # --- what was said

    async def catch_up(self) -> None:
        """Read what is new in my feeds."""
        async with self._reading:
            for kind in KINDS:
                await self._read(kind)

    async def _read(self, kind: str) -> None:
        feed = self._writer.feeds.get(kind)
        while feed is not None and (start := self._position(kind)) < feed.length:
            end = min(feed.length, start + BLOCKS_AT_ONCE)
            blocks = [await feed.get(index) for index in range(start, end)]
            await _to_the_end(asyncio.to_thread(self._take, kind, start, blocks))

    def is_new(self, record: Known) -> bool:
        """Whether I have not said that, or something else of the same thing since."""
        find = "select hash from said where key = ?"
        row = self._database.execute(find, (said_key(record),)).fetchone()
        return row is None or bytes(row[0]) != content_hash(record)

    def readme_block(self, digest: bytes) -> int | None:
        """The block of my ``readme`` feed in which that readme begins."""
        find = "select block from said where key = ?"
        row = self._database.execute(find, (readme_key(digest),)).fetchone()
        return None if row is None else int(row[0])

    def new_rows(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Those rows of the list that I have not said so."""
        if len(rows) < MANY_ROWS:
            find = "select name, hash from rows where name = ?"
            said = dict(
                found for row in rows for found in self._database.execute(find, (row.name,))
            )
        else:
            said = dict(self._database.execute("select name, hash from rows"))
        return (row for row in rows if said.get(row.name) != row_hash(*row))

    def retraction(self, found: Snapshot) -> Retraction | None:
        """Takes my tombstone of a package back, if it stands and was wrong.

        A package that was published again after the tombstone needs none.
        """
        row = self._state(found.name)
        if row is None or row[0] != Tombstone.letter or state_at(found) > row[2]:
            return None
        return Retraction(
            core=self._writer.feeds["detail"].key,
            block=row[3],
            place=row[4],
            why="it is there",
            observed_at=found.observed_at,
        )

    # --- what was looked at

    def note(self, part: str, looked: Mapping[str, tuple[int, str]]) -> None:
        """Packages were looked at: when (ms), and the answer's etag. They wait no more."""
        with self._writing():
            add = "insert or replace into checked values (?, ?, ?, ?)"
            rows = [(part, name, at, etag) for name, (at, etag) in looked.items()]
            self._database.executemany(add, rows)
            if part in MANIFESTS:
                drop = "delete from pending where name = ?"
                self._database.executemany(drop, [(name,) for name in looked])

    def watch(self, names: Iterable[str]) -> None:
        """Look at these each week from now on."""
        add = "insert or ignore into watched values (?)"
        with self._writing():
            self._database.executemany(add, [(name,) for name in names])

    def follow(self, sequence: str, changed: Iterable[str]) -> None:
        """Packages have changed up to a place in the registry's changes; look at them."""
        with self._writing():
            add = "insert or ignore into pending values (?)"
            self._database.executemany(add, [(name,) for name in changed])
            self._put(SEQUENCE, sequence)

    def drop_pending(self, names: Iterable[str]) -> None:
        """These have changed, and are not to be looked at."""
        with self._writing():
            drop = "delete from pending where name = ?"
            self._database.executemany(drop, [(name,) for name in names])

    def seed(self) -> bytes:
        """Random, made once: nobody else knows which records are looked at again."""
        found = self._value(SEED)
        if not isinstance(found, bytes):
            found = secrets.token_bytes(32)
            with self._writing():
                self._put(SEED, found)
        return found

    def rechecked(self, day: int) -> set[str]:
        """Records of others that were looked at again on a day."""
        told, *keys = str(self._value(RECHECKED) or "0").split("\n")
        return set(keys) if told == str(day) else set()

    def note_rechecked(self, day: int, key: str) -> None:
        """A record was looked at again; those of other days are forgotten."""
        with self._writing():
            keys = sorted({*self.rechecked(day), key})
            self._put(RECHECKED, "\n".join([str(day), *keys]))

    def note_spent(self, spent: tuple[int, int]) -> None:
        """Note how many requests were made today."""
        with self._writing():
            self._put(SPENT, f"{spent[0]} {spent[1]}")

    # --- the file

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction at a time: a thread that reads my feeds may be in the midst of one."""
        with self._lock, self._database:
            yield

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False)
        try:
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = normal")
            database.executescript(SCHEMA)
            self._check(database)
        except BaseException:
            database.close()
            raise
        return database

    def _check(self, database: sqlite3.Connection) -> None:
        """Forget all if it is of another writer, or knows more than my feeds hold."""
        identity = hashlib.blake2b(SCHEMA.encode(), key=self._writer.key).digest()
        told = dict(database.execute("select key, value from meta"))
        lengths = {kind: feed.length for kind, feed in self._writer.feeds.items()}
        ahead = any(told.get(kind, 0) > lengths.get(kind, 0) for kind in KINDS)
        if told.get("identity") == identity and not ahead:
            return
        with database:
            for table in ("said", "rows", "tails", "names", "checked"):
                database.execute(f"delete from {table}")  # noqa: S608 - names of our own
            kept = (SEQUENCE, SPENT, SEED, RECHECKED)
            database.execute("delete from meta where key not in (?, ?, ?, ?)", kept)
            database.execute("insert into meta values ('identity', ?)", (identity,))

    def _take(self, kind: str, start: int, blocks: list[bytes]) -> None:
        with self._writing():
            for number, block in enumerate(blocks, start):
                recall(self._database, number, block)
            self._put(kind, start + len(blocks))

    def _position(self, kind: str) -> int:
        return int(self._value(kind) or 0)

    def _put(self, key: str, value: Any) -> None:
        self._database.execute("insert or replace into meta values (?, ?)", (key, value))


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Wait for work in a thread, even if cancelled meanwhile: two must not use the file at once."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
