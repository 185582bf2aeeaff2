"""The view as it was at the end of an earlier day (UTC).

It lies in a folder of its own, ``past/2026-11-01/`` beside the view, with a search index like the
present one's, and a note of the state of the present view that it was made from. Here it is read;
`pkgstats.past_making` makes it, where the feeds are open.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.folder import DAY_MS, VIEW_FILE, search_in
from pkgstats.indexer import now_ms
from pkgstats.search.query import EPOCH
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pkgstats.search.query import Query
    from pkgstats.search.results import SearchResult

FOLDER: Final = "past"
NOTE: Final = "made.json"


class PastError(ValueError):
    """There is nothing to see of that day; the text says why."""


class BeingMadeError(Exception):
    """That day is being made, or another one before it; ask again."""


class Note(NamedTuple):
    """What a day was made from.

    Attributes:
        identity, generation: of the present view then.
        empty: whether nothing was known yet on that day.
    """

    identity: str
    generation: int
    empty: bool


def end_of(day: int) -> int:
    """The last millisecond of a day, ms since 1970."""
    return (day + 1) * DAY_MS - 1


def date_of(day: int) -> str:
    """A day since 1970-01-01 as it is written."""
    return (EPOCH + timedelta(days=day)).isoformat()


def refuse(day: int, now: int) -> None:
    """Refuse a day of which there can be nothing to see; ``now`` in ms since 1970.

    Raises:
        PastError: it is still to come, or was before all records.
    """
    if day > now // DAY_MS:
        raise PastError("that day is still to come: at: takes today or an earlier day")
    if day < 0:
        raise PastError("that day was before the first record")


def find(folder: Path, day: int, *, any_state: bool = False) -> Path | None:
    """The folder of a day, if it was made from the present view's state.

    Args:
        folder: of the node.
        day: since 1970-01-01.
        any_state: or from an earlier state.

    Raises:
        PastError: it was before the first record, as is known already.
        sqlite3.OperationalError: there is no view.
    """
    with View.open(folder / VIEW_FILE) as view, view.state():
        state = view.identity, view.generation
    notes = notes_of(folder)
    if any(one.empty and one[:2] == state and day <= at for at, one in notes.items()):
        raise before_all(day)
    note = notes.get(day)
    if note is None or (note[:2] != state and not any_state):
        return None
    return folder_of(folder, day)


class Pasts:
    """Searches days that are gone; who has the feeds makes them."""

    def __init__(
        self,
        folder: Path,
        make: Callable[[int], Awaitable[object]],
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Take a node's folder.

        Args:
            folder: of the node.
            make: makes a day or raises, as `PastMaker.get` and `NodeDoor.past` do.
            clock: the time in ms since 1970, UTC.
        """
        self._folder = folder
        self._make = make
        self._clock = clock

    async def search(self, query: Query, day: int, *, size: int, page: int) -> SearchResult:
        """What a search would have found at the end of a day; ages count from then.

        Raises:
            PastError: there is nothing to see of that day.
            BeingMadeError: it is not made yet; ask again.
            QueryError: the query takes too long.
        """
        folder = await self.get(day)
        async with search_in(folder) as search:
            return await search.search(query, size=size, page=page, now_ms=end_of(day))

    async def get(self, day: int) -> Path:
        """The folder of a day.

        Raises:
            PastError: there is nothing to see of that day.
            BeingMadeError: it is not made yet; ask again.
        """
        refuse(day, self._clock())
        found = await asyncio.to_thread(find, self._folder, day)
        if found is None:
            await self._make(day)
            found = await asyncio.to_thread(find, self._folder, day, any_state=True)
        if found is None:
            raise being_made(day)
        return found


def folder_of(folder: Path, day: int) -> Path:
    """Where a day lies, or would lie, in a node's folder."""
    return folder / FOLDER / date_of(day)


def days_of(folder: Path) -> dict[int, Path]:
    """The folders of days, whole or not."""
    found: dict[int, Path] = {}
    with suppress(FileNotFoundError):
        for one in (folder / FOLDER).iterdir():
            with suppress(ValueError):
                found[(date.fromisoformat(one.name) - EPOCH).days] = one
    return found


def notes_of(folder: Path) -> dict[int, Note]:
    """The days that were made whole."""
    notes: dict[int, Note] = {}
    for day, path in days_of(folder).items():
        with suppress(OSError, ValueError, TypeError):
            notes[day] = Note(**json.loads((path / NOTE).read_text(encoding="ascii")))
    return notes


def before_all(day: int) -> PastError:
    """The error where nothing was known yet."""
    return PastError(f"nothing was known yet on {date_of(day)}: the first record is of a later day")


def being_made(day: int) -> BeingMadeError:
    """The error while a day is being made."""
    return BeingMadeError(f"the view of {date_of(day)} is being made; ask again in a moment")
