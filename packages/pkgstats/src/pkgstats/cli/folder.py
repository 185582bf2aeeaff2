"""A node's folder as verbs read it: without its feeds, so that `serve` may go on with them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from pkgstats import past
from pkgstats.cli.output import progress_bars, remarks
from pkgstats.cli.running import run
from pkgstats.folder import VIEW_FILE, search_in
from pkgstats.group import Group
from pkgstats.indexer import now_ms
from pkgstats.node import Node
from pkgstats.past_making import PastMaker
from pkgstats.records.names import NAME_BYTES_MAX
from pkgstats.sample import begin
from pkgstats.search.engine import NoIndexError
from pkgstats.search.query import Query, QueryError
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pkgstats.search.results import SearchResult

SUGGESTED: Final = 5
"""Names that are shown instead of one that is not known."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read in a folder.

    Attributes:
        folder: of the node.
        view: what is known.
        now: the time at which it is looked at, ms; None: it is now.
    """

    folder: Path
    view: View
    now: int | None = None

    def search(self, asked: str | Query, size: int, page: int = 1) -> SearchResult:
        """What a search finds.

        Raises:
            QueryError: the query makes no sense.
        """

        async def search() -> SearchResult:
            async with search_in(self.folder) as found:
                return await found.search(asked, size=size, page=page, now_ms=self.now)

        return asyncio.run(search())

    def suggest(self, name: str) -> list[str]:
        """Names like that one."""
        try:
            found = self.search(Query(text=name[:NAME_BYTES_MAX]), SUGGESTED)
        except (NoIndexError, QueryError):
            return []
        return [hit.name for hit in found.hits]


@contextmanager
def opened(folder: Path, day: int | None = None) -> Iterator[Reading]:
    """Open a folder to read it; at the first time it is filled with the facts that are shipped.

    With ``day`` as it was at the end of that day.

    Raises:
        ClickException: there is nothing to read of that day.
    """
    group = prepared_group(folder)
    now = None if day is None else past.end_of(day)
    try:
        chosen = folder if day is None else past_folder(folder, group, day)
    except past.PastError as error:
        raise click.ClickException(str(error)) from error
    with View.open(chosen / VIEW_FILE) as view:
        yield Reading(chosen, view, now)


def past_folder(folder: Path, group: Group, day: int) -> Path:
    """A folder as it was at the end of a day; made by who has the feeds open, `serve` or this.

    Raises:
        PastError: there is nothing to see of that day.
    """
    from pkgstats.cli.asking import ask_serve  # noqa: PLC0415 - not to load it for the present

    past.refuse(day, now_ms())
    found = past.find(folder, day)
    if found is None and ask_serve(folder, "POST", "past", day=str(day), wait="1") is not None:
        found = past.find(folder, day, any_state=True)
    return found or run(make_past(folder, group, day))


async def make_past(folder: Path, group: Group, day: int) -> Path:
    """Make it in a node of our own, with bars."""
    with progress_bars() as bars:
        task = bars.add_task(f"going back to {past.date_of(day)}", total=None)
        async with Node(folder, group) as node, PastMaker(node) as pasts:
            await node.catch_up()
            return await pasts.make(day, lambda done: bars.update(task, completed=done))


def prepared_group(folder: Path) -> Group:
    """The folder's group, with a view and a search index; what is missing is made, offline."""
    group = group_of(folder)
    has_index = any((folder / "search").glob("search-*.db"))
    if not has_index or not (folder / VIEW_FILE).exists():
        remarks.print(f"[dim]preparing {folder}: this happens once[/dim]")
        run(prepare(folder, group))
    return group


def group_of(folder: Path, key: bytes | None = None) -> Group:
    """The folder's group; at the first time the one with that key, or one of the user's own.

    Raises:
        GroupError: the folder belongs to another group.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if key is not None:
        return Group.join(folder, key)
    return Group.find(folder) or Group.create(folder)


async def prepare(
    folder: Path, group: Group, progress: Callable[[int], None] | None = None
) -> None:
    """Make view and search index from what is here, and give a new group something to search."""
    async with Node(folder, group) as node:
        await begin(node)
        await node.index(progress)
