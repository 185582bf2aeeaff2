from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.drawing import Words, picture
from pkgstats.charts.marking import (
    OUTAGES_MAX,
    SPACING,
    end_labels,
    legend,
    outage_bands,
    spans_of,
    spread,
)
from pkgstats.charts.model import SERIES_MAX
from pkgstats.charts.scale import Frame

from .svg import assert_sound, texts

FRAME = Frame(left=100, right=1000, high=80, low=480, start=0, stop=1000, top=20)
WORDS = Words("c-x", "x", "", "downloads")


@given(st.lists(st.integers(80, 480), max_size=SERIES_MAX))
def test_labels_do_not_overlap_and_keep_their_order(wanted: list[int]) -> None:
    placed = spread(wanted, 80, 480)
    heights = sorted(placed)
    assert all(after - before >= SPACING for before, after in pairwise(heights))
    assert all(80 <= height <= 480 for height in placed)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert [placed[index] for index in order] == heights


def test_labels_with_room_stand_where_they_belong() -> None:
    assert spread([300, 100], 80, 480) == [300, 100]


def test_days_that_follow_each_other_are_one_span() -> None:
    assert spans_of({5, 3, 4, 9, 12}, 4, 12) == [(4, 6), (9, 10)]
    assert len(spans_of(range(0, 1000, 2), 0, 1000)) == OUTAGES_MAX


def test_an_outage_is_wide_enough_to_be_seen_and_says_when_it_was() -> None:
    root = assert_sound(picture([outage_bands([(0, 1), (998, 1000)], FRAME, "c-x")], WORDS, 560))
    bands = [one for one in root.iter("rect") if one.find("title") is not None]
    assert [one.findtext("title") for one in bands] == [
        "Outage: nothing was counted on 1 Jan 1970",
        "Outage: nothing was counted on 25 Sep 1972 to 26 Sep 1972",
    ]
    assert {one.get("width") for one in bands} == {"12"}
    assert {one.get("fill") for one in bands} == {"url(#c-x-h)"}
    assert outage_bands([], FRAME, "c-x") == ""


def test_a_name_that_had_to_move_is_tied_to_its_line() -> None:
    apart = end_labels({0: "a", 1: "b"}, {0: (1000, 100), 1: (1000, 300)}, FRAME)
    close = end_labels({0: "a", 1: "b"}, {0: (1000, 300), 1: (1000, 301)}, FRAME)
    early = end_labels({0: "a", 1: "b"}, {0: (400, 100), 1: (1000, 300)}, FRAME)
    assert [one.count("stroke-width") for one in (apart, close, early)] == [0, 1, 1]


def test_a_legend_breaks_into_rows() -> None:
    names = {index: f"{index}-" + "n" * 10 for index in range(SERIES_MAX)}
    drawn, end = legend(names, 60)
    root = assert_sound(picture([drawn], WORDS, end))
    assert texts(root) == list(names.values())
    rows = {one.get("y") for one in root.iter("text")}
    assert len(rows) == 3
    assert legend({0: "react"}, 60)[1] < end
