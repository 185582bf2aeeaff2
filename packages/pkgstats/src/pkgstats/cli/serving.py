"""``pkgstats serve`` and ``peers``: the node, and with whom it shares."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import click
from rich.live import Live
from rich.text import Text

from pkgstats.cli.asking import ask_serve
from pkgstats.cli.folder import group_of
from pkgstats.cli.options import data_option, json_option, network_options, parsed_key, written
from pkgstats.cli.output import cell, clean, console, number, remarks, show_json, table
from pkgstats.cli.running import run
from pkgstats.cli.serve_plan import all_of, crawl_options, pages_options, planned
from pkgstats.collecting import begun
from pkgstats.node import Node
from pkgstats.sample import begin
from pkgstats.view.reading import View
from pkgstats.writer import TITLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pkgstats.cli.serve_plan import Plan
    from pkgstats.crawler.follow import Event
    from pkgstats.group import Group
    from pkgstats.indexer import Progress as ReadingProgress
    from pkgstats.sources.addresses import Addresses
    from pkgstats.web.site import Settings

LOOK_EVERY_S: Final = 0.5
"""How often the line that tells how it goes is drawn anew."""


@click.command()
@click.option(
    "--group",
    "key",
    metavar="KEY",
    callback=parsed_key,
    help="Join this group. Without it: the folder's, or at the first time one of your own.",
)
@click.option(
    "--search-only", is_flag=True, help="Fetch only what search needs: some megabytes, not all."
)
@click.option("--write", "writes", is_flag=True, help="Open a writer, whose key others can admit.")
@click.option("--title", default=TITLE, show_default=True, help="What to call the writer.")
@all_of(*crawl_options, *pages_options)
@network_options
@data_option
@json_option
def serve(folder: Path, key: bytes | None, as_json: bool, **options: Any) -> None:
    """Run a peer of the group: fetch and share facts, keep the index, answer on local pages.

    The other verbs go on working meanwhile, `crawl` and `import` too. Ctrl-C ends it; the next run
    goes on from there.
    """
    from pkgstats.web.server import listening  # noqa: PLC0415 - a tenth of a second

    plan = planned(**options)
    listening(plan.host, plan.port).close()  # what is wrong there is told before all the work
    run(serve_until_ended(folder, group_of(folder, key), plan, as_json))


async def serve_until_ended(folder: Path, group: Group, plan: Plan, as_json: bool) -> None:
    """Run the node until Ctrl-C, or SIGTERM."""
    async with Node(folder, group, network=plan.network, kinds=plan.kinds) as node:
        await begin(node)
        if plan.title is not None:
            await node.write(plan.title)
        if plan.follow is not None:
            crawling = await node.crawling()
            node.spawn(crawling.follow(plan.follow, show_follow))
        pages = serving_pages(node, plan.host, plan.port, plan.settings, plan.fetch)
        async with pages as address:
            with begun(), ended_by_signal() as ended:
                tell(node, plan, address, as_json)
                await watch(node, ended, shown=sys.stderr.isatty() and not as_json)


def show_follow(event: Event) -> None:
    """One line of following."""
    remarks.print(f"{time.strftime('%H:%M:%S')} {clean(event.text)}", markup=False)


@asynccontextmanager
async def serving_pages(
    node: Node,
    host: str,
    port: int,
    settings: Settings | None = None,
    fetches: Addresses | None = None,
) -> AsyncIterator[str]:
    """A door for other processes, and pages in one of them; gives the address of the pages.

    Args:
        node: open, and longer than this.
        host, port: of the pages.
        settings: of the pages; None: for this machine's user alone.
        fetches: who is asked about packages that are not held; None: nobody.
    """
    from pkgstats.past_making import PastMaker  # noqa: PLC0415
    from pkgstats.web.control import door_of  # noqa: PLC0415
    from pkgstats.web.door import Door, new_secret  # noqa: PLC0415
    from pkgstats.web.process import pages_process  # noqa: PLC0415
    from pkgstats.web.server import listening, serving  # noqa: PLC0415

    secret = new_secret()
    async with AsyncExitStack() as stack:
        pasts = await stack.enter_async_context(PastMaker(node))
        app = door_of(node, secret, pasts, fetches)
        address = await stack.enter_async_context(serving(app, listening(port=0)))
        door = Door(address, secret, fetches=fetches is not None)
        stack.callback(Door.remove, node.folder)
        door.write(node.folder)
        process = pages_process(node.folder, host, port, settings)
        pages = await stack.enter_async_context(process)
        door._replace(pages=pages).write(node.folder)
        yield pages


@contextmanager
def ended_by_signal() -> Iterator[asyncio.Event]:
    """An event that SIGTERM sets, where there are signals; Ctrl-C cancels what runs."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        yield ended
    finally:
        if sys.platform != "win32":
            loop.remove_signal_handler(signal.SIGTERM)


