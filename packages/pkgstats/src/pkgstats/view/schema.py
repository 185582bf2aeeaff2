"""The tables of the view, and connections to them.

Each row says which writer said it: what is said is kept apart, and the views whose names end in
``_won`` choose among writers when they are asked, by the orders of `pkgstats.merge`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

SCHEMA: Final = 3
"""Number of this schema. A file with another one is made anew."""

BUSY_S: Final = 30.0
"""How long a connection waits for another process that writes."""

CACHE_KIB: Final = 65_536
"""Page cache of the one connection that writes; a large list touches its tables all over."""

DAYS_BYTES_MAX: Final = 16_384
"""Counts of one package, year and writer beyond which they are compacted (`pkgstats.view.days`)."""

MAP_BYTES: Final = 1 << 30
"""Bytes of the file that readers map at most."""

TABLES: Final = """
create table meta (key text primary key, value) without rowid;
create table sources (id integer primary key, name text not null unique);
create table writers (
    id integer primary key,
    key blob not null unique,
    card blob,
    heartbeat blob,
    checked integer not null default 0,
    wrong integer not null default 0
);
create table cores (
    id integer primary key,
    key blob not null unique,
    writer integer not null,
    kind text not null,
    role text not null,
    until integer,
    position text not null default '',
    records integer not null default 0,
    dirty integer not null default 0
);
create table refusals (
    core integer, reason text, count integer not null, primary key (core, reason)
) without rowid;
create table packages (
    id integer primary key, name text not null unique, changed integer not null default 0
);
create index packages_changed on packages (changed);
create table listing (
    package integer, writer integer, observed_at integer, downloads integer,
    version text, summary text, source integer, place integer,
    primary key (package, writer)
) without rowid;
create index listing_downloads on listing (downloads);
create table snapshots (
    package integer, writer integer, state_at integer, revision integer, observed_at integer,
    digest blob, version text, description text, source integer, place integer, body blob,
    created integer, primary key (package, writer)
);
create index snapshots_created on snapshots (created) where created is not null;
create table maintainers (
    user text, package integer, writer integer, primary key (user, package, writer)
) without rowid;
create table depends (
    target integer, package integer, writer integer, primary key (target, package, writer)
) without rowid;
create table versions (
    package integer, version text, writer integer,
    state_at integer, revision integer, observed_at integer, digest blob,
    published integer, integrity text, unpacked integer, deprecated text, publisher text,
    source integer, place integer,
    primary key (package, version, writer)
) without rowid;
create table weeks (
    package integer, last_day integer, version text, writer integer,
    count integer, observed_at integer, source integer, place integer,
    primary key (package, last_day, version, writer)
) without rowid;
create table day_records (
    id integer primary key, core integer, place integer, observed_at integer, source integer
);
create table days (
    package integer, year integer, writer integer, value blob,
    primary key (package, year, writer)
);
create table crowded (id integer primary key);
create trigger days_grown after update on days when length(new.value) > {days_bytes} begin
    insert or ignore into crowded values (new.rowid); end;
create table names_blocks (
    writer integer, ref blob, place integer, packages blob, primary key (writer, ref)
);
create table tombs (
    package integer, version text, writer integer,
    observed_at integer, reason text, source integer, place integer,
    primary key (package, version, writer)
) without rowid;
create table readmes (
    digest blob, part integer, writer integer, parts integer, core integer, place integer,
    primary key (digest, part, writer)
) without rowid;
create table retractions (
    core blob, block integer, record integer, writer integer, why text, observed_at integer,
    primary key (core, block, record, writer)
) without rowid;
create table held (core integer, block integer, data blob, primary key (core, block));
create table deferred (
    core integer, block integer, since integer, due integer, primary key (core, block)
) without rowid;
create table waiting (
    core integer, ref blob, block integer, primary key (core, ref, block)
) without rowid;
"""

WINNERS: Final = """
create view listing_won as select * from listing t where not exists (
    select 1 from listing o where o.package = t.package and o.writer <> t.writer
    and (o.observed_at, o.downloads, o.version, o.summary,
         (select key from writers where id = o.writer))
      > (t.observed_at, t.downloads, t.version, t.summary,
         (select key from writers where id = t.writer)));
