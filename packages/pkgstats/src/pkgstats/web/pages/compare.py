"""Two to six packages side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pkgstats.charts.lines import line_chart
from pkgstats.charts.model import Series
from pkgstats.records.names import NAME_BYTES_MAX, is_package_name
from pkgstats.web import addresses
from pkgstats.web.pages import figures
from pkgstats.web.pages.errors import near
from pkgstats.web.render import date
from pkgstats.web.site import Page, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

    from pkgstats.charts.model import Chart
    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

NAMES_MIN: Final = 2
NAMES_MAX: Final = 6
"""Packages side by side: as many as lines can be told apart."""

READ_MAX: Final = 24
"""Names of an address that are read at all."""

NEAR: Final = 5
"""Near names of one that is not known."""

DAYS_BACK: Final = 156 * 7
"""Days that the chart goes back."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A package.

    Attributes:
        name, version, summary: as the list shows it.
        downloads: in a month; None where nobody has counted them.
        growth: a month's downloads to those of the month before; None where too little was told.
        published: when that version was, ms; None where it was not told.
        updated: when the package last changed, ms; licence, unpacked, types, module, deprecated:
            as in `Snapshot`; None where no manifest was told.
        dependencies: how many it has; None where no manifest was told.
        dependents: how many depend on it.
        days: downloads by day.
    """

    name: str
    version: str
    summary: str
    downloads: int | None
    growth: float | None
    published: int | None
    updated: int | None
    licence: str | None
    unpacked: int | None
    dependencies: int | None
    dependents: int
    types: str | None
    module: str | None
    deprecated: str | None
    days: dict[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Packages side by side.

    Attributes:
        packages: in the order of the address.
        unknown: names of which nobody has told, and near ones of each.
        more: names beyond those that can stand side by side.
        outages: days on which the registry counted nothing at all.
    """

    packages: tuple[Compared, ...]
    unknown: dict[str, tuple[str, ...]]
    more: tuple[str, ...]
    outages: tuple[int, ...]


async def compare(site: Site, request: Request) -> Page:
    """A comparison; with fewer than two packages, how to make one."""
    names = names_of(request.query_params.getlist("p"))
    chosen, more = names[:NAMES_MAX], names[NAMES_MAX:]
    now = site.clock()
    packages, outages = await site.ask(lambda view: gather(view, chosen, now))
    known = {one.name for one in packages}
    unknown = {}
    for name in chosen:
        if name not in known:
            unknown[name] = (await near(site, name))[:NEAR]
    data = Comparison(packages, unknown, tuple(more), outages)
    shown = [one.name for one in packages]
    return Page(
        template="compare.html",
        title=_title(shown),
        data=data,
        description=_description(shown),
        path=addresses.compare(shown) if shown else "/compare",
        table=partial(_table, packages),
        listed=len(shown) >= NAMES_MIN and not unknown,
        extra={
            "chart": _chart(packages, outages),
            "without": lambda name: addresses.compare(one for one in shown if one != name),
            "instead": lambda name: addresses.compare([*shown, name]),
            "names_max": NAMES_MAX,
        },
    )


def names_of(asked: Iterable[str]) -> list[str]:
    """The names that an address asks for, each once: ``p=a&p=b`` or ``p=a,b``."""
    found: dict[str, None] = {}
    for text in list(asked)[:READ_MAX]:
        for name in text[: READ_MAX * NAME_BYTES_MAX].split(",")[:READ_MAX]:
            if name.strip():
                found[name.strip()[:NAME_BYTES_MAX]] = None
    return list(found)[:READ_MAX]


def gather(
    view: View, names: Sequence[str], now: int
) -> tuple[tuple[Compared, ...], tuple[int, ...]]:
    """The packages of these that were told of, and days of outage."""
    today = now // figures.DAY_MS
    asked = [name for name in names if is_package_name(name)]
    growths = figures.growths(view, asked, now)
    days = view.days_of(asked, today - DAYS_BACK, today + 1)
    found = []
    for name in asked:
        ratio = growths[name].ratio if name in growths else None
        one = _compared(view, name, ratio, {day.day: day.count for day in days[name]})
        if one is not None:
            found.append(one)
    told = {day for one in found for day in one.days}
    return tuple(found), tuple(sorted(figures.outages(view, now) & told))


def _compared(view: View, name: str, growth: float | None, days: dict[int, int]) -> Compared | None:
    facts = view.package(name)
    if facts is None:
        return None
    told = facts.snapshot
    versions = {one.version: one.published for one in view.versions(name)}
    return Compared(
        name=name,
        version=facts.version,
        summary=facts.summary,
        downloads=facts.downloads,
        growth=growth,
        published=versions.get(facts.version) or None,
        updated=told.modified or None if told else None,
        licence=told.licence if told else None,
        unpacked=told.unpacked if told else None,
        dependencies=len(told.dependencies or {}) if told else None,
        dependents=view.dependents_counted(name),
        types=told.types if told else None,
        module=told.module if told else None,
        deprecated=told.deprecated if told else None,
        days=days,
    )


def _chart(packages: Sequence[Compared], outages: Sequence[int]) -> Chart | None:
    if not any(one.days for one in packages):
        return None
    return line_chart(
        [Series(one.name, list(one.days.items())) for one in packages],
        chart_id="compared",
        title="Downloads of " + ", ".join(one.name for one in packages),
        outages=outages,
    )


def _title(names: Sequence[str]) -> str:
    return " or ".join(names) if len(names) >= NAMES_MIN else "Compare packages"


def _description(names: Sequence[str]) -> str:
    if len(names) < NAMES_MIN:
        return "Compare the downloads, sizes and dependencies of npm packages."
    return f"Downloads, sizes and dependencies of {', '.join(names)} side by side."


def _table(packages: Sequence[Compared]) -> Table:
    headers = (
        *("name", "version", "published", "downloads_a_month", "growth", "licence", "unpacked"),
        *("dependencies", "dependents", "types", "module", "updated", "deprecated"),
    )
    return Table(
        headers,
        [
            (
                one.name,
                one.version,
                date(one.published) if one.published else None,
                one.downloads,
                one.growth if one.growth is None else round(one.growth, 4),
                one.licence,
                one.unpacked,
                one.dependencies,
                one.dependents,
                one.types,
                one.module,
                date(one.updated) if one.updated else None,
                one.deprecated,
            )
            for one in packages
        ],
    )
