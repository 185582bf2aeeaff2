from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.charts.bars import bar_chart
from pkgstats.charts.model import BARS_MAX

from .svg import assert_sound, classed, texts

BARS = st.lists(st.tuples(st.text(max_size=40), st.integers(-5, 2**70)), max_size=BARS_MAX + 5)


def test_bars_are_as_long_as_their_amounts_and_say_them() -> None:
    chart = bar_chart(
        [("2.0.0", 300), ("1.0.0", 150), ("0.1.0", 0)],
        chart_id="s",
        title="Sizes",
        unit="bytes",
        written=lambda amount: f"{amount} B",
    )
    root = assert_sound(chart.svg)
    first, second, third = (int(one.get("width", "")) for one in classed(root, "c1", "rect"))
    assert abs(first - 2 * second) <= 1
    assert 0 < third < 5
    assert texts(root) == ["Bytes", "2.0.0", "300 B", "1.0.0", "150 B", "0.1.0", "0 B"]
    assert chart.table.headers == ("Version", "Bytes")
    assert chart.table.rows[0] == ("2.0.0", 300)


def test_of_too_many_the_first_are_drawn_and_the_caption_says_so() -> None:
    chart = bar_chart([("a", 1)] * (BARS_MAX + 1), chart_id="s", title="x")
    assert len(chart.table.rows) == BARS_MAX
    assert chart.table.caption == f"Downloads; the first {BARS_MAX}"


@settings(deadline=None)
@given(BARS)
def test_anything_is_a_sound_picture(bars: list[tuple[str, int]]) -> None:
    chart = bar_chart(bars, chart_id="s", title="x")
    assert_sound(chart.svg)
    assert len(chart.svg) <= 1000 + 800 * BARS_MAX
