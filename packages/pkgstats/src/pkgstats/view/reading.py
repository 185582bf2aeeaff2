"""Reading the view: what the accepted writers say together."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Self

import cbor2

from pkgstats import merge
from pkgstats.records.codec import decode
from pkgstats.records.model import Snapshot
from pkgstats.view import days, hashing, members, standing, telling
from pkgstats.view.connection import ReadConnection
from pkgstats.view.days import DAYS_END
from pkgstats.view.facts import (
    Counts,
    DayFacts,
    Details,
    ListingRow,
    PackageFacts,
    ReadmePlace,
    VersionFacts,
    WeekFacts,
)
from pkgstats.view.saying import block_and_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pkgstats.records.model import GroupList
    from pkgstats.view.facts import Said, WriterFacts

NAMES_MAX: Final = 10_000
"""Packages that one answer lists at most."""

_STATES: Final = ("here", "hidden", "dropped")

_SHOWN: Final = """
select name, version, downloads, summary, observed_at, tombs from shown where name = ?
"""

_LISTING: Final = """
select name, version, downloads, summary, observed_at, tombs from shown where tombs < 2
order by downloads desc, name
"""

_POPULAR: Final = """
select t.name, t.version, t.downloads, t.summary, t.observed_at, t.tombs
from listing_won l join shown t on t.package = l.package where t.tombs = 0
order by l.downloads desc, t.name limit ?
"""
"""By an index: a thousandth of the work of the whole list in its order."""

_NEWEST: Final = """
select s.created, t.name, t.version, t.downloads, t.summary, t.observed_at, t.tombs
from snapshots_won s join shown t on t.package = s.package
where s.created <= ? and t.tombs = 0 order by s.created desc, t.name limit ?
"""

_NUMBERED: Final = """
select name, version, downloads, summary, observed_at, tombs from shown
where package = 1 + cast(? * (select max(id) from packages) as integer) and tombs = 0
"""

_BY_MAINTAINER: Final = """
select name, version, downloads, summary, observed_at, tombs from shown
where tombs < 2 and package in (
    select m.package from maintainers m
    join snapshots_won s on s.package = m.package and s.writer = m.writer where m.user = ?
) order by downloads desc, name limit ?
"""

_IN_SCOPE: Final = """
select name, version, downloads, summary, observed_at, tombs from shown
where tombs < 2 and name >= ? and name < ? order by downloads desc, name limit ?
"""

_DEPENDENTS: Final = """
select name, version, downloads, summary, observed_at, tombs from shown
where tombs < 2 and package in (
    select d.package from depends d
    join snapshots_won s on s.package = d.package and s.writer = d.writer
    where d.target = (select id from packages where name = ?)
) order by downloads desc, name limit ?
"""

_DEPENDENTS_COUNTED: Final = """
select count(*) from depends d
join snapshots_won s on s.package = d.package and s.writer = d.writer
join shown t on t.package = d.package
where d.target = (select id from packages where name = ?) and t.tombs < 2
"""

_FACTS: Final = """
select t.version, t.summary, t.observed_at, t.tombs, l.downloads,
    (select key from writers where id = l.writer), s.body,
    (select key from writers where id = s.writer)
from shown t left join listing_won l on l.package = t.package
left join snapshots_won s on s.package = t.package where t.name = ?
"""

_TOLD: Final = """select s.body from packages p
    join snapshots_won s on s.package = p.id where p.name = ?"""

_VERSIONS: Final = """select v.version, v.published, v.integrity, v.unpacked, v.deprecated,
    v.publisher, v.observed_at, w.key,
    (select count(*) from tombs t where t.package = v.package and t.version = v.version
     and t.observed_at >= v.observed_at)
    from packages p join versions_won v on v.package = p.id join writers w on w.id = v.writer
    where p.name = ? order by v.published, v.version"""

_WEEKS: Final = """select t.version, t.last_day, t.count, t.observed_at, w.key
    from packages p join weeks t on t.package = p.id join writers w on w.id = t.writer
    where p.name = ? order by t.last_day, t.version"""

_WEEK_COUNTS: Final = """select t.version, t.last_day, t.count from weeks_won t
    where t.package = (select id from packages where name = ?) and t.last_day >= ?
    order by t.last_day, t.version"""

_README: Final = """select r.part, r.parts, c.key, r.place
    from readmes r join cores c on c.id = r.core where r.digest = ? order by c.key, r.part"""

_COUNTS: Final = """
select (select count(*) from shown where tombs < 2), (select count(*) from listing),
    (select count(*) from snapshots), (select count(*) from versions),
    (select count(*) from weeks), (select count(*) from days), (select count(*) from tombs),
    (select count(distinct writer) from cores where kind <> 'meta' and records > 0),
    (select coalesce(sum(records), 0) from cores),
    (select coalesce(sum(count), 0) from refusals), (select count(*) from deferred),
    (select count(*) from (select distinct core, block from waiting))
