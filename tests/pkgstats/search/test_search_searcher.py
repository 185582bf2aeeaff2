from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pkgstats.search import searcher as searcher_module
from pkgstats.search.index import build, connect, update
from pkgstats.search.parse import parse
from pkgstats.search.query import QueryError
from pkgstats.search.searcher import Searcher

from .corpus import NOW, MadeUpFacts, row_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pkgstats.search.results import SearchResult

    Search = Callable[..., SearchResult]
    Names = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("react", "react"),
        ("html", "html"),
        ("ReAcT", "react"),
        ("@types/node", "@types/node"),
        ("zzz", "zzz"),
        ("UPPER", "UPPER"),
        ("upper", "upper"),
        ("Upper", "upper"),
    ],
)
def test_a_package_of_that_name_is_exact_and_first(search: Search, text: str, first: str) -> None:
    found = search(text)
    assert found.exact is not None
    assert found.exact.name == found.hits[0].name == first
    assert first not in [hit.name for hit in found.results]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("react table", {"react-table", "@tanstack/react-table"}),
        ("types node", {"@types/node"}),
        ("csv parser", {"csv-parse", "fast-csv"}),
        ("rate limiting", {"limiter", "bottleneck", "express-rate-limit", "rate-limiter-flexible"}),
        ("terminal colours", {"chalk"}),
        ("tiny websocket server", {"ws"}),
        ("postcss-normslize-whitrspace", {"postcss-normalize-whitespace"}),
        ("expres-rate-limit", {"express-rate-limit"}),
    ],
)
def test_the_best_come_first(names: Names, text: str, expected: set[str]) -> None:
    assert set(names(text)[: len(expected)]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pkg:react", ["react"]),
        ("pkg:raect", []),
        ("dep:react", ["@tanstack/react-table", "react-dom", "react-table"]),
        ("dep:react -dom", ["@tanstack/react-table", "react-table"]),
        ("dep:react keywords:grid", ["react-table"]),
        ("keywords:csv,http not:esm", ["csv-parse", "papaparse", "request"]),
        ("keywords:csv+tsv", ["csv-parse"]),
        ("keywords:csv,-browser", ["csv-parse"]),
        ("license:apache-2.0", ["request"]),
        ("is:deprecated", ["request"]),
        ("is:esm sort:name", ["@tanstack/react-table", "got"]),
        ("maintainer:meta sort:updated", ["react", "react-dom"]),
        ("updated:<6d", ["csv-parse", "react"]),
        ("updated:>1y", ["ws"]),
        ("downloads:>1e8", ["chalk", "@types/node"]),
        ("downloads:500..1000 sort:name", ["UPPER", "zzz", "日本語-kit"]),
        ("scope:types downloads:<1e8", ["@types/react", "@types/lodash"]),
        ("scope:types react downloads:<1e8", ["@types/react"]),
        ("is:scoped sort:growth", ["@tanstack/react-table", "@tanstack/query-core"]),
        ('"realtime events"', ["socket.io"]),
        ("csv -parse sort:name", ["csv-stringify", "papaparse"]),
        ("***", []),
        ("", []),
    ],
)
def test_filters_and_orders(names: Names, text: str, expected: list[str]) -> None:
    found = names(text, 2 if "growth" in text else 10)
    assert (found if "sort" in text else sorted(found)) == (
        expected if "sort" in text else sorted(expected)
    )


def test_without_words_the_most_used_come_first(search: Search) -> None:
    downloads = [hit.downloads for hit in search("sort:downloads", 50).hits]
    assert downloads == sorted(downloads, reverse=True)
    assert len(downloads) == search("sort:downloads").total > 40


def test_a_user_is_read_in_two_ways(search: Search) -> None:
    found = search("@tanstack")
    assert {hit.name for hit in found.hits} == {
        "@tanstack/react-table",
        "@tanstack/query-core",
        "got",
    }
    assert [(one.meaning, one.query, one.packages) for one in found.readings] == [
        ("scope", "scope:tanstack", 2),
        ("maintainer", "maintainer:tanstack", 1),
    ]
    assert {hit.name for hit in search("@tanstack http").hits} == {"got"}


def test_a_user_that_is_none_is_the_start_of_a_name(search: Search) -> None:
    found = search("@typ")
    assert {hit.name for hit in found.hits[:3]} == {"@types/node", "@types/react", "@types/lodash"}
    assert [(one.meaning, one.query) for one in found.readings] == [("text", "@typ")]
    assert found.query.text == "@typ"


