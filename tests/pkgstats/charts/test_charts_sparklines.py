from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.sparklines import COUNTS_MAX, spark_path, sparkline

from .svg import assert_sound, places

COUNTS = st.lists(st.none() | st.integers(-5, 2**70), max_size=300)


def test_a_sparkline_has_a_name_a_gap_and_a_dot_at_its_end() -> None:
    root = assert_sound(sparkline([1, 2, None, 4], title='"react" & more'))
    path, dot = root.findall("path")[0], root.findall("circle")[0]
    assert root.get("aria-label") == '"react" & more'
    assert path.get("d", "").count("M") == 2
    assert list(places(path.get("d", "")))[-1] == (
        float(dot.get("cx", "")),
        float(dot.get("cy", "")),
    )
    assert dot.get("cy") == "5"  # the most stands highest


def test_nothing_gives_no_line_and_zeros_a_level_one() -> None:
    root = assert_sound(sparkline([None, None], title="x"))
    assert (root.findall("path")[0].get("d"), root.findall("circle")) == ("", [])
    level = assert_sound(sparkline([0, 0, 0], title="x")).findall("path")[0].get("d", "")
    assert {y for _, y in places(level)} == {35}


def test_of_too_many_the_last_are_drawn() -> None:
    counts = [9, *[1] * COUNTS_MAX]
    assert sparkline(counts, title="x") == sparkline(counts[1:], title="x")


@given(COUNTS, st.text(max_size=20))
def test_anything_gives_a_small_picture(counts: list[int | None], title: str) -> None:
    svg = sparkline(counts, title=title)
    assert_sound(svg)
    assert len(svg) <= 600 + 12 * min(len(counts), COUNTS_MAX)


def test_a_bare_line_is_that_of_the_whole_sparkline() -> None:
    counts = [3, None, 1, -1, 7]
    root = assert_sound(sparkline(counts, title="x"))
    assert spark_path(counts) == root.findall("path")[0].get("d")
    assert spark_path([]) == ""
