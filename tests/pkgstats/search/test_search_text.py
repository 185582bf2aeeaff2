from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.search.text import (
    WORD_CHARACTERS_MAX,
    name_words,
    plain,
    squash,
    stem,
    stems,
    words,
)


@pytest.mark.parametrize(
    "family",
    [
        "parse parser parsers parsing parsed parses",
        "limit limits limiter limiting limited",
        "format formatter formatting formatted formats",
        "create creator creation creating creates",
        "generate generator generation generating",
        "validate validator validation validating validates",
        "render renderer renderers rendering rendered",
        "route router routing routes",
        "map maps mapping mapper",
        "serialize serializer serialization serializing",
        "cache caching cached caches",
        "box boxes",
        "directory directories",
        "utility utilities util utils",
        "edit editor editing",
        "process processes processor processing",
        "convert conversion conversions converter",
        "resolve resolver resolution",
        "analyze analysis analyses analyzer",
        "index indices indexes",
    ],
)
def test_inflections_share_a_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1, stems(family.split())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("string", "str"),
        ("class", "clas"),
        ("redis", "redi"),
        ("less", "le"),
        ("status", "statu"),
        ("read", "readable"),
        ("form", "format"),
    ],
)
def test_other_words_do_not(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@pytest.mark.parametrize("word", ["js", "3d", "x64", "ui", "größe", "日本", ""])
def test_what_is_short_or_strange_stays(word: str) -> None:
    assert stem(word) == word


def test_words_in_order_without_accents() -> None:
    assert words("A Déjà-vu, of Größe_2!") == ["a", "deja", "vu", "of", "große", "2"]


def test_compatible_characters_are_folded_to_lower_case() -> None:
    assert words("SDK™ \N{MATHEMATICAL SANS-SERIF BOLD CAPITAL D}eep") == ["sdktm", "deep"]


def test_ideograms_are_taken_in_pairs() -> None:
    assert words("日本語 and 字") == ["日本", "本語", "and", "字"]


def test_names_are_parted_at_humps_and_signs() -> None:
    assert name_words("@scope/fooBar.baz-js2") == ["scope", "foo", "bar", "baz", "js2"]


def test_squash_keeps_letters_and_digits() -> None:
    assert squash("@Socket/io_2.x") == "socketio2x"


def test_what_is_no_text_parts_words() -> None:
    assert words("a\0b\ud800c") == ["a", "b", "c"]


def test_long_words_are_cut() -> None:
    assert words("x" * 500) == ["x" * WORD_CHARACTERS_MAX]


@given(st.text(st.characters(), max_size=200))
def test_any_text_can_be_taken_apart(text: str) -> None:
    for word in [*words(text), *name_words(text)]:
        assert word
        assert word.isalnum()
        assert len(word) <= WORD_CHARACTERS_MAX
        assert stem(word) or not word
    assert squash(text).isalnum() or not squash(text)
    assert plain(text) == plain(text).lower()
