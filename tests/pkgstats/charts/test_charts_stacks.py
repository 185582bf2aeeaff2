from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.charts.model import BANDS_MAX, ROWS_MAX, Series
from pkgstats.charts.stacks import stacked_chart

from .svg import assert_sound, classed, places, texts

SUNDAY = 20_520  # 2026-03-08

POINTS = st.lists(
    st.tuples(
        st.integers(SUNDAY - 400, SUNDAY) | st.integers(-(2**40), 2**40),
        st.none() | st.integers(0, 2000) | st.integers(-9, 2**70),
    ),
    max_size=60,
)


def weeks(*counts: int, start: int = SUNDAY) -> list[tuple[int, int | None]]:
    return [(start + 7 * week, count) for week, count in enumerate(counts)]


def test_bands_have_names_shares_and_patterns_of_their_own() -> None:
    series = [Series("3.x", weeks(0, 60)), Series("2.x", weeks(90, 40))]
    chart = stacked_chart(series, chart_id="v", title="Versions")
    root = assert_sound(chart.svg)
    assert texts(root)[-2:] == ["3.x 60%", "2.x 40%"]
    patterns = {one.get("id"): one for one in root.iter("pattern")}
    areas = [one for one in root.iter("path") if one.get("fill", "").startswith("url(#")]
    assert [one.get("fill") for one in areas] == ["url(#c-v-b0)", "url(#c-v-b1)"]
    assert (
        len({tuple(child.tag + str(child.attrib) for child in one) for one in patterns.values()})
        == 2
    )
    assert chart.table.headers == ("Week to", "3.x", "2.x")
    assert chart.table.rows == (("15 Mar 2026", 60, 40), ("8 Mar 2026", 0, 90))


def test_the_newest_lies_on_top_of_the_others() -> None:
    root = assert_sound(
        stacked_chart(
            [Series("2.x", weeks(10, 10)), Series("1.x", weeks(30, 30))], chart_id="v", title="x"
        ).svg
    )
    edges = [list(places(classed(root, f"band{number}")[-1].get("d", ""))) for number in (1, 2)]
    levels = [{y for _, y in edge} for edge in edges]
    assert min(levels[0]) < max(levels[0]) == min(levels[1]) < max(levels[1])


def test_small_bands_are_joined_and_the_newest_is_kept() -> None:
    series = [Series(f"{20 - index}.x", weeks(5 + index, 1 + index)) for index in range(12)]
    chart = stacked_chart(series, chart_id="v", title="x")
    assert chart.table.headers[1:] == ("20.x", "12.x", "11.x", "10.x", "9.x", "other")
    assert len(chart.table.headers) == BANDS_MAX + 1
    assert sum(chart.table.rows[0][1:]) == sum(range(1, 13))  # type: ignore[arg-type]
    assert_sound(chart.svg)


def test_weeks_that_nobody_told_of_are_a_gap() -> None:
    told = weeks(1, 2) + weeks(3, 4, start=SUNDAY + 70)
    root = assert_sound(stacked_chart([Series("1.x", told)], chart_id="v", title="x").svg)
    area = next(one for one in root.iter("path") if one.get("fill") == "url(#c-v-b0)")
    assert area.get("d", "").count("z") == 2


def test_nothing_one_week_and_zeros_are_pictures_too() -> None:
    empty = stacked_chart([], chart_id="v", title="x")
    assert texts(assert_sound(empty.svg)) == ["No downloads a week were told"]
    one = stacked_chart([Series("1.x", weeks(5))], chart_id="v", title="x")
    assert "2 Mar 2026" in texts(assert_sound(one.svg))
    zero = stacked_chart([Series("1.x", weeks(0, 0))], chart_id="v", title="x")
    assert "1.x 0%" in texts(assert_sound(zero.svg))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(Series, st.text(max_size=30), POINTS), max_size=BANDS_MAX + 3))
def test_anything_is_a_sound_picture(series: list[Series]) -> None:
    chart = stacked_chart(series, chart_id="v", title="x")
    assert_sound(chart.svg)
    weeks_told = len({day for one in series for day, _ in one.points})
    assert len(chart.svg) <= 10_000 + BANDS_MAX * 60 * weeks_told
    assert len(chart.table.rows) <= ROWS_MAX
