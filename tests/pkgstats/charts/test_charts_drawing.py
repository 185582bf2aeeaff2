from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.drawing import (
    DASHES,
    MARKERS,
    Words,
    empty,
    grid,
    identifier,
    joined,
    marker,
    picture,
    text,
)
from pkgstats.charts.model import SERIES_MAX
from pkgstats.charts.scale import Frame

from .svg import assert_sound, places, texts

WORDS = Words(identifier("x"), "A & B", "<told>", "downloads")
PLACES = st.lists(st.tuples(st.integers(0, 1280), st.integers(0, 500)), min_size=1)


@given(PLACES)
def test_a_path_goes_where_it_should(through: list[tuple[int, int]]) -> None:
    path = joined(through)
    found = list(places(path))
    assert found == (through if len(through) > 1 else through * 2)
    assert len(path) <= 14 + 10 * len(through)


def test_a_picture_has_a_name_and_a_description() -> None:
    root = assert_sound(picture([text(5, 50, "<b>")], WORDS, 100, "And so on."))
    named, described = root.get("aria-labelledby"), root.get("aria-describedby")
    by_id = {one.get("id"): one.text for one in root.iter()}
    assert (by_id[named], by_id[described]) == ("A & B", "<told> And so on.")
    assert texts(root) == ["<b>"]
    assert root.get("width") is None


def test_an_empty_picture_says_so() -> None:
    assert texts(assert_sound(empty(WORDS))) == ["No downloads were told"]


@given(st.text())
def test_an_id_can_stand_in_an_address(name: str) -> None:
    assert re.fullmatch(r"c-[A-Za-z0-9-]{0,64}", identifier(name))


def test_lines_differ_without_colour() -> None:
    assert len(set(DASHES)) == len(set(MARKERS)) == SERIES_MAX
    assert len({marker(5, 5, index) for index in range(SERIES_MAX)}) == SERIES_MAX


def test_a_grid_names_counts_and_dates() -> None:
    frame = Frame(left=100, right=1200, high=80, low=480, start=0, stop=3, top=20)
    root = assert_sound(picture([grid(frame, 1)], WORDS, 560))
    assert texts(root) == ["0", "5", "10", "15", "20", "1 Jan 1970", "2 Jan", "3 Jan"]
