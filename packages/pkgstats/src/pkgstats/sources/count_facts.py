"""Counts of downloads made records: days of one package or of many, weeks by version. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.records import counts
from pkgstats.records.blocks import encoded_size
from pkgstats.records.codec import names_hash
from pkgstats.records.model import COUNTS_MAX, DayCounts, NamesBlock, WeekCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pkgstats.sources.downloads import DaySeries, VersionCounts

COUNT_BYTES_MAX: Final = 48 << 10
"""Of the packed counts of one record."""

WEEK_VERSIONS: Final = 2000
"""Versions of one record."""

WEEK_BYTES_MAX: Final = 48 << 10
"""Of one record of versions."""


def day_counts(series: DaySeries) -> DayCounts | None:
    """The days of one package; None if there are none. Zeros are kept: they were read."""
    if not series.counts:
        return None
    return DayCounts(
        observed_at=series.observed_at,
        source="downloads",
        evidence=series.evidence,
        first_day=series.first_day,
        span=len(series.counts),
        name=series.name,
        counts=counts.pack([series.counts]),
    )


def day_counts_of_many(found: Iterable[DaySeries]) -> tuple[NamesBlock, list[DayCounts]] | None:
    """The days of many packages: a names block, and as many records as they need.

    The days that all have in common are told together; what one has besides is not told (ask
    `day_counts`). None if there are no such days.
    """
    rows = sorted(found, key=lambda one: one.name)
    if not rows:
        return None
    first, end = max(one.first_day for one in rows), min(one.end for one in rows)
    if end <= first:
        return None
    names = tuple([one.name for one in rows])
    block = NamesBlock(
        observed_at=max(one.observed_at for one in rows), source="downloads", names=names
    )
    return block, list(_spans(rows, names_hash(names), first, end))


def _spans(rows: Sequence[DaySeries], ref: bytes, first: int, end: int) -> Iterator[DayCounts]:
    """One record, or the halves of the window if that would be too large."""
    packed = counts.pack([one.counts[first - one.first_day : end - one.first_day] for one in rows])
    small = len(packed) <= COUNT_BYTES_MAX and len(rows) * (end - first) <= COUNTS_MAX
    if not small and end - first > 1:
        middle = (first + end) // 2
        yield from _spans(rows, ref, first, middle)
        yield from _spans(rows, ref, middle, end)
        return
    yield DayCounts(
        observed_at=min(one.observed_at for one in rows),
        source="downloads",
        evidence=rows[0].evidence,
        first_day=first,
        span=end - first,
        names_ref=ref,
        counts=packed,
    )


def week_counts(found: VersionCounts) -> list[WeekCounts]:
    """The week of a package's versions, in as many records as they need."""
    versions = sorted(found.versions.items())
    records = [
        _week(found, dict(versions[start : start + WEEK_VERSIONS]))
        for start in range(0, len(versions), WEEK_VERSIONS)
    ]
    return [small for record in records for small in _small(found, record)]


def _week(found: VersionCounts, versions: dict[str, int]) -> WeekCounts:
    return WeekCounts(
        observed_at=found.observed_at,
        source="downloads",
        evidence=found.evidence,
        name=found.name,
        last_day=found.last_day,
        versions=versions,
    )


def _small(found: VersionCounts, record: WeekCounts) -> Iterator[WeekCounts]:
    """The record, or its halves if their versions have long names."""
    if encoded_size(record) <= WEEK_BYTES_MAX:
        yield record
        return
    versions = list(record.versions.items())
    half = len(versions) // 2
    yield from _small(found, _week(found, dict(versions[:half])))
    yield from _small(found, _week(found, dict(versions[half:])))
