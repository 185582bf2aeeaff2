from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.wording import (
    TEXT_MAX,
    as_date,
    day_text,
    escaped,
    month_text,
    short_number,
    shortened,
    span_text,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1234, "1.2k"),
        (9_999, "10k"),
        (99_960, "100k"),
        (999_499, "999k"),
        (999_600, "1M"),
        (1_500_000, "1.5M"),
        (2**53, "9Q"),
    ],
)
def test_numbers_are_as_short_as_can_be(number: int, words: str) -> None:
    assert short_number(number) == words


def test_dates_do_not_follow_the_language_of_the_machine() -> None:
    assert (day_text(0), month_text(20_514)) == ("1 Jan 1970", "Mar 2026")
    assert day_text(-1) == "31 Dec 1969"
    assert as_date(20_514).isoformat() == "2026-03-02"
    assert span_text(0, 1) == "1 Jan 1970"
    assert span_text(0, 2) == "1 Jan 1970 to 2 Jan 1970"


@given(st.text(), st.integers(2, 30))
def test_a_shortened_name_has_its_beginning_and_its_end(name: str, length: int) -> None:
    short = shortened(name, length)
    assert len(short) <= length
    assert short == name or (short[-1] == name[-1] and len(short) == length)


def test_names_that_begin_alike_stay_different() -> None:
    assert shortened("@babel/plugin-a", 12) != shortened("@babel/plugin-b", 12)


@given(st.text(max_size=2 * TEXT_MAX))
def test_any_text_can_stand_in_an_element_and_in_an_attribute(text: str) -> None:
    root = ET.fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>')  # noqa: S314
    assert (root.text or "") == root.get("b")
    assert len(root.text or "") <= TEXT_MAX


def test_what_turns_writing_round_or_ends_a_file_is_gone() -> None:
    assert escaped("a\u202eb\x00\ud800<\n'") == "a b &lt; &#x27;"
