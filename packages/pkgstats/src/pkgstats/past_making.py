"""Makes the view as it was at the end of an earlier day (UTC).

The indexer itself makes it, from the same feeds under today's trust, of the facts that were
observed up to then. When the present view has changed since, only the blocks that are new are read
on, so that what was learnt since about that day, and about writers, counts there too. It may be
deleted any time.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from pkgstats import trust
from pkgstats.folder import SEARCH_FOLDER, VIEW_FILE, search_in
from pkgstats.indexer import Indexer, now_ms
from pkgstats.past import (
    NOTE,
    Note,
    before_all,
    being_made,
    days_of,
    end_of,
    find,
    folder_of,
    refuse,
)
from pkgstats.view.reading import View
from pkgstats.view.store import SchemaError, Store
from pkgstats.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from pkgstats.indexer import Progress
    from pkgstats.node import Node

KEPT_MAX: Final = 4
"""Days that are kept; each takes as much room as the present view and its index, or less."""

PATIENCE_S: Final = 2.0
"""How long who asks waits for a day to be made before it is told that it is being made."""


class PastMaker:
    """Makes days that are gone, one at a time. An async context manager."""

    def __init__(
        self, node: Node, *, clock: Callable[[], int] = now_ms, patience_s: float = PATIENCE_S
    ) -> None:
        """Take an open node.

        Args:
            node: has the feeds; stays the caller's, and is open longer than this.
            clock: the time in ms since 1970, UTC.
            patience_s: see `PATIENCE_S`.
        """
        self._node = node
        self._clock = clock
        self._patience_s = patience_s
        self._lock = asyncio.Lock()
        self._making: tuple[int, asyncio.Task[Path]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what is being made; it goes on from there when it is asked for again."""
        if self._making is not None:
            _, task = self._making
            task.cancel()
            await asyncio.wait({task})

    async def get(self, day: int) -> Path:
        """The folder of a day; made in the background if need be.

        Raises:
            PastError: there is nothing to see of that day.
            BeingMadeError: it is not made yet; ask again.
        """
        refuse(day, self._clock())
        found = await asyncio.to_thread(find, self._node.folder, day)
        if found is not None:
            return found
        made, task = self._made_or_begun(day)
        if made == day:
            await asyncio.wait({task}, timeout=self._patience_s)
            if task.done():
                self._making = None
                return task.result()
        raise being_made(made)

    async def make(self, day: int, progress: Callable[[int], None] | None = None) -> Path:
        """Make a day, or bring it up to the present view; returns its folder.

        Args:
            day: since 1970-01-01.
            progress: is told how many records were read, then how many packages are indexed;
                the latter in another thread.

        Raises:
            PastError: there is nothing to see of that day.
            sqlite3.Error, OSError: there is no room for it, say.
        """
        refuse(day, self._clock())
        async with self._lock:
            found = await asyncio.to_thread(find, self._node.folder, day)
            return found or await self._make(day, progress)

    def _made_or_begun(self, day: int) -> tuple[int, asyncio.Task[Path]]:
        """The day that is being made or was made last, else this one, which is begun now."""
        if self._making is not None:
            made, task = self._making
            if made == day or not task.done():
                return self._making
            if not task.cancelled():
                task.exception()  # nobody has asked for it again
        self._making = day, asyncio.create_task(self.make(day))
        return self._making

    async def _make(self, day: int, progress: Callable[[int], None] | None) -> Path:
        folder = folder_of(self._node.folder, day)
        await asyncio.to_thread(_make_room, self._node.folder, folder)
        state, checks = await asyncio.to_thread(_present, self._node.view_path)
        await asyncio.to_thread(self._prepare, folder, day, checks)
        await self._read(folder, day, progress)
        async with search_in(folder) as search:
            await search.refresh(progress)
        empty = await asyncio.to_thread(_is_empty, folder)
        await asyncio.to_thread(_write_note, folder, Note(*state, empty))
        if empty:
            raise before_all(day)
        return folder

    def _prepare(self, folder: Path, day: int, checks: list[tuple[bytes, int, int]]) -> None:
        """Open the day's view once; one that is damaged or of another version is begun anew."""
        opened = partial(Store.open, folder / VIEW_FILE, self._node.group.key, end_of(day))
        try:
            store = opened()
        except (SchemaError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            shutil.rmtree(folder)
            folder.mkdir()
            store = opened()
        with store:
            store.take_checks(checks)

    async def _read(self, folder: Path, day: int, progress: Callable[[int], None] | None) -> None:
        """Read all feeds, or what is new in them, up to the day's end."""
        node = self._node
        indexer = Indexer(
            folder / VIEW_FILE,
            node.group.key,
            node.multis,
            own=Writer.keys(node.multis[trust.META], node.group.key),
            clock=self._clock,
            horizon=end_of(day),
        )

        def tell(reading: Progress) -> None:
            if progress is not None:
                progress(reading.records)

        indexer.on_progress = tell
        async with indexer:
            await indexer.catch_up()


def _present(path: Path) -> tuple[tuple[str, int], list[tuple[bytes, int, int]]]:
    """The state of the present view, and whose records were checked, see `Store.checks`."""
    with View.open(path) as view, view.state():
        checks = [(one.key, one.checked, one.wrong) for one in view.writers() if one.checked]
        return (view.identity, view.generation), checks


def _write_note(folder: Path, note: Note) -> None:
    partial_note = folder / f"{NOTE}.partial"
    partial_note.write_text(json.dumps(note._asdict()), encoding="ascii")
    os.replace(partial_note, folder / NOTE)


def _make_room(folder: Path, wanted: Path) -> None:
    """Make the folder of a day, and remove those that were made first if there are too many."""
    others = [path for path in days_of(folder).values() if path != wanted]
    others.sort(key=_made_at, reverse=True)
    for path in others[KEPT_MAX - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
    (wanted / SEARCH_FOLDER).mkdir(parents=True, exist_ok=True)


def _made_at(path: Path) -> float:
    """When a day was made; what was never whole goes first."""
    try:
        return (path / NOTE).stat().st_mtime
    except OSError:
        return 0.0


def _is_empty(folder: Path) -> bool:
    with View.open(folder / VIEW_FILE) as view:
        known = view.counts()
    return not (known.packages or known.versions or known.weeks or known.days or known.tombs)
