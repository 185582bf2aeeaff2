"""The pieces of a picture, as SVG text. Numbers in it are whole: half a unit is an eighth of a px.

Lines keep their width on the screen (`non-scaling-stroke`), so that a small chart is not a faint
one; everything else scales with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.charts.scale import count_ticks, date_ticks
from pkgstats.charts.wording import escaped, short_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pkgstats.charts.scale import Frame

WIDTH: Final = 1280
"""Of each chart, in units; a screen of 320 px has four of them in one of its px."""

FONT: Final = 40
"""Size of text: 10 px on that screen."""

LETTER: Final = 25
"""Width of a letter, about and rather too much: nobody measures fonts here."""

EDGE: Final = 8
"""Room between the picture's edge and what is drawn."""

PLOT_HEIGHT: Final = 400
"""Of the part of a picture that has the data."""

HEAD: Final = 84
"""Above it: what is counted, and what the hatching means."""

FOOT: Final = 76
"""Below it: the dates."""

DASHES: Final = ("", "7 6", "0 5", "12 6 0 6", "3 5", "18 5")
"""Patterns of lines in px on the screen, in the order of their classes; round ends add 2 px."""

MARKERS: Final = (
    "m-12 0a12 12 0 1 0 24 0a12 12 0 1 0-24 0z",  # circle
    "m-11-11h22v22h-22z",  # square
    "m0-15l14 25h-28z",  # triangle
    "m0-16l16 16-16 16-16-16z",  # diamond
    "m0 15l14-25h-28z",  # triangle on its head
    "m-13-5h8v-8h10v8h8v10h-8v8h-10v-8h-8z",  # cross
)
"""Shapes at lines' ends, drawn from their middle, in the order of their classes."""

HATCH: Final = "M-4 4l8-8M0 24L24 0M20 28l8-8"
"""A diagonal through a square of 24 units, and through its corners, where the next ones go on."""


def identifier(text: str) -> str:
    """An id that can stand in ``url(#…)``: letters, digits and hyphens of ASCII."""
    kept = "".join(one if one.isascii() and one.isalnum() else "-" for one in text[:64])
    return f"c-{kept}"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a picture, in plain text.

    Attributes:
        ident: from `identifier`; nothing else on the page may have it.
        title: the accessible name.
        description: a sentence or two.
        unit: what is counted, in the plural.
    """

    ident: str
    title: str
    description: str
    unit: str


def picture(parts: Iterable[str], words: Words, height: int, told: str = "") -> str:
    """The whole: with its accessible name and description, and no size but its proportions.

    Args:
        parts: SVG text.
        words: what is said of it.
        height: in units, for a width of `WIDTH`.
        told: what the parts show, behind the description.
    """
    ident = words.ident
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-labelledby="{ident}-t" aria-describedby="{ident}-d" font-size="{FONT}">'
        f'<title id="{ident}-t">{escaped(words.title)}</title>'
        f'<desc id="{ident}-d">{escaped(f"{words.description} {told}")}</desc>'
        f"{''.join(parts)}</svg>"
    )


def text(x: int, y: int, words: str, kind: str = "axis", anchor: str = "start") -> str:
    """A line of text, on its base line."""
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text class="{kind}" x="{x}" y="{y}" fill="currentColor"{turned}>{escaped(words)}</text>'
    )


def width_of(words: str) -> int:
    """Units that a line of text needs, about."""
    return LETTER * len(words) + LETTER // 2


def joined(points: Sequence[tuple[int, int]]) -> str:
    """A line through places, as a path relative to its start; a single place is a dot."""
    (x, y), *rest = points
    steps = []
    for to_x, to_y in rest:
        steps.append(f"{to_x - x}{'' if to_y < y else ' '}{to_y - y}")
        x, y = to_x, to_y
    body = "".join(
        step if index == 0 or step[0] == "-" else f" {step}" for index, step in enumerate(steps)
    )
    return f"M{points[0][0]} {points[0][1]}" + (f"l{body}" if body else "h0")


def line(path: str, kind: str, dashes: str = "", width: int = 2) -> str:
    """A line along a path, so many px wide on any screen."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path class="{kind}" d="{path}" fill="none" stroke="currentColor" stroke-width="{width}"'
        f'{dashed} stroke-linecap="round" stroke-linejoin="round"'
        ' vector-effect="non-scaling-stroke"/>'
    )


def marker(x: int, y: int, index: int) -> str:
    """The shape of the line of that number at a place."""
    return f'<path class="c{index + 1}" d="M{x} {y}{MARKERS[index]}" fill="currentColor"/>'


def grid(frame: Frame, unit: int) -> str:
    """Lines at round counts, with their numbers, and the dates below.

    Args:
        frame: where.
        unit: days that a point stands for; a date stands below the middle of its point.
    """
    ticks = count_ticks(frame.top)
    width = frame.right - frame.left
    lines = "".join(f"M{frame.left} {frame.y(tick)}h{width}" for tick in ticks[1:])
    parts = [_thin(lines, "grid", ' stroke-opacity=".25"')]
    parts += [
        text(frame.left - 16, frame.y(tick) + 13, short_number(tick), anchor="end")
        for tick in ticks
    ]
    named = [
        (frame.x(min(day + unit / 2, frame.stop)), name)
        for day, name in date_ticks(frame.start, frame.stop, width, unit)
    ]
    marks = "".join(f"M{x} {frame.low}v10" for x, _ in named)
    parts.append(_thin(f"M{frame.left} {frame.low}h{width}{marks}", "axis"))
    for x, name in named:
        half = width_of(name) // 2 + EDGE
        parts.append(text(min(max(x, half), WIDTH - half), frame.low + 52, name, anchor="middle"))
    return "".join(parts)


def _thin(path: str, kind: str, more: str = "") -> str:
    return (
        f'<path class="{kind}" d="{path}" fill="none" stroke="currentColor"{more}'
        ' vector-effect="non-scaling-stroke"/>'
    )


def empty(words: Words) -> str:
    """A picture that says that there is nothing to draw."""
    told = f"No {words.unit} were told"
    return picture([text(WIDTH // 2, 110, told, anchor="middle")], words, 200, f"{told}.")
