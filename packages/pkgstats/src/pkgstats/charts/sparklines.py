"""Lines as small as a word, for lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import joined
from pkgstats.charts.model import COUNT_MAX
from pkgstats.charts.wording import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 200
HEIGHT: Final = 40
MARGIN: Final = 5
"""So that a round end is not cut off."""

COUNTS_MAX: Final = WIDTH
"""Counts in one; of more, the last are drawn."""


def sparkline(counts: Sequence[int | None], *, title: str) -> str:
    """A line of counts from 0 up, with a dot at the last one; a gap where None.

    Args:
        counts: evenly spaced, oldest first.
        title: what it tells, as its accessible name: "Downloads a week: 1.2M, more than before".
    """
    places = _places(_bounded(counts))
    path = "".join(joined(run) for run in _runs(places))
    last = next((place for place in reversed(places) if place), None)
    dot = f'<circle cx="{last[0]}" cy="{last[1]}" r="4" fill="currentColor"/>' if last else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spark c1" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="100" height="20" role="img" aria-label="{escaped(title)}">'
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="3" '
        f'stroke-linecap="round" stroke-linejoin="round"/>{dot}</svg>'
    )


def spark_path(counts: Sequence[int | None]) -> str:
    """The line alone, in a picture of `WIDTH` by `HEIGHT`: for lists that tell the same in words.

    Args:
        counts: as of `sparkline`.
    """
    return "".join(joined(run) for run in _runs(_places(_bounded(counts))))


def _bounded(counts: Sequence[int | None]) -> list[int | None]:
    known = [None if one is None or one < 0 else min(one, COUNT_MAX) for one in counts]
    return known[-COUNTS_MAX:]


def _places(counts: Sequence[int | None]) -> list[tuple[int, int] | None]:
    most = max((one for one in counts if one), default=1)
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    last = max(1, len(counts) - 1)
    return [
        None
        if one is None
        else (MARGIN + index * wide // last, HEIGHT - MARGIN - one * tall // most)
        for index, one in enumerate(counts)
    ]


def _runs(places: Sequence[tuple[int, int] | None]) -> list[list[tuple[int, int]]]:
    runs: list[list[tuple[int, int]]] = [[]]
    for place in places:
        if place is not None:
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
