"""Queries that narrow another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.parse import parse
from pkgstats.web.refining import (
    BEST,
    MARKS,
    ONE_OF,
    SORTS,
    TERMS,
    chosen,
    filtered,
    has,
    narrows,
    refined,
    terms_of,
    toggled,
    without,
)

if TYPE_CHECKING:
    from pkgstats.search.query import Filter, Query

NARROWING = [term for _, term in MARKS] + [term for _, some in ONE_OF for _, term in some]
ORDERS = [term for _, term in SORTS]

PARTS = st.sampled_from(
    [
        *("csv", '"rate  limiting"', "-word", "@types", "a:b", "node:fs", "dep:react", "C++"),
        *("is:types", "not:types", "-is:esm", "LICENSE:MIT", "licence:isc", "downloads:>5"),
        *("sort:name", "at:2026-01-31", "updated:<1y", "keywords:a,b", 'license:"x y"', "—"),
    ]
)
QUERIES = st.lists(PARTS, max_size=8).map("  ".join)


@pytest.mark.parametrize(
    ("text", "term", "then"),
    [
        ("csv", "is:types", "csv is:types"),
        ("csv is:types", "is:types", "csv"),
        ("is:types csv", "is:types", "csv"),
        ("csv  is:types   fast", "is:types", "csv  fast"),
        ("csv IS:Types", "is:types", "csv"),
        ("csv -not:types", "is:types", "csv"),
        ("csv not:deprecated", "is:deprecated", "csv is:deprecated"),
        ('csv "is:types"', "is:types", 'csv "is:types" is:types'),
        ("", "is:types", "is:types"),
        ("is:types", "is:types", ""),
    ],
)
def test_a_term_is_put_or_taken_and_the_rest_stays(text: str, term: str, then: str) -> None:
    assert toggled(text, term) == then


@pytest.mark.parametrize(
    ("text", "term", "then"),
    [
        ("csv downloads:>5 downloads:<9 x", "downloads:>1k", "csv x downloads:>1k"),
        ("csv licence:isc", "license:mit", "csv license:mit"),
        ("sort:name", "sort:updated", "sort:updated"),
    ],
)
def test_a_choice_replaces_all_of_its_field(text: str, term: str, then: str) -> None:
    assert chosen(text, term) == then


def test_the_present_is_the_query_without_its_day() -> None:
    assert without("csv at:2026-01-31  fast", "at") == "csv fast"


def others(query: Query, field: str) -> list[Filter]:
    return [one for one in query.filters if one.field != field]


@given(QUERIES, st.sampled_from(NARROWING))
def test_a_toggled_term_is_there_or_not_and_nothing_else_changes(text: str, term: str) -> None:
    before, after = parse(text), parse(toggled(text, term))
    assert has(toggled(text, term), term) is not has(text, term)
    field = term.partition(":")[0].replace("not", "is")
    assert others(after, field) == others(before, field)
    for name in ("text", "phrases", "without", "sort", "at"):
        assert getattr(after, name) == getattr(before, name)


@given(QUERIES, st.sampled_from(sorted(TERMS)))
def test_what_is_chosen_is_there_until_it_is_chosen_again(text: str, term: str) -> None:
    before, after = terms_of(text), terms_of(refined(text, term))
    parse(refined(text, term))
    if term in ORDERS:
        assert term in after
    else:
        assert (term in after) is not (term in before)
    for terms in (before, after):
        assert terms <= TERMS
        assert len(terms & set(ORDERS)) == 1


@given(QUERIES, st.sampled_from(ORDERS))
def test_orders_are_those_of_the_query(text: str, term: str) -> None:
    wanted = None if term == BEST else term.removeprefix("sort:")
    assert parse(refined(text, term)).sort == wanted
    assert not narrows(set(ORDERS))


@pytest.mark.parametrize(
    ("text", "term", "then"),
    [
        ("csv", "license:mit", "csv license:mit"),
        ("csv license:isc", "license:mit", "csv license:mit"),
        ("csv license:mit", "license:mit", "csv"),
        ("csv is:types", "is:types", "csv"),
        ("csv sort:name", "sort:name", "csv sort:name"),
        ("csv sort:name", BEST, "csv"),
    ],
)
def test_of_a_licence_one_is_chosen_of_marks_some_and_of_orders_always_one(
    text: str, term: str, then: str
) -> None:
    assert refined(text, term) == then


def test_orders_find_no_fewer_packages() -> None:
    assert narrows(terms_of("csv is:types"))
    assert not narrows(terms_of("csv sort:name"))


@given(st.text(max_size=30))
def test_a_value_of_strangers_is_one_value_or_text(value: str) -> None:
    query = parse(filtered("keywords", value))
    if any(one.isalnum() for one in value):
        assert [len(one.values) for one in query.filters] == [1]
        assert not query.text
    assert len(query.filters) <= 1


@pytest.mark.parametrize(
    ("value", "query"),
    [
        ("csv", "keywords:csv"),
        ("Text width", 'keywords:"text width"'),
        ('a"b', 'keywords:"a b"'),
        ("a,b", 'keywords:"a,b"'),
        ("\x1b[1m", "keywords:[1m"),
        ("-", "-"),
        ("\x1f", ""),
    ],
)
def test_a_value_is_asked_for_as_it_is_said(value: str, query: str) -> None:
    assert filtered("keywords", value) == query
