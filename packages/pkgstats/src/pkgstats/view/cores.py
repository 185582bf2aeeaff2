"""The cores that are accepted: what each counts for, how far it was read, and starting anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.trust import Authority
from pkgstats.view.saying import writer_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

_BY_WRITER: Final = {
    "meta": ("retractions",),
    "index": ("listing", "names_blocks"),
    "detail": ("snapshots", "maintainers", "depends", "versions", "tombs"),
    "days": ("days", "weeks"),
    "readme": ("readmes",),
}
"""The tables that each kind of core fills; a writer has one core of each kind."""

_BY_CORE: Final = ("day_records", "held", "deferred", "waiting", "refusals")

_DELETE: Final = "delete from {} where {} = ?"

_COLUMNS: Final = """select c.id, c.key, c.writer, w.key, c.kind, c.role, c.until, c.dirty
                     from cores c join writers w on w.id = c.writer"""


@dataclass(frozen=True, slots=True)
class Core:
    """An accepted core.

    Attributes:
        id, key: of the core.
        writer, writer_key: id and key of its writer.
        kind, role, until: as in `trust.Authority`.
        dirty: whether it is to be reset.
    """

    id: int
    key: bytes
    writer: int
    writer_key: bytes
    kind: str
    role: str
    until: int | None
    dirty: int

    @property
    def authority(self) -> Authority:
        """What its blocks count for."""
        return Authority(self.writer_key, self.kind, self.role, self.until)


def find(database: sqlite3.Connection, key: bytes, kind: str) -> Core | None:
    """The accepted core of that key and kind."""
    query = f"{_COLUMNS} where c.key = ? and c.kind = ?"
    row = database.execute(query, (key, kind)).fetchone()
    return Core(*row) if row else None


def get(database: sqlite3.Connection, core: int) -> Core:
    """The core with that id."""
    return Core(*database.execute(f"{_COLUMNS} where c.id = ?", (core,)).fetchone())


def present(database: sqlite3.Connection) -> dict[bytes, Core]:
    """All accepted cores by key."""
    return {row[1]: Core(*row) for row in database.execute(_COLUMNS)}


def stale(present: Mapping[bytes, Core], wanted: Mapping[bytes, Authority]) -> list[bytes]:
    """The cores whose rows do not say any more what they should.

    Day counts stand on the names blocks of the same writer's index, and go with it.
    """
    found = {
        key: core
        for key, core in present.items()
        if core.dirty or wanted.get(key) != core.authority
    }
    without_names = {core.writer for core in found.values() if core.kind == "index"}
    stands_on_them = [
        key
        for key, core in present.items()
        if core.kind == "days" and core.writer in without_names and key not in found
    ]
    return [*found, *stands_on_them]


def add(database: sqlite3.Connection, key: bytes, authority: Authority) -> None:
    """Accept a core from its first block on."""
    writer = writer_id(database, authority.writer)
    row = (key, writer, authority.kind, authority.role, authority.until)
    insert = "insert into cores (key, writer, kind, role, until) values (?, ?, ?, ?, ?)"
    database.execute(insert, row)


def remove(database: sqlite3.Connection, core: Core) -> None:
    """Accept a core no longer; its rows have gone already."""
    database.execute("delete from cores where id = ?", (core.id,))


def reset(database: sqlite3.Connection, core: Core) -> None:
    """Take out all that a core has said.

    What a writer took back may stand again when its ``meta`` core is read to another length, so
    its other cores are to be read again too.
    """
    for table in _BY_WRITER[core.kind]:
        database.execute(_DELETE.format(table, "writer"), (core.writer,))
    for table in _BY_CORE:
        database.execute(_DELETE.format(table, "core"), (core.id,))
    if core.kind == "meta":
        forget = "update writers set card = null, heartbeat = null where id = ?"
        database.execute(forget, (core.writer,))
        mark = "update cores set dirty = 1 where writer = ? and kind <> 'meta' and position <> ''"
        database.execute(mark, (core.writer,))


def set_position(database: sqlite3.Connection, core: Core, position: str) -> None:
    """Note how far a core was read."""
    database.execute("update cores set position = ? where id = ?", (position, core.id))


def count(database: sqlite3.Connection, core: Core, records: int) -> None:
    """Count records that came."""
    database.execute("update cores set records = records + ? where id = ?", (records, core.id))


def refuse(database: sqlite3.Connection, core: Core, reason: str) -> None:
    """Count a record that does not count."""
    add_one = """insert into refusals values (?, ?, 1)
                 on conflict (core, reason) do update set count = count + 1"""
    database.execute(add_one, (core.id, reason))
