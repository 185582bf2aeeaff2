"""``pkgstats demo``, which ``run.py serve`` runs: two writers, a reader, then search."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from pkgstats.cli.options import data_option, parsed_key
from pkgstats.cli.output import clean, console, number
from pkgstats.cli.packages import show_package
from pkgstats.cli.running import first_error
from pkgstats.cli.search import show_results, show_wrong_query
from pkgstats.cli.serving import serving_pages
from pkgstats.collecting import begun
from pkgstats.dataset import shipped
from pkgstats.demo import Done, Stage, demo_folder, gather, reader_node, run_writer
from pkgstats.group import Group
from pkgstats.search.query import QueryError
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console

    from pkgstats.node import Node

PROMPT: Final = "search> "

HOST: Final = "127.0.0.1"

COMPLETIONS: Final = 50

WAIT_S: Final = 0.5
"""How long to wait at a time: on Windows, Ctrl-C is noticed only in between."""


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


class Ready(NamedTuple):
    """What is there when everything was fetched."""

    node: Node
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event


class Session:
    """The demo in a thread of its own, so that the terminal has the main one."""

    def __init__(self, folder: Path, out: Console, port: int | None) -> None:
        """Take where it lies, where it is shown, and the port of the pages; None: no pages."""
        self._folder = folder
        self._out = out
        self._port = port
        self._ready: Future[Ready] = Future()
        self._over: Future[None] = Future()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._work, name="pkgstats-demo")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            wait_for(self._ready)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if exc_value is None:
            wait_for(self._over)

    @property
    def out(self) -> Console:
        """Where answers go."""
        return self._out

    def search(self, text: str) -> None:
        """Show what a search finds."""
        ready = self._ready.result()
        asked = ready.node.search.search(text, size=10)
        try:
            found = wait_for(asyncio.run_coroutine_threadsafe(asked, ready.loop))
        except QueryError as error:
            show_wrong_query(text, error, as_json=False)
        else:
            show_results(found)

    def suggest(self, text: str) -> list[str]:
        """Names that begin so."""
        ready = self._ready.result()
        asked = ready.node.search.suggest(text, COMPLETIONS)
        found = wait_for(asyncio.run_coroutine_threadsafe(asked, ready.loop))
        return [one.name for one in found]

    def look_up(self, name: str) -> bool:
        """Show a package; whether it is known."""
        with View.open(self._ready.result().node.view_path) as view:
            facts = view.package(name)
            if facts is not None:
                show_package(view, facts)
                return True
            total = number(view.counts().packages)
            click.echo(f"{clean(name[:80])}: not among these {total} packages")
        similar = self.suggest(name[:3])
        if similar:
            click.echo(f"  did you mean: {', '.join(map(clean, similar[:5]))}")
        return False

    def wait(self) -> None:
        """Until it is over."""
        wait_for(self._over)

    def _end(self) -> None:
        if self._ready.done() and self._ready.exception() is None:
            ready = self._ready.result()
            with suppress(RuntimeError):  # it is over already
                ready.loop.call_soon_threadsafe(ready.ended.set)
        elif self._task is not None:
            with suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _work(self) -> None:
        try:
            asyncio.run(self._show())
        except BaseException as failed:  # it is raised in the main thread
            error = first_error(failed) if isinstance(failed, BaseExceptionGroup) else failed
            for future in (self._ready, self._over):
                if not future.done():
                    future.set_exception(error)
        else:
            self._over.set_result(None)

    async def _show(self) -> None:
        self._task = asyncio.current_task()
        introduce(self._folder, self._out)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(reader_node(self._folder))
            with Bars(self._out) as bars:
                done = await gather(node, self._folder, bars.show)
            conclude(done, self._out)
            if self._port is not None:
                pages = serving_pages(node, HOST, self._free_port(self._port))
                tell_pages(await stack.enter_async_context(pages), self._out)
            ended = asyncio.Event()
            with begun():
                self._ready.set_result(Ready(node, asyncio.get_running_loop(), ended))
                await ended.wait()

    def _free_port(self, wanted: int) -> int:
        """The port that is wanted, or 0 if it is taken."""
        from pkgstats.web.server import listening  # noqa: PLC0415

        try:
            listening(HOST, wanted).close()
        except OSError:
            return 0
        return wanted


def wait_for(future: Future[Any]) -> Any:
    """The future's result; Ctrl-C interrupts the waiting."""
    while True:
        try:
            return future.result(WAIT_S)
        except TimeoutError:
            if future.done():
                return future.result()


def introduce(folder: Path, out: Console) -> None:
    """Say what is going to happen."""
    out.print(
        f"Two writers each tell half of {number(len(shipped()))} facts about npm packages in signed"
        " feeds of their own;\na third peer, who has admitted both, fetches them over TCP on"
        f" 127.0.0.1, checks, merges and indexes them.\nThree processes, three folders in"
        f" {folder}\n",
        soft_wrap=True,
        markup=False,
    )


def conclude(done: Done, out: Console) -> None:
    """Say what was done."""
    out.print(
        f"{number(done.blocks)} blocks of two writers fetched ({done.received / 1000:,.0f} kB in"
        f" this run) and verified: {number(done.packages)} packages merged and indexed in"
        f" {done.seconds:.1f} s.\nView hash {done.view_hash.hex()[:16]}; any peer that reads the"
        " same feeds has the same. The writers have ended:\nwhat follows comes from the reader's"
        " own copy.",
        soft_wrap=True,
        markup=False,
    )


def tell_pages(address: str, out: Console) -> None:
    """Say where the pages are, what they show, and how all of it ends."""
    out.print(
        f"Pages:  {address} shows the reader's packages, to this machine alone, from a process of"
        " its own.\nOpen it in a browser; Ctrl-C ends all of it, and the next run begins with what"
        " is here.",
        soft_wrap=True,
        markup=False,
    )


class Bars:
    """Progress bars on a terminal; nothing elsewhere."""

    def __init__(self, out: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            console=out,
            disable=not out.is_terminal,
        )
        self._ids: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, stages: Sequence[Stage]) -> None:
        """Set all bars."""
        for stage in stages:
            self._set(f"{stage.name} tells", stage.told, stage.total, "packages")
            self._set("  reader fetches", stage.fetched, stage.blocks or None, "blocks", stage.name)

    def _set(self, title: str, done: int, total: int | None, unit: str, of: str = "") -> None:
        key = f"{title} {of}"
        if key not in self._ids:
            self._ids[key] = self._progress.add_task(title, total=total, unit=unit)
        self._progress.update(self._ids[key], completed=done, total=total)


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
