"""``pkgstats search``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from pkgstats.cli.folder import opened
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import cell, clean, console, number, show_json, table
from pkgstats.cli.running import FoundNothing
from pkgstats.plain import search_as_json
from pkgstats.search.parse import parse
from pkgstats.search.query import QueryError
from pkgstats.web.bounds import PAGE_MAX, SIZE_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from pkgstats.search.results import Hit, SearchResult

EXAMPLES = """
\b
Examples:
  pkgstats search react table            words of the name, the summary or the keywords
  pkgstats search '"rate limiting"'      words side by side
  pkgstats search http -client           without a word
  pkgstats search @types                 a scope, and a user of that name
  pkgstats search 'csv license:mit downloads:>1e5 sort:downloads'
  pkgstats search react at:2026-11-01    what was known at the end of that day
"""


@click.command(
    epilog=EXAMPLES,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option(
    "--size",
    default=10,
    show_default=True,
    type=click.IntRange(1, SIZE_MAX),
    help="Packages on a page.",
)
@click.option(
    "--page", default=1, show_default=True, type=click.IntRange(1, PAGE_MAX), help="Which page."
)
@click.option("--explain", is_flag=True, help="Show why each stands where it stands.")
@data_option
@json_option
def search(
    folder: Path, words: tuple[str, ...], size: int, page: int, explain: bool, as_json: bool
) -> None:
    """Search packages on this machine; no query leaves it.

    Also: pkg:NAME, scope:, maintainer:, keywords:, license:, dep:, is:, not:, downloads:,
    updated:, at: and sort:.
    """
    for word in words:
        if word.startswith("--"):  # of one dash and a word the query makes sense
            raise click.NoSuchOption(word)
    text = " ".join(words)
    try:
        query = parse(text)
        with opened(folder, query.at) as here:
            found = here.search(query, size, page)
    except QueryError as error:
        show_wrong_query(text, error, as_json)
        raise FoundNothing from error
    if as_json:
        show_json(search_as_json(found, explain=explain))
    else:
        show_results(found, explain=explain)
    if not found.hits:
        raise FoundNothing


def show_results(found: SearchResult, *, explain: bool = False) -> None:
    """Results for people."""
    out = console()
    for note in found.notes:
        out.print(cell(note, "dim"))
    if found.hits:
        columns = [("package", "left"), ("version", "left"), ("a month", "right"), ("", "cut")]
        rows = [
            (
                cell(hit.name, "bold" if hit is found.exact else ""),
                hit.version,
                number(hit.downloads),
                hit.summary,
            )
            for hit in found.hits
        ]
        out.print(table(columns, rows, out=out))
    more = "at least " if found.more and found.total else ""
    out.print(cell(f"{more}{number(found.total)} found", "dim"))
    if found.did_you_mean:
        out.print(Text.assemble("did you mean: ", (clean(found.did_you_mean), "bold")))
    for reading in found.readings:
        out.print(cell(f"{number(reading.packages)} as {reading.meaning}: {reading.query}", "dim"))
    if explain:
        for hit in found.hits:
            show_why(out, hit)


def show_why(out: Console, hit: Hit) -> None:
    """The parts of a score."""
    out.print(Text.assemble((clean(hit.name), "bold"), f"  {hit.score:.2f}"))
    for part in hit.parts:
        out.print(Text(f"  {part.points:+6.2f}  {clean(part.meaning)}"))


def show_wrong_query(text: str, error: QueryError, as_json: bool) -> None:
    """What is wrong with a query, and where."""
    if as_json:
        told = {"offset": error.offset, "length": error.length, "suggestion": error.suggestion}
        show_json({"error": error.sentence, **told})
        return
    click.echo(f"Error: {clean(error.sentence)}", err=True)
    line = "".join(one if one.isprintable() else " " for one in text)
    click.echo(f"  {line}", err=True)
    click.echo(f"  {' ' * error.offset}{'^' * max(1, error.length)}", err=True)
    if error.suggestion:
        click.echo(f"  did you mean: {clean(error.suggestion)}", err=True)
