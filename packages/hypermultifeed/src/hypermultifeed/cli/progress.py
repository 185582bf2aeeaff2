"""A progress bar for each feed that is being fetched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hypermultifeed.cli.running import Opened, errors, printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID


LOOK_EVERY_S: Final = 0.1

BARS_MAX: Final = 12
"""Feeds with a bar of their own; the others are counted in one."""


class FeedProgress:
    """Bars on standard error, if that is a terminal; nothing otherwise."""

    def __init__(self, here: Opened) -> None:
        self._here = here
        self._tasks: dict[bytes, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("blocks"),
            TimeRemainingColumn(),
            console=errors,
            disable=not errors.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    async def follow(self, replication: asyncio.Task[None]) -> None:
        """Keep the bars up to date until the replication is over; its error is not raised here."""
        while not replication.done():
            await asyncio.wait([replication], timeout=LOOK_EVERY_S)
            self.update()

    def update(self) -> None:
        """Show the present state."""
        named = self._here.feeds()
        for name, feed in named[:BARS_MAX]:
            self._show(feed.key, printable(name), feed.downloaded(), feed.length)
        rest = [feed for _, feed in named[BARS_MAX:]]
        if rest:
            stored = sum(feed.downloaded() for feed in rest)
            length = sum(feed.length for feed in rest)
            self._show(b"", f"{len(rest):,} more feeds", stored, length)

    def _show(self, key: bytes, title: str, completed: int, total: int) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(title, total=None)
        self._progress.update(self._tasks[key], completed=completed, total=total or None)
