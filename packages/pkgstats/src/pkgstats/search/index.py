"""The search index: a SQLite file made from the facts, which may be deleted and made anew.

``search_doc`` has a row for each package, and its number is the package's rank by downloads: so
"the most used that match" is a scan that stops early. ``search_text`` (FTS5) finds rows by words,
``search_df`` counts them, ``search_word`` and ``search_typo`` find what was meant by a misspelt
one. All text is cut into words here, not by SQLite, so that the index and the ranking agree.

Few changes are made in place: a package that is new gets a number above all others, and one that
has changed keeps its own. Ranks move, so many changes make a new file.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from pkgstats.search.documents import Document, document
from pkgstats.search.typos import LONGEST, SHORTEST, Buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pkgstats.view.facts import Details, ListingRow

SCHEMA: Final = 1
"""Number of these tables. A file with another one is made anew."""

BATCH_ROWS: Final = 2000
"""Rows that are worked on at once while an index is made."""

IN_PLACE_MAX: Final = 2000
"""Packages that are changed in place, since the file was made, before it is made anew."""

IN_PLACE_SHARE: Final = 50
"""Or one in so many of all packages, if that is more."""

TYPO_RANK_MAX: Final = 120_000
"""Packages, the most used ones, whose names have a deletion neighbourhood."""

VOCABULARY_RANK_MAX: Final = 50_000
"""Packages, the most used ones, all of whose name words may be corrections of others."""

VOCABULARY_MAX: Final = 60_000
"""Words that may be corrections of others."""

BUSY_S: Final = 30.0
"""How long a connection waits for another process that writes."""

MAP_BYTES: Final = 2 << 30
"""Bytes of the file that readers map at most."""

_TABLES: Final = """
create table search_meta (key text primary key, value) without rowid;
create table search_doc (
    id integer primary key, name text not null, squash text not null, bare text not null,
    downloads integer not null, kind integer not null,
    names text not null, stems text not null, words text not null, tags text not null,
    modified integer not null, version text not null, summary text not null
);
create virtual table search_name using fts5(
    names, joined, content='', tokenize='ascii', detail=column, prefix='2 3 4 5'
);
create virtual table search_text using fts5(words, content='', tokenize='ascii');
create table search_df (stem text primary key, packages integer not null) without rowid;
create table search_word (word text primary key, packages integer not null) without rowid;
create table search_typo (bucket integer primary key, entries blob not null);
"""

_INDEXES: Final = """
create index search_doc_name on search_doc (name collate nocase);
create index search_doc_squash on search_doc (squash);
create index search_doc_bare on search_doc (bare) where bare <> '';
insert into search_name (search_name) values ('optimize');
insert into search_text (search_text) values ('optimize');
create virtual table temp.search_found using fts5vocab (main, search_text, row);
insert into search_df select term, doc from temp.search_found where term not like '¤%';
drop table temp.search_found;
"""

_ADD_DOC: Final = "insert into search_doc values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_NAME: Final = "insert into search_name (rowid, names, joined) values (?, ?, ?)"
_ADD_TEXT: Final = "insert into search_text (rowid, words) values (?, ?)"
_REMOVE_NAME: Final = """insert into search_name (search_name, rowid, names, joined)
    values ('delete', ?, ?, ?)"""
_REMOVE_TEXT: Final = """insert into search_text (search_text, rowid, words)
    values ('delete', ?, ?)"""
_COUNT: Final = """insert into search_df values (?, ?)
    on conflict (stem) do update set packages = max(0, packages + excluded.packages)"""
_FIND: Final = "select * from search_doc where name = ? collate nocase"


class Facts(Protocol):
    """Where the index takes its facts from: a `pkgstats.view.reading.View`."""

    @property
    def identity(self) -> str:
        """Of the file of facts: another one after it was made anew."""

    @property
    def generation(self) -> int:
        """Of the state: higher after each change."""

    def changed_since(self, generation: int) -> list[str] | None:
        """Packages that changed since; None: too many."""

    def listing_rows(self, names: Iterable[str] | None = None) -> Iterable[ListingRow]:
        """The packages, most downloaded first; or those of these names that are shown."""

    def details_of(self, names: Iterable[str]) -> Mapping[str, Details]:
        """The manifests of those that were told."""


def build(path: Path, facts: Facts, progress: Callable[[int], None] | None = None) -> None:
    """Make an index at ``path``, where nothing is yet.

    Args:
        path: of the new file; after an error it holds rubbish.
        facts: of one generation, if it can change meanwhile.
        progress: is told the number of rows that are done.
    """
    identity, generation = facts.identity, facts.generation
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("pragma journal_mode = off")
        database.execute("pragma synchronous = off")
        database.executescript(_TABLES)
        database.execute("begin")
        names = _Names()
        rank = 0
        for documents in _documents(facts):
            _add(database, documents)
            names.add(documents)
            rank = documents[-1].id
            if progress is not None:
                progress(rank)
        names.store(database)
        _note(database, schema=SCHEMA, identity=identity, generation=generation, total=rank)
        _note(database, ranks=rank, updates=0)
        database.execute("commit")
        database.executescript(_INDEXES)
        database.execute("pragma journal_mode = wal")
    finally:
        database.close()
    with path.open("r+b") as file:  # SQLite has not waited for the disk
        os.fsync(file.fileno())


def _documents(facts: Facts) -> Iterator[list[Document]]:
    """All packages, a batch at a time, numbered by their rank."""
    rows = iter(facts.listing_rows())
    rank = 0
    while batch := list(islice(rows, BATCH_ROWS)):
        manifests = facts.details_of([row.name for row in batch])
        yield [
            document(number, row, manifests.get(row.name))
            for number, row in enumerate(batch, start=rank + 1)
        ]
        rank += len(batch)


def _add(database: sqlite3.Connection, documents: Sequence[Document]) -> None:
    database.executemany(_ADD_DOC, documents)
    database.executemany(_ADD_NAME, [one.name_text() for one in documents])
    database.executemany(_ADD_TEXT, [one.full_text() for one in documents])


class _Names:
    """What is collected about all names, to find what was meant by a misspelt one."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._popular: set[str] = set()
        self._typos = Buckets()

    def add(self, documents: Sequence[Document]) -> None:
        for one in documents:
            names = set(one.names.split())
            self._words.update(names)
            if one.id <= VOCABULARY_RANK_MAX:
                self._popular |= names
            if one.id <= TYPO_RANK_MAX:
                for text in {one.squash, one.bare}:
                    self._typos.add(text, one.id)

    def store(self, database: sqlite3.Connection) -> None:
        chosen = [
            (word, packages)
            for word, packages in self._words.most_common()
            if (packages > 1 or word in self._popular) and SHORTEST <= len(word) <= LONGEST
        ]
        words = sorted(chosen[:VOCABULARY_MAX])
        database.executemany("insert into search_word values (?, ?)", words)
        database.executemany("insert into search_typo values (?, ?)", self._typos.blobs())


