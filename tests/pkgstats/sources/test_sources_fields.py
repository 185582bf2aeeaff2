"""Fields that strangers wrote: whatever they are, records take what comes out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.records.kinds import MILLISECONDS, MapOf, Number, Text
from pkgstats.sources.fields import (
    items,
    mapping,
    moment,
    number,
    pairs,
    people,
    text,
    word,
    words,
)

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(ANY)
def test_anything_comes_out_as_records_take_it(value: Any) -> None:
    Text(20).check(text(value, 20))
    Text(20).check(word(value, 20))
    MILLISECONDS.check(moment(value))
    assert isinstance(mapping(value), dict)
    assert isinstance(items(value), list)
    found = number(value)
    assert found is None or Number().check(found) == value
    assert pairs(value, 5, 5, 2) is None or MapOf(Text(5), Text(5), 2).check(pairs(value, 5, 5, 2))
    assert all(Text(5).check(one) for one in people(value, 5, 3))


def test_texts_are_cut_at_whole_characters() -> None:
    assert text("aé", 2) == "a"
    assert text("a\0b\x1bc\nd", 20) == "abc\nd"
    assert text("\ud800x", 20) == "x"
    assert word("abc", 3) == "abc"
    assert word("abcd", 3) == ""
    assert word("a\0", 3) == ""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1970-01-01T00:00:01.500Z", 1500),
        ("1970-01-01T01:00:01+01:00", 1000),
        ("1970-01-02", 86_400_000),
        ("1960-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2026-13-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("now", 0),
        (17, 0),
    ],
)
def test_times_are_milliseconds(said: Any, expected: int) -> None:
    assert moment(said) == expected


def test_lists_are_told_once_and_bounded() -> None:
    assert words(["b", "a", "b", 3, "", "long"], 3, 5) == ("b", "a")
    assert words(map(str, range(9)), 3, 2) == ("0", "1")
    assert pairs({"b": "1", "a": "22", "c": 3}, 9, 1, 9) == {"a": "2", "b": "1"}
    assert people([{"name": "ada"}, {"email": "x"}, 5], 9, 9) == ("ada",)
