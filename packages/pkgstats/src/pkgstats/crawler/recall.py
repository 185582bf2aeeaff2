"""From a block of my own feeds to what I remember of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pkgstats.crawler.telling import Tail, grown
from pkgstats.records import counts
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import content_hash, decode, encode, names_hash
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import (
    DayCounts,
    IndexRows,
    NamesBlock,
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)

if TYPE_CHECKING:
    import sqlite3

    from pkgstats.records.model import Known

SCHEMA: Final = """
create table if not exists meta (key text primary key, value) without rowid;
create table if not exists said (
    key text primary key, hash blob not null, letter text not null, gist text not null,
    at integer not null, block integer not null, place integer not null
) without rowid;
create table if not exists rows (name text primary key, hash blob not null) without rowid;
create table if not exists tails (
    name text primary key, first integer not null, span integer not null, counts blob not null
) without rowid;
create table if not exists names (ref blob primary key, body blob not null) without rowid;
create table if not exists checked (
    part text not null, name text not null, at integer not null, etag text not null,
    primary key (part, name)
) without rowid;
create table if not exists watched (name text primary key) without rowid;
create table if not exists pending (name text unique not null);
"""

ONE_BY_ONE: Final = (Snapshot, Tombstone, VersionEvent, WeekCounts, ReadmePart, Retraction)
"""Records that are said when their content is another one than before."""

ROW_HASH_BYTES: Final = 12
"""Enough to tell two states of one row apart."""


def said_key(record: Known) -> str:
    """What a record is about; of each thing only the last that was said is remembered.

    Whether a package is there or gone is one thing.
    """
    if isinstance(record, (Snapshot, Tombstone)):
        return f"P {record.name}"
    if isinstance(record, VersionEvent):
        return f"V {record.name} {record.version}"
    if isinstance(record, WeekCounts):
        return f"W {record.name} {record.last_day} {min(record.versions, default='')}"
    if isinstance(record, ReadmePart):
        return readme_key(record.digest, record.part)
    if isinstance(record, NamesBlock):
        return f"N {names_hash(record.names).hex()}"
    return f"{record.letter} {content_hash(record).hex()}"


def readme_key(digest: bytes, part: int = 0) -> str:
    """What a part of a readme is remembered by."""
    return f"R {digest.hex()} {part}"


def gist(record: Snapshot) -> str:
    """What of a manifest a look at the latest version alone compares."""
    return (
        f"{record.version} {hashlib.blake2b(record.deprecated.encode(), digest_size=8).hexdigest()}"
    )


def row_hash(name: str, version: str, downloads: int, summary: str) -> bytes:
    """Of a row of the list."""
    data = "\0".join((name, version, str(downloads), summary)).encode()
    return hashlib.blake2b(data, digest_size=ROW_HASH_BYTES).digest()


def recall(database: sqlite3.Connection, block: int, data: bytes) -> None:
    """Remember what a block says; what in it is illegible was never said."""
    try:
        records = decode_block(data)
    except RecordError:
        return
    for place, record in enumerate(records):
        if isinstance(record, IndexRows):
            _recall_rows(database, record)
        elif isinstance(record, DayCounts):
            _recall_days(database, record)
        elif isinstance(record, ONE_BY_ONE):
            _recall_one(database, record, block, place)
        elif isinstance(record, NamesBlock):
            _recall_one(database, record, block, place)
            names = (names_hash(record.names), encode([record]))
            database.execute("insert or replace into names values (?, ?)", names)


def _recall_one(database: sqlite3.Connection, record: Known, block: int, place: int) -> None:
    about = gist(record) if isinstance(record, Snapshot) else ""
    told = (content_hash(record), record.letter, about, record.observed_at)
    add = "insert or replace into said values (?, ?, ?, ?, ?, ?, ?)"
    database.execute(add, (said_key(record), *told, block, place))


def _recall_rows(database: sqlite3.Connection, record: IndexRows) -> None:
    columns = zip(record.names, record.versions, record.downloads, record.summaries, strict=False)
    rows = [(row[0], row_hash(*row)) for row in columns]
    database.executemany("insert or replace into rows values (?, ?)", rows)


def _recall_days(database: sqlite3.Connection, record: DayCounts) -> None:
    names = _names(database, record)
    try:
        rows = counts.unpack(record.counts, len(names), record.span)
    except RecordError:
        return
    for name, row in zip(names, rows, strict=True):
        tail = grown(tail_of(database, name), record.first_day, row)
        packed = counts.pack([tail.counts])
        add = "insert or replace into tails values (?, ?, ?, ?)"
        database.execute(add, (name, tail.first_day, len(tail.counts), packed))


def _names(database: sqlite3.Connection, record: DayCounts) -> tuple[str, ...]:
    if record.names_ref is None:
        return (record.name or "",)
    find = "select body from names where ref = ?"
    row: Any = database.execute(find, (record.names_ref,)).fetchone()
    block = decode(row[0])[0] if row else None
    return block.names if isinstance(block, NamesBlock) else ()


def tail_of(database: sqlite3.Connection, name: str) -> Tail | None:
    """The last days of a package that were said."""
    find = "select first, span, counts from tails where name = ?"
    row = database.execute(find, (name,)).fetchone()
    return Tail(row[0], tuple(counts.unpack(row[2], 1, row[1])[0])) if row else None
