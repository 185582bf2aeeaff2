"""``pkgstats demo``, which ``run.py serve`` runs: two writers, a reader, then search."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from pkgstats.cli.demo_session import Session
from pkgstats.cli.options import data_option, parsed_key
from pkgstats.cli.output import console
from pkgstats.demo import demo_folder, run_writer
from pkgstats.group import Group

if TYPE_CHECKING:
    from pathlib import Path

PROMPT: Final = "search> "


@click.command()
@click.option(
    "--lookup",
    "names",
    multiple=True,
    metavar="NAME",
    help="Show this package, then exit, instead of asking; may be repeated.",
)
@click.option(
    "--port",
    default=8642,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the pages; 0, or one that is taken: any free one.",
)
@data_option
def demo(folder: Path, names: tuple[str, ...], port: int) -> None:
    """Show two writers and a reader at work, then search what they have told.

    On a terminal it asks for searches until Ctrl-D; elsewhere it answers on its pages until it is
    ended. Ctrl-C ends it at any time; the next run goes on from there.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    out = console()
    with Session(demo_folder(folder), out, None if names else port) as running:
        if names:
            known = [running.look_up(name) for name in names]
            sys.exit(0 if all(known) else 1)
        if sys.stdin.isatty():
            ask(running)
        else:
            running.wait()


@click.command(hidden=True)
@data_option
@click.option("--group", "key", callback=parsed_key, required=True, help="The group's key.")
@click.option("--part", type=int, required=True, help="Which part of the facts, from 0.")
@click.option("--parts", type=int, required=True, help="How many parts there are.")
def writer(folder: Path, key: bytes, part: int, parts: int) -> None:
    """Be one writer; started by `demo`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_writer(folder, Group.join(folder, key), part, parts)


def ask(running: Session) -> None:
    """Search what a person types, until Ctrl-D; the tabulator completes names."""
    complete_names(running)
    running.out.print(
        Text.assemble(
            "Type a search (",
            ("react table", "bold"),
            ", ",
            ("@types", "bold"),
            ", ",
            ("csv downloads:>1e5", "bold"),
            ") or a package's name; Ctrl-D ends.",
        )
    )
    while True:
        try:
            text = input(PROMPT).strip()
        except EOFError:
            click.echo()
            return
        if text:
            running.search(text)


def complete_names(running: Session) -> None:
    """Let the tabulator complete package names, where Python has readline."""
    with suppress(ImportError):
        import readline  # noqa: PLC0415 - some systems have none

        found: list[str] = []

        def complete(text: str, state: int) -> str | None:
            if state == 0:
                found[:] = [name for name in running.suggest(text) if name.startswith(text)]
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" ")
        readline.parse_and_bind("tab: complete")
