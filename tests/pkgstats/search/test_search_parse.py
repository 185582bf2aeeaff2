from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.parse import CHARACTERS_MAX, FILTERS_MAX, parse, places
from pkgstats.search.query import Filter, Query, QueryError, Range
from pkgstats.search.terms import TERMS_MAX


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("react  table", Query(text="react table")),
        ("@tanstack/react-query", Query(text="@tanstack/react-query")),
        ("@types/", Query(text="@types/")),
        ("@tanstack", Query(filters=(Filter("person", ("tanstack",)),))),
        ("~Sophie x", Query(text="x", filters=(Filter("person", ("sophie",)),))),
        ('"rate limiting" x', Query(text='"rate limiting" x', phrases=("rate limiting",))),
        ("-vue", Query(without=("vue",))),
        ('-"a b"', Query(without=("a b",))),
        ("pkg:React", Query(package="React")),
        ("keywords:a,b", Query(filters=(Filter("keywords", ("a", "b")),))),
        (
            "keywords:a+b",
            Query(filters=(Filter("keywords", ("a",)), Filter("keywords", ("b",)))),
        ),
        (
            "keywords:a,-c",
            Query(filters=(Filter("keywords", ("a",)), Filter("keywords", ("c",), wanted=False))),
        ),
        ('keywords:"a b",c', Query(filters=(Filter("keywords", ("a b", "c")),))),
        ('keywords:"a,b+c"', Query(filters=(Filter("keywords", ("a,b+c",)),))),
        ("keywords:c++", Query(filters=(Filter("keywords", ("c++",)),))),
        (
            'keywords:"a b"+c++',
            Query(filters=(Filter("keywords", ("a b",)), Filter("keywords", ("c++",)))),
        ),
        ("scope:@Types/", Query(filters=(Filter("scope", ("types",)),))),
        ("license:MIT", Query(filters=(Filter("license", ("mit",)),))),
        ("dep:c++", Query(filters=(Filter("dep", ("c++",)),))),
        ("-dep:react", Query(filters=(Filter("dep", ("react",), wanted=False),))),
        (
            "is:esm not:types",
            Query(filters=(Filter("is", ("esm",)), Filter("is", ("types",), wanted=False))),
        ),
        ("-not:types", Query(filters=(Filter("is", ("types",)),))),
        ("downloads:>1e6", Query(downloads=Range(low=1_000_001))),
        ("downloads:>=1.5k", Query(downloads=Range(low=1500))),
        ("downloads:1k..10K", Query(downloads=Range(1000, 10_000))),
        ("downloads:=7", Query(downloads=Range(7, 7))),
        ("downloads:<10 downloads:>=2", Query(downloads=Range(2, 9))),
        ("updated:<90d", Query(age=Range(high=90))),
        ("updated:2w", Query(age=Range(high=14))),
        ("updated:>1y", Query(age=Range(low=365))),
        ("updated:>1970-01-10", Query(modified=Range(low=10))),
        ("updated:1970-01-10..1970-01-12", Query(modified=Range(9, 11))),
        ("sort:Downloads", Query(sort="downloads")),
        ("at:1970-01-02", Query(at=1)),
        ("node:fs http://a:b", Query(text="node:fs http://a:b")),
        ("react-", Query(text="react-")),
        ("- -- --save-dev -.", Query(text="- -- --save-dev -.")),
    ],
)
def test_what_is_read(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "offset", "length", "suggestion"),
    [
        ("x maintaner:sophie", 2, 10, "maintainer:"),
        ("x license:", 10, 1, ""),
        ("x license:,", 10, 1, ""),
        ("downloads:many", 10, 4, ">1000"),
        ("downloads:>", 10, 1, ">1000"),
        ("downloads:1e99", 10, 4, ""),
        ("downloads:1..2..3", 10, 7, ">1000"),
        ("-downloads:5", 0, 12, ""),
        ("updated:<5x", 8, 3, ""),
        ("updated:<soon", 8, 5, ""),
        ("updated:<1.5d", 8, 5, "<90d"),
        ("is:young", 3, 5, ""),
        ("is:type", 3, 4, "types"),
        ("sort:downloadz", 5, 9, "downloads"),
        ("at:2026-02-30", 3, 10, ""),
        ("pkg:", 0, 4, ""),
        ('a "b c', 2, 2, '"b"'),
        ('-"b', 0, 3, '-"b"'),
    ],
)
def test_what_is_wrong_and_where(text: str, offset: int, length: int, suggestion: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert (error.offset, error.length, error.suggestion) == (offset, length, suggestion)
    assert error.sentence.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "x" * (CHARACTERS_MAX + 1),
        "dep:" + "a," * 17,
        "a " * (TERMS_MAX + 1),
        "is:esm " * (FILTERS_MAX + 1),
        "-a " * 25,
    ],
)
def test_what_is_too_much(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.offset + caught.value.length <= len(text) + 1


def test_controls_and_surrogates_are_spaces_and_keep_offsets() -> None:
    assert parse("a\0b\ud800c") == Query(text="a b c")
    with pytest.raises(QueryError) as caught:
        parse("a\0b sort:x")
    assert caught.value.offset == 9


@given(
    st.lists(
        st.sampled_from(
            ["keywords:", "is:", "downloads:", "updated:", "at:", "-", '"', "@", "~", ":", ",", "+",
             "..", "<", ">", "=", " ", "a", "5", "90d", "2026-01-01", "NEAR(", "*", "\0", "\ud800",
             "pkg:", "sort:", "esm"]
        ) | st.text(max_size=5),
        max_size=20,
    ).map("".join)
)  # fmt: skip
def test_any_text_is_a_query_or_an_error_with_a_place(text: str) -> None:
    error = error_of(text)
    if error is not None:
        assert 0 <= error.offset <= len(text)
        assert error.length >= 1
        assert error.sentence


def error_of(text: str) -> QueryError | None:
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


def test_the_places_of_fields_are_told_as_they_were_typed() -> None:
    text = 'csv  -licence:"a b" NOT:x node:fs "is:y" sort:'
    found = [
        (one.field, one.value, one.negative, text[one.start : one.stop]) for one in places(text)
    ]
    assert found == [
        ("license", '"a b"', True, '-licence:"a b"'),
        ("not", "x", False, "NOT:x"),
        ("sort", "", False, "sort:"),
    ]
