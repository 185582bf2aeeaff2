"""A package: what it is, how much it is used, and who says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pkgstats.charts.lines import line_chart
from pkgstats.charts.model import Series
from pkgstats.past import BeingMadeError, date_of, end_of
from pkgstats.records.names import is_package_name
from pkgstats.stats import MONTH
from pkgstats.web import addresses
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.door import FetchError
from pkgstats.web.guard import WITH_IMAGES
from pkgstats.web.pages import figures, links, readme
from pkgstats.web.pages.errors import trouble, unknown_package
from pkgstats.web.pages.versions import feed_of, newest_first
from pkgstats.web.site import Page, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from pkgstats.charts.model import Chart
    from pkgstats.charts.resampling import Resolution
    from pkgstats.stats import Growth
    from pkgstats.view.facts import DayFacts, ListingRow, PackageFacts, VersionFacts
    from pkgstats.view.reading import View
    from pkgstats.web.pages.readme import Readme
    from pkgstats.web.site import Site

FETCH_S: Final = 8.0
"""How long a reader waits for a package that is looked up; it goes on without the reader."""

NEWEST: Final = 8
"""Versions on the page; all are on a page of their own."""

DEPENDENTS: Final = 10
"""Dependents on the page, the most downloaded ones."""

SPANS: Final[dict[Resolution, int]] = {"day": 4 * MONTH, "week": 156 * 7, "month": 4000}
"""Days that are drawn by day, week and month: no line has more points than can be seen."""


@dataclass(frozen=True, slots=True)
class Teller:
    """A writer whose word counts here.

    Attributes:
        writer: its key.
        title: what it calls itself; empty if it has not said.
        about: what is taken from it.
        seen: when it saw the latest of this, ms.
    """

    writer: bytes
    title: str
    about: tuple[str, ...]
    seen: int


@dataclass(frozen=True, slots=True)
class PackagePage:
    """A package.

    Attributes:
        package: what counts now: list row and manifest.
        at: the day whose end is shown, since 1970; None: now.
        looked_up: it was not held, and was looked up for this page.
        version: its version as an event, if one was told.
        newest: the newest versions.
        versions: how many were told.
        growth: the last 30 days against the 30 before.
        days: downloads by day, all that were told.
        disputed: of how many of these days writers tell different counts.
        outages: days on which the registry counted nothing at all.
        dependents: the most downloaded packages that depend on it.
        dependents_count: how many do.
        links: where it can be found elsewhere.
        tellers: who says so.
    """

    package: PackageFacts
    at: int | None
    looked_up: bool
    version: VersionFacts | None
    newest: tuple[VersionFacts, ...]
    versions: int
    growth: Growth | None
    days: tuple[DayFacts, ...]
    disputed: int
    outages: tuple[int, ...]
    dependents: tuple[ListingRow, ...]
    dependents_count: int
    links: links.Links
    tellers: tuple[Teller, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for besides the name."""

    at: int | None
    by: Resolution | None
    images: bool


async def package(site: Site, request: Request) -> Page:
    """All that is known of a package."""
    name = request.path_params["name"]
    if not is_package_name(name):
        return trouble("Not found", "No package can have this name.", 404)
    asked = _asked(request)
    found = await _found(site, name, asked.at)
    if found is None and asked.at is None:
        answer = await _look_up(site, name)
        if answer is not None:
            return answer
        found = await _found(site, name, None, looked_up=True)
    if found is None:
        return await unknown_package(site, name)
    wanted = request.scope.get("format", "html") == "html"
    text = await readme.readme_of(site, found.package, images=asked.images) if wanted else None
    return _page(found, asked, text)


def gather(view: View, name: str, now: int, at: int | None, looked_up: bool) -> PackagePage | None:
    """What the view knows of a package; None: nothing.

    Args:
        view: of the state that is shown.
        name: of the package.
        now: ms; the end of the day where it is a past one.
        at: that day.
        looked_up: whether it was just looked up.
    """
    facts = view.package(name)
    if facts is None:
        return None
    versions = newest_first(view.versions(name))
    days = tuple(view.days(name))
    dependents = view.dependents_counted(name)
    outages = figures.outages(view, now) if days else frozenset()
    return PackagePage(
        package=facts,
        at=at,
        looked_up=looked_up,
        version=next((one for one in versions if one.version == facts.version), None),
        newest=tuple(versions[:NEWEST]),
        versions=len(versions),
        growth=figures.growth_in(days, now, outages),
        days=days,
        disputed=sum(one.disputed for one in days),
        outages=tuple(sorted(outages & {one.day for one in days})),
        dependents=tuple(view.dependents(name, DEPENDENTS)) if dependents else (),
        dependents_count=dependents,
        links=links.links_of(facts),
        tellers=tellers_of(facts, versions, days, view.titles()),
    )


