"""``pkgstats rebuild``: view and search index made anew."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from pkgstats.cli.asking import ask_serve
from pkgstats.cli.folder import group_of
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import progress_bars, show_json
from pkgstats.cli.running import run
from pkgstats.node import Node
from pkgstats.sample import begin
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.group import Group
    from pkgstats.indexer import Progress as ReadingProgress


@click.command()
@data_option
@json_option
def rebuild(folder: Path, as_json: bool) -> None:
    """Make the view and the search index anew from the feeds, offline."""
    if ask_serve(folder, "POST", "rebuild") is None:
        run(rebuild_in(folder, group_of(folder)))
    if as_json:
        with View.open(folder / "view.db") as view:
            show_json({"packages": view.counts().packages, "view_hash": view.view_hash()})


async def rebuild_in(folder: Path, group: Group) -> None:
    """Rebuild in a node of our own, with bars."""
    async with AsyncExitStack() as stack:
        bars = stack.enter_context(progress_bars())
        node = await stack.enter_async_context(Node(folder, group))
        await begin(node)
        reading = bars.add_task("reading blocks", total=None)
        indexing = bars.add_task("indexing packages", total=None)
        totals: dict[str, int] = {}

        def read(progress: ReadingProgress) -> None:
            total = totals[progress.kind] = max(totals.get(progress.kind, 1), progress.behind)
            title = f"reading {progress.kind}"
            bars.update(reading, description=title, total=total, completed=total - progress.behind)

        node.on_progress = read
        await node.indexer.rebuild()
        with View.open(node.view_path) as view:
            bars.update(indexing, total=view.counts().packages)
        await node.search.rebuild(lambda done: bars.update(indexing, completed=done))