def tell(node: Node, plan: Plan, address: str, as_json: bool) -> None:
    """Say what runs, where, and what it does."""
    own = node.writer.key if node.writer else None
    listens = [written(one) for one in node.addresses]
    if as_json:
        show_json({"group": node.group.key, "writer": own, "pages": address, "listens": listens})
        sys.stdout.flush()
        return
    whose = "yours" if node.group.key_pair else "somebody else's"
    lines = [
        ("group", f"{node.group.key.hex()} ({whose})"),
        ("folder", str(node.folder)),
        ("peers", f"at {', '.join(listens)}" if listens else "none: --offline"),
        ("crawls", plan.asks),
        ("pages", f"{address} for {plan.readers}"),
    ]
    if own is not None:
        lines.insert(1, ("writer", own.hex()))
    for title, value in lines:
        remarks.print(Text.assemble((f"{title:8}", "dim"), value))
    remarks.print(
        "Open the pages in a browser. Other verbs work meanwhile; Ctrl-C ends this and the pages.",
        style="dim",
    )


async def watch(node: Node, ended: asyncio.Event, *, shown: bool) -> None:
    """Wait for the end; on a terminal, tell how it goes in one line that changes."""
    if not shown:
        await ended.wait()
        return
    line = Line(node)
    with Live(line.text(), console=remarks, transient=True, auto_refresh=False) as live:
        while not ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await ended.wait()
            live.update(line.text(), refresh=True)


class Line:
    """How a node goes, in one line."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._reading: ReadingProgress | None = None
        self._packages = (-1, 0)
        node.on_progress = self._read

    def _read(self, progress: ReadingProgress) -> None:
        self._reading = progress

    def text(self) -> Text:
        """The line as it is now."""
        parts = [f"{number(self._count())} packages"]
        if self._node.network is not None:
            report = self._node.network.report()
            received = sum(peer.received_per_s for peer in report.peers)
            parts.append(f"{len(report.peers)} peers")
            parts.append(f"{received / 1000:,.0f} kB/s in")
        if self._reading is not None and self._reading.behind:
            one = self._reading
            parts.append(
                f"reading {one.kind}: {one.records_a_second:,.0f} records/s,"
                f" {number(one.behind)} blocks to go"
            )
        return Text(" · ".join(parts), style="cyan")

    def _count(self) -> int:
        """Packages in the view; counted again only when it has changed."""
        with View.open(self._node.view_path) as view:
            generation = view.generation
            if generation != self._packages[0]:
                self._packages = generation, view.counts().packages
        return self._packages[1]


@click.command()
@data_option
@json_option
def peers(folder: Path, as_json: bool) -> None:
    """Show with whom the running `serve` shares."""
    report = ask_serve(folder, "GET", "peers")
    if report is None:
        raise click.ClickException(f"no `pkgstats serve` with a network runs on {folder}")
    if as_json:
        show_json(report)
        return
    columns = [
        ("peer", "left"),
        ("at", "left"),
        ("for", "right"),
        ("received", "right"),
        ("sent", "right"),
    ]
    rows = [
        (
            peer["public_key"][:8],
            written((peer["address"][0], peer["address"][1])),
            f"{peer['connected_s']:,.0f} s",
            f"{peer['bytes_received'] / 1000:,.0f} kB",
            f"{peer['bytes_sent'] / 1000:,.0f} kB",
        )
        for peer in report["peers"]
    ]
    if rows:
        out = console()
        out.print(table(columns, rows, out=out))
    else:
        listens = ", ".join(written((host, port)) for host, port in report["addresses"])
        console().print(cell(f"nobody yet; this peer is reached at {listens}"))
