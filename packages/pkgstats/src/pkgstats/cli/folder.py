"""A node's folder as verbs read it: without its feeds, so that `serve` may go on with them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.cli.output import remarks
from pkgstats.cli.running import run
from pkgstats.group import Group
from pkgstats.node import VIEW_FILE, Node, search_in
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
    """

    folder: Path
    view: View

    def search(self, asked: str | Query, size: int, page: int = 1) -> SearchResult:
        """What a search finds.

        Raises:
            QueryError: the query makes no sense.
        """

        async def search() -> SearchResult:
            async with search_in(self.folder) as found:
                return await found.search(asked, size=size, page=page)

        return asyncio.run(search())

    def suggest(self, name: str) -> list[str]:
        """Names like that one."""
        try:
            found = self.search(Query(text=name[:NAME_BYTES_MAX]), SUGGESTED)
        except (NoIndexError, QueryError):
            return []
        return [hit.name for hit in found.hits]


@contextmanager
def opened(folder: Path) -> Iterator[Reading]:
    """Open a folder to read it; at the first time it is filled with the facts that are shipped."""
    prepared_group(folder)
    with View.open(folder / VIEW_FILE) as view:
        yield Reading(folder, view)


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
