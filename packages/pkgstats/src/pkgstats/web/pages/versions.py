"""All versions of a package, and which of them are taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pkgstats.charts.majors import by_major
from pkgstats.charts.stacks import stacked_chart
from pkgstats.records.names import is_package_name
from pkgstats.syndication import Feed, Item, urn
from pkgstats.web import addresses, bounds
from pkgstats.web.pages.errors import trouble, unknown_package
from pkgstats.web.pages.figures import DAY_MS
from pkgstats.web.render import date
from pkgstats.web.site import Page, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

    from pkgstats.charts.model import Chart, Series
    from pkgstats.view.facts import VersionFacts
    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

    Week = tuple[str, int, int]
    """Version, last day, downloads."""

SIZE: Final = 100
"""Versions on a page."""

PAGE_MAX: Final = 1000
"""Pages that can be asked for: no package has as many versions."""

FEED_ITEMS: Final = 50
"""Versions in the feed."""

DAYS_BACK: Final = 156 * 7
"""Days of which downloads by version are drawn: three years."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version.

    Attributes:
        version, published, publisher, unpacked, deprecated, state: as in `VersionFacts`.
        downloads: in the last week that was told; None where nobody has told it.
    """

    version: str
    published: int
    publisher: str
    unpacked: int | None
    deprecated: str
    state: str
    downloads: int | None


@dataclass(frozen=True, slots=True)
class VersionsPage:
    """The versions of a package.

    Attributes:
        name: of the package.
        latest: the version that is shown as the package's.
        total: how many were told; page, pages: which of them these are.
        versions: newest first.
        week: the last day of the week that ``downloads`` are of; None: no week was told.
        majors: of each major version, the newest first, downloads by the last day of each week.
    """

    name: str
    latest: str
    total: int
    page: int
    pages: int
    versions: tuple[Version, ...]
    week: int | None
    majors: dict[str, dict[int, int | None]]


async def versions(site: Site, request: Request) -> Page:
    """A page of versions, and the chart of their adoption."""
    name = request.path_params["name"]
    number = bounds.whole_number(request.query_params, "page", 1, PAGE_MAX)
    found = None
    if is_package_name(name):
        start = site.clock() // DAY_MS - DAYS_BACK
        found = await site.ask(lambda view: gather(view, name, start))
    if found is None:
        return await unknown_package(site, name)
    told, weeks, latest, seen = found
    majors = by_major(weeks)
    rows = rows_of(told, weeks)
    pages = max(1, -(-len(rows) // SIZE))
    if number > pages:
        return trouble("Not found", f"There are {pages} pages of versions of {name}.", 404)
    path = addresses.versions(name)
    data = VersionsPage(
        name=name,
        latest=latest,
        total=len(rows),
        page=number,
        pages=pages,
        versions=rows[(number - 1) * SIZE : number * SIZE],
        week=weeks[-1][1] if weeks else None,
        majors={one.name: dict(one.points) for one in majors},
    )
    return Page(
        template="versions.html",
        title=f"Versions of {name}",
        data=data,
        description=f"All {len(rows):,} versions of {name}, and how many take which.",
        path=path if number == 1 else f"{path}?page={number}",
        feed=partial(feed_of, name, told[:FEED_ITEMS], seen),
        table=partial(_table, rows),
        extra={"chart": adoption(name, majors) if number == 1 else None, "bare": path},
    )


def gather(
    view: View, name: str, start: int
) -> tuple[list[VersionFacts], list[Week], str, int] | None:
    """Versions (newest first), weeks, and the package's version and when it was seen.

    Args:
        view: where they are.
        name: of the package; None is the answer if nobody has told of it.
        start: the first day of which downloads are read.
    """
    facts = view.package(name)
    if facts is None:
        return None
    told = newest_first(view.versions(name))
    return told, view.week_counts(name, start), facts.version, facts.observed_at


def newest_first(told: Iterable[VersionFacts]) -> list[VersionFacts]:
    """Versions by when they were published, those of an unknown time last."""
    return sorted(told, key=lambda one: (one.published, one.version), reverse=True)


def rows_of(told: Sequence[VersionFacts], weeks: Sequence[Week]) -> tuple[Version, ...]:
    """Versions (newest first) with their downloads in the last week that was told."""
    last = weeks[-1][1] if weeks else None
    counts = {version: count for version, day, count in weeks if day == last}
    return tuple(
        Version(
            version=one.version,
            published=one.published,
            publisher=one.publisher,
            unpacked=one.unpacked,
            deprecated=one.deprecated,
            state=one.state,
            downloads=counts.get(one.version),
        )
        for one in told
    )


def adoption(name: str, majors: Sequence[Series]) -> Chart | None:
    """Downloads by week, stacked by major version; None where none were told."""
    if not majors:
        return None
    return stacked_chart(majors, chart_id="adoption", title=f"Downloads of {name} by major version")


def feed_of(name: str, told: Sequence[VersionFacts], seen: int) -> Feed:
    """A feed of versions, newest first; ``seen`` (ms) is when the package was, if there is none."""
    items = tuple(
        Item(
            id=urn("version", name, one.version),
            title=f"{name} {one.version}",
            updated=one.published,
            summary=_sentence(name, one),
            link=addresses.versions(name),
        )
        for one in told
        if one.published and one.state == "here"
    )
    updated = max((item.updated for item in items), default=seen)
    return Feed(urn("versions", name), f"Versions of {name}", updated, items)


def _sentence(name: str, one: VersionFacts) -> str:
    by = f" by {one.publisher}" if one.publisher else ""
    gone = f" It is deprecated: {one.deprecated}" if one.deprecated else ""
    return f"Version {one.version} of {name} was published on {date(one.published)}{by}.{gone}"


def _table(rows: Sequence[Version]) -> Table:
    headers = ("version", "published", "publisher", "unpacked", "downloads", "deprecated", "state")
    return Table(
        headers,
        [
            (
                one.version,
                date(one.published) if one.published else None,
                one.publisher,
                one.unpacked,
                one.downloads,
                one.deprecated,
                one.state,
            )
            for one in rows
        ],
    )
