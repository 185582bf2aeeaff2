"""Who says something, and where: what every row of the view carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pkgstats.records.blocks import RECORDS_MAX

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Saying:
    """One record on its way into the tables.

    Attributes:
        database: in a transaction.
        writer, core: their ids.
        place: of the record in its core, see `place_of`.
        source: id of the record's source.
    """

    database: sqlite3.Connection
    writer: int
    core: int
    place: int
    source: int


def place_of(block: int, number: int) -> int:
    """One number for the ``number``-th record of a block."""
    return block * RECORDS_MAX + number


def block_and_number(place: int) -> tuple[int, int]:
    """What `place_of` was given."""
    return divmod(place, RECORDS_MAX)


def package_id(database: sqlite3.Connection, name: str) -> int:
    """The id of a package, which is made if need be."""
    add = "insert into packages (name) values (?) on conflict do nothing"
    database.execute(add, (name,))
    return _id(database, "select id from packages where name = ?", name)


def source_id(database: sqlite3.Connection, name: str) -> int:
    """The id of a source, which is made if need be."""
    add = "insert into sources (name) values (?) on conflict do nothing"
    database.execute(add, (name,))
    return _id(database, "select id from sources where name = ?", name)


def writer_id(database: sqlite3.Connection, key: bytes) -> int:
    """The id of a writer, which is made if need be."""
    database.execute("insert into writers (key) values (?) on conflict do nothing", (key,))
    return _id(database, "select id from writers where key = ?", key)


def _id(database: sqlite3.Connection, query: str, value: str | bytes) -> int:
    found: int = database.execute(query, (value,)).fetchone()[0]
    return found
