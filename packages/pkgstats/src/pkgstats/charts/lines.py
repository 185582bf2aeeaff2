"""Downloads over time, of one package or of a few beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import (
    DASHES,
    EDGE,
    FOOT,
    HEAD,
    PLOT_HEIGHT,
    WIDTH,
    Words,
    empty,
    grid,
    identifier,
    joined,
    line,
    picture,
    text,
    width_of,
)
from pkgstats.charts.marking import end_labels, legend, outage_bands, spans_of
from pkgstats.charts.model import SERIES_MAX, Chart, bounded
from pkgstats.charts.resampling import TYPICAL_DAYS, resampled, resolution_of
from pkgstats.charts.scale import Frame, count_ticks
from pkgstats.charts.tables import table_of
from pkgstats.charts.wording import NAME_MAX, short_number, shortened, span_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pkgstats.charts.model import Series
    from pkgstats.charts.resampling import Resolution
    from pkgstats.stats import Period

END_NAME: Final = 12
"""Letters of a name at the end of its line."""


def line_chart(
    series: Sequence[Series],
    *,
    chart_id: str,
    title: str,
    description: str = "",
    unit: str = "downloads",
    outages: Collection[int] = (),
    by: Resolution | None = None,
) -> Chart:
    """Counts by day, week or month as lines from 0 up. What was not told is a gap.

    Args:
        series: counts by day, of up to `SERIES_MAX` packages; further ones are left out.
        chart_id: letters and digits that no other chart on the page has.
        title: the accessible name.
        description: what the chart shows, in a sentence; its span, ends and outages are added.
        unit: what is counted, in the plural.
        outages: days on which a registry counted nothing (`pkgstats.stats.outages_of`).
        by: what a point stands for; None: what fits the span.
    """
    words = Words(identifier(chart_id), title, description, unit)
    names = [shortened(" ".join(one.name.split()), NAME_MAX) for one in series[:SERIES_MAX]]
    told = [bounded(one.points) for one in series[:SERIES_MAX]]
    ends = [end for days in told if days for end in (min(days), max(days))]
    if not ends:
        return Chart(empty(words), table_of(names, told, [], by="day", unit=unit, outages=()))
    lost = frozenset(outages)
    by = by or resolution_of(max(ends) - min(ends) + 1)
    points = [resampled(days, by, lost) for days in told]
    if not any(points):
        by, points = "day", [resampled(days, "day", lost) for days in told]
    svg = _drawn(names, points, by, lost, words)
    return Chart(svg, table_of(names, told, points, by=by, unit=unit, outages=lost))


def _drawn(
    names: Sequence[str],
    series: Sequence[Sequence[Period]],
    by: Resolution,
    outages: Collection[int],
    words: Words,
) -> str:
    several = len(names) > 1
    drawn = {index: points for index, points in enumerate(series) if points}
    last = {index: short_number(points[-1].downloads) for index, points in drawn.items()}
    values = {index: f"{names[index]} {last[index]}" for index in drawn}
    ends = {index: shortened(names[index], END_NAME) for index in drawn} if several else last
    key, high = legend(values, HEAD - 16) if several else ("", HEAD)
    frame = _frame(drawn.values(), ends.values(), high)
    spans = spans_of(outages, frame.start, frame.stop)
    parts = [text(EDGE, 44, f"{words.unit.capitalize()} a {by}"), key]
    parts += [outage_bands(spans, frame, words.ident), grid(frame, TYPICAL_DAYS[by])]
    places = {index: _places(points, frame) for index, points in drawn.items()}
    parts += [_line(points, places[index], index) for index, points in drawn.items()]
    tips = {index: found[-1] for index, found in places.items()}
    parts.append(end_labels(ends, tips, frame))
    told = _told(values.values(), frame, by, spans)
    return picture(parts, words, frame.low + FOOT, told)


def _frame(lines: Collection[Sequence[Period]], labels: Collection[str], high: int) -> Frame:
    ticks = count_ticks(max(point.downloads for points in lines for point in points))
    return Frame(
        left=max(width_of(short_number(tick)) for tick in ticks) + 24,
        right=WIDTH - 60 - max(width_of(label) for label in labels),
        high=high,
        low=high + PLOT_HEIGHT,
        start=min(points[0].start for points in lines),
        stop=max(points[-1].stop for points in lines),
        top=ticks[-1],
    )


def _places(points: Sequence[Period], frame: Frame) -> list[tuple[int, int]]:
    return [(frame.x((one.start + one.stop) / 2), frame.y(one.downloads)) for one in points]


def _line(points: Sequence[Period], places: Sequence[tuple[int, int]], index: int) -> str:
    """One path, with a gap wherever a period is missing."""
    breaks = [
        number
        for number in range(1, len(points))
        if points[number - 1].stop != points[number].start
    ]
    runs = zip([0, *breaks], [*breaks, len(points)], strict=True)
    path = "".join(joined(places[start:stop]) for start, stop in runs)
    return line(path, f"c{index + 1}", DASHES[index], 2)


def _told(
    values: Collection[str], frame: Frame, by: Resolution, spans: Sequence[tuple[int, int]]
) -> str:
    """What the picture shows, in words."""
    lost = ", ".join(span_text(*span) for span in spans)
    return f"By {by}, {span_text(frame.start, frame.stop)}. Last: {', '.join(values)}." + (
        f" Nothing was counted on {lost}." if lost else ""
    )
