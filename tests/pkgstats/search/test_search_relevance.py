"""Queries of all kinds on two lists that everybody has: relevance must not get worse."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from pkgstats.dataset import shipped
from pkgstats.search.index import build, connect
from pkgstats.search.parse import parse
from pkgstats.search.searcher import Searcher
from pkgstats.view.facts import ListingRow

from .corpus import NOW, MadeUpFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY = 40
"""One in so many of the packages is asked for."""


@pytest.fixture(scope="module")
def popular(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[str]]]:
    """Asks the packages that come with this one; they have no summaries."""
    path = tmp_path_factory.mktemp("relevance") / "popular.db"
    facts = MadeUpFacts(ListingRow(*row[:3], "", NOW, "here") for row in shipped())
    build(path, facts)
    with closing(Searcher(connect(path))) as searcher:
        yield lambda text: [hit.name for hit in searcher.search(parse(text), 10, 1, NOW).hits]


NAMES = [row.name for row in shipped()][::EVERY]


def mean_reciprocal(ask: Callable[[str], list[str]], asked: dict[str, str]) -> float:
    found = {name: ask(text) for name, text in asked.items()}
    return sum(1 / (1 + hits.index(name)) for name, hits in found.items() if name in hits) / len(
        found
    )


def test_exact_names_are_first(popular: Callable[[str], list[str]]) -> None:
    assert all(popular(f"pkg:{name}") == [name] for name in NAMES[:50])
    assert all(popular(name)[0] == name for name in NAMES)


def test_words_of_names(popular: Callable[[str], list[str]]) -> None:
    spaced = {name: " ".join(parse_words(name)) for name in NAMES}
    assert mean_reciprocal(popular, spaced) > 0.97


def parse_words(name: str) -> list[str]:
    return [word for word in name.replace("@", "").replace("/", "-").split("-") if word]


@pytest.mark.parametrize("edit", ["lost", "twice", "swapped", "joined"])
def test_misspelt_names(popular: Callable[[str], list[str]], edit: str) -> None:
    misspelt = {name: misspell(name, edit) for name in NAMES if len(name) > 7}
    assert mean_reciprocal(popular, misspelt) > 0.8


def misspell(name: str, edit: str) -> str:
    place = len(name) // 2
    changes: dict[str, Any] = {
        "lost": name[:place] + name[place + 1 :],
        "twice": name[:place] + name[place] + name[place:],
        "swapped": name[:place] + name[place : place + 2][::-1] + name[place + 2 :],
        "joined": name.replace("-", ""),
    }
    return str(changes[edit])


def test_two_typos_in_a_long_name(popular: Callable[[str], list[str]]) -> None:
    long = [name for name in NAMES if len(name) > 15]
    misspelt = {name: misspell(name[:-1], "swapped") + name[-1] * 2 for name in long}
    assert mean_reciprocal(popular, misspelt) > 0.8


def test_starts_of_names_find_the_popular_ones(popular: Callable[[str], list[str]]) -> None:
    for typed, name in (("lodas", "lodash"), ("@babel/cor", "@babel/core"), ("expre", "express")):
        assert name in popular(typed)[:3]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("rate limiting", {"express-rate-limit", "rate-limiter-flexible", "limiter", "bottleneck"}),
        ("parse csv", {"csv-parse", "fast-csv", "papaparse"}),
        ("reading csv files", {"fast-csv", "papaparse", "csv-parse"}),
        ("http client", {"axios", "got"}),
        ("date formatting", {"date-format"}),
        ("web framework", {"express"}),
        ("websocket server", {"ws"}),
        ("colour conversion", {"color"}),
        ("data grid", {"react-table"}),
        ("syntax tree", {"estree-walker"}),
        ("deep merge", {"lodash.merge"}),
        ("typings for node", {"@types/node"}),
    ],
)
def test_intents(names: Callable[..., list[str]], text: str, wanted: set[str]) -> None:
    """On the made-up packages, whose summaries are ours."""
    assert wanted & set(names(text)[: len(wanted)]), names(text)[:5]


def test_what_is_given_up_comes_after_its_like(names: Callable[..., list[str]]) -> None:
    found = names("http")
    assert found.index("request") > found.index("got")