def tellers_of(
    facts: PackageFacts,
    versions: Sequence[VersionFacts],
    days: Sequence[DayFacts],
    titles: dict[bytes, str],
) -> tuple[Teller, ...]:
    """Whose words are shown, the latest first."""
    told: dict[bytes, dict[str, int]] = {}
    if facts.listed_by is not None:
        told.setdefault(facts.listed_by, {})["downloads a month"] = (
            facts.observed_at if facts.listed_by == facts.told_by or not facts.snapshot else 0
        )
    if facts.told_by is not None and facts.snapshot is not None:
        told.setdefault(facts.told_by, {})["manifest"] = facts.snapshot.observed_at
    for about, said in (("versions", versions), ("downloads by day", days)):
        for one in said:
            words = told.setdefault(one.writer, {})
            words[about] = max(words.get(about, 0), one.observed_at)
    found = [
        Teller(writer, titles.get(writer, ""), tuple(words), max(words.values()))
        for writer, words in told.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.seen, one.writer)))


# --- what is asked, and what is not here


def _asked(request: Request) -> Asked:
    if not request.scope["query_string"]:  # as nearly always
        return Asked(None, None, images=False)
    by: Resolution | None = None
    match request.query_params.get("by"):
        case None | "":
            pass
        case "day" | "week" | "month" as chosen:
            by = chosen
        case _:
            raise BadRequestError("by is day, week or month")
    at = figures.day_asked(request.query_params.get("at"))
    return Asked(at, by, images=request.query_params.get("images") == "1")


async def _found(
    site: Site, name: str, at: int | None, *, looked_up: bool = False
) -> PackagePage | None:
    now = site.clock() if at is None else end_of(at)
    return await site.ask_at(lambda view: gather(view, name, now, at, looked_up), at)


async def _look_up(site: Site, name: str) -> Page | None:
    """Have a package looked up that is not held; None: it is held now, or nobody can say."""
    if site.door is None or not site.door.fetches:
        return None
    try:
        await asyncio.wait_for(site.door.fetch(name), FETCH_S)
    except (TimeoutError, BeingMadeError):
        sentence = f"{name} is not held here. It is being looked up: look again in a moment."
        return trouble(name, sentence, 202, later=True)
    except FetchError as error:
        return await unknown_package(site, name, f"{name} is not held here, and {error}.")
    return None


# --- the page


def _page(found: PackagePage, asked: Asked, text: Readme | None) -> Page:
    facts = found.package
    path = addresses.package(facts.name)
    by = asked.by or _fitting(found.days)
    at = "" if asked.at is None else f"at={date_of(asked.at)}"
    return Page(
        template="package.html",
        title=f"{facts.name} {facts.version}".rstrip(),
        data=found,
        description=facts.summary or f"The npm package {facts.name}: versions and downloads.",
        path=f"{path}?{at}" if at else path,
        feed=partial(feed_of, facts.name, found.newest, facts.observed_at),
        table=partial(_table, found.days),
        structured=_structured(found),
        headers={"content-security-policy": WITH_IMAGES} if asked.images else {},
        listed=facts.state == "here" and not at,
        lasts=not found.looked_up and (text is None or text.lasts),
        extra={
            "chart": _chart(found, by) if text is not None else None,
            "by": by,
            "readme": text,
            "here": f"{path}?{at}&" if at else f"{path}?",
        },
    )


def _table(days: Sequence[DayFacts]) -> Table:
    rows = [(date_of(one.day), one.count, "yes" if one.disputed else "") for one in days]
    return Table(("day", "downloads", "disputed"), rows)


def _fitting(days: Sequence[DayFacts]) -> Resolution:
    """By day if few were told, else by week: months are for who asks for them."""
    return "day" if not days or days[-1].day - days[0].day < SPANS["day"] else "week"


def _chart(found: PackagePage, by: Resolution) -> Chart | None:
    if not found.days:
        return None
    first = found.days[-1].day - SPANS[by]
    points = [(one.day, one.count) for one in found.days if one.day > first]
    return line_chart(
        [Series(found.package.name, points)],
        chart_id="downloads",
        title=f"Downloads of {found.package.name}",
        outages=found.outages,
        by=by,
    )


def _structured(found: PackagePage) -> dict[str, Any]:
    """What is known, in schema.org's words, and nothing else."""
    facts, manifest = found.package, found.package.snapshot
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "SoftwareSourceCode",
        "name": facts.name,
        "version": facts.version,
        "description": facts.summary,
        "codeRepository": found.links.repository,
        "url": found.links.homepage,
    }
    if manifest is not None:
        told["license"] = manifest.licence
        told["keywords"] = list(manifest.keywords[:20])
        told["maintainer"] = [{"@type": "Person", "name": one} for one in manifest.maintainers[:20]]
    if found.version is not None and found.version.published:
        told["datePublished"] = date_of(found.version.published // figures.DAY_MS)
    return {key: value for key, value in told.items() if value}
