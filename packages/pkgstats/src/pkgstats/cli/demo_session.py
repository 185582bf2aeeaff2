"""The demonstration as it runs: in a thread of its own; and what can be asked of it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import click

from pkgstats.cli.demo_shown import Bars, conclude, introduce, tell_pages
from pkgstats.cli.output import clean, number
from pkgstats.cli.packages import show_package
from pkgstats.cli.running import first_error
from pkgstats.cli.search import show_results, show_wrong_query
from pkgstats.cli.serving import serving_pages
from pkgstats.collecting import begun
from pkgstats.demo import gather, reader_node
from pkgstats.search.query import QueryError
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from rich.console import Console

    from pkgstats.node import Node

HOST: Final = "127.0.0.1"

COMPLETIONS: Final = 50

WAIT_S: Final = 0.5
"""How long to wait at a time: on Windows, Ctrl-C is noticed only in between."""


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
