"""How verbs answer: tables and lines for people, JSON for programs.

What writers of the group have said is text of strangers: nothing of it reaches the terminal
but what can be printed.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pkgstats.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

BARS: Final = "▁▂▃▄▅▆▇█"

ROOMY: Final = 100
"""Columns of a terminal from which on less important ones are shown too."""

KEPT: Final = 28
"""Characters of a cell that are not cut off for others to have room."""

FOLD_MIN: Final = 20
"""Characters of a line where a text takes several."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

remarks = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where progress and remarks go: answers alone go to standard output."""


def console() -> Console:
    """Where answers go; its width is that of the terminal, and wide where there is none."""
    width = None if sys.stdout.isatty() else 200
    return Console(highlight=False, width=width)


def clean(text: str) -> str:
    """The text in one line, without anything that a terminal could obey."""
    spaced = " ".join(text.split())
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in spaced)


def cell(text: object, style: str = "") -> Text:
    """Text for a table or a line; it is never read as markup."""
    return Text(clean(str(text)), style=style)


def table(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Text | str]], *, out: Console
) -> Table:
    """A table without lines around it.

    Args:
        columns: titles, and what they are: ``left`` or ``right``, aligned so and never cut as long
            as that leaves room; with ``more`` before it, left out where there is little; ``fold``
            may take several lines; ``cut`` is cut where there is no room.
        rows: of cells.
        out: where it will be shown.
    """
    shown = [
        number
        for number, (_, kind) in enumerate(columns)
        if "more" not in kind or out.width >= ROOMY
    ]
    cells = [[cell(one) if isinstance(one, str) else one for one in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number in shown:
        title, kind = columns[number]
        longest = max((len(row[number]) for row in cells), default=0)
        made.add_column(
            title,
            justify="right" if "right" in kind else "left",
            no_wrap=kind != "fold",
            overflow="fold" if kind == "fold" else "ellipsis",
            ratio=1 if kind == "cut" else None,
            min_width=FOLD_MIN if kind == "fold" else None if kind == "cut" else min(longest, KEPT),
        )
    for row in cells:
        made.add_row(*(row[number] for number in shown))
    return made


def sparkline(values: Sequence[int]) -> str:
    """Bars as high as the values are, the largest one as high as can be."""
    high = max(values, default=0)
    steps = len(BARS) - 1
    return "".join(BARS[round(value * steps / high) if high else 0] for value in values)


def number(value: int | None) -> str:
    """A whole number with commas; a dash where nobody knows."""
    return "-" if value is None else f"{value:,}"


def short(key: bytes) -> str:
    """The beginning of a key, by which people tell writers apart."""
    return key.hex()[:8]


def day_of(ms: int) -> str:
    """The day of a time in ms since 1970, UTC."""
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")


def date_of(day: int) -> str:
    """The date of a day since 1970-01-01."""
    return day_of(day * 86_400_000)


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(plain(value), indent=2))


def progress_bars() -> Progress:
    """Bars on a terminal; nothing elsewhere."""
    return Progress(
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=remarks,
        disable=not remarks.is_terminal,
    )