def update(path: Path, facts: Facts, names: Sequence[str]) -> None:
    """Bring the rows of these packages up to date, in one transaction.

    Raises:
        sqlite3.Error: nothing has changed.
    """
    generation = facts.generation
    rows = {row.name: row for row in facts.listing_rows(names)}
    manifests = facts.details_of(list(rows))
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute("begin immediate")
        for name in dict.fromkeys(names):
            row = rows.get(name)
            _replace(database, name, row, manifests.get(name))
        updates = read_note(database, "updates") + len(names)
        _note(database, generation=generation, updates=updates)
        database.execute("commit")
    finally:
        database.close()  # rolls back what is not committed


def _replace(
    database: sqlite3.Connection, name: str, row: ListingRow | None, manifest: Details | None
) -> None:
    """Put a package's new row in the place of the old one; either may not be there."""
    found = (Document(*old) for old in database.execute(_FIND, (name,)).fetchall())
    old = next((one for one in found if one.name == name), None)
    if old is not None:
        database.execute(_REMOVE_NAME, old.name_text())
        database.execute(_REMOVE_TEXT, old.full_text())
        database.execute("delete from search_doc where id = ?", (old.id,))
        database.executemany(_COUNT, [(word, -1) for word in _stems_of(old)])
    if row is None:
        return
    number = old.id if old else 1 + read_note(database, "total")
    new = document(number, row, manifest)
    _add(database, [new])
    database.executemany(_COUNT, [(word, 1) for word in _stems_of(new)])
    if old is None:
        _note(database, total=number)
        _add_typos(database, new)


def _stems_of(one: Document) -> set[str]:
    return {*one.stems.split(), *one.words.split()}


def _add_typos(database: sqlite3.Connection, one: Document) -> None:
    """File a new name under its neighbourhood."""
    added = Buckets()
    for text in {one.squash, one.bare}:
        added.add(text, one.id)
    for bucket in added.touched():
        find = "select entries from search_typo where bucket = ?"
        for (entries,) in database.execute(find, (bucket,)).fetchall():
            added.load(bucket, entries)
    database.executemany("insert or replace into search_typo values (?, ?)", added.blobs())


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread that cannot write.

    Raises:
        sqlite3.Error: there is no such file, or it is no index of this schema.
    """
    database = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        timeout=BUSY_S,
        isolation_level=None,
        uri=True,
        check_same_thread=False,  # another thread closes it in the end
    )
    try:
        database.execute(f"pragma mmap_size = {MAP_BYTES}")
        _check_schema(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_schema(database: sqlite3.Connection) -> None:
    if read_note(database, "schema") != SCHEMA:
        raise sqlite3.DatabaseError("a search index of another schema")


def read_note(database: sqlite3.Connection, key: str) -> int:
    """A number that the index has about itself: schema, generation, total, ranks, updates.

    Raises:
        sqlite3.Error: it is no search index.
    """
    row = database.execute("select value from search_meta where key = ?", (key,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"no search index: it does not say its {key}")
    return int(row[0])


def read_identity(database: sqlite3.Connection) -> str:
    """Of which file of facts this is the index."""
    find = "select value from search_meta where key = 'identity'"
    return str(database.execute(find).fetchone()[0])


def _note(database: sqlite3.Connection, **notes: int | str) -> None:
    database.executemany("insert or replace into search_meta values (?, ?)", notes.items())