"""


class View(ReadConnection):
    """The facts in one file, for one thread: open one in each. It cannot write.

    Each answer is of one state of the file; after the file was replaced by one that was made
    anew, of that.
    """

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a view to read it.

        Raises:
            sqlite3.OperationalError: there is no such file.
        """
        return cls(path)

    @property
    def identity(self) -> str:
        """Of the file: another one after it was made anew."""
        return str(self._told("identity"))

    @property
    def generation(self) -> int:
        """Of the state: higher after each change, in a file that was made anew too."""
        return int(self._told("generation"))

    def changed_since(self, generation: int, limit: int = NAMES_MAX) -> list[str] | None:
        """Packages whose list row, manifest or tombstones changed after ``generation``.

        None if there are more than ``limit``. Some may be shown no more.
        """
        find = "select name from packages where changed > ? limit ?"
        with self.state() as database:
            found = [name for (name,) in database.execute(find, (generation, limit + 1))]
        return found if len(found) <= limit else None

    def listing_rows(self, names: Iterable[str] | None = None) -> Iterator[ListingRow]:
        """The packages that are shown, most downloaded first, equal ones by name.

        All of the state in which the first is taken. With ``names`` only those, in their order.
        """
        with self.state() as database:
            if names is None:
                yield from _rows(database, _LISTING)
                return
            for name in names:
                found = _rows(database, _SHOWN, name)
                yield from (row for row in found if row.state != "dropped")

    def popular(self, limit: int) -> list[ListingRow]:
        """The most downloaded packages that somebody counted, equal ones by name.

        Those of which no writer says that they are gone, at most `NAMES_MAX`.
        """
        return self._list(_POPULAR, min(limit, NAMES_MAX))

    def newest(self, now: int, limit: int) -> list[tuple[int, ListingRow]]:
        """The packages that were created last, and when (ms), of those whose manifest tells it.

        Those of which no writer says that they are gone, at most `NAMES_MAX`. What is said to have
        been created after ``now`` (ms) is left out: else it would be the newest for years.
        """
        with self.state() as database:
            rows = database.execute(_NEWEST, (now, min(limit, NAMES_MAX))).fetchall()
        return [(created, ListingRow._make((*row, _state(tombs)))) for created, *row, tombs in rows]

    def drawn(self, lots: Iterable[float], limit: int) -> list[ListingRow]:
        """The packages at these places of the file, which are chosen by chance, say.

        Args:
            lots: places in ``[0, 1)``; a few packages more or fewer in the file change little.
            limit: packages that are taken; a place without one, or with one again, is passed over.
        """
        found: dict[str, ListingRow] = {}
        with self.state() as database:
            for lot in lots:
                if len(found) >= limit:
                    break
                found |= {row.name: row for row in _rows(database, _NUMBERED, lot)}
        return list(found.values())

    def details_of(self, names: Iterable[str]) -> dict[str, Details]:
        """What the manifests of these packages have for search; of those that were told."""
        found: dict[str, Details] = {}
        with self.state() as database:
            for name in names:
                row = database.execute(_TOLD, (name,)).fetchone()
                if row is not None:
                    found[name] = _details(row[0])
        return found

    def package(self, name: str) -> PackageFacts | None:
        """All about a package's latest state; None if nobody has told anything of it."""
        with self.state() as database:
            row = database.execute(_FACTS, (name,)).fetchone()
        if row is None:
            return None
        version, summary, observed_at, tombs, downloads, listed_by, body, told_by = row
        return PackageFacts(
            name=name,
            version=version,
            downloads=downloads,
            summary=summary,
            observed_at=observed_at,
            state=_state(tombs),
            snapshot=None if body is None else _snapshot(body),
            listed_by=listed_by,
            told_by=told_by,
        )

    def versions(self, name: str) -> list[VersionFacts]:
        """The versions of a package that were told, oldest first."""
        with self.state() as database:
            rows = database.execute(_VERSIONS, (name,)).fetchall()
        return [VersionFacts(*(*row, _state(tombs))) for *row, tombs in rows]

    def weeks(self, name: str) -> list[WeekFacts]:
        """Downloads of each version in each week that was told, oldest first."""
        with self.state() as database:
            rows = database.execute(_WEEKS, (name,)).fetchall()
        return [
            _week(version, last_day, [merge.Counted(*row[2:]) for row in group])
            for (version, last_day), group in groupby(rows, key=itemgetter(0, 1))
        ]

    def week_counts(self, name: str, start: int = 0) -> list[tuple[str, int, int]]:
        """Version, last day and downloads of each week from that day on, oldest first.

        As `weeks`, without who says so: a popular package has a thousand of these a week.
        """
        with self.state() as database:
            return database.execute(_WEEK_COUNTS, (name, start)).fetchall()

    def days(self, name: str, start: int = 0, stop: int = DAYS_END) -> list[DayFacts]:
        """Downloads of a package in those days of ``[start, stop)`` that were told.

        Of the whole registry with the name `pkgstats.records.names.WHOLE`.
        """
        return self.days_of([name], start, stop)[name]

    def days_of(self, names: Iterable[str], start: int, stop: int) -> dict[str, list[DayFacts]]:
        """As `days`, of each of many packages: together they are read in half the time."""
        with self.state() as database:
            observed = days.Observed(database)
            return {
                name: _days(days.told_of(database, name, start, min(stop, DAYS_END), observed))
                for name in names
            }

    def by_maintainer(self, user: str) -> list[ListingRow]:
        """The packages that a user maintains, most downloaded first, at most `NAMES_MAX`."""
        return self._list(_BY_MAINTAINER, user, NAMES_MAX)

    def in_scope(self, scope: str) -> list[ListingRow]:
        """The packages in a scope (without ``@``), most downloaded first, at most `NAMES_MAX`."""
        return self._list(_IN_SCOPE, f"@{scope}/", f"@{scope}0", NAMES_MAX)

    def dependents(self, name: str, limit: int = 100) -> list[ListingRow]:
        """The packages whose latest manifest depends on this one, most downloaded first."""
        return self._list(_DEPENDENTS, name, min(limit, NAMES_MAX))

    def dependents_counted(self, name: str) -> int:
        """How many packages `dependents` would tell of without a limit."""
        with self.state() as database:
            return int(database.execute(_DEPENDENTS_COUNTED, (name,)).fetchone()[0])

    def readme(self, digest: bytes) -> list[ReadmePlace]:
        """Where the parts of a readme with that hash lie, of each writer who has it, in order."""
        with self.state() as database:
            rows = database.execute(_README, (digest,)).fetchall()
        return [
            ReadmePlace(part, parts, core, *block_and_number(place))
            for part, parts, core, place in rows
        ]

    def writers(self) -> list[WriterFacts]:
        """The writers that are accepted, or were."""
        with self.state() as database:
            return standing.writers(database)

    def titles(self) -> dict[bytes, str]:
        """What writers call themselves, by their keys; of those who have said it."""
        with self.state() as database:
            return {key: card.title for key, card in members.cards(database).items()}

    def group_list(self) -> GroupList | None:
        """The newest list of the group."""
        with self.state() as database:
            return members.group_list(database)

    def why(self, name: str, day: int | None = None) -> list[Said]:
        """What each accepted writer says of a package, or of its downloads in one day.

        Of one writer the words that count; `pkgstats.view.why` finds the others too.
        """
        with self.state() as database:
            return telling.said(database, name, day)

    def counts(self) -> Counts:
        """How much there is."""
        with self.state() as database:
            return Counts(*database.execute(_COUNTS).fetchone())

    def view_hash(self) -> bytes:
        """BLAKE2b-256 of all that counts: the same wherever the same blocks were read."""
        with self.state() as database:
            return hashing.view_hash(database)

    def _told(self, key: str) -> Any:
        with self.state() as database:
            return database.execute("select value from meta where key = ?", (key,)).fetchone()[0]

    def _list(self, query: str, *values: str | float) -> list[ListingRow]:
        with self.state() as database:
            return list(_rows(database, query, *values))


