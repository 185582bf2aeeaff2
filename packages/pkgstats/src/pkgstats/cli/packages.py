"""``pkgstats show``, ``compare`` and ``user``: what the view says of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pkgstats.cli.asking import ask_serve
from pkgstats.cli.folder import opened, prepared_group
from pkgstats.cli.options import data_option, json_option, parsed_day
from pkgstats.cli.output import (
    cell,
    clean,
    console,
    date_of,
    day_of,
    number,
    short,
    show_json,
    sparkline,
    table,
)
from pkgstats.cli.running import FoundNothing, run
from pkgstats.folder import DAY_MS
from pkgstats.growth import growth_of
from pkgstats.indexer import now_ms
from pkgstats.node import Node
from pkgstats.plain import everything
from pkgstats.readmes import ReadmeError
from pkgstats.records.names import NAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pkgstats.group import Group
    from pkgstats.view.facts import DayFacts, ListingRow, PackageFacts
    from pkgstats.view.reading import View

VERSIONS_SHOWN: Final = 8
DEPENDENTS_SHOWN: Final = 8
WEEKS_SHOWN: Final = 52
USER_SHOWN: Final = 50
BAR: Final = 12

WEEK: Final = 7


@click.command()
@click.argument("name")
@click.option(
    "--at",
    "day",
    metavar="DATE",
    callback=parsed_day,
    help="Show what was known at the end of that day (UTC), like 2026-01-31.",
)
@click.option(
    "--readme",
    is_flag=True,
    help="Show its readme, which is fetched from a peer if it is not here and `serve` runs.",
)
@data_option
@json_option
def show(folder: Path, name: str, day: int | None, readme: bool, as_json: bool) -> None:
    """Show all that is known of a package."""
    if readme:
        text = readme_from(folder, name)
        show_json({"name": name, "readme": text}) if as_json else click.echo(shown(text))
        return
    with opened(folder, day) as here:
        facts = here.view.package(name)
        if facts is None:
            raise not_known(here.suggest(name), name, as_json)
        if as_json:
            show_json(everything(here.view, name))
        else:
            show_package(here.view, facts)


def shown(text: str) -> str:
    """A text of several lines that came from elsewhere, safe for a terminal."""
    return "\n".join(clean(line) for line in text.splitlines())


def readme_from(folder: Path, name: str) -> str:
    """A readme: asked of a running `serve`, which has peers, or read from the feeds here."""
    told = ask_serve(folder, "GET", "readme", name=name)
    return told if isinstance(told, str) else run(read_readme(folder, prepared_group(folder), name))


async def read_readme(folder: Path, group: Group, name: str) -> str:
    """A readme that is here."""
    async with Node(folder, group) as node:
        try:
            return await node.readme(name)
        except ReadmeError as error:
            raise click.ClickException(f"{error}; is `pkgstats serve` running?") from error


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@data_option
@json_option
def compare(folder: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Put packages side by side."""
    with opened(folder) as here:
        found = [here.view.package(name) for name in dict.fromkeys(names)]
        known = [facts for facts in found if facts is not None]
        if as_json:
            show_json([everything(here.view, facts.name) for facts in known])
        elif known:
            show_compared(here.view, known)
        missing = [name for name in names if name not in {facts.name for facts in known}]
        if missing:
            raise not_known(here.suggest(missing[0]), missing[0], as_json)


@click.command()
@click.argument("name")
@data_option
@json_option
def user(folder: Path, name: str, as_json: bool) -> None:
    """Show a user's packages, and the scope of that name."""
    bare = name.lstrip("@~")
    with opened(folder) as here:
        scope, maintained = here.view.in_scope(bare), here.view.by_maintainer(bare)
    if as_json:
        show_json({"name": bare, "scope": scope, "maintainer": maintained})
    for title, rows in (("in the scope @", scope), ("maintained by ~", maintained)):
        if rows and not as_json:
            some = "1 package" if len(rows) == 1 else f"{number(len(rows))} packages"
            click.echo(f"{some} {title}{clean(bare)}")
            show_rows(rows)
    if not (scope or maintained):
        if not as_json:
            click.echo(
                f"{clean(bare[:NAME_BYTES_MAX])}: no such scope, and nobody has told of such a"
                " maintainer; `pkgstats crawl @USER` looks them up",
                err=True,
            )
        raise FoundNothing


def not_known(similar: Sequence[str], name: str, as_json: bool) -> FoundNothing:
    """Say that nobody has told of a package, and what else there is."""
    if as_json:
        show_json({"error": "not known", "name": name, "did_you_mean": list(similar)})
    else:
        click.echo(f"{clean(name[:NAME_BYTES_MAX])}: nobody has told of this package", err=True)
        if similar:
            click.echo(f"  did you mean: {', '.join(map(clean, similar))}", err=True)
    return FoundNothing()


