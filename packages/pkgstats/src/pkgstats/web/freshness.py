"""Which state the pages tell of: another one after each change of the view or the search index."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.search.engine import NoIndexError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.reading import View
    from pkgstats.web.site import Site

LOOK_EVERY_S: Final = 0.1
"""How old an answer may be: so long nobody looks again."""

DAY_MS: Final = 86_400_000


class State(NamedTuple):
    """What a page that lasts is made from.

    Attributes:
        identity, generation: of the view.
        file, indexed: of the search index: its number, and the generation that it has.
        day: since 1970.
    """

    identity: str
    generation: int
    file: int
    indexed: int
    day: int


class Freshness:
    """Looks which state there is, at most every `LOOK_EVERY_S`, through connections of its own.

    For the event loop: it reads three rows that are in memory, which takes less than handing it
    to a thread would.
    """

    def __init__(self, site: Site, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the site; ``clock`` tells seconds."""
        self._site = site
        self._clock = clock
        self._view: View | None = None
        self._due = float("-inf")
        self._found: State | None = None

    def state(self) -> State | None:
        """The state; None: there is none yet."""
        now = self._clock()
        if now >= self._due:
            self._due = now + LOOK_EVERY_S
            self._found = self._look()
        return self._found

    def _look(self) -> State | None:
        try:
            if self._view is None:
                self._view = self._site.open_view()
            with self._view.state():
                view = self._view.identity, self._view.generation
            index = self._site.search.state()
        except (sqlite3.Error, NoIndexError):
            return None
        return State(*view, *index, self._site.clock() // DAY_MS)
