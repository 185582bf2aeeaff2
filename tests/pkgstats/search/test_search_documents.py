from __future__ import annotations

from pkgstats.search.documents import (
    DEPRECATED,
    KEYWORDS_MAX,
    SUMMARY_WORDS_MAX,
    TAGS_MAX,
    TYPINGS,
    document,
    tag,
)

from .corpus import details, row_of


def test_a_name_stands_in_its_forms() -> None:
    one = document(7, row_of("@Scope/fooBar.js 1.0.0 5 Walks trees"))
    assert one.id == 7
    assert one.names == " scope foo bar js "
    assert one.stems == " scop foo bar js "
    assert (one.squash, one.bare) == ("scopefoobarjs", "foobarjs")
    assert one.name_text() == (
        7,
        " scope foo bar js  scop foo bar js ",
        "scopefoobarjs foobarjs scopefoo foobar barjs",
    )


def test_the_summary_and_the_keywords_are_words() -> None:
    manifest = details(("syntax tree", "ast"))
    one = document(1, row_of("walker 1.0.0 5 Walks trees"), manifest)
    assert one.words == " walk tre syntax tre ast "
    assert one.bare == ""


def test_properties_are_words_of_their_own() -> None:
    manifest = details(
        ("View Library",), ("sophie",), "MIT", ("react",), types="own", module="dual"
    )
    one = document(1, row_of("@s/a 0.1.0 5 x"), manifest)
    for kind, value in (
        ("scope", "S"),
        ("is", "scoped"),
        ("is", "unstable"),
        ("is", "esm"),
        ("is", "types"),
        ("license", "mit"),
        ("maintainer", "sophie"),
        ("keywords", "view library"),
        ("dep", "react"),
    ):
        assert tag(kind, value) in one.tags.split(), (kind, value)
    assert tag("is", "deprecated") not in one.tags
    assert one.full_text() == (1, f"{one.stems}{one.words}{one.tags}")


def test_no_typed_word_is_a_property() -> None:
    assert not tag("dep", "react")[0].isalnum()
    assert tag("dep", "react") != tag("keywords", "react")


def test_marks_of_versions() -> None:
    def marked(version: str) -> bool:
        return tag("is", "unstable") in document(1, row_of(f"a {version} 5")).tags

    assert marked("0.9.0")
    assert marked("1.0.0-beta.1")
    assert not marked("1.0.0+build-5")


def test_what_a_single_writer_calls_gone_is_hidden() -> None:
    row = row_of("a 1.0.0 5")._replace(state="hidden")
    assert tag("is", "hidden") in document(1, row).tags


def test_kinds_that_ranking_looks_at() -> None:
    assert document(1, row_of("@types/a 1.0.0 5 x")).kind == TYPINGS
    assert document(1, row_of("a 1.0.0 5 This is no longer maintained")).kind == DEPRECATED
    assert document(1, row_of("a 1.0.0 5 x"), details(deprecated="gone")).kind == DEPRECATED
    assert document(1, row_of("a 1.0.0 5 x"), details()).kind == 0


def test_everything_is_bounded() -> None:
    manifest = details(
        tuple(f"one{n} two three four five six" for n in range(256)),
        dependencies=tuple(f"dep{n}" for n in range(4096)),
    )
    one = document(1, row_of("a 1.0.0 5 " + "word " * 5000), manifest)
    assert len(one.words.split()) <= SUMMARY_WORDS_MAX + 4 * KEYWORDS_MAX
    assert len(one.tags.split()) == TAGS_MAX
