"""All packages of a user, or in a scope: what there is, and what to work on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pkgstats.charts.sparklines import spark_path
from pkgstats.records.names import is_package_name
from pkgstats.syndication import Feed, Item, urn
from pkgstats.web import addresses, bounds
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.pages import figures
from pkgstats.web.pages.errors import trouble
from pkgstats.web.render import date
from pkgstats.web.site import Page, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from pkgstats.stats import Growth
    from pkgstats.view.facts import Details, ListingRow
    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

SIZE: Final = 60
"""Packages on a page, as many as its budget allows."""

PAGE_MAX: Final = 200
"""Pages that can be asked for."""

USER_CHARACTERS_MAX: Final = 256
"""Of a user's name, as records have it."""

GROWTH_OF: Final = 500
"""Packages, the most downloaded ones, of which the growth is compared: it takes all their days."""

FEED_ITEMS: Final = 50
"""Packages in the feed, those with the newest versions."""

OLD_MS: Final = 3 * 365 * figures.DAY_MS
"""A package of which nothing has changed for so long is marked as old."""

SORTS: Final = ("downloads", "updated", "name", "growth")


@dataclass(frozen=True, slots=True)
class Theirs:
    """A package of theirs.

    Attributes:
        name, version, downloads, state: as in `ListingRow`.
        updated: when it was last published or changed, ms; None where no manifest was told.
        growth: a month's downloads to those of the month before; None where not enough was told.
        weeks: downloads of the last weeks, oldest first; empty where none were told.
        deprecated: the notice; empty if it is not.
        marks: what may want work: ``deprecated``, ``no types``, ``old``, ``said to be gone``.
    """

    name: str
    version: str
    downloads: int
    state: str
    updated: int | None
    growth: float | None
    weeks: tuple[int | None, ...]
    deprecated: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class People:
    """The packages of a user, or in a scope.

    Attributes:
        kind: ``user`` or ``scope``.
        name: of the user or the scope, without its ``@``.
        total: packages, at most 10,000.
        downloads: of them together in a month.
        deprecated: how many of them are.
        other: how many the other reading of the name has: the scope's, or the user's.
        sort: what they are sorted by; page, pages: which of them these are.
        packages: these.
    """

    kind: str
    name: str
    total: int
    downloads: int
    deprecated: int
    other: int
    sort: str
    page: int
    pages: int
    packages: tuple[Theirs, ...]


@dataclass(frozen=True, slots=True)
class Everything:
    """What the view has of them: all rows in order, and what stands beside those of one page."""

    rows: list[ListingRow]
    details: Mapping[str, Details]
    growth: Mapping[str, Growth]
    weeks: Mapping[str, tuple[int | None, ...]]
    other: int


async def user(site: Site, request: Request) -> Page:
    """The packages that a user maintains."""
    return await _people(site, request, "user")


async def scope(site: Site, request: Request) -> Page:
    """The packages in a scope."""
    return await _people(site, request, "scope")


