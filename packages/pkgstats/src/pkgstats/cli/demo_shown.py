"""What the demonstration says of itself as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pkgstats.cli.output import number
from pkgstats.dataset import shipped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from pkgstats.demo import Done, Stage


def introduce(folder: Path, out: Console) -> None:
    """Say what is going to happen."""
    out.print(
        f"Two writers each tell half of {number(len(shipped()))} facts about npm packages in signed"
        " feeds of their own;\na third peer, who has admitted both, fetches them over TCP on"
        f" 127.0.0.1, checks, merges and indexes them.\nThree processes, three folders in"
        f" {folder}\n",
        soft_wrap=True,
        markup=False,
    )


def conclude(done: Done, out: Console) -> None:
    """Say what was done."""
    out.print(
        f"{fetched(done)}\nView hash {done.view_hash.hex()[:16]}; any peer that reads the same"
        " feeds has the same. The writers have ended:\nwhat follows comes from the reader's own"
        " copy.",
        soft_wrap=True,
        markup=False,
    )


def fetched(done: Done) -> str:
    """What of the writers' blocks this run had to fetch, and what came of it."""
    packages, seconds = f"{number(done.packages)} packages", f"{done.seconds:.1f} s"
    if not done.fetched:
        return (
            f"All {number(done.blocks)} blocks of two writers are here already: nothing had to be"
            f" fetched.\n{packages} are merged and indexed; making sure of it took {seconds}."
        )
    old = done.blocks - done.fetched
    others = f", the other {number(old)} are here already" if old else ""
    return (
        f"{number(done.fetched)} blocks of two writers fetched ({done.received / 1000:,.0f} kB) and"
        f" verified{others}: {packages} merged and indexed in {seconds}."
    )


def tell_pages(address: str, out: Console) -> None:
    """Say where the pages are, what they show, and how all of it ends."""
    out.print(
        f"Pages:  {address} shows the reader's packages, to this machine alone, from a process of"
        " its own.\nOpen it in a browser; Ctrl-C ends all of it, and the next run begins with what"
        " is here.",
        soft_wrap=True,
        markup=False,
    )


class Bars:
    """Progress bars on a terminal; nothing elsewhere."""

    def __init__(self, out: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            console=out,
            disable=not out.is_terminal,
        )
        self._ids: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, stages: Sequence[Stage]) -> None:
        """Set all bars."""
        for stage in stages:
            self._set(f"{stage.name} tells", stage.told, stage.total, "packages")
            self._set("  reader fetches", stage.fetched, stage.blocks or None, "blocks", stage.name)

    def _set(self, title: str, done: int, total: int | None, unit: str, of: str = "") -> None:
        key = f"{title} {of}"
        if key not in self._ids:
            self._ids[key] = self._progress.add_task(title, total=total, unit=unit)
        self._progress.update(self._ids[key], completed=done, total=total)
