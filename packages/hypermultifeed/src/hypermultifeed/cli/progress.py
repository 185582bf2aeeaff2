"""What a person sees while peers are looked for and feeds are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hypermultifeed.cli.running import Opened, errors, printable, say

if TYPE_CHECKING:
    from types import TracebackType


BARS_MAX: Final = 12
"""Feeds with a bar of their own; the others are counted in one."""

_LOOKING: Final = b"looking"
_OTHERS: Final = b"others"


class SyncProgress:
    """A bar for each feed on standard error, if that is a terminal; else a remark if it takes long.

    Args:
        here: whose feeds are shown.
        remark_after_s: when to say, where there is no terminal, that nobody was found yet.
    """

    def __init__(self, here: Opened, remark_after_s: float) -> None:
        self._here = here
        self._remark_after_s = remark_after_s
        self._remarked = False
        self._tasks: dict[bytes, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
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
        self._show_looking(None, 0.0)
        self._progress.stop()

    def update(self, looking: str | None, elapsed_s: float) -> None:
        """Show the present state.

        Args:
            looking: where peers are looked for, while there are none.
            elapsed_s: since the beginning.
        """
        self._show_looking(looking, elapsed_s)
        named = self._here.feeds()
        for name, feed in named[:BARS_MAX]:
            self._show(feed.key, printable(name), feed.downloaded(), feed.length)
        rest = [feed for _, feed in named[BARS_MAX:]]
        if rest:
            stored = sum(feed.downloaded() for feed in rest)
            length = sum(feed.length for feed in rest)
            self._show(_OTHERS, f"{len(rest):,} more feeds", stored, length)

    def _show_looking(self, looking: str | None, elapsed_s: float) -> None:
        task = self._tasks.get(_LOOKING)
        if looking is None:
            if task is not None:
                self._progress.remove_task(self._tasks.pop(_LOOKING))
            return
        text = f"looking for peers: {looking}"
        if self._progress.disable:
            if elapsed_s >= self._remark_after_s and not self._remarked:
                self._remarked = True
                say(text)
        elif task is None:
            self._tasks[_LOOKING] = self._progress.add_task(text, total=None, count="")
        else:
            self._progress.update(task, description=text)

    def _show(self, key: bytes, title: str, completed: int, total: int) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(title, total=None, count="")
        self._progress.update(
            self._tasks[key],
            completed=completed,
            total=total or None,
            count=f"{completed:,}/{total:,} blocks",
        )
