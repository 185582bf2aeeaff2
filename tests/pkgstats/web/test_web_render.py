"""HTML of templates, and the words they use."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup, escape

from pkgstats.search.results import Part
from pkgstats.web import render
from pkgstats.web.pages.errors import trouble
from pkgstats.web.respond import Twins
from pkgstats.web.site import Settings

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, DASH),
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (99_949, "99.9k"),
        (123_456, "123k"),
        (2_400_000_000, "2.4G"),
        (3 * 10**12, "3.0T"),
    ],
)
def test_a_large_number_is_short(value: int | None, text: str) -> None:
    assert render.compact(value) == text


def test_numbers_have_marks_for_thousands() -> None:
    assert render.number(1234567) == "1,234,567"
    assert render.counted(1, "package") == "1 package"
    assert render.counted(2345, "package") == "2,345 packages"
    assert render.counted(2, "reply", "replies") == "2 replies"


def test_times_are_in_utc() -> None:
    assert render.date(1_790_000_000_000) == "2026-09-21"
    assert render.date(None) == render.date(0) == DASH
    assert (render.day(0), render.day(20_717)) == ("1970-01-01", "2026-09-21")
    assert render.moment(1_790_000_000_000) == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize(
    ("value", "text"), [(None, DASH), (5, "5 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_sizes_have_units(value: int | None, text: str) -> None:
    assert render.size(value) == text


def test_a_ratio_is_told_as_more_or_less() -> None:
    assert [render.percent(one) for one in (None, 1.125, 0.5)] == [DASH, "+12.5 %", "-50.0 %"]
    assert render.percent(0.9999) == "+0.0 %"  # and not less than nothing


def test_a_key_is_told_by_its_start() -> None:
    assert (render.short(bytes(range(32))), render.short(None)) == ("00010203", "")


@given(st.dictionaries(st.text(), st.text()))
def test_structured_data_ends_no_element(value: dict[str, str]) -> None:
    text = render.structured(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_the_parts_of_a_score_are_list_items() -> None:
    told = [Part("a", "words & more", 1.0, 1.256), Part("b", "age", 1.0, -0.5)]
    items = "<li><b>+1.26</b> words &amp; more</li><li><b>-0.50</b> age</li>"
    assert render.parts(told) == items
    assert render.score(0.756) == "0.76"


def test_a_keyword_leads_to_all_that_have_it() -> None:
    assert (
        render.all_with("keywords", "C++ & more") == "/search?q=keywords%3A%22c%2B%2B+%26+more%22"
    )


VALUES = {
    "description": "",
    "path": "/x",
    "canonical": "http://localhost/x",
    "has_feed": False,
    "has_table": False,
    "twin": Twins("/x.json", "/x.csv", "/x.atom", "/x.feed.json"),
    "structured": None,
    "listed": True,
    "settings": Settings(),
}


def test_what_is_said_is_text() -> None:
    page = trouble("<b>", "<i>&", 404, similar=('"><u>',), query="<q>")
    html = render.render(
        page.template,
        page=page.data,
        title=page.title,
        full_title=page.title,
        query=page.query,
        **VALUES,
    )
    assert not any(tag in html for tag in ("<b>", "<i>", "<u>", "<q>"))
    assert "&lt;i&gt;&amp;" in html


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.text().map(Markup)))
def test_it_is_escaped_as_ever(value: object) -> None:
    assert render.escaped(value) == escape(value)


def test_templates_escape_so() -> None:
    environment = render._environment()
    for source in ("{{ a }}", "{% macro m(b) %}{{ b }}{% endmacro %}{{ m(a) }}"):
        template = environment.from_string(source)
        assert template.root_render_func.__globals__["escape"] is render.escaped
        assert template.render(a="<&>\"'") == "&lt;&amp;&gt;&#34;&#39;"
        assert template.render(a=Markup("<b>")) == "<b>"


def test_a_word_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render.render("trouble.html", page=None, title="x")
