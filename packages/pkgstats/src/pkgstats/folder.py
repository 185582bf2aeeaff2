"""What lies where in a node's folder, and what makes, and searches, what lies there.

The feeds (``store``) have one process at a time; the view and the search index, which are made
from them, may be read by any number meanwhile.
"""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from pkgstats.growth import ratios
from pkgstats.indexer import Indexer, now_ms
from pkgstats.search.engine import Search
from pkgstats.view.reading import View
from pkgstats.view.store import SchemaError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from hypermultifeed import Multifeed

STORE_FOLDER: Final = "store"
VIEW_FILE: Final = "view.db"
SEARCH_FOLDER: Final = "search"

DAY_MS: Final = 86_400_000


@asynccontextmanager
async def indexer_in(
    folder: Path,
    group: bytes,
    multis: Mapping[str, Multifeed],
    *,
    own: Collection[bytes],
    clock: Callable[[], int],
) -> AsyncIterator[Indexer]:
    """The indexer of a node's folder; a view that another version made is made anew.

    Args:
        folder: of the node.
        group, multis, own, clock: as `Indexer` takes them.
    """
    path = folder / VIEW_FILE
    indexer = partial(Indexer, path, group, multis, own=own, clock=clock)
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(indexer())
        except (SchemaError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # no room, no right, no time: another file would have the same
            _delete(path)
            opened = await stack.enter_async_context(indexer())
        yield opened


def search_in(folder: Path, *, remember: bool = True) -> Search:
    """The search of a node's folder; without its node it finds what was indexed last.

    Args:
        folder: of the node.
        remember: results; not where another process keeps the index up to date.
    """

    @contextmanager
    def facts() -> Iterator[View]:
        with View.open(folder / VIEW_FILE) as view, view.state():
            yield view

    def growth(names: Sequence[str]) -> dict[str, float]:
        with facts() as view:
            return ratios(view, names, now_ms() // DAY_MS)

    return Search(folder / SEARCH_FOLDER, facts, growth=growth, remember=remember)


def _delete(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).unlink()
