"""A digest of the view: most popular, newest, risers, and some at random; for people and readers.

`gather` and the parts read the view; the rest is pure. As text, or as a feed that any program which
reads feeds can follow. The same view and day give the same bytes, random ones included.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from pkgstats.records.names import WHOLE
from pkgstats.stats import WEEK, growth, outages_of
from pkgstats.syndication import Feed, Item, date_text, plain, urn

if TYPE_CHECKING:
    from pkgstats.view.facts import ListingRow
    from pkgstats.view.reading import View

DAY_MS: Final = 86_400_000

SIZE: Final = 10
"""Packages of each part."""

LOTS: Final = 20
"""Lots for each package by chance; names that others depend on and nobody tells of are blanks."""

RISERS_OF: Final = 2000
"""Most downloaded packages, among which risers are looked for."""

RISER_MIN: Final = 1000
"""Downloads in the week before, so that a rise from nothing is none."""

RISE_MIN: Final = 1.01
"""The least growth that is called a rise: what is less would be told as a rise of 0%."""

TITLES: Final = {
    "popular": "Most popular",
    "newest": "Newest",
    "risers": "Risers of the week",
    "random": "At random",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One package.

    Attributes:
        name, version, summary, downloads: as the list shows it.
        why: what makes it stand here, for people.
        at: when this was so, ms since 1970, UTC.
    """

    name: str
    version: str
    summary: str
    downloads: int
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A day's digest.

    Attributes:
        day: since 1970-01-01, UTC.
        parts: entries by part (`TITLES`), each the first first.
    """

    day: int
    parts: dict[str, tuple[Entry, ...]]

    @property
    def updated(self) -> int:
        """When it was made, to the day, ms."""
        return self.day * DAY_MS


def gather(view: View, now: int, *, size: int = SIZE) -> Digest:
    """Read the view.

    Args:
        view: open in this thread.
        now: ms since 1970, UTC.
        size: entries of each part.
    """
    day = now // DAY_MS
    parts = {
        "popular": popular(view, size),
        "newest": newest(view, now, size),
        "risers": risers(view, day, size),
        "random": at_random(view, day, size),
    }
    return Digest(day, parts)


def popular(view: View, size: int) -> tuple[Entry, ...]:
    """The packages that are downloaded most."""
    return tuple(entry(row, f"{row.downloads:,} downloads a month") for row in view.popular(size))


def newest(view: View, now: int, size: int) -> tuple[Entry, ...]:
    """The packages that were created last, up to ``now`` (ms), where a manifest tells when."""
    return tuple(entry(row, f"created {date_text(at)}", at) for at, row in view.newest(now, size))


def risers(view: View, day: int, size: int) -> tuple[Entry, ...]:
    """The packages whose downloads have grown most in a week against the week before.

    Of the `RISERS_OF` most downloaded ones, by what was told of the three weeks up to ``day``;
    from `RISE_MIN` on.
    """
    rows = view.popular(RISERS_OF)
    days = view.days_of([WHOLE, *(row.name for row in rows)], day - 3 * WEEK, day)
    told = {name: {one.day: one.count for one in found} for name, found in days.items()}
    whole = told.pop(WHOLE)
    outages = outages_of(told.values(), whole)
    last = max((max(days) for days in told.values() if days), default=day - 1)
    found = []
    for row in rows:
        grown = growth(told[row.name], WEEK, last + 1, outages)
        ratio = grown.ratio or 0.0
        if ratio >= RISE_MIN and grown.before.downloads >= RISER_MIN:
            found.append((ratio, row.name, row))
    best = nlargest(size, found)
    return tuple(entry(row, f"{ratio - 1:+,.0%} in a week") for ratio, _, row in best)


def at_random(view: View, day: int, size: int) -> tuple[Entry, ...]:
    """Some packages by chance, the whole day long the same."""
    chance = random.Random(day)  # noqa: S311 - no secret
    lots = (chance.random() for _ in range(LOTS * size))
    return tuple(entry(row, "by chance") for row in view.drawn(lots, size))


def entry(row: ListingRow, why: str, at: int | None = None) -> Entry:
    """A row of the list as an entry."""
    when = row.observed_at if at is None else at
    return Entry(row.name, row.version, row.summary, row.downloads, why, when)


def as_text(digest: Digest) -> str:
    """For a terminal or a mail."""
    lines = [f"Packages of {date_text(digest.updated)}"]
    for part, entries in digest.parts.items():
        lines += ["", TITLES[part], *(f"  {line(one)}" for one in entries)]
        lines += [] if entries else ["  (nothing is known)"]
    return "\n".join(lines) + "\n"


def line(one: Entry) -> str:
    """An entry in one line."""
    summary = f": {plain(one.summary)}" if one.summary else ""
    return plain(f"{one.name} {one.version} ({one.why}){summary}")


def as_feed(digest: Digest) -> Feed:
    """As a feed for readers of it, under identifiers that are the same on each peer."""
    items = tuple(
        Item(
            id=urn(part, date_text(digest.updated), one.name),
            title=f"{TITLES[part]}: {one.name} {one.version}",
            updated=digest.updated,
            summary=line(one),
            tags=(part,),
        )
        for part, entries in digest.parts.items()
        for one in entries
    )
    return Feed(urn("digest"), "Pkg Stats", digest.updated, items)
