from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.charts.lines import line_chart
from pkgstats.charts.model import POINTS_MAX, ROWS_MAX, SERIES_MAX, Chart, Series

from .svg import assert_sound, classed, data_line, places, read, texts

MONDAY = 20_514  # 2026-03-02
WEEKEND = (100, 100, 100, 100, 100, 40, 45)

POINTS = st.lists(
    st.tuples(
        st.integers(MONDAY - 900, MONDAY) | st.integers(-(2**40), 2**40),
        st.none() | st.integers(0, 2000) | st.integers(-9, 2**70),
    ),
    max_size=150,
)
SERIES = st.lists(st.builds(Series, st.text(max_size=50), POINTS), max_size=SERIES_MAX + 2)


def days(number: int, level: int = 1000) -> list[tuple[int, int | None]]:
    return [(MONDAY + day, level * WEEKEND[day % 7]) for day in range(number)]


def drawn(*points: list[tuple[int, int | None]], outages: frozenset[int] = frozenset()) -> Chart:
    series = [Series(f"name-{index}", one) for index, one in enumerate(points)]
    return line_chart(series, chart_id="x", title="Downloads", outages=outages)


def runs(chart: Chart, number: int = 1) -> int:
    return data_line(read(chart.svg), number).get("d", "").count("M")


def test_one_line_has_its_unit_its_dates_and_its_last_value() -> None:
    words = texts(assert_sound(drawn(days(60)).svg))
    assert words[0] == "Downloads a day"
    assert {"0", "50k", "100k", "23 Mar"} < set(words)
    assert words[-1] == "100k"


def test_a_year_is_by_week_and_ten_are_by_month() -> None:
    assert "Downloads a week" in texts(read(drawn(days(365)).svg))
    assert "Downloads a month" in texts(read(drawn(days(3650)).svg))


def test_what_was_not_told_is_a_gap() -> None:
    told = days(60)
    assert runs(drawn(told)) == 1
    assert runs(drawn(told[:20] + told[21:])) == 2
    assert runs(drawn([*told[:20], (MONDAY + 20, None), *told[21:]])) == 2
    assert runs(drawn(days(365)[:100] + days(365)[101:])) == 2


def test_an_outage_is_marked_and_its_zero_is_drawn() -> None:
    told = days(60)
    told[30] = (MONDAY + 30, 0)
    root = read(drawn(told, outages=frozenset({MONDAY + 30, MONDAY - 500})).svg)
    titles = [one.findtext("title") for one in root.iter("rect") if one.find("title") is not None]
    assert titles == ["Outage: nothing was counted on 1 Apr 2026"]
    assert "Nothing was counted on 1 Apr 2026" in (root.findtext("desc") or "")
    lowest = max(y for _, y in places(data_line(root).get("d", "")))
    base = next(one for one in classed(root, "axis")).get("d", "")
    assert lowest == next(places(base))[1]


def test_lines_are_told_apart_by_dashes_markers_and_names() -> None:
    chart = drawn(*(days(200, 100 * index) for index in range(1, SERIES_MAX + 2)))
    root = assert_sound(chart.svg)
    dashes = [
        data_line(root, number).get("stroke-dasharray") for number in range(1, SERIES_MAX + 1)
    ]
    assert len(set(dashes)) == SERIES_MAX
    assert all(texts(root).count(f"name-{index}") == 1 for index in range(SERIES_MAX))
    assert any(words.startswith("name-5 ") for words in texts(root))
    assert f"name-{SERIES_MAX}" not in chart.svg


def test_a_line_keeps_its_looks_where_another_has_nothing() -> None:
    root = assert_sound(drawn([], days(60)).svg)
    assert not classed(root, "c1")
    assert data_line(root, 2).get("stroke-dasharray")
    assert "name-1" in texts(root)


def test_the_table_has_the_same_numbers() -> None:
    chart = drawn(days(14), days(7))
    assert chart.table.headers == ("Day", "name-0", "name-1")
    assert chart.table.rows[0] == ("15 Mar 2026", 45_000, "not told")
    assert chart.table.rows[-1] == ("2 Mar 2026", 100_000, 100_000)


def test_where_no_week_is_whole_the_days_are_drawn() -> None:
    chart = drawn(days(300)[::2])
    assert "Downloads a day" in texts(assert_sound(chart.svg))
    assert len(chart.table.rows) == ROWS_MAX


def test_nothing_one_point_and_zeros_are_pictures_too() -> None:
    for nothing in (drawn(), drawn([]), drawn([(MONDAY, None)])):
        assert texts(assert_sound(nothing.svg)) == ["No downloads were told"]
        assert nothing.table.rows == ()
    assert "2 Mar 2026" in texts(assert_sound(drawn([(MONDAY, 7)]).svg))
    assert texts(assert_sound(drawn([(MONDAY + day, 0) for day in range(9)]).svg))[-1] == "0"


def test_text_from_strangers_stays_text() -> None:
    name = "</svg><script>alert(1)</script>"
    series = [Series(name, days(30)), Series("\x00\u202e", days(30))]
    chart = line_chart(series, chart_id='"><b', title=name, description="&\x1f")
    root = assert_sound(chart.svg)
    assert root.findtext("title") == name
    assert not list(root.iter("script"))


def test_a_year_is_small_even_by_day() -> None:
    told = [(day, 3_000_000 + 999 * (day * 7919 % 997)) for day, _ in days(365)]
    for by in ("day", "week", "month", None):
        chart = line_chart([Series("react", told)], chart_id="x", title="Downloads", by=by)
        assert len(chart.svg) <= 4096


@settings(max_examples=60, deadline=None)
@given(SERIES, st.sets(st.integers(MONDAY - 900, MONDAY), max_size=50), st.text(max_size=20))
def test_anything_is_a_sound_picture(series: list[Series], lost: set[int], title: str) -> None:
    chart = line_chart(series, chart_id=title, title=title, description=title, outages=lost)
    assert_sound(chart.svg)
    told = min(POINTS_MAX, sum(len(one.points) for one in series))
    assert len(chart.svg) <= 20_000 + 26 * told
    assert len(chart.table.rows) <= ROWS_MAX
    assert all(len(row) == len(chart.table.headers) for row in chart.table.rows)