def test_what_is_offered_instead_is_of_the_same_day(search: Search) -> None:
    day = "at:2026-01-31"
    assert [one.query for one in search(f"@tanstack {day}").readings] == [
        f"scope:tanstack {day}",
        f"maintainer:tanstack {day}",
    ]
    assert [one.query for one in search(f"@typ {day}").readings] == [f"@typ {day}"]
    assert search(f"lodahs {day}").did_you_mean == f"lodash {day}"
    assert search(f"pkg:lodahs {day}").did_you_mean == f"pkg:lodash {day}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("lodahs", "lodash"),
        ("pkg:lodahs", "pkg:lodash"),
        ("lodash", None),
        ("parse csv", None),
        ("fromats dates", "format dates"),
    ],
)
def test_what_may_have_been_meant(search: Search, text: str, meant: str | None) -> None:
    assert search(text).did_you_mean == meant


def test_the_score_is_explained(search: Search) -> None:
    for hit in search("csv parser").hits:
        assert hit.parts
        assert math.isclose(hit.score, sum(part.points for part in hit.parts))
    scores = [hit.score for hit in search("csv parser").results]
    assert scores == sorted(scores, reverse=True)


def test_pages_do_not_overlap(names: Names) -> None:
    every = names("scope:types -xyz", 100)
    assert [*names("scope:types -xyz", 2), *names("scope:types -xyz", 2, 2)] == every
    assert names("react", 1) + names("react", 1, 2) == names("react", 2)
    assert names("react", 0, 0) == names("react", 1, 1)


def test_growth_that_nobody_knows_is_said(index: Path) -> None:
    searcher = Searcher(connect(index))
    found = searcher.search(parse("scope:types sort:growth"), 10, 1, NOW)
    assert [hit.name for hit in found.hits] == ["@types/node", "@types/react", "@types/lodash"]
    assert any("not known" in note for note in found.notes)
    searcher.close()


def test_lists_that_were_cut_are_told(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not search("-react sort:name").more
    monkeypatch.setattr(searcher_module, "SCANNED_MAX", 5)
    found = search("-react sort:name")
    assert found.more
    assert "5 most downloaded" in found.notes[0]


def test_suggestions_begin_with_what_was_typed(searcher: Searcher) -> None:
    def suggested(typed: str) -> list[str]:
        return [one.name for one in searcher.suggest(typed, 3)]

    assert suggested("rea")[0] == "react"
    assert suggested("@types/n") == ["@types/node"]
    assert suggested("is-s") == ["is-stream", "is-symbol", "is-string"]
    assert suggested("lodash.m") == ["lodash.merge"]
    assert set(suggested("tab")) == {"react-table", "@tanstack/react-table"}
    assert suggested("") == suggested("***") == []


HOSTILE = [
    "*" * 900,
    "a " * 32,
    "x" * 1000,
    'NEAR(a b, 2) AND "OR" NOT {names}: ^a + b*',
    "names:react OR joined:x",
    "'; drop table search_doc; --",
    "a\0b",
    "\ud800\udfff react",
    "é" * 500,
    "日本" * 300,
    "%_%_",
    "((((((((((" * 20,
    '""""',
    "-" * 500,
    "@" * 300,
    "~",
    ":::",
    "keywords:" + ",".join("abcdefgh"),
    " ".join(f"-w{n}" for n in range(24)),
    " ".join(f"keywords:w{n}" for n in range(24)),
    "downloads:9e15..0",
    "updated:99999y",
    "at:0001-01-01",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_queries_are_answered_or_refused(search: Search, text: str) -> None:
    found = answer(search, text)
    assert found is None or found.total >= 0


def answer(search: Search, text: str) -> SearchResult | None:
    try:
        return search(text)
    except QueryError:
        return None


def test_the_table_of_packages_survives_them(names: Names) -> None:
    assert names("react")[0] == "react"


def test_what_was_remembered_is_forgotten_with_its_generation(
    tmp_path: Path, facts: MadeUpFacts
) -> None:
    path = tmp_path / "x.db"
    build(path, facts)
    searcher = Searcher(connect(path))
    assert searcher.search(parse("glowing"), 10, 1, NOW).hits == ()
    facts.say(row_of("lamp 1.0.0 50 Glows"))
    update(path, facts, ["lamp"])
    found = searcher.search(parse("glowing"), 10, 1, NOW)
    assert ([hit.name for hit in found.hits], found.generation) == (["lamp"], 2)
    searcher.close()
