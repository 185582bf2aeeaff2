"""``pkgstats stats``: totals, growth and outages, out of the days that were told."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from pkgstats import stats as statistics
from pkgstats.cli.folder import opened
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import cell, clean, console, date_of, number, show_json, sparkline, table
from pkgstats.cli.packages import not_known
from pkgstats.records.names import WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.view.reading import View

PERIODS: Final = (("week", statistics.WEEK), ("month", statistics.MONTH), ("year", statistics.YEAR))

SUMMED: Final = 1000
"""The most downloaded packages, by which the whole is judged."""

OUTAGES_SHOWN: Final = 10
WEEKS_SHOWN: Final = 52


@click.command()
@click.argument("name", required=False)
@data_option
@json_option
def stats(folder: Path, name: str | None, as_json: bool) -> None:
    """Show totals, growth and outages: of a package, or of the whole registry.

    Where nobody told of the whole, of the 1,000 most downloaded packages together. A period is
    compared with the one before it, day by day. An outage is a day on which nothing at all was
    counted; it is left out on both sides.
    """
    with opened(folder) as here:
        if name is not None and here.view.package(name) is None:
            raise not_known(here.suggest(name), name, as_json)
        found = gathered(here.view, name)
    if as_json:
        show_json(found)
    else:
        show_stats(found)


def gathered(view: View, name: str | None) -> dict[str, Any]:
    """What there is to say, for JSON and for people."""
    whole = _days(view, WHOLE)
    days = whole if name is None else _days(view, name)
    each = [] if days and days.keys() <= whole.keys() else _most_downloaded(view)
    outages = statistics.outages_of(each, whole)
    if name is None and not whole:
        days = dict(sum((Counter(one) for one in each), Counter()))
    stop = max(days, default=-1) + 1
    weeks = [one for one in statistics.weeks_of(days, outages) if one.told == statistics.WEEK]
    told = view.counts()
    return {
        "name": name,
        "packages": told.packages,
        "writers": told.writers,
        "of": "package" if name is not None else "registry" if whole else "most downloaded",
        "summed": 1 if name is not None else None if whole else len(each),
        "first_day": date_of(min(days)) if days else None,
        "last_day": date_of(stop - 1) if days else None,
        "growth": {title: statistics.growth(days, span, stop, outages) for title, span in PERIODS},
        "share": _shares(days, whole, stop) if name is not None and whole else None,
        "weeks": weeks[-WEEKS_SHOWN:],
        "outages": [date_of(day) for day in sorted(outages & set(days))],
    }


def _days(view: View, name: str) -> dict[int, int]:
    return {day.day: day.count for day in view.days(name)}


def _most_downloaded(view: View) -> list[dict[int, int]]:
    """The days of those of the most downloaded packages that somebody counted."""
    return [days for row in view.popular(SUMMED) if (days := _days(view, row.name))]


def _shares(days: dict[int, int], whole: dict[int, int], stop: int) -> dict[str, float]:
    """The part of all downloads of the registry that are a package's."""
    return {title: statistics.share(days, whole, stop - span, stop) for title, span in PERIODS}


def show_stats(found: dict[str, Any]) -> None:
    """As a table, with a line of weeks."""
    out = console()
    click.echo(
        f"{number(found['packages'])} packages, told of by {number(found['writers'])} writers"
    )
    if found["last_day"] is None:
        click.echo("nobody has told of downloads by day; `pkgstats crawl` asks for them", err=True)
        return
    many = f"{number(found['summed'] or 0)} of the most downloaded packages"
    of = clean(found["name"] or ("the whole registry" if found["of"] == "registry" else many))
    click.echo(f"{of}, {found['first_day']} to {found['last_day']}")
    columns = [
        ("last", "left"),
        ("downloads", "right"),
        ("before", "right"),
        ("growth", "right"),
        ("days told", "right"),
    ]
    rows = [
        (
            title,
            number(one.now.downloads),
            number(one.before.downloads),
            percent(one.ratio),
            number(one.now.told),
        )
        for title, one in found["growth"].items()
    ]
    out.print(table(columns, rows, out=out))
    if found["share"]:
        parts = ", ".join(f"{title} {part * 100:.3g} %" for title, part in found["share"].items())
        out.print(cell(f"of all downloads: {parts}"))
    if found["weeks"]:
        line = sparkline([one.downloads for one in found["weeks"]])
        out.print(cell(f"by week: {line}"))
    if found["outages"]:
        shown = ", ".join(found["outages"][-OUTAGES_SHOWN:])
        out.print(cell(f"{number(len(found['outages']))} outages: {shown}"))


def percent(ratio: float | None) -> str:
    """A ratio as people say it; a dash where too little is known."""
    return "-" if ratio is None else f"{round((ratio - 1) * 100, 1) + 0:+.1f} %"