async def _people(site: Site, request: Request, kind: str) -> Page:
    name = request.path_params["name"].removeprefix("@")
    sort = request.query_params.get("sort") or SORTS[0]
    if sort not in SORTS:
        raise BadRequestError(f"sort is one of {', '.join(SORTS)}")
    number = bounds.whole_number(request.query_params, "page", 1, PAGE_MAX)
    whole = request.scope.get("format") == "csv"
    now = site.clock()
    found = None
    if _is_name(kind, name):
        found = await site.ask(lambda view: gather(view, kind, name, sort, number, now, whole))
    if found is None or (not found.rows and not found.other):
        sentence = f"No package was told of that is {WORDS[kind]} {name}."
        return trouble("Not found", sentence, 404, query=f"@{name}")
    pages = max(1, -(-len(found.rows) // SIZE))
    if number > pages:
        return trouble("Not found", f"There are {pages} pages of them.", 404)
    return _page(kind, name, found, sort, number, now)


WORDS: Final = {"user": "maintained by", "scope": "in the scope"}


def gather(
    view: View, kind: str, name: str, sort: str, number: int, now: int, whole: bool
) -> Everything:
    """Read the packages of a user or a scope.

    Args:
        view: where they are.
        kind, name: whose.
        sort: one of `SORTS`.
        number: of the page of which the numbers are read.
        now: ms.
        whole: all are wanted, not one page.
    """
    rows = view.by_maintainer(name) if kind == "user" else view.in_scope(name)
    other = len(view.in_scope(name) if kind == "user" else view.by_maintainer(name))
    details = view.details_of(row.name for row in rows)
    growth = {}
    if sort == "growth" or whole:
        growth = figures.growths(view, [row.name for row in rows[:GROWTH_OF]], now)
    rows = sorted_by(sort, rows, details, growth)
    shown = [row.name for row in rows[(number - 1) * SIZE : number * SIZE]]
    if not growth:
        growth = figures.growths(view, shown, now)
    return Everything(rows, details, growth, figures.weeks_of(view, shown, now), other)


def sorted_by(
    sort: str,
    rows: Sequence[ListingRow],
    details: Mapping[str, Details],
    growth: Mapping[str, Growth],
) -> list[ListingRow]:
    """Rows (most downloaded first) in an order of `SORTS`; what is not known comes last."""
    if sort == "name":
        return sorted(rows, key=lambda row: row.name)
    if sort == "updated":
        return sorted(
            rows,
            key=lambda row: details[row.name].modified if row.name in details else 0,
            reverse=True,
        )
    if sort == "growth":
        return sorted(rows, key=lambda row: _ratio(growth, row.name) or 0.0, reverse=True)
    return list(rows)


def theirs(row: ListingRow, found: Everything, now: int) -> Theirs:
    """One package; ``now`` (ms) says what is old."""
    told = found.details.get(row.name)
    updated = told.modified if told else None
    marks = []
    if told and told.deprecated:
        marks.append("deprecated")
    if told and told.types == "none":
        marks.append("no types")
    if updated is not None and now - updated > OLD_MS:
        marks.append("old")
    if row.state != "here":
        marks.append("said to be gone")
    return Theirs(
        name=row.name,
        version=row.version,
        downloads=row.downloads,
        state=row.state,
        updated=updated,
        growth=_ratio(found.growth, row.name),
        weeks=found.weeks.get(row.name, ()),
        deprecated=told.deprecated if told else "",
        marks=tuple(marks),
    )


def _is_name(kind: str, name: str) -> bool:
    if kind == "scope":
        return is_package_name(f"@{name}/x")
    return 0 < len(name) <= USER_CHARACTERS_MAX


def _ratio(growth: Mapping[str, Growth], name: str) -> float | None:
    return growth[name].ratio if name in growth else None


def _page(kind: str, name: str, found: Everything, sort: str, number: int, now: int) -> Page:
    rows = found.rows
    path = addresses.user(name) if kind == "user" else addresses.scope(name)
    title = name if kind == "user" else f"@{name}"
    data = People(
        kind=kind,
        name=name,
        total=len(rows),
        downloads=sum(row.downloads for row in rows),
        deprecated=sum(bool(one.deprecated) for one in found.details.values()),
        other=found.other,
        sort=sort,
        page=number,
        pages=max(1, -(-len(rows) // SIZE)),
        packages=tuple(
            theirs(row, found, now) for row in rows[(number - 1) * SIZE : number * SIZE]
        ),
    )
    return Page(
        template="people.html",
        title=f"Packages of {title}" if kind == "user" else f"Packages in {title}",
        data=data,
        description=f"{len(rows):,} npm packages {WORDS[kind]} {name}, with their downloads.",
        path=_path(path, sort, number),
        query=f"@{name}",
        feed=partial(_feed, kind, title, found),
        table=partial(_table, rows, found, now),
        listed=sort == SORTS[0],
        extra={"spark": spark_path, "bare": path, "sorts": SORTS, "now": now},
    )


def _path(path: str, sort: str, number: int) -> str:
    asked = [f"sort={sort}"] if sort != SORTS[0] else []
    asked += [f"page={number}"] if number > 1 else []
    return path + ("?" + "&".join(asked) if asked else "")


def _feed(kind: str, title: str, found: Everything) -> Feed:
    """The packages whose newest version is newest."""
    known = sorted_by("updated", found.rows, found.details, {})[:FEED_ITEMS]
    items = tuple(
        Item(
            id=urn("version", row.name, row.version),
            title=f"{row.name} {row.version}",
            updated=found.details[row.name].modified,
            summary=row.summary,
            link=addresses.package(row.name),
        )
        for row in known
        if row.name in found.details
    )
    updated = max((item.updated for item in items), default=0)
    return Feed(urn(kind, title), f"Packages of {title}", updated, items)


def _table(rows: Sequence[ListingRow], found: Everything, now: int) -> Table:
    headers = ("name", "version", "downloads_a_month", "growth", "updated", "marks")
    told = (theirs(row, found, now) for row in rows)
    return Table(
        headers,
        [
            (
                one.name,
                one.version,
                one.downloads,
                one.growth if one.growth is None else round(one.growth, 4),
                date(one.updated) if one.updated else None,
                ", ".join(one.marks),
            )
            for one in told
        ],
    )
