"""What is written upon and around the lines: outages, names at their ends, the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import (
    DASHES,
    EDGE,
    FONT,
    HATCH,
    WIDTH,
    line,
    marker,
    text,
    width_of,
)
from pkgstats.charts.wording import NAME_MAX, shortened, span_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pkgstats.charts.scale import Frame

OUTAGES_MAX: Final = 40
"""Bands of outages in one chart; of more, the newest are drawn."""

OUTAGE_WIDTH: Final = 12
"""Units at least, so that one day in three years can be seen."""

ROW: Final = 56
"""Height of a row of the legend."""

SAMPLE: Final = 100
"""Length of a line in the legend."""

SPACING: Final = FONT + 6
"""From one name to the next, where lines end close to each other."""


def spans_of(days: Collection[int], start: int, stop: int) -> list[tuple[int, int]]:
    """Days of ``[start, stop)`` as spans of days that follow each other, oldest first."""
    spans: list[tuple[int, int]] = []
    for day in sorted({day for day in days if start <= day < stop}):
        if spans and spans[-1][1] == day:
            spans[-1] = (spans[-1][0], day + 1)
        else:
            spans.append((day, day + 1))
    return spans[-OUTAGES_MAX:]


def outage_bands(spans: Sequence[tuple[int, int]], frame: Frame, ident: str) -> str:
    """Hatched bands over the height of the chart, and what they mean above it."""
    if not spans:
        return ""
    hatch = (
        f'<pattern id="{ident}-h" class="outage" width="24" height="24"'
        f' patternUnits="userSpaceOnUse"><path d="{HATCH}" stroke="currentColor"'
        ' stroke-width="3" stroke-opacity=".7"/></pattern>'
    )
    bands = [_band(span, frame, ident) for span in spans]
    x = WIDTH - EDGE - 40
    swatch = f'<rect x="{x}" y="14" width="40" height="32" fill="url(#{ident}-h)"/>'
    return "".join([hatch, *bands, swatch, text(x - 16, 44, "nothing counted", anchor="end")])


def _band(span: tuple[int, int], frame: Frame, ident: str) -> str:
    x = frame.x(span[0])
    width = max(OUTAGE_WIDTH, frame.x(span[1]) - x)
    return (
        f'<rect x="{min(x, frame.right - width)}" y="{frame.high}" width="{width}"'
        f' height="{frame.low - frame.high}" fill="url(#{ident}-h)">'
        f"<title>Outage: nothing was counted on {span_text(*span)}</title></rect>"
    )


def spread(wanted: Sequence[int], high: int, low: int) -> list[int]:
    """Heights of labels, as wanted but for `SPACING` between them, within ``[high, low]``."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = list(wanted)
    floor = high
    for index in order:
        placed[index] = floor = max(floor, wanted[index])
        floor += SPACING
    ceiling = low
    for index in reversed(order):
        placed[index] = ceiling = min(ceiling, placed[index])
        ceiling -= SPACING
    return placed


def end_labels(names: Mapping[int, str], ends: Mapping[int, tuple[int, int]], frame: Frame) -> str:
    """The marker at each line's end, and its name beside; a thin line where they lie apart.

    Args:
        names: by the number of the line.
        ends: where they end, of the same lines.
        frame: the names stand to the right of it; the only one, beside its marker.
    """
    parts = []
    heights = spread([end[1] for end in ends.values()], frame.high, frame.low)
    for (index, (end_x, end_y)), y in zip(ends.items(), heights, strict=True):
        x = frame.right + 36 if len(ends) > 1 else end_x + 28
        if abs(y - end_y) >= FONT // 2 or end_x < x - SAMPLE:
            parts.append(line(f"M{end_x} {end_y}L{x - 8} {y}", f"c{index + 1}", width=1))
        parts.append(marker(end_x, end_y, index))
        parts.append(text(x, y + 13, names[index], "label"))
    return "".join(parts)


def legend(entries: Mapping[int, str], top: int) -> tuple[str, int]:
    """Names beside a piece of their line, in rows.

    Returns:
        The text, and where the plot may begin.
    """
    parts = []
    x, y = EDGE, top
    for index, entry in entries.items():
        words = shortened(entry, NAME_MAX + 8)
        needed = SAMPLE + 24 + width_of(words)
        if x > EDGE and x + needed > WIDTH:
            x, y = EDGE, y + ROW
        parts.append(line(f"M{x} {y + 28}h{SAMPLE}", f"c{index + 1}", DASHES[index]))
        parts.append(marker(x + SAMPLE, y + 28, index))
        parts.append(text(x + SAMPLE + 24, y + 41, words, "label"))
        x += needed + 40
    return "".join(parts), y + ROW + 16
