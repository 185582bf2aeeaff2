"""What is to be asked, by whom, and when. Pure: the time and all facts are arguments.

Several crawlers share the names without a coordinator: each name belongs to the writer whose hash
with it is highest (rendezvous hashing) among those that were heard of in the last 24 hours. If one
falls silent, only its names go to others; if one comes, it takes a share from each. Double work is
harmless: what is said twice is said by two writers, and the view has it once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pkgstats.records.names import WHOLE, scope_of
from pkgstats.sources.downloads import day_text, requests_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pkgstats.view.facts import WriterFacts

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

FRESH_MS: Final = DAY_MS
"""A writer whose last heartbeat is older has fallen silent."""

TOP: Final = 10_000
"""Packages by downloads that are looked at each week."""

LISTED: Final = 227_000
"""Packages by downloads that are looked at each month; the rest twice a year."""

WEEK_MS: Final = 7 * DAY_MS
MONTH_MS: Final = 30 * DAY_MS
HALF_YEAR_MS: Final = 182 * DAY_MS

HISTORY_DAYS: Final = 365
"""Days of downloads that are asked for at first: what a bulk request answers."""

OVERLAP_DAYS: Final = 30
"""Days that are asked for again: a source fills days in later that it once counted as 0."""

FULL: Final = frozenset({"manifest", "versions", "readme", "days", "weeks"})
"""All there is to know of a package; what is asked about packages that one names."""

LIGHT: Final = frozenset({"manifest", "days"})
"""What is asked about many packages: kilobytes for each, and days of 128 in one request."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one run is to look at.

    Attributes:
        names: packages, the most urgent first, none twice.
        wanted: parts of `FULL`.
    """

    names: tuple[str, ...]
    wanted: frozenset[str] = FULL

    def asks(self, part: str) -> tuple[str, ...]:
        """The names, if that part is wanted."""
        return self.names if part in self.wanted else ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that would be made: of which source (`limiter.RATES`), its path and query."""

    role: str
    path: str


def period_ms(rank: int, *, watched: bool = False) -> int:
    """How often a package is looked at, by its place in the list of downloads, from 0."""
    if watched or rank < TOP:
        return WEEK_MS
    return MONTH_MS if rank < LISTED else HALF_YEAR_MS


def heard_of(writers: Iterable[WriterFacts], me: bytes, now: int) -> list[WriterFacts]:
    """The crawlers that are at work, with a heartbeat that is not too old; I always am.

    A heartbeat from a day to come is not believed: its writer would never fall silent.
    """
    return [one for one in writers if one.key == me or _is_at_work(one, now)]


def _is_at_work(writer: WriterFacts, now: int) -> bool:
    if writer.role != "crawler" or writer.aside or writer.heartbeat is None:
        return False
    return abs(now - writer.heartbeat.observed_at) <= FRESH_MS


def owner(name: str, writers: Collection[bytes]) -> bytes:
    """The writer, by its key, whose a name is: the highest hash with it.

    Raises:
        ValueError: there are no writers.
    """
    data = name.encode()
    return max(writers, key=lambda key: (_weight(data, key), key))


def _weight(name: bytes, writer: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=8, key=writer).digest()


def mine(names: Iterable[str], me: bytes, writers: Collection[bytes]) -> Iterator[str]:
    """Those of the names that are mine among these writers; I am one of them anyway."""
    others = {me, *writers}
    if len(others) == 1:
        yield from names
        return
    for name in names:
        if owner(name, others) == me:
            yield name


def due(
    ranked: Iterable[str],
    checked: Mapping[str, int],
    now: int,
    *,
    watched: Collection[str] = (),
    limit: int | None = None,
) -> list[str]:
    """The names that are due, those that have waited longest for their period first.

    Args:
        ranked: names, most downloaded first.
        checked: when each was looked at last, ms; never: it is not there.
        now: ms.
        watched: names that are looked at each week wherever they stand.
        limit: so many at most.
    """
    found: list[tuple[float, int, str]] = []
    for rank, name in enumerate(ranked):
        period = period_ms(rank, watched=name in watched)
        late = (now - checked.get(name, 0)) / period
        if late >= 1 or checked.get(name, 0) > now:
            never = name not in checked
            found.append((-1e9 if never else -late, rank, name))
    return [name for _, _, name in sorted(found)[:limit]]


def unchecked(
    names: Iterable[str], checked: Mapping[str, int], now: int, age_ms: int
) -> Iterator[str]:
    """The names that were not looked at in the last ``age_ms``: so a run goes on where it was."""
    for name in names:
        if name not in checked or not 0 <= now - checked[name] < age_ms:
            yield name


def first_day(end: int | None, last: int) -> int:
    """The first day to ask for.

    Args:
        end: the day after the last that I have said; None: none yet.
        last: the last day to ask for.
    """
    oldest = last - HISTORY_DAYS + 1
    return oldest if end is None else max(oldest, min(end, last) - OVERLAP_DAYS)


def asks(work: Work, ends: Mapping[str, int], last: int) -> Iterator[Ask]:
    """The requests that a run would make if all answers were as usual; for a dry run.

    Readmes may cost one more each, where a packument has none and the tarball is asked for.

    Args:
        work: what the run is to look at.
        ends: for each name the day after the last that I have said.
        last: the last day to ask for.
    """
    whole = "versions" in work.wanted
    for name in work.asks("manifest"):
        yield Ask("registry", f"/{quote(name, safe='@')}{'' if whole else '/latest'}")
    for names in requests_for(work.asks("days")):
        first = min(first_day(ends.get(name), last) for name in names)
        comma = "," if len(names) == 1 and not scope_of(names[0]) else ""
        period = f"{day_text(first)}:{day_text(last)}"
        yield Ask("downloads", f"/downloads/range/{period}/{comma}{','.join(names)}")
    if work.asks("days"):  # once a day; whoever crawls again that day does not ask again
        period = f"{day_text(first_day(ends.get(WHOLE), last))}:{day_text(last)}"
        yield Ask("downloads", f"/downloads/range/{period}")
    if work.asks("weeks"):
        yield Ask("downloads", "/downloads/point/last-week")
    for name in work.asks("weeks"):
        yield Ask("downloads", f"/versions/{quote(name, safe='@')}/last-week")
