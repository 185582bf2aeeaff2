"""Things beside each other: sizes of versions, downloads of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.charts.drawing import EDGE, WIDTH, Words, empty, identifier, picture, text, width_of
from pkgstats.charts.model import BARS_MAX, COUNT_MAX, Chart, ChartTable
from pkgstats.charts.wording import short_number, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROW: Final = 64
"""Height of a bar and of the room below it."""

BAR: Final = 36
HEAD: Final = 72

NAME: Final = 16
"""Letters of a bar's name beside it."""


def bar_chart(
    bars: Sequence[tuple[str, int]],
    *,
    chart_id: str,
    title: str,
    description: str = "",
    unit: str = "downloads",
    of: str = "Version",
    written: Callable[[int], str] = short_number,
) -> Chart:
    """Level bars from 0, one below the other, with their numbers; the first `BARS_MAX`.

    Args:
        bars: names and amounts, in the order in which they are shown.
        chart_id: letters and digits that no other chart on the page has.
        title: the accessible name.
        description: what the chart shows.
        unit: what the amounts are of.
        of: what the names are of, as the table's header.
        written: an amount as it is written beside its bar.
    """
    shown = [(name, min(max(0, amount), COUNT_MAX)) for name, amount in bars[:BARS_MAX]]
    cut = f"; the first {BARS_MAX}" if len(bars) > BARS_MAX else ""
    table = ChartTable(f"{unit.capitalize()}{cut}", (of, unit.capitalize()), tuple(shown))
    words = Words(identifier(chart_id), title, description, unit)
    if not shown:
        return Chart(empty(words), table)
    labels = [written(amount) for _, amount in shown]
    parts = [text(EDGE, 44, unit.capitalize()), *_rows(shown, labels)]
    return Chart(picture(parts, words, HEAD + ROW * len(shown)), table)


def _rows(bars: Sequence[tuple[str, int]], labels: Sequence[str]) -> list[str]:
    names = [shortened(name, NAME) for name, _ in bars]
    left = max(width_of(name) for name in names) + 24
    room = max(WIDTH // 8, WIDTH - left - 24 - max(width_of(label) for label in labels))
    most = max(amount for _, amount in bars) or 1
    parts = []
    for index, ((_, amount), name, label) in enumerate(zip(bars, names, labels, strict=True)):
        y, width = HEAD + ROW * index, max(2, round(amount * room / most))
        parts.append(text(left - 16, y + 32, name, "label", "end"))
        parts.append(
            f'<rect class="c1" x="{left}" y="{y}" width="{width}" height="{BAR}"'
            ' fill="currentColor"/>'
        )
        parts.append(text(left + width + 16, y + 32, label))
    return parts
