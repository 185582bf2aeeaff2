from __future__ import annotations

import pytest

from pkgstats.search.documents import document, tag
from pkgstats.search.filters import ANYTHING, Narrowing
from pkgstats.search.parse import parse

from .corpus import DAY_MS, NOW, details, row_of

REACT = document(
    1,
    row_of("react 19.0.0 1000 Builds user interfaces"),
    details(("ui",), ("sophie",), "MIT", modified=NOW - 10 * DAY_MS),
)


def narrowing(text: str) -> Narrowing:
    return Narrowing.of(parse(text), NOW)


@pytest.mark.parametrize(
    "text",
    [
        "keywords:ui",
        "keywords:x,ui",
        "maintainer:sophie license:mit",
        "@sophie",
        "not:scoped",
        "-vue",
        '"user interface"',
        "downloads:1000",
        "downloads:<=1k",
        "downloads:1..2k",
        "updated:<11d",
        "updated:>9d",
        "updated:<=2024-09-24",
    ],
)
def test_what_gets_through(text: str) -> None:
    assert narrowing(text).allows(REACT), text


@pytest.mark.parametrize(
    "text",
    [
        "keywords:x",
        "keywords:ui+x",
        "keywords:-ui",
        "maintainer:meta",
        "@meta",
        "is:scoped",
        "-react",
        "-interfaces",
        '-"user interfaces"',
        '"interfaces user"',
        "downloads:>1000",
        "downloads:<1k",
        "updated:<9d",
        "updated:>11d",
        "updated:>2024-09-24",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not narrowing(text).allows(REACT), text


def test_an_unknown_day_is_no_day() -> None:
    unknown = document(1, row_of("a 1.0.0 5 x"))
    assert not narrowing("updated:>1y").allows(unknown)
    assert not narrowing("updated:<1y").allows(unknown)


def test_nothing_asked_lets_everything_through() -> None:
    assert narrowing("react table") == ANYTHING
    assert not ANYTHING
    assert ANYTHING.allows(REACT)
    assert ANYTHING.expression() == ""


def test_as_an_expression() -> None:
    ui, react = tag("keywords", "ui"), tag("dep", "react")
    asked = narrowing("keywords:ui -dep:react")
    assert asked
    assert asked.expression('"a"') == f'(("a") AND ("{ui}")) NOT ("{react}")'
    assert asked.expression() == f'(("{ui}")) NOT ("{react}")'
    assert narrowing("-dep:react").expression() == ""


def test_a_user_is_a_scope_or_a_maintainer() -> None:
    scope, maintainer = tag("scope", "meta"), tag("maintainer", "meta")
    assert narrowing("@meta").expression() == f'("{scope}" OR "{maintainer}")'


def test_signs_alone_leave_no_words_out() -> None:
    assert narrowing('-"..." "***"') == ANYTHING
