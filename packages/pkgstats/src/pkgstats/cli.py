"""The command line: ``pkgstats``, ``python -m pkgstats`` and ``run.py serve``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs
from rich.console import Console

from hypermultifeed import HypermultifeedError
from pkgstats.demo import WriterError, demonstrate
from pkgstats.reader import CheckError
from pkgstats.writer import run_writer

if TYPE_CHECKING:
    from pkgstats.lookup import Answer, Catalogue

PROMPT = "package name> "


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pkgstats")
def main() -> None:
    """Facts about npm packages, local first: shared by peers, looked up on this machine."""


@main.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: platformdirs.user_data_path("pkgstats", appauthor=False),
    show_default="the user's data folder",
    help="Where the three peers keep their feeds; a later run goes on with them.",
)
@click.option(
    "--lookup",
    "names",
    multiple=True,
    metavar="NAME",
    help="Answer this, then exit, instead of asking; may be repeated.",
)
def serve(data: Path, names: tuple[str, ...]) -> None:
    """Show two writers and a reader at work, then answer look-ups.

    On a terminal it asks for package names until Ctrl-D. Ctrl-C ends it at any time; the next run
    goes on from there.
    """
    console = Console()
    try:
        found = asyncio.run(demonstrate(data, console)).catalogue
        if names:
            known = [answer(found, name) for name in names]
            sys.exit(0 if all(known) else 1)
        if sys.stdin.isatty():
            ask(found)
    except KeyboardInterrupt:
        click.echo("\ninterrupted; the next run goes on from here", err=True)
        sys.exit(130)
    except (HypermultifeedError, OSError, WriterError, CheckError) as error:
        raise click.ClickException(str(error)) from error
    except BaseExceptionGroup as group:
        raise click.ClickException(str(first_error(group))) from group


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The innermost first error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@main.command(hidden=True)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="The folder of this writer."
)
@click.option("--part", type=int, required=True, help="Which part of the facts, from 0.")
@click.option("--parts", type=int, required=True, help="How many parts there are.")
def writer(data: Path, part: int, parts: int) -> None:
    """Be one writer; started by `serve`."""
    try:
        run_writer(data, part, parts)
    except (HypermultifeedError, OSError) as error:
        raise click.ClickException(str(error)) from error


def ask(catalogue: Catalogue) -> None:
    """Answer what a person types, until Ctrl-D; the tabulator completes names."""
    complete_names(catalogue)
    click.echo("Type a package's name, or how it begins; Ctrl-D ends.")
    while True:
        try:
            name = input(PROMPT).strip()
        except EOFError:
            click.echo()
            return
        if name:
            answer(catalogue, name)


def complete_names(catalogue: Catalogue) -> None:
    """Let the tabulator complete package names, where Python has readline."""
    with suppress(ImportError):
        import readline  # noqa: PLC0415 - some systems have none

        found: list[str] = []

        def complete(text: str, state: int) -> str | None:
            if state == 0:
                found[:] = catalogue.suggest(text, limit=50)
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" ")
        readline.parse_and_bind("tab: complete")


def answer(catalogue: Catalogue, name: str) -> bool:
    """Print what is known about a package, or what else there is; whether it is known."""
    found = catalogue.find(name)
    if found is not None:
        click.echo(sentence(found))
        return True
    similar = catalogue.suggest_longest(name)
    shown = "".join(one if one.isprintable() else "?" for one in name[:80])
    click.echo(f"{shown}: not among these {len(catalogue):,} packages")
    if similar:
        click.echo(f"  did you mean: {', '.join(similar)}")
    return False


def sentence(found: Answer) -> str:
    """An answer for a person."""
    fact = found.fact
    return (
        f"{fact.name} {fact.version}  {fact.downloads:,} downloads a month"
        f"  (said by {found.writer}, block {found.block:,})"
    )
