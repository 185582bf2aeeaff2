"""Queries that narrow another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.parse import parse
from pkgstats.web.refining import (
    MARKS,
    ONE_OF,
    SORTS,
    chosen,
    filtered,
    groups,
    has,
    sorts,
    toggled,
    without,
)

if TYPE_CHECKING:
    from pkgstats.search.query import Filter, Query

TERMS = [term for _, term in MARKS] + [term for _, some in ONE_OF for _, term in some]

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


@given(QUERIES, st.sampled_from(TERMS))
def test_a_toggled_term_is_there_or_not_and_nothing_else_changes(text: str, term: str) -> None:
    before, after = parse(text), parse(toggled(text, term))
    assert has(toggled(text, term), term) is not has(text, term)
    field = term.partition(":")[0].replace("not", "is")
    assert others(after, field) == others(before, field)
    for name in ("text", "phrases", "without", "sort", "at"):
        assert getattr(after, name) == getattr(before, name)


@given(QUERIES)
def test_every_choice_that_is_offered_can_be_asked(text: str) -> None:
    for group in groups(text):
        for choice in group.choices:
            parse(choice.query)
    orders = sorts(text)
    assert sum(one.chosen for one in orders) == 1
    for (_, term), one in zip(SORTS, orders, strict=True):
        assert parse(one.query).sort == (term.removeprefix("sort:") or None)


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
