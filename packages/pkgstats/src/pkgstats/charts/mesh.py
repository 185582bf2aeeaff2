"""A group of peers as a picture: writers on the left, this peer in the middle, others on the right.

Nothing in it depends on colour: how much is here of a writer's feeds is the height of five bars,
what a peer shares are five dots, filled or not, and how busy a connection is is its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import (
    EDGE,
    FONT,
    LETTER,
    WIDTH,
    Words,
    identifier,
    line,
    picture,
    text,
)
from pkgstats.charts.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

NODES_MAX: Final = 10
"""Writers, and peers, in the picture; the tables beside it have all."""

NAME: Final = 16
"""Letters of a name."""

ROW: Final = 132
"""Height of a writer or a peer and of the room below it."""

BOX: Final = 104
SIDE: Final = (NAME + 1) * LETTER
"""Height and width of the box around one."""

RADIUS: Final = 92
"""Of the circle in the middle."""

BUSY: Final = ((1_000_000, 8), (100_000, 5), (1000, 3))
"""Bytes a second, and how many px wide a connection with at least so much is; 1.5 below."""

KINDS_MAX: Final = 8
"""Bars or dots of one box."""


@dataclass(frozen=True, slots=True)
class MeshNode:
    """A writer or a peer.

    Attributes:
        name: what it is called; may come from strangers.
        shares: of each kind of feed, which part is here, or is shared: 0 to 1.
        rate: bytes a second between it and us.
        on: whether it counts, or is there: else its line is dashed.
    """

    name: str
    shares: tuple[float, ...]
    rate: float = 0.0
    on: bool = True


def mesh(
    me: str,
    writers: Sequence[MeshNode],
    peers: Sequence[MeshNode],
    *,
    chart_id: str,
    title: str,
    description: str,
) -> str:
    """An ``<svg>`` element; the first `NODES_MAX` of each side are drawn.

    Args:
        me: what this peer is called.
        writers: with the share of their feeds that is here.
        peers: with 1 for each kind of feed that we share.
        chart_id: letters and digits that no other picture on the page has.
        title: the accessible name.
        description: what can be seen in it.
    """
    left, right = writers[:NODES_MAX], peers[:NODES_MAX]
    rows = max(len(left), len(right), 2)
    height = rows * ROW + 2 * EDGE + FONT + 24
    middle = (height + FONT) // 2
    parts = [text(EDGE, FONT, "Writers"), text(WIDTH - EDGE, FONT, "Peers", anchor="end")]
    for nodes, x, towards in ((left, EDGE, 1), (right, WIDTH - EDGE - SIDE, -1)):
        first = middle - (len(nodes) * ROW - (ROW - BOX)) // 2
        for index, node in enumerate(nodes):
            y = first + index * ROW
            edge = x + SIDE if towards > 0 else x
            parts.append(_wire(edge, y + BOX // 2, WIDTH // 2 - towards * RADIUS, middle, node))
            parts.append(_box(x, y, node, bars=towards > 0))
    parts.append(_me(me, middle))
    words = Words(identifier(chart_id), title, description, unit="peers")
    return picture(parts, words, height)


def _wire(x: int, y: int, to_x: int, to_y: int, node: MeshNode) -> str:
    half = (x + to_x) // 2
    width = next((px for rate, px in BUSY if node.rate >= rate), 1.5)
    dashes = "" if node.on else ' stroke-dasharray="3 5"'
    return (
        f'<path class="c1" d="M{x} {y}C{half} {y} {half} {to_y} {to_x} {to_y}" fill="none" '
        f'stroke="currentColor" stroke-width="{width}"{dashes} vector-effect="non-scaling-stroke"/>'
    )


def _box(x: int, y: int, node: MeshNode, *, bars: bool) -> str:
    frame = (
        f'<rect class="grid" x="{x}" y="{y}" width="{SIDE}" height="{BOX}" rx="14" fill="none" '
        'stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke"/>'
    )
    name = text(x + 18, y + 46, shortened(" ".join(node.name.split()), NAME), "label")
    draw = _bar if bars else _dot
    marks = "".join(
        draw(x + 22 + 44 * index, y + BOX - 14, min(1.0, max(0.0, share)))
        for index, share in enumerate(node.shares[:KINDS_MAX])
    )
    return frame + name + marks


def _bar(x: int, y: int, share: float) -> str:
    """A frame of which as much is filled as is here."""
    tall = round(28 * share)
    return (
        f'<path class="c1" d="M{x} {y}v-28h30v28z" fill="none" stroke="currentColor" '
        'vector-effect="non-scaling-stroke"/>'
        f'<path class="c1" d="M{x} {y}v-{tall}h30v{tall}z" fill="currentColor"/>'
    )


def _dot(x: int, y: int, share: float) -> str:
    fill = "currentColor" if share > 0 else "none"
    return (
        f'<circle class="c1" cx="{x + 15}" cy="{y - 14}" r="13" fill="{fill}" '
        'stroke="currentColor" vector-effect="non-scaling-stroke"/>'
    )


def _me(name: str, middle: int) -> str:
    x = WIDTH // 2
    ring = line(f"M{x - RADIUS} {middle}a{RADIUS} {RADIUS} 0 1 0 {2 * RADIUS} 0", "c1", width=3)
    other = line(f"M{x - RADIUS} {middle}a{RADIUS} {RADIUS} 0 1 1 {2 * RADIUS} 0", "c1", width=3)
    return ring + other + text(x, middle + 14, shortened(name, 6), "label", "middle")