def _rows(database: sqlite3.Connection, query: str, *values: str | float) -> Iterator[ListingRow]:
    for *row, tombs in database.execute(query, values):
        yield ListingRow._make((*row, _state(tombs)))


def _state(tombs: int) -> str:
    return _STATES[min(tombs, merge.TOMBS_TO_DROP)]


def _week(version: str, last_day: int, told: list[merge.Counted]) -> WeekFacts:
    return WeekFacts(version, last_day, *merge.joint_count(told), merge.is_disputed(last_day, told))


def _days(found: Mapping[int, days.Told]) -> list[DayFacts]:
    return [
        DayFacts(day, *told.best, merge.is_disputed(day, [one.counted for one in told.each]))
        for day, told in sorted(found.items())
    ]


def _snapshot(body: bytes) -> Snapshot:
    (record,) = decode(body)
    assert isinstance(record, Snapshot), "the view holds what it was given"
    return record


def _details(body: bytes) -> Details:
    """Straight from the CBOR, which was checked when it was taken in: there are many of these."""
    (told,) = cbor2.loads(body)
    return Details(
        keywords=tuple(told.get(9, ())),
        maintainers=tuple(told.get(13, ())),
        licence=told.get(10, ""),
        deprecated=told.get(25, ""),
        types=told.get(17, "none"),
        module=told.get(18, "cjs"),
        dependencies=tuple(told.get(14, ())),
        modified=told.get(7, 0) or told[2],
        created=told.get(28),
    )
