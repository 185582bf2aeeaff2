from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pkgstats.search.candidates import Candidates
from pkgstats.search.filters import Narrowing
from pkgstats.search.index import connect
from pkgstats.search.parse import parse
from pkgstats.search.terms import wanted
from pkgstats.search.typos import Vocabulary

from .corpus import NOW, made_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def candidates(index: Path) -> Iterator[Candidates]:
    with closing(connect(index)) as database:
        find = "select word, packages from search_word"
        yield Candidates(database, lambda: Vocabulary(database.execute(find)))


@pytest.fixture
def names(candidates: Candidates) -> Callable[..., set[str]]:
    ranked = [row.name for row in made_up().listing_rows()]

    def find(text: str) -> set[str]:
        query = parse(text)
        asked = wanted(query.text, candidates.packages_with, candidates.total)
        narrowing = Narrowing.of(query, NOW)
        return {ranked[number - 1] for number in candidates.find(asked, narrowing)}

    return find


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("react", "react"),
        ("REACT", "react"),
        ("socketio", "socket.io"),
        ("react table", "@tanstack/react-table"),
        ("query core", "@tanstack/query-core"),
        ("htmlweb", "html-webpack-plugin"),
        ("postcss-norm", "postcss-normalize-whitespace"),
        ("is-s", "is-symbol"),
        ("parsing csv", "csv-parse"),
        ("speedy csv", "fast-csv"),
        ("command colors console", "chalk"),
        ("lodahs", "lodash"),
        ("expres", "express"),
        ("postcss-normslize-whitrspace", "postcss-normalize-whitespace"),
        ("websocket unheard", "ws"),
        ("日本語", "日本語-kit"),
    ],
)
def test_what_is_found(names: Callable[..., set[str]], text: str, name: str) -> None:
    assert name in names(text)


def test_words_are_corrected_only_where_little_is_found(candidates: Candidates) -> None:
    known = wanted("lodash", candidates.packages_with, candidates.total)
    candidates.find(known)
    assert not known.terms[0].corrected
    misspelt = wanted("lodahs merge", candidates.packages_with, candidates.total)
    candidates.find(misspelt)
    assert misspelt.terms[0].corrected[0] == "lodash"


def test_texts_are_narrowed(names: Callable[..., set[str]]) -> None:
    assert {"csv-parse", "papaparse"} <= names("csv keywords:csv")
    assert "got" not in names("http -humans")


def test_nothing_is_found_by_signs(names: Callable[..., set[str]]) -> None:
    assert names("***") == set()


def test_counting_stops(candidates: Candidates) -> None:
    react = Narrowing.of(parse("dep:react"), NOW)
    assert candidates.count(react, 100) == 3
    assert candidates.count(react, 2) == 2


def test_starts_of_names_come_by_rank(candidates: Candidates) -> None:
    found = candidates.starting_with("lodash", 10)
    assert found == sorted(found)
    assert candidates.starting_with("lodash", 1) == found[:1]
    assert candidates.starting_with("l", 10) == candidates.starting_with("", 10) == []
