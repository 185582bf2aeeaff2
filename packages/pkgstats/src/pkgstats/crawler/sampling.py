"""What is looked at again of a writer's records, and whether it was true. Pure.

What has moved on since is no error: a new version, a later modification, a package that is gone.
An error is what the source cannot have said: a version that it never had, another content of one,
a settled count that is another, a month's downloads unlike any month of the year before.

Of a package that the source does not know there is no verdict: it may have been there and be
unpublished, and registries keep no trace of all that were. Nor is there one of weeks by version but
of the last: a source tells no other.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pkgstats import merge
from pkgstats.records import counts
from pkgstats.records.model import (
    DayCounts,
    IndexRows,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.sources import facts
from pkgstats.sources.fields import mapping, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pkgstats.records.model import Known
    from pkgstats.sources.answers import Document

ONE_IN: Final = 1000
"""Of so many records one is looked at again each day."""

FRESH_MS: Final = 3_600_000
"""A record so young may know more than an answer out of a cache."""

WEEK_DAYS: Final = 3
"""A week that ended more days ago is not the last one any more, by which time of day whatever."""

WEEK_GROWS: Final = 2.0
"""So many times more may be counted of a week later: some of its days come late."""

MONTH_DAYS: Final = 30
YEAR_DAYS: Final = 365
"""Lists may be so old when they are told."""

MONTH_SLACK: Final = 0.25
"""How far outside of all months of a year a month's downloads may lie: days are filled in later."""

SLACK_MS: Final = 1000
"""Sources write some times in whole seconds."""


def is_selected(seed: bytes, writer: bytes, day: int, record: str, *, one_in: int = ONE_IN) -> bool:
    """Whether a record is looked at again on a day.

    Args:
        seed: of the peer that looks, so that a writer cannot know which records it may get wrong.
        writer: its key.
        day: since 1970.
        record: what it tells of, see `subjects`.
        one_in: of so many records one is.
    """
    hashed = hashlib.blake2b(record.encode(), key=seed[:64], digest_size=8)
    hashed.update(writer + day.to_bytes(4, "big"))
    return int.from_bytes(hashed.digest(), "big") * one_in < 1 << 64


def subjects(record: Known, names: Sequence[str] | None, today: int) -> Iterator[tuple[str, str]]:
    """What a record tells of that can be asked for again: a key, and the package.

    Args:
        record: of any kind.
        names: of the names block that day counts refer to; None: it is not here.
        today: days since 1970, UTC; of weeks only the last one can be asked for.
    """
    if isinstance(record, Snapshot):
        yield f"P {record.name} {record.version}", record.name
    elif isinstance(record, VersionEvent):
        yield f"V {record.name} {record.version}", record.name
    elif isinstance(record, Tombstone):
        yield f"T {record.name} {record.version or ''}", record.name
    elif isinstance(record, IndexRows):
        yield from ((f"I {name}", name) for name in record.names)
    elif isinstance(record, WeekCounts):
        if record.last_day >= today - WEEK_DAYS:
            first = min(record.versions, default="")  # one record may hold some versions only
            yield f"W {record.name} {record.last_day} {first}", record.name
    elif isinstance(record, DayCounts):
        told = names if record.name is None else (record.name,)
        yield from ((f"D {name} {record.first_day}", name) for name in told or ())


def row_of(record: DayCounts, names: Sequence[str] | None, name: str) -> dict[int, int]:
    """The settled counts of one package, by day.

    Raises:
        RecordError: they are not that many counts.
    """
    told = (record.name,) if record.name is not None else tuple(names or ())
    row = counts.unpack(record.counts, len(told), record.span)[told.index(name)]
    days = enumerate(row, record.first_day)
    return {day: count for day, count in days if is_settled(day, record.observed_at)}


def is_settled(day: int, at: int) -> bool:
    """Whether a day's count was not filled in any more at a time (ms)."""
    return at >= (day + 1) * merge.DAY_MS + merge.SETTLED_MS


def days_wrong(told: Mapping[int, int], found: Mapping[int, int]) -> bool | None:
    """Whether counts differ; a 0 on either side is an outage, and no verdict."""
    both = [(count, found[day]) for day, count in told.items() if count and found.get(day)]
    if not both:
        return None
    return any(abs(a - b) > max(a, b) * merge.DISPUTED_ABOVE for a, b in both)


