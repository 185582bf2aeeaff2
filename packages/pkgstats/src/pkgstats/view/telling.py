"""Who says what of a package: all accepted writers' words, and which of them count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from pkgstats import merge
from pkgstats.view import days
from pkgstats.view.facts import Said
from pkgstats.view.saying import block_and_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_LISTING: Final = """
select '', t.version, t.downloads, t.summary, w.key, t.observed_at, r.name, c.key, t.place,
    exists (select 1 from listing_won o where o.package = p.id and o.writer = t.writer)
from packages p join listing t on t.package = p.id join writers w on w.id = t.writer
join sources r on r.id = t.source join cores c on c.writer = t.writer and c.kind = 'index'
where p.name = ?
"""

_MANIFESTS: Final = """
select '', t.version, t.description, w.key, t.observed_at, r.name, c.key, t.place,
    exists (select 1 from snapshots_won o where o.package = p.id and o.writer = t.writer)
from packages p join snapshots t on t.package = p.id join writers w on w.id = t.writer
join sources r on r.id = t.source join cores c on c.writer = t.writer and c.kind = 'detail'
where p.name = ?
"""

_VERSIONS: Final = """
select t.version, t.published, t.deprecated, w.key, t.observed_at, r.name, c.key, t.place,
    exists (select 1 from versions_won o
            where o.package = p.id and o.version = t.version and o.writer = t.writer)
from packages p join versions t on t.package = p.id join writers w on w.id = t.writer
join sources r on r.id = t.source join cores c on c.writer = t.writer and c.kind = 'detail'
where p.name = ?
"""

_WEEKS: Final = """
select t.last_day, t.version, t.count, w.key, t.observed_at, r.name, c.key, t.place,
    exists (select 1 from weeks_won o where o.package = p.id and o.last_day = t.last_day
            and o.version = t.version and o.writer = t.writer)
from packages p join weeks t on t.package = p.id join writers w on w.id = t.writer
join sources r on r.id = t.source join cores c on c.writer = t.writer and c.kind = 'days'
where p.name = ?
"""

_TOMBS: Final = """
select t.version, t.reason, w.key, t.observed_at, r.name, c.key, t.place,
    t.observed_at >= coalesce(case when t.version = ''
        then (select state_at from snapshots_won s where s.package = p.id)
        else (select observed_at from versions_won v
              where v.package = p.id and v.version = t.version) end, 0)
from packages p join tombs t on t.package = p.id join writers w on w.id = t.writer
join sources r on r.id = t.source join cores c on c.writer = t.writer and c.kind = 'detail'
where p.name = ?
"""

_DAY_RECORD: Final = """
select r.name, c.key, d.place from day_records d join sources r on r.id = d.source
join cores c on c.id = d.core where d.id = ?
"""


def said(database: sqlite3.Connection, name: str, day: int | None = None) -> list[Said]:
    """What each accepted writer says of a package, or of its downloads in one day (since 1970).

    Of one writer about one thing the words that count, in the order of `sorting_key`.
    """
    if day is not None:
        return sorted(_of_day(database, name, day), key=sorting_key)
    found: list[Said] = []
    for version, downloads, summary, *rest in _rows(database, _LISTING, name, 1):
        found.append(_said("listing", "", listing_value(version, downloads, summary), rest))
    for version, description, *rest in _rows(database, _MANIFESTS, name, 1):
        found.append(_said("manifest", "", manifest_value(version, description), rest))
    for version, published, deprecated, *rest in _rows(database, _VERSIONS, name, 0):
        found.append(_said("version", version, version_value(published, deprecated), rest))
    for version, reason, *rest in _rows(database, _TOMBS, name, 0):
        found.append(_said("gone", version, reason, rest))
    found += _of_weeks(database, name)
    return sorted(found, key=sorting_key)


def sorting_key(one: Said) -> tuple[Any, ...]:
    """By what it is about, then by time."""
    return one.about, one.key, one.observed_at, one.writer, one.block, one.number


def listing_value(version: str, downloads: int, summary: str) -> str:
    """A row of the list as text."""
    return f"{version or 'no version'}, {downloads} downloads a month: {summary}"


def manifest_value(version: str, description: str) -> str:
    """A manifest as text."""
    return f"{version}: {description}"


def version_value(published: int, deprecated: str) -> str:
    """A version as text."""
    when = datetime.fromtimestamp(published / 1000, UTC).date() if published else "a day not told"
    return f"published on {when}" + (f", deprecated: {deprecated}" if deprecated else "")


def day_text(day: int) -> str:
    """A day since 1970 as ISO 8601 has it."""
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


def week_key(last_day: int, version: str) -> str:
    """Which version in which week."""
    return f"{day_text(last_day)} {version}"


def _rows(
    database: sqlite3.Connection, query: str, name: str, start: int
) -> Iterator[tuple[Any, ...]]:
    for row in database.execute(query, (name,)):
        yield row[start:]


def _said(about: str, key: str, value: str, rest: Sequence[Any]) -> Said:
    writer, observed_at, source, core, place, wins = rest
    block, number = block_and_number(place)
    verdict = "wins" if wins else "loses"
    return Said(about, key, value, writer, observed_at, source, core, block, number, verdict)


def _of_weeks(database: sqlite3.Connection, name: str) -> Iterator[Said]:
    rows = list(_rows(database, _WEEKS, name, 0))
    rows.sort(key=lambda row: row[:2])
    for (last_day, version), group in groupby(rows, key=lambda row: row[:2]):
        told = [_said("week", week_key(last_day, version), str(row[2]), row[3:]) for row in group]
        yield from _disputed(last_day, told)


def _of_day(database: sqlite3.Connection, name: str, day: int) -> Iterator[Said]:
    told = days.told_of(database, name, day, day + 1, days.Observed(database)).get(day)
    if told is None:
        return
    found: list[Said] = []
    for counted, number in told.each:
        source, core, place = database.execute(_DAY_RECORD, (number,)).fetchone()
        rest = (counted.writer, counted.observed_at, source, core, place, counted == told.best)
        found.append(_said("day", day_text(day), str(counted.downloads), rest))
    yield from _disputed(day, found)


def _disputed(day: int, told: list[Said]) -> list[Said]:
    """Mark the count that wins where others disagree."""
    counted = [merge.Counted(int(one.value), one.observed_at, one.writer) for one in told]
    if not merge.is_disputed(day, counted):
        return told
    return [replace(one, verdict="disputed") if one.verdict == "wins" else one for one in told]
