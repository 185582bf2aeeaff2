"""What a search has found, as its page, its twins and its feed tell it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pkgstats.search.query import to_text
from pkgstats.syndication import Feed, Item, urn
from pkgstats.web import addresses, bounds
from pkgstats.web.render import date
from pkgstats.web.site import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pkgstats.search.results import Hit, Part, Reading, SearchResult
    from pkgstats.view.facts import Details

HEADERS: Final = (
    "name",
    "version",
    "downloads_a_month",
    "updated",
    "licence",
    "keywords",
    "deprecated",
    "summary",
)
"""Of the table."""

TOLD: Final = ("keywords", "licence", "deprecated", "types", "module")
"""What a manifest adds to a result."""


@dataclass(frozen=True, slots=True)
class Result:
    """A package that was found.

    Attributes:
        name, version, summary: as the index has them.
        downloads: a month.
        modified: when the package was last changed, ms since 1970; 0 if unknown.
        score: the sum of the points of ``explain``; 0 where it was not ranked by words.
        explain: why it stands where it stands, the largest first.
        keywords, licence: of its latest manifest, as far as somebody has told it.
        deprecated: what its writer says about that; empty: it is not.
        types: ``own``, ``@types`` or ``none``; empty: nobody has told.
        module: ``esm``, ``cjs`` or ``dual``; empty: nobody has told.
    """

    name: str
    version: str
    downloads: int
    summary: str
    modified: int
    score: float
    explain: tuple[Part, ...]
    keywords: tuple[str, ...] = ()
    licence: str = ""
    deprecated: str = ""
    types: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which ``@USER`` can be read.

    Attributes:
        meaning: ``scope``, ``maintainer``, or ``text`` if there is neither.
        query: that asks for this alone.
        packages: how many there are.
        path: of the page that shows them all; empty: there is none.
    """

    meaning: str
    query: str
    packages: int
    path: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found; ``/api/search`` tells the same.

    Attributes:
        typed: the query as it was typed.
        query: as it was understood.
        total: how many there are; at least so many if ``more``.
        more: there are more than were counted.
        exact: the name that was asked for, if that is the first of these results.
        results: of this page, the exact one first, then best first.
        did_you_mean: a query that may have been meant.
        unknown: the name in ``pkg:NAME`` if nobody has told of that; else empty.
        near: names like it.
        readings: how ``@USER`` can be read.
        notes: what else is to be said.
        at: the day that was asked for, since 1970; None: now.
        size: results on a page.
        page: which page this is, from 1.
    """

    typed: str
    query: str
    total: int
    more: bool
    exact: str | None
    results: tuple[Result, ...]
    did_you_mean: str | None
    unknown: str
    near: tuple[str, ...]
    readings: tuple[Way, ...]
    notes: tuple[str, ...]
    at: int | None
    size: int
    page: int

    @property
    def first(self) -> Result | None:
        """The package of the name that was asked for."""
        return self.results[0] if self.exact is not None else None

    @property
    def others(self) -> tuple[Result, ...]:
        """The rest."""
        return self.results[self.exact is not None :]

    @property
    def pages(self) -> int:
        """The last page that can be asked for."""
        return min(-(-self.total // self.size), bounds.PAGE_MAX)


def told(
    typed: str,
    found: SearchResult,
    details: Mapping[str, Details],
    near: tuple[str, ...] = (),
    *,
    size: int,
    page: int,
) -> Found:
    """All of it.

    Args:
        typed: the query as it was typed.
        found: what the search answers.
        details: of its packages, as far as their manifests were told.
        near: names like the one that was asked for.
        size, page: as asked.
    """
    return Found(
        typed=typed,
        query=to_text(found.query),
        total=found.total,
        more=found.more,
        exact=None if found.exact is None else found.exact.name,
        results=tuple(_result(one, details.get(one.name)) for one in found.hits),
        did_you_mean=found.did_you_mean,
        unknown=unknown(found),
        near=near,
        readings=tuple(_way(one, found.query.person) for one in found.readings),
        notes=found.notes,
        at=found.query.at,
        size=size,
        page=page,
    )


def unknown(found: SearchResult) -> str:
    """The package that was asked for by ``pkg:``, if nobody has told of it; else empty."""
    return found.query.package or "" if found.exact is None and not found.total else ""


def feed_of(found: Found, now: int) -> Feed:
    """For who follows a query: what the page shows, the last changed first.

    An item is a version of a package that stands among the results, so a reader is told once of a
    package that comes to match, and again of each version that it gets while it does. That a rank
    or a number has changed is no news. ``sort:updated`` follows all that match, not the best.

    Args:
        found: the page.
        now: the time, ms since 1970: when a package is news of which nobody told when it changed.
    """
    items = sorted((_item(found.query, one) for one in found.results), key=lambda one: -one.updated)
    updated = max((one.updated for one in items), default=0) or now
    return Feed(urn("search", found.query), f"Search: {found.typed}", updated, tuple(items))


def table_of(found: Found) -> Table:
    """The page, a package a row."""
    return Table(HEADERS, [_row(one) for one in found.results])


def _result(one: Hit, details: Details | None) -> Result:
    known: dict[str, Any] = {}
    if details is not None:
        known = {name: getattr(details, name) for name in TOLD}
    return Result(
        name=one.name,
        version=one.version,
        downloads=one.downloads,
        summary=one.summary,
        modified=one.modified,
        score=one.score,
        explain=one.parts,
        **known,
    )


def _way(one: Reading, person: str | None) -> Way:
    page = {"scope": addresses.scope, "maintainer": addresses.user}.get(one.meaning)
    return Way(*one, path=page(person) if page and person else "")


def _item(query: str, one: Result) -> Item:
    return Item(
        id=urn("search", query, one.name, one.version),
        title=f"{one.name} {one.version}",
        updated=one.modified,
        summary=one.summary,
        link=addresses.package(one.name),
        tags=one.keywords,
    )


def _row(one: Result) -> tuple[str | int | None, ...]:
    return (
        one.name,
        one.version,
        one.downloads,
        date(one.modified) if one.modified else None,
        one.licence,
        " ".join(one.keywords),
        one.deprecated,
        one.summary,
    )
