"""What lies where in a node's folder, and the search of what lies there.

The feeds (``store``) have one process at a time; the view and the search index, which are made
from them, may be read by any number meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pkgstats.growth import ratios
from pkgstats.indexer import now_ms
from pkgstats.search.engine import Search
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STORE_FOLDER: Final = "store"
VIEW_FILE: Final = "view.db"
SEARCH_FOLDER: Final = "search"

DAY_MS: Final = 86_400_000


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
