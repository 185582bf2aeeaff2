"""Which part of what was answered is new, given what I have said. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pkgstats.listing import Row
from pkgstats.records.model import SUMMARY, VERSION
from pkgstats.sources.count_facts import day_counts, day_counts_of_many
from pkgstats.sources.fields import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pkgstats.records.model import DayCounts, NamesBlock, Snapshot
    from pkgstats.sources.downloads import DaySeries

TAIL_DAYS: Final = 62
"""Days of each package that I know to have said: more than are asked for again, and a month."""

LANDING_DAYS: Final = 2
"""The last days of an answer, of which a 0 says only that they are not counted yet."""

MONTH_DAYS: Final = 30
"""The days of "downloads a month"."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The last days of a package that I have said, without a gap."""

    first_day: int
    counts: tuple[int, ...]

    @property
    def end(self) -> int:
        """The day after the last one."""
        return self.first_day + len(self.counts)

    def month(self) -> int | None:
        """Downloads of the last 30 days; None if not all of them were said."""
        counts = self.counts[-MONTH_DAYS:]
        return sum(counts) if len(counts) == MONTH_DAYS else None


def grown(tail: Tail | None, first_day: int, counts: Sequence[int]) -> Tail:
    """The tail after these days were said, too.

    A 0 takes nothing back: it loses to any other count of its day.
    """
    if tail is None or not tail.first_day <= first_day <= tail.end:
        return Tail(first_day + max(0, len(counts) - TAIL_DAYS), tuple(counts[-TAIL_DAYS:]))
    said = list(tail.counts)
    for place, count in enumerate(counts, first_day - tail.first_day):
        if place == len(said):
            said.append(count)
        elif count:
            said[place] = count
    return Tail(tail.first_day + max(0, len(said) - TAIL_DAYS), tuple(said[-TAIL_DAYS:]))


def landed(series: DaySeries, last: int) -> DaySeries:
    """The series without zeros among the last days up to ``last``: those are not counted yet."""
    counts = series.counts
    while counts and not counts[-1] and series.first_day + len(counts) > last - LANDING_DAYS + 1:
        counts = counts[:-1]
    return replace(series, counts=counts)


def fresh(series: DaySeries, tail: Tail | None) -> DaySeries | None:
    """The days from the first on that differs from what I have said; None if none does.

    Days before the tail were said long ago and are left alone. A 0 where I have said another
    count is an outage of the source, and no difference.
    """
    if tail is None:
        return series if series.counts else None
    for place, count in enumerate(series.counts):
        day = series.first_day + place
        if day < tail.first_day:
            continue
        said = tail.counts[day - tail.first_day] if day < tail.end else None
        if said is None or (count and count != said):
            return replace(series, first_day=day, counts=series.counts[place:])
    return None


def told_days(
    found: Iterable[DaySeries], tails: Mapping[str, Tail], last: int
) -> tuple[list[NamesBlock], list[DayCounts]]:
    """What is new of the days of many packages: names blocks, and the counts that need them.

    Packages of which the same days are new are told together.
    """
    alike: defaultdict[tuple[int, int], list[DaySeries]] = defaultdict(list)
    for series in found:
        new = fresh(landed(series, last), tails.get(series.name))
        if new is not None:
            alike[new.first_day, new.end].append(new)
    names: list[NamesBlock] = []
    counts: list[DayCounts] = []
    for together in alike.values():
        told = day_counts_of_many(together) if len(together) > 1 else None
        if told is None:
            counts += [one for series in together if (one := day_counts(series)) is not None]
            continue
        names.append(told[0])
        counts += told[1]
    return names, counts


def joined(series: Iterable[DaySeries]) -> Iterator[DaySeries]:
    """Windows of one package that follow each other as one; else each alone, the oldest first."""
    before: DaySeries | None = None
    for one in sorted(series, key=lambda each: each.first_day):
        if before is not None and one.first_day == before.end:
            before = replace(one, first_day=before.first_day, counts=before.counts + one.counts)
            continue
        if before is not None:
            yield before
        before = one
    if before is not None:
        yield before


def listed(snapshot: Snapshot, downloads: int) -> Row:
    """What the list says of a package, out of its latest manifest."""
    version = text(snapshot.version, VERSION.bytes_max)
    summary = " ".join(snapshot.description.split())
    return Row(snapshot.name, version, downloads, text(summary, SUMMARY.bytes_max))