def week_wrong(
    told: Mapping[str, int], last_day: int, found: Mapping[str, int], found_day: int
) -> bool | None:
    """Whether counts of a week's versions differ by more than days that are counted late.

    None if they are not of the same week, or have no version in common.
    """
    both = [(count, found[version]) for version, count in told.items() if found.get(version)]
    both = [pair for pair in both if pair[0]]
    if last_day != found_day or not both:
        return None
    above = 1 + merge.DISPUTED_ABOVE
    return any(count > now * above or count * WEEK_GROWS < now for count, now in both)


def month_wrong(told: int, found: Mapping[int, int], until: int) -> bool | None:
    """Whether downloads a month are like no 30 days of the year before they were told.

    A list may be old when it is told, and what it has counted may be of any such days. None where
    there is nothing to compare with; 0 is what lists have for packages that nobody counted.

    Args:
        told: downloads a month.
        found: by day.
        until: the day on which it was told.
    """
    starts = range(until - YEAR_DAYS, until - MONTH_DAYS + 1)
    months = [
        [found[day] for day in range(start, start + MONTH_DAYS) if day in found] for start in starts
    ]
    sums = [sum(month) for month in months if len(month) == MONTH_DAYS]
    if not told or not sums or not max(sums):
        return None
    return not min(sums) * (1 - MONTH_SLACK) <= told <= max(sums) * (1 + MONTH_SLACK)


def either(verdicts: Iterable[bool | None]) -> bool | None:
    """Wrong if one part is, right if one is and none is wrong, else unclear."""
    clear = [one for one in verdicts if one is not None]
    return any(clear) if clear else None


def wrong(record: Known, name: str, document: Document) -> bool | None:
    """Whether a record about a package says what its packument cannot have said; None: unclear.

    Raises:
        AnswerError: the packument makes no sense.
    """
    gone = facts.tombstone(document) is not None
    if gone or document.observed_at - record.observed_at < FRESH_MS:
        return None
    if isinstance(record, Tombstone):
        return _tombstone_wrong(record, document)
    if isinstance(record, IndexRows):
        version = record.versions[record.names.index(name)]
        return _version_wrong(version, document) if version else None
    if isinstance(record, (Snapshot, VersionEvent)):
        unknown = _version_wrong(record.version, document)
        if unknown is not False:
            return unknown
        if isinstance(record, VersionEvent):
            return _event_wrong(record, document)
        return _snapshot_wrong(record, document)
    return None


def _version_wrong(version: str, document: Document) -> bool | None:
    """Whether there never was such a version; of one that was taken away there is no verdict."""
    if version in mapping(document.value.get("versions")):
        return False
    times = mapping(document.value.get("time"))
    return None if version in times or not times else True


def _tombstone_wrong(record: Tombstone, document: Document) -> bool | None:
    modified = _modified(document)
    if not modified or modified >= record.observed_at:
        return None
    return record.version is None or record.version in mapping(document.value.get("versions"))


def _event_wrong(record: VersionEvent, document: Document) -> bool:
    found = next(one for one in facts.version_events(document) if one.version == record.version)
    both = record.published and found.published
    return bool(both and abs(record.published - found.published) > SLACK_MS) or _differ(
        record, found, "integrity", "unpacked"
    )


def _snapshot_wrong(record: Snapshot, document: Document) -> bool:
    manifest = mapping(document.value["versions"])[record.version]
    found = facts.manifest_snapshot(document, manifest)
    modified = _modified(document)
    if modified and record.modified > modified + facts.LATER_MS:
        return True
    needs, needed = record.dependencies or {}, found.dependencies or {}
    return not needs.items() <= needed.items() or _differ(
        record, found, "integrity", "unpacked", "files", "licence", "description"
    )


def _differ(told: Known, found: Known, *fields: str) -> bool:
    """Whether both say something of a field, and not the same."""
    pairs = ((getattr(told, field), getattr(found, field)) for field in fields)
    return any(a and b and a != b for a, b in pairs)


def _modified(document: Document) -> int:
    value = document.value
    return moment(mapping(value.get("time")).get("modified") or value.get("modified"))
