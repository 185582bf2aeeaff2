"""The tree between the two passes, and what is written of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.markup.elements import Element, Writer, escape, read, text_of
from pkgstats.markup.sanitise import tidy

HTML = '<p>a &amp; &lt;b&gt;&nbsp;<a href="x?a&amp;b=&quot;">c<br>d</a></p><img src="y" alt="e">f'


def test_what_is_read_is_written_again() -> None:
    assert Writer(1000).write(read(HTML)) == HTML


@given(st.lists(st.sampled_from(["<b>", "</b>", "<p>", "<li>", "&", "\xa0", "x", "<br>"])))
def test_whatever_nh3_writes_is_read_and_written_alike(pieces: list[str]) -> None:
    html = tidy("".join(pieces))
    assert Writer(100_000).write(read(html)) == html


def test_texts_include_what_images_say() -> None:
    assert text_of(read(HTML)) == "a & <b>\xa0cdef"


def test_elements_come_in_the_order_of_the_text() -> None:
    assert [one.tag for one in read("<b><i></i></b><u></u>").elements()] == ["b", "i", "u"]


@pytest.mark.parametrize("bytes_max", range(60))
def test_what_is_cut_is_closed_and_short_enough(bytes_max: int) -> None:
    writer = Writer(bytes_max)
    root = Element("", {}, [Element("b", {}, ["äöü" * 5, Element("i", {}, ["x"])]), "y"])
    html = writer.write(root)
    assert len(html.encode()) <= bytes_max
    assert html.count("<b>") == html.count("</b>")
    assert writer.cut == (bytes_max < len("<b></b><i></i>xy") + 30)


def test_nothing_follows_what_is_cut() -> None:
    root = Element("", {}, ["a", Element("b", {}, ["long " * 9]), "c"])
    assert Writer(20).write(root) == "a<b>lo</b>"


def test_escaping() -> None:
    assert escape('<a> & "b"\xa0') == '&lt;a&gt; &amp; "b"&nbsp;'