create view snapshots_won as select * from snapshots t where not exists (
    select 1 from snapshots o where o.package = t.package and o.writer <> t.writer
    and (o.state_at, o.revision, o.observed_at, o.digest,
         (select key from writers where id = o.writer))
      > (t.state_at, t.revision, t.observed_at, t.digest,
         (select key from writers where id = t.writer)));
create view versions_won as select * from versions t where not exists (
    select 1 from versions o
    where o.package = t.package and o.version = t.version and o.writer <> t.writer
    and (o.state_at, o.revision, o.observed_at, o.digest,
         (select key from writers where id = o.writer))
      > (t.state_at, t.revision, t.observed_at, t.digest,
         (select key from writers where id = t.writer)));
create view weeks_won as select * from weeks t where not exists (
    select 1 from weeks o where o.package = t.package and o.last_day = t.last_day
    and o.version = t.version and o.writer <> t.writer
    and (o.count > 0, o.observed_at, o.count, (select key from writers where id = o.writer))
      > (t.count > 0, t.observed_at, t.count, (select key from writers where id = t.writer)));
create view shown as select
    p.id as package, p.name as name,
    case when l.package is null or s.observed_at > l.observed_at
         then s.version else l.version end as version,
    coalesce(l.downloads, 0) as downloads,
    case when (l.package is null or s.observed_at > l.observed_at) and s.description <> ''
         then s.description else coalesce(l.summary, '') end as summary,
    max(coalesce(l.observed_at, 0), coalesce(s.observed_at, 0)) as observed_at,
    (select count(*) from tombs t where t.package = p.id and t.version = ''
     and t.observed_at >= coalesce(s.state_at, 0)) as tombs
from packages p
left join listing_won l on l.package = p.id
left join snapshots_won s on s.package = p.id
where l.package is not null or s.package is not null;
"""

CHANGES: Final = """
create trigger {table}_{event} after {event} on {table} begin
    update packages set changed = (select value from meta where key = 'generation')
    where id = {row}.package;
end;
"""
"""Who says something new of a package marks it; search asks which packages are marked."""


def connect_writer(path: Path | str) -> sqlite3.Connection:
    """The connection that writes; made in one thread and used in another, never in two at once."""
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.execute(f"pragma cache_size = -{CACHE_KIB}")
    return connection


def connect_reader(path: Path | str) -> sqlite3.Connection:
    """A connection for one thread that cannot write.

    Raises:
        sqlite3.OperationalError: there is no such file.
    """
    address = f"{Path(path).resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        address,
        timeout=BUSY_S,
        isolation_level=None,
        uri=True,
        check_same_thread=False,  # another thread may close it in the end
    )
    connection.execute("pragma query_only = on")
    connection.execute(f"pragma mmap_size = {MAP_BYTES}")
    return connection


def create(connection: sqlite3.Connection, identity: str, group: bytes) -> None:
    """Make the tables, in the caller's transaction.

    Args:
        connection: to an empty file.
        identity: of this file; what is derived from it names it.
        group: the group's public key.
    """
    for statement in _statements(TABLES.replace("{days_bytes}", str(DAYS_BYTES_MAX)) + WINNERS):
        connection.execute(statement)
    for table in ("listing", "snapshots", "tombs"):
        for event, row in (("insert", "new"), ("update", "new"), ("delete", "old")):
            connection.execute(CHANGES.format(table=table, event=event, row=row))
    told = {"schema": SCHEMA, "identity": identity, "group": group, "generation": 0}
    for key, value in told.items():
        connection.execute("insert into meta values (?, ?)", (key, value))


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing in the file."""
    return connection.execute("select 1 from sqlite_master").fetchone() is None


def made_for(connection: sqlite3.Connection) -> tuple[object, object] | None:
    """The number of the file's schema and its group; None if it is no view."""
    try:
        found = dict(connection.execute("select key, value from meta"))
    except sqlite3.OperationalError:
        return None
    return found.get("schema"), found.get("group")


def _statements(script: str) -> list[str]:
    return [one for one in script.split(";\n") if one.strip()]
