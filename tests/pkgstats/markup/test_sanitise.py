"""Nothing but what is listed comes out, whatever goes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.markup.elements import DEPTH_MAX
from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.sanitise import gate, tidy

from . import xss_corpus
from .allowed import problems

BASE = Base("owner/name")
TAGS = """
    <a\thref=' <img\tsrc= <p\ttitle=' <h1\tid= </h1> <h2> '> "> > </a> <table> <tr> <td> </table>
    <svg> <math> <style> </style> <!-- --> <details> <summary> <pre> <code> <li> <ul> <b> </b>
"""
MARKS = ["# ", "- ", "> ", "```js\n", "`", "[", "](", ")", "![", "| a |\n|--|\n", "1. ", "- [ ] "]
VALUES = ["javascript:", "https://a.example/", "#x", " onclick=", "&quot;", "&#106;", "\0", "\n\n"]
PIECES = st.sampled_from([*TAGS.split(" "), *MARKS, *VALUES])
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(set(xss_corpus.ALL)) == len(xss_corpus.ALL) >= 120


@pytest.mark.parametrize("text", xss_corpus.ALL)
@pytest.mark.parametrize("images", [False, True])
def test_nothing_of_the_corpus_gets_through(text: str, images: bool) -> None:
    html = render(text, base=BASE, images=images).html
    assert not problems(html)
    assert gate(html) == html


@pytest.mark.parametrize("text", xss_corpus.ALL)
def test_the_gate_alone_would_do(text: str) -> None:
    """Were everything before it broken, what it lets through would run nothing."""
    found = " ".join(problems(gate(text)))
    for word in ("script", "on", "style", "srcset", "data", "id=", "javascript"):
        assert f": {word}" not in found
    assert "<script" not in gate(text).lower()


@given(TEXTS, st.booleans())
def test_any_text_becomes_what_is_allowed(text: str, images: bool) -> None:
    found = render(text, base=BASE, images=images)
    assert not problems(found.html)
    assert gate(found.html) == found.html
    assert found.html.count("<") < 50 * (len(text) + 1)
    assert {f'id="{heading.id}"' in found.html for heading in found.headings} <= {True}


@given(st.text())
def test_any_characters_become_what_is_allowed(text: str) -> None:
    assert not problems(render(text, base=BASE, images=True).html)


def test_what_is_made_tidy_is_well_formed() -> None:
    assert tidy("<p>a<b>b<i>c</b>d<td>") == "<p>a<b>b<i>c</i></b><i>d</i></p>"
    assert tidy("a<svg><p>b") == "a<p>b</p>"


def test_depth_is_bounded() -> None:
    found = render("<div>" * 5000 + "text", base=BASE, images=False).html
    assert found.count("<div>") == DEPTH_MAX
    assert "text" in found


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('<a href="javascript:x" rel="opener">x</a>', "<a>x</a>"),
        ('<a href="/settings">x</a>', "<a>x</a>"),
        ('<a href="#main">x</a>', "<a>x</a>"),
        ('<h2 id="main">x</h2>', "<h2>x</h2>"),
        ('<img src="http://a.example/">', "<img>"),
        (
            '<div role="button" tabindex="1" class="page r-right">x</div>',
            '<div class="r-right">x</div>',
        ),
        ("<h1>x</h1>", "x"),
        ('<p style="x" title="x" lang="x">x</p>', "<p>x</p>"),
    ],
)
def test_the_gate_lets_only_ours_through(wrong: str, right: str) -> None:
    assert gate(wrong) == right
