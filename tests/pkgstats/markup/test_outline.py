"""Levels and ids of headings, and what leads to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.markup.elements import read
from pkgstats.markup.outline import SLUG_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, outline, slug
from pkgstats.markup.rendered import HEADINGS_MAX


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Usage", "usage"),
        ("What's new in 2.0?", "whats-new-in-20"),
        ("`fs.read_file()` & more", "fsread_file--more"),
        ("Über uns", "über-uns"),
        ("🎉", ""),
        ("x" * 500, "x" * SLUG_CHARACTERS_MAX),
    ],
)
def test_names_are_those_of_github(text: str, name: str) -> None:
    assert slug(text) == name


def levels(html: str) -> list[int]:
    return [heading.level for heading in outline(read(html)).headings]


def test_no_level_is_left_out_and_those_beside_each_other_agree() -> None:
    assert levels("<h1>a</h1><h3>b</h3><h3>c</h3><h2>d</h2><h6>e</h6>") == [2, 3, 3, 3, 4]
    assert levels("<h3>a</h3><h1>b</h1><h2>c</h2>") == [2, 2, 3]
    assert levels("".join(f"<h{one}>a</h{one}>" for one in range(1, 7))) == [2, 3, 4, 5, 6, 6]


@given(st.lists(st.integers(1, 6), max_size=30))
def test_levels_go_down_one_by_one(said: list[int]) -> None:
    found = levels("".join(f"<h{one}>a</h{one}>" for one in said))
    assert all(2 <= level <= 6 for level in found)
    assert all(below - above <= 1 for above, below in zip([1, *found], found, strict=False))


def test_ids_are_counted_and_never_the_same() -> None:
    found = outline(read("<h1>a</h1><h1>a-1</h1><h1>a</h1><h1>a</h1>"))
    assert [one.id for one in found.headings] == ["r-a", "r-a-1", "r-a-2", "r-a-3"]


def test_headings_without_a_text_are_none() -> None:
    root = read('<h1> </h1><h1><img alt=""></h1><h1><img alt="Logo"></h1>')
    assert [one.text for one in outline(root).headings] == ["Logo"]
    assert [one.tag for one in root.elements()] == ["div", "div", "img", "h2", "img"]


def test_a_heading_in_a_heading_is_none() -> None:
    root = read("<h1>a<div><h2>b</h2></div></h1>")
    assert [one.text for one in outline(root).headings] == ["ab"]
    assert [one.tag for one in root.elements()] == ["h2", "div", "span"]


def test_links_find_headings_by_name_and_by_old_anchors() -> None:
    html = '<a name="Before"></a><h2 id="own"><a id="inside"></a>Über</h2><a name="last"></a>'
    found = outline(read(html))
    for said in ("über", "%C3%9Cber", "BEFORE", "own", "inside", "user-content-über"):
        assert found.target(said) == "r-über"
    assert found.target("last") is None
    assert found.target("gone") is None


def test_the_table_of_contents_is_bounded() -> None:
    found = outline(read("<h1>" + "a" * 1000 + "</h1>" + "<h2>b</h2>" * 2 * HEADINGS_MAX))
    assert len(found.headings) == HEADINGS_MAX
    assert len(found.headings[0].text) == TEXT_CHARACTERS_MAX
    assert found.target("b-150") == "r-b-150"
