"""How many take which major version, week by week: bands upon each other, the newest on top."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import (
    EDGE,
    FOOT,
    HATCH,
    HEAD,
    PLOT_HEIGHT,
    WIDTH,
    Words,
    empty,
    grid,
    identifier,
    joined,
    picture,
    text,
    width_of,
)
from pkgstats.charts.majors import OTHER
from pkgstats.charts.marking import spread
from pkgstats.charts.model import BANDS_MAX, ROWS_MAX, Chart, ChartTable, bounded
from pkgstats.charts.scale import Frame, count_ticks
from pkgstats.charts.wording import day_text, short_number, shortened, span_text
from pkgstats.stats import WEEK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pkgstats.charts.model import Series

BAND_NAME: Final = 12
"""Letters of a band's name beside it."""

SWATCH: Final = 40
"""Width of a piece of a pattern beside its name."""

GAP: Final = 2 * WEEK
"""Days between two weeks that are told, at most, for a band to go on."""

FILLS: Final = (
    '<rect width="24" height="24" fill="currentColor" fill-opacity=".6"/>',
    f'<path d="{HATCH}" stroke="currentColor" stroke-width="5"/>',
    '<path d="M6 6h0M18 18h0" stroke="currentColor" stroke-width="8" stroke-linecap="round"/>',
    '<path d="M0 6h24M0 18h24" stroke="currentColor" stroke-width="4"/>',
    '<path d="M-4 20l8 8M0 0L24 24M20-4l8 8" stroke="currentColor" stroke-width="3"/>',
    "",
)
"""Patterns of the bands, upon a tint, in the order of their classes; the last is the tint alone."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band, with a count for each week that was told."""

    name: str
    counts: tuple[int, ...]


def stacked_chart(
    series: Sequence[Series],
    *,
    chart_id: str,
    title: str,
    description: str = "",
    unit: str = "downloads a week",
) -> Chart:
    """Counts by week as bands upon each other; the small ones are joined as "other".

    Args:
        series: newest first, as `by_major` tells them; a day is the last one of its week, and a
            band that lacks a day which others have counts 0 there.
        chart_id: letters and digits that no other chart on the page has.
        title: the accessible name.
        description: what the chart shows; its span and the last shares are added.
        unit: what is counted.
    """
    told = [(one.name, bounded(one.points)) for one in series]
    days = sorted({day for _, counts in told for day in counts})
    words = Words(identifier(chart_id), title, description, unit)
    if not days:
        return Chart(empty(words), ChartTable(unit.capitalize(), ("Week to",), ()))
    bands = _joined(told, days)
    return Chart(_drawn(bands, days, words), _table(bands, days, unit))


def _joined(told: Sequence[tuple[str, Mapping[int, int]]], days: Sequence[int]) -> list[Band]:
    """As many bands as can be told apart: the newest, the largest in any week, and the rest."""
    bands = [Band(name, tuple(counts.get(day, 0) for day in days)) for name, counts in told]
    if len(bands) <= BANDS_MAX:
        return bands
    named = [index for index in range(1, len(bands)) if bands[index].name != OTHER]
    large = sorted(named, key=lambda index: max(bands[index].counts), reverse=True)
    kept = {0, *large[: BANDS_MAX - 2]}
    rest = [band.counts for index, band in enumerate(bands) if index not in kept]
    other = Band(OTHER, tuple(sum(week) for week in zip(*rest, strict=True)))
    return [bands[index] for index in sorted(kept)] + [other]


def _drawn(bands: Sequence[Band], days: Sequence[int], words: Words) -> str:
    labels = [f"{shortened(band.name, BAND_NAME)} {_share(band, bands)}" for band in bands]
    edges = [*_edges(bands), tuple(0 for _ in days)]
    frame = _frame(max(edges[0]), days, labels)
    parts = [text(EDGE, 44, words.unit.capitalize())]
    parts += [_pattern(index, words.ident) for index in range(len(bands))]
    parts.append(grid(frame, WEEK))
    parts += [
        _area(upper, lower, days, frame, (index, words.ident))
        for index, (upper, lower) in enumerate(pairwise(edges))
    ]
    parts.append(_labels(labels, edges, frame, words.ident))
    told = f"By week, {span_text(frame.start, frame.stop)}. Last week: {', '.join(labels)}."
    return picture(parts, words, frame.low + FOOT, told)


