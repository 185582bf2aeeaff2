"""The lists: most popular, newest, rising, and some at random; with feeds to follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats import digest
from pkgstats.charts.sparklines import spark_path
from pkgstats.syndication import Feed, Item, urn
from pkgstats.web import addresses, bounds
from pkgstats.web.memo import Memo
from pkgstats.web.pages.figures import DAY_MS, weeks_of
from pkgstats.web.render import date
from pkgstats.web.site import Page, Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from pkgstats.digest import Entry
    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

SIZE: Final = 50
"""Packages of a list."""

SEED_MAX: Final = 999_999
"""Highest number by which other packages are drawn."""

HEADERS: Final = ("name", "version", "downloads_a_month", "why", "at", "summary")

_memo: Final = Memo()


class Kind(NamedTuple):
    """A list.

    Attributes:
        name: its path, without the slash.
        title, short: as a heading, and in a row of others.
        rule: what makes a package stand here.
        gather: reads it out of the view, at a time (ms) or by a number, so many.
        days: how long a feed takes a package that stands there again for the same news.
    """

    name: str
    title: str
    short: str
    rule: str
    gather: Callable[[View, int, int], tuple[Entry, ...]]
    days: int | None


POPULAR: Final = Kind(
    "popular",
    "Most popular packages",
    "Most popular",
    "The packages with the most downloads in a month, of all that somebody has counted.",
    lambda view, _, size: digest.popular(view, size),
    days=None,
)
NEWEST: Final = Kind(
    "newest",
    "Newest packages",
    "Newest",
    "The packages that were created last, of those whose manifest tells when. "
    "New versions of older packages are no news here.",
    digest.newest,
    days=None,
)
RISING: Final = Kind(
    "rising",
    "Rising packages",
    "Rising",
    f"The packages whose downloads have grown most in a week against the week before: of the "
    f"{digest.RISERS_OF:,} most downloaded ones, from {digest.RISER_MIN:,} downloads a week on, "
    f"what has grown by {digest.RISE_MIN - 1:.0%} at least. "
    "Days on which the registry counted nothing at all are left out of both weeks.",
    lambda view, now, size: digest.risers(view, now // DAY_MS, size),
    days=7,
)
RANDOM: Final = Kind(
    "random",
    "Packages at random",
    "At random",
    "Drawn from all packages, the popular and the forgotten alike: the same ones until midnight "
    "(UTC), others tomorrow.",
    digest.at_random,
    days=1,
)

KINDS: Final = (POPULAR, RISING, NEWEST, RANDOM)
"""All lists, in the order in which the first page has them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A package of a list.

    Attributes:
        name, version, summary: as the index has them.
        downloads: a month.
        why: what makes it stand here, in words.
        at: when this was so, ms since 1970.
        weeks: downloads of the last weeks, oldest first; None: days of it are missing.
    """

    name: str
    version: str
    summary: str
    downloads: int
    why: str
    at: int
    weeks: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class PackageList:
    """A list.

    Attributes:
        kind: ``popular``, ``newest``, ``rising`` or ``random``.
        rule: what makes a package stand here.
        seed: by which packages were drawn; None: by the day, or not at all.
        packages: the first first.
    """

    kind: str
    rule: str
    seed: int | None
    packages: tuple[Listed, ...]


def entries(view: View, kind: Kind, now: int, size: int) -> tuple[Entry, ...]:
    """The first packages of a list, worked out once for each state and day."""
    key = (view.identity, view.generation, now // DAY_MS, kind.name, size)
    at = now // DAY_MS if kind is RANDOM else now
    return _memo.get(key, lambda: kind.gather(view, at, size))


def handler_of(kind: Kind) -> Callable[[Site, Request], Awaitable[Page]]:
    """What answers for a list."""

    async def answer(site: Site, request: Request) -> Page:
        seed = _seed(request) if kind is RANDOM else None
        now = site.clock()
        found = await site.ask(lambda view: _list(view, kind, now, seed))
        return _page(kind, found, now)

    return answer


def _seed(request: Request) -> int | None:
    asked = request.query_params
    return bounds.whole_number(asked, "seed", 1, SEED_MAX) if asked.get("seed") else None


def _list(view: View, kind: Kind, now: int, seed: int | None) -> PackageList:
    found = entries(view, kind, now, SIZE) if seed is None else kind.gather(view, seed, SIZE)
    names = [one.name for one in found]
    weeks = weeks_of(view, names, now)
    listed = tuple(
        Listed(one.name, one.version, one.summary, one.downloads, one.why, one.at, told)
        for one in found
        for told in [weeks.get(one.name, ())]
    )
    return PackageList(kind.name, kind.rule, seed, listed)


def _page(kind: Kind, found: PackageList, now: int) -> Page:
    path = f"/{kind.name}" if found.seed is None else f"/{kind.name}?seed={found.seed}"
    return Page(
        template="list.html",
        title=kind.title,
        data=found,
        description=kind.rule,
        path=path,
        feed=partial(_feed, kind, found, now) if found.seed is None else None,
        table=partial(_table, found),
        listed=found.seed is None,
        extra={"spark": spark_path, "others": others(found, now)},
    )


def others(found: PackageList, now: int) -> int:
    """The number by which other packages are drawn than these."""
    seed = now // DAY_MS if found.seed is None else found.seed
    return seed % SEED_MAX + 1


def _feed(kind: Kind, found: PackageList, now: int) -> Feed:
    """What a reader of feeds is told: each package once, or once in a period.

    Popular and newest packages are news when they enter the list; a riser again in another week,
    and those by chance each day.
    """
    period = () if kind.days is None else (str(now // DAY_MS // kind.days),)
    items = tuple(
        Item(
            id=urn(kind.name, *period, one.name),
            title=f"{one.name} {one.version}",
            updated=one.at,
            summary=f"{one.summary} ({one.why})" if one.summary else one.why,
            link=addresses.package(one.name),
            tags=(kind.name,),
        )
        for one in found.packages
    )
    updated = max((one.updated for one in items), default=now // DAY_MS * DAY_MS)
    return Feed(urn(kind.name), kind.title, updated, items, subtitle=kind.rule)


def _table(found: PackageList) -> Table:
    rows = [
        (one.name, one.version, one.downloads, one.why, date(one.at), one.summary)
        for one in found.packages
    ]
    return Table(HEADERS, rows)
