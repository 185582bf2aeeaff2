"""A digest of the view: most popular, newest, risers, and some at random; for people and readers.

`gather` reads the view; the rest is pure. As text, Atom (RFC 4287) or JSON Feed 1.1, any program
that reads feeds can follow it. The same view and day give the same bytes, random ones included.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from pkgstats.stats import WEEK, growth, outages_of
from pkgstats.syndication import Feed, Item, date_text, plain, urn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pkgstats.view.facts import ListingRow
    from pkgstats.view.reading import View

DAY_MS: Final = 86_400_000

SIZE: Final = 10
"""Packages of each part."""

NEWEST_OF: Final = 5000
"""Packages that were seen last, among which the newest are looked for."""

RISERS_OF: Final = 2000
"""Most downloaded packages, among which risers are looked for."""

RISER_MIN: Final = 1000
"""Downloads in the week before, so that a rise from nothing is none."""

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
    rows = [row for row in view.listing_rows() if row.state == "here"]
    chosen = random.Random(day).sample(rows, min(size, len(rows)))  # noqa: S311 - no secret
    popular = [entry(row, f"{row.downloads:,} downloads a month") for row in rows[:size]]
    parts = {
        "popular": popular,
        "newest": newest(view, rows, size),
        "risers": risers(view, rows[:RISERS_OF], day, size),
        "random": [entry(row, "by chance") for row in chosen],
    }
    return Digest(day, {part: tuple(found) for part, found in parts.items()})


def newest(view: View, rows: Iterable[ListingRow], size: int) -> list[Entry]:
    """The packages that were created last, of those whose manifest tells when."""
    seen = {row.name: row for row in nlargest(NEWEST_OF, rows, key=lambda row: row.observed_at)}
    details = view.details_of(seen)
    created = [(one.created, name) for name, one in details.items() if one.created]
    return [
        entry(seen[name], f"created {date_text(at)}", at) for at, name in nlargest(size, created)
    ]


def risers(view: View, rows: Sequence[ListingRow], day: int, size: int) -> list[Entry]:
    """The packages whose downloads have grown most in a week against the week before."""
    told = {
        row.name: {one.day: one.count for one in view.days(row.name, day - 3 * WEEK, day)}
        for row in rows
    }
    outages = outages_of(told.values())
    last = max((max(days) for days in told.values() if days), default=day - 1)
    found = []
    for row in rows:
        grown = growth(told[row.name], WEEK, last + 1, outages)
        if grown.ratio is not None and grown.ratio > 1 and grown.before.downloads >= RISER_MIN:
            found.append((grown.ratio, row.name, row))
    return [entry(row, f"{ratio - 1:+,.0%} in a week") for ratio, _, row in nlargest(size, found)]


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