def _share(band: Band, bands: Sequence[Band]) -> str:
    whole = sum(one.counts[-1] for one in bands)
    percent = 100 * band.counts[-1] / whole if whole else 0
    return "<1%" if 0 < percent < 1 else f"{percent:.0f}%"


def _frame(most: int, days: Sequence[int], labels: Sequence[str]) -> Frame:
    ticks = count_ticks(most)
    return Frame(
        left=max(width_of(short_number(tick)) for tick in ticks) + 24,
        right=WIDTH - SWATCH - 48 - max(width_of(label) for label in labels),
        high=HEAD,
        low=HEAD + PLOT_HEIGHT,
        start=days[0] - WEEK + 1,
        stop=days[-1] + 1,
        top=ticks[-1],
    )


def _edges(bands: Sequence[Band]) -> list[tuple[int, ...]]:
    """The upper edge of each band: the sum of it and of those below, the last one lowest."""
    rows = accumulate(
        (band.counts for band in reversed(bands)),
        lambda below, counts: tuple(a + b for a, b in zip(below, counts, strict=True)),
    )
    return list(rows)[::-1]


def _area(
    upper: Sequence[int],
    lower: Sequence[int],
    days: Sequence[int],
    frame: Frame,
    named: tuple[int, str],
) -> str:
    """A band, in as many pieces as its weeks follow each other."""
    index, ident = named
    breaks = [place for place in range(1, len(days)) if days[place] - days[place - 1] > GAP]
    pieces = []
    for start, stop in pairwise([0, *breaks, len(days)]):
        above = _edge(upper[start:stop], days[start:stop], frame)
        below = _edge(lower[start:stop], days[start:stop], frame)
        pieces.append(joined(above + below[::-1]) + "z")
    return (
        f'<path class="band{index + 1}" d="{"".join(pieces)}" fill="url(#{ident}-b{index})"'
        ' stroke="currentColor" stroke-linejoin="round" vector-effect="non-scaling-stroke"/>'
    )


def _edge(counts: Sequence[int], days: Sequence[int], frame: Frame) -> list[tuple[int, int]]:
    """Through the middles of the weeks, and level to the ends: one week alone has its width."""
    middles = [frame.x(day + 1 - WEEK / 2) for day in days]
    heights = [frame.y(count) for count in counts]
    first, last = frame.x(days[0] + 1 - WEEK), frame.x(days[-1] + 1)
    return [
        (first, heights[0]),
        *zip(middles, heights, strict=True),
        (last, heights[-1]),
    ]


def _pattern(index: int, ident: str) -> str:
    tint = '<rect width="24" height="24" fill="currentColor" fill-opacity=".2"/>'
    return (
        f'<pattern id="{ident}-b{index}" class="band{index + 1}" width="24" height="24"'
        f' patternUnits="userSpaceOnUse">{tint}{FILLS[index]}</pattern>'
    )


def _labels(names: Sequence[str], edges: Sequence[Sequence[int]], frame: Frame, ident: str) -> str:
    """Beside the middle of each band, or as near as there is room; with a piece of its pattern."""
    x = frame.right + 24
    middles = [frame.y((upper[-1] + lower[-1]) / 2) for upper, lower in pairwise(edges)]
    parts = []
    for index, y in enumerate(spread(middles, frame.high, frame.low)):
        parts.append(
            f'<rect class="band{index + 1}" x="{x}" y="{y - 15}" width="{SWATCH}" height="30"'
            f' fill="url(#{ident}-b{index})" stroke="currentColor"/>'
        )
        parts.append(text(x + SWATCH + 14, y + 13, names[index], "label"))
    return "".join(parts)


def _table(bands: Sequence[Band], days: Sequence[int], unit: str) -> ChartTable:
    weeks = list(zip(days, *(band.counts for band in bands), strict=True))
    cut = f"; the newest {ROWS_MAX}" if len(weeks) > ROWS_MAX else ""
    return ChartTable(
        caption=f"{unit.capitalize()}, by the last day of the week{cut}",
        headers=("Week to", *(band.name for band in bands)),
        rows=tuple((day_text(day), *counts) for day, *counts in weeks[-ROWS_MAX:][::-1]),
    )
