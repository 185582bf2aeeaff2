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
"""How old an answer may be where little changes: so long nobody looks again."""

HOLD_S: Final = 10.0
"""How long a state counts that follows another one. While facts stream in there is a new one many
times a second, and pages that are made anew for each would hold up who makes them."""

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
    """Looks which state there is, through connections of its own, so that pages follow at once
    where little changes, and every `HOLD_S` where much does.

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
            before, self._found = self._found, self._look()
            is_next = before is not None and self._found != before
            self._due = now + (HOLD_S if is_next else LOOK_EVERY_S)
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
