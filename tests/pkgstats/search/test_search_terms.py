from __future__ import annotations

import pytest

from pkgstats.search.terms import OTHERS_MAX, STOPWORD_WEIGHT, TERMS_MAX, wanted, weight_of

COUNTS = {"react": 100, "tabl": 10, "for": 1000}


def packages_with(root: str) -> int:
    return COUNTS.get(root, 0)


def test_rare_words_weigh_more() -> None:
    react, table = wanted("React tables", packages_with, 1000).terms
    assert (react.word, react.stem, react.packages) == ("react", "react", 100)
    assert (table.word, table.stem, table.packages) == ("tables", "tabl", 10)
    assert table.weight > react.weight == weight_of(100, 1000)


def test_stopwords_weigh_little_and_need_not_match() -> None:
    asked = wanted("table for react", packages_with, 1000)
    assert asked.terms[1].weight == pytest.approx(STOPWORD_WEIGHT * weight_of(1000, 1000))
    assert [term.word for term in asked.content] == ["table", "react"]


def test_a_query_of_stopwords_is_content() -> None:
    assert [term.word for term in wanted("to be", packages_with, 1000).content] == ["to", "be"]


def test_as_it_was_typed() -> None:
    asked = wanted("  @Scope/Foo.js ", packages_with, 1000)
    assert (asked.text, asked.typed, asked.squashed) == (
        "@Scope/Foo.js",
        "@scope/foo.js",
        "scopefoojs",
    )


def test_runs_of_words_have_other_words() -> None:
    command, line, tool = wanted("command line tool", packages_with, 1000).terms
    assert ("cli",) in command.same
    assert ("cli",) in line.same
    assert ("util",) in tool.same
    assert all(len(term.same) <= OTHERS_MAX for term in (command, line, tool))


def test_words_are_bounded() -> None:
    assert len(wanted("a b " * 500, packages_with, 1000).terms) == TERMS_MAX


def test_nothing_is_wanted_by_signs() -> None:
    asked = wanted("***", packages_with, 1000)
    assert asked.terms == asked.content == []
    assert asked.squashed == ""
