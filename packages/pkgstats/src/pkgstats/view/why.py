"""Every word that was ever said of a package, read again from the feeds.

The view keeps of each writer the words that count. What the same writer said before, took back or
said too early stands in its feed only, so the feeds are looked through when somebody asks.
"""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats import merge, trust
from pkgstats.records import counts
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import BadRecord, UnknownRecord
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import (
    DayCounts,
    IndexRows,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.view import cores, members, telling
from pkgstats.view.facts import Said

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from hypermultifeed import Entry, Multifeed
    from pkgstats.records.model import Known
    from pkgstats.view.cores import Core
    from pkgstats.view.reading import View

    Words = Iterator[tuple[str, str, str]]

SAID_MAX: Final = 10_000
"""Words that one answer holds at most; the view's own come first."""


async def why(
    view: View, feeds: Mapping[str, Multifeed], name: str, day: int | None = None, *, now: int
) -> list[Said]:
    """All that accepted writers have said of a package, or of its downloads in one day.

    Args:
        view: of this thread.
        feeds: the multifeeds by kind; where one is missing, the view's words stand alone.
        name: of the package.
        day: days since 1970, UTC; None: all but counts of days.
        now: ms since 1970, UTC.
    """
    with view.state() as database:
        found = telling.said(database, name, day)
        asked = _asked(database, name, day, now)
    known = {_place(one) for one in found}
    for kind in ("days",) if day is not None else ("index", "detail", "days"):
        if kind in feeds:
            async for batch in feeds[kind].entries(holes="skip"):
                said = await asyncio.to_thread(asked.look_through, batch.entries)
                found += [one for one in said if _place(one) not in known]
                if len(found) > SAID_MAX:
                    break
    return sorted(found[:SAID_MAX], key=telling.sorting_key)


def _place(one: Said) -> tuple[bytes, int, int, str, str]:
    return one.core, one.block, one.number, one.about, one.key


def _asked(database: sqlite3.Connection, name: str, day: int | None, now: int) -> _Asked:
    accepted = cores.present(database)
    taken = {key: members.retracted(database, key, core.writer) for key, core in accepted.items()}
    return _Asked(name, day, now, accepted, taken, _numbers(database, name))


def _numbers(database: sqlite3.Connection, name: str) -> dict[tuple[int, bytes], int]:
    """Which number each writer's names blocks give a package."""
    row = database.execute("select id from packages where name = ?", (name,)).fetchone()
    found: dict[tuple[int, bytes], int] = {}
    if row is not None:
        find = "select writer, ref, packages from names_blocks"
        for writer, ref, packages in database.execute(find):
            ids = array("Q", packages)
            if row[0] in ids:
                found[writer, ref] = ids.index(row[0])
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for, and what the view knows of the feeds."""

    name: str
    day: int | None
    now: int
    cores: dict[bytes, Core]
    taken: dict[bytes, set[tuple[int, int]]]
    numbers: dict[tuple[int, bytes], int]

    def look_through(self, entries: Iterable[Entry]) -> list[Said]:
        """What these blocks say."""
        found: list[Said] = []
        for entry in entries:
            core = self.cores.get(entry.feed)
            if core is not None and entry.value is not None:
                found += self._in_block(core, entry.index, entry.value)
        return found

    def _in_block(self, core: Core, block: int, data: bytes) -> Iterator[Said]:
        try:
            records = decode_block(data)
        except RecordError:
            return
        for number, record in enumerate(records):
            if isinstance(record, (BadRecord, UnknownRecord)):
                continue
            verdict = self._verdict(core, block, number, record)
            at, source = record.observed_at, record.source
            for about, key, value in self._words(core, record):
                yield Said(
                    about, key, value, core.writer_key, at, source, core.key, block, number, verdict
                )

    def _verdict(self, core: Core, block: int, number: int, record: Known) -> str:
        """Of words that are not in the view."""
        is_beyond = core.until is not None and block >= core.until
        if is_beyond or trust.refusal(core.authority, record) or merge.refusal(record):
            return "refused"
        taken = self.taken[core.key]
        if (block, number) in taken or (block, members.ALL) in taken:
            return "taken back"
        return "waits" if merge.is_early(record, self.now) else "replaced"

    def _words(self, core: Core, record: Known) -> Words:
        if self.day is not None:
            if isinstance(record, DayCounts):
                yield from self._of_day(core, record, self.day)
        elif isinstance(record, IndexRows):
            yield from self._listed(record)
        elif getattr(record, "name", None) == self.name:
            yield from _of_package(record)

    def _listed(self, record: IndexRows) -> Words:
        for number, name in enumerate(record.names):
            if name == self.name:
                version, downloads = record.versions[number], record.downloads[number]
                value = telling.listing_value(version, downloads, record.summaries[number])
                yield "listing", "", value

    def _of_day(self, core: Core, record: DayCounts, day: int) -> Words:
        if not record.first_day <= day < record.first_day + record.span:
            return
        number = 0 if record.name == self.name else None
        if record.names_ref is not None:
            number = self.numbers.get((core.writer, record.names_ref))
        if number is None:
            return
        try:
            row = counts.nth_row(record.counts, number, record.span)
        except RecordError:
            return
        yield "day", telling.day_text(day), str(row[day - record.first_day])


def _of_package(record: Known) -> Words:
    if isinstance(record, Snapshot):
        yield "manifest", "", telling.manifest_value(record.version, record.description)
    elif isinstance(record, VersionEvent):
        value = telling.version_value(record.published, record.deprecated)
        yield "version", record.version, value
    elif isinstance(record, Tombstone):
        yield "gone", record.version or "", record.reason
    elif isinstance(record, WeekCounts):
        for version, downloads in record.versions.items():
            yield "week", telling.week_key(record.last_day, version), str(downloads)