def show_package(view: View, facts: PackageFacts) -> None:
    """A package for people: what is not known is left out."""
    out = console()
    out.print(Text.assemble((clean(facts.name), "bold"), " ", clean(facts.version)))
    if facts.summary:
        out.print(cell(facts.summary))
    if facts.state != "here":
        out.print(Text(f"{facts.state}: it is said to be gone", style="red"))
    lines = table([("", "left"), ("", "fold")], list(lines_of(facts, view)), out=out)
    lines.show_header = False
    out.print(lines)
    show_versions(view, facts.name)


def lines_of(facts: PackageFacts, view: View) -> Iterator[tuple[str, str]]:
    """What stands beside a name: titles and values."""
    yield "downloads a month", number(facts.downloads)
    weekly = weeks_of(view.days(facts.name))
    if weekly:
        counts = [count for _, count in weekly]
        yield "a week", f"{sparkline(counts)}  {number(counts[-1])} up to {weekly[-1][0]}"
        yield "growth", growth_text(view, facts.name)
    told = facts.snapshot
    if told is not None:
        for title, value in (
            ("deprecated", told.deprecated),
            ("licence", told.licence),
            ("maintainers", ", ".join(told.maintainers)),
            ("keywords", ", ".join(told.keywords)),
            ("repository", told.repository),
            ("homepage", told.homepage),
            ("depends on", ", ".join(told.dependencies or ())),
            ("types", told.types if told.types != "none" else ""),
            ("modified", day_of(told.modified) if told.modified else ""),
        ):
            if value:
                yield title, value
    dependents = view.dependents(facts.name, DEPENDENTS_SHOWN)
    if dependents:
        yield "used by", ", ".join(row.name for row in dependents)
    titles = {one.key: one.card.title for one in view.writers() if one.card}
    tellers = dict.fromkeys(key for key in (facts.told_by, facts.listed_by) if key)
    yield "told by", ", ".join(f"{titles.get(key, '-')} ({short(key)})" for key in tellers)
    yield "seen", day_of(facts.observed_at)


def growth_text(view: View, name: str) -> str:
    """The last 30 days against those before, and what was left out of them."""
    grown = growth_of(view, [name], now_ms() // DAY_MS).get(name)
    if grown is None or grown.ratio is None:
        return "not known: too few days were told"
    outages = grown.now.outages + grown.before.outages
    without = f"; without {outages} days on which nobody was counted" if outages else ""
    return f"{grown.ratio - 1:+.1%} against the 30 days before{without}"


def show_versions(view: View, name: str) -> None:
    """The newest versions, with their downloads in the last week that was told."""
    versions = view.versions(name)[-VERSIONS_SHOWN:]
    if not versions:
        return
    weekly = {week.version: week.count for week in view.weeks(name)}
    columns = [("version", "left"), ("published", "left"), ("a week", "right"), ("", "cut")]
    rows = [
        (
            one.version,
            day_of(one.published) if one.published else "-",
            number(weekly.get(one.version)),
            one.deprecated or ("gone" if one.state != "here" else ""),
        )
        for one in reversed(versions)
    ]
    out = console()
    out.print(table(columns, rows, out=out))


def show_compared(view: View, packages: Sequence[PackageFacts]) -> None:
    """Packages side by side, one a line."""
    high = max(facts.downloads or 0 for facts in packages)
    columns = [
        ("package", "left"),
        ("version", "left"),
        ("a month", "right"),
        ("", "left"),
        ("licence", "left"),
        ("modified", "more left"),
        ("needs", "more right"),
        ("a week", "cut"),
    ]
    rows = []
    for facts in packages:
        told = facts.snapshot
        bar = "█" * round(BAR * (facts.downloads or 0) / high) if high else ""
        rows.append(
            (
                facts.name,
                facts.version,
                number(facts.downloads),
                bar or "▏",
                told.licence if told else "-",
                day_of(told.modified) if told and told.modified else "-",
                number(len(told.dependencies or ())) if told else "-",
                sparkline([count for _, count in weeks_of(view.days(facts.name))]),
            )
        )
    out = console()
    out.print(table(columns, rows, out=out))


def show_rows(rows: Sequence[ListingRow]) -> None:
    """Packages as a list."""
    columns = [("package", "left"), ("version", "left"), ("a month", "right"), ("", "cut")]
    shown = [(one.name, one.version, number(one.downloads), one.summary) for one in rows]
    out = console()
    out.print(table(columns, shown[:USER_SHOWN], out=out))
    if len(rows) > USER_SHOWN:
        click.echo(f"… and {number(len(rows) - USER_SHOWN)} more; --json has all", err=True)


def weeks_of(days: Sequence[DayFacts]) -> list[tuple[str, int]]:
    """Downloads in the last whole weeks that were told, by the date of their last day."""
    by_day = {one.day: one.count for one in days}
    last = max(by_day, default=0)
    found: list[tuple[str, int]] = []
    for end in range(last, last - WEEKS_SHOWN * WEEK, -WEEK):
        week = range(end - WEEK + 1, end + 1)
        if not all(day in by_day for day in week):
            break
        found.append((date_of(end), sum(by_day[day] for day in week)))
    return found[::-1]
