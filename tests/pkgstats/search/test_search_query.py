from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.documents import MARKS
from pkgstats.search.parse import parse
from pkgstats.search.query import SORTS, Filter, Query, QueryError, Range, to_text


def test_a_range_holds_its_ends() -> None:
    assert 3 in Range(3, 5)
    assert 5 in Range(3, 5)
    assert 2 not in Range(3)
    assert 6 not in Range(high=5)
    assert 10**12 in Range()


def test_an_error_says_where() -> None:
    error = QueryError("No.", 3, 4, "yes")
    assert str(error) == "No."
    assert (error.sentence, error.offset, error.length, error.suggestion) == ("No.", 3, 4, "yes")


def test_a_query_as_text() -> None:
    query = Query(
        text='react "a b"',
        phrases=("a b",),
        without=("vue", "c d"),
        filters=(Filter("keywords", ("x", "y z")), Filter("is", ("types",), wanted=False)),
        downloads=Range(1000, None),
        age=Range(None, 90),
        modified=Range(0, None),
        sort="name",
        at=20_484,
    )
    assert to_text(query) == (
        'react "a b" -vue -"c d" keywords:x,"y z" not:types downloads:>=1000 updated:<=90d'
        " updated:>=1970-01-01 sort:name at:2026-01-31"
    )
    assert parse(to_text(query)) == query


def test_whom_it_asks_for() -> None:
    assert parse("@tanstack query").person == "tanstack"
    assert parse("query").person is None


NAMES = st.text("abcdefg-", min_size=1, max_size=8).filter(lambda name: name.strip("-") == name)
VALUES = st.text("abc-+, .", min_size=1, max_size=6).filter(lambda value: value.strip("-+ ,"))
FILTERS: dict[str, Any] = {
    "scope": NAMES,
    "maintainer": NAMES,
    "keywords": VALUES,
    "license": VALUES,
    "dep": NAMES,
}


@st.composite
def queries(draw: st.DrawFn) -> Query:
    filters = [
        Filter(field, tuple(draw(st.lists(values, min_size=1, max_size=3, unique=True))), wanted)
        for field, values in FILTERS.items()
        for wanted in draw(st.lists(st.booleans(), max_size=1))
    ]
    if draw(st.booleans()):
        filters.append(Filter("is", (draw(st.sampled_from(MARKS)),), draw(st.booleans())))
    low, high = sorted(draw(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))))
    day = st.none() | st.integers(0, 40_000)
    return Query(
        text=" ".join(draw(st.lists(NAMES, max_size=4))),
        without=tuple(draw(st.lists(NAMES, max_size=2))),
        package=draw(st.none() | NAMES),
        filters=tuple(filters),
        downloads=draw(st.sampled_from([Range(), Range(low), Range(low, high)])),
        age=Range(draw(day), draw(day)),
        modified=Range(draw(day), draw(day)),
        sort=draw(st.none() | st.sampled_from(SORTS)),
        at=draw(day),
    )


@given(queries())
def test_text_and_query_say_the_same(query: Query) -> None:
    assert parse(to_text(query)) == query


@pytest.mark.parametrize("name", ["licence", "user", "depends"])
def test_aliases_become_the_usual_word(name: str) -> None:
    assert not to_text(parse(f"{name}:x")).startswith(name)
