"""Code in colours keeps its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.markup.colours import CODE_CHARACTERS_MAX, GROUPS, LANGUAGES, coloured
from pkgstats.markup.elements import Element, text_of
from pkgstats.markup.sanitise import CODE_CLASSES


def groups(code: str, language: str) -> dict[str, str]:
    nodes = coloured(code, language)
    return {text_of(one): one.attributes["class"] for one in nodes if isinstance(one, Element)}


def test_groups_of_tokens() -> None:
    found = groups("const a = 'b' + 1 // c\nfunction d() {}", "js")
    assert found == {"const": "h-k", "'b'": "h-s", "1": "h-n", "// c": "h-c", "function": "h-k"}
    assert groups('<a href="b">', "HTML") == {"a": "h-t", "href": "h-a", '"b"': "h-s"}
    assert groups("-a\n+b\n", "diff") == {"-a": "h-d", "+b": "h-i"}
    assert groups("class A:\n  pass", "py")["A"] == "h-f"
    assert groups("$ npm install\n", "console")["$ "] == "h-c"


def test_all_groups_have_a_class_that_may_pass() -> None:
    assert set(GROUPS.values()) == CODE_CLASSES


@pytest.mark.parametrize("language", ["", "text", "brainfuck", "js x", "../js"])
def test_other_languages_stay_without_colours(language: str) -> None:
    assert coloured("const a", language) == ["const a"]


def test_long_code_stays_without_colours() -> None:
    code = "const a\n" * (CODE_CHARACTERS_MAX // 8)
    assert len(coloured(code, "js")) > 1
    assert coloured(f"{code}\n", "js") == [f"{code}\n"]


@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_each_language_is_known_and_keeps_the_text(language: str) -> None:
    name = next(name for name, known in LANGUAGES.items() if known == language)
    code = "\r\n\n<a b='c'>{ \"d\": [1, -2.5] } // e # f\n$ g --h\n\n\t@i \\0\n"
    assert "".join(map(text_of, coloured(code, name))) == code


@given(st.text(), st.sampled_from(["js", "sh", "html", "json", "console", "diff"]))
def test_any_text_is_kept(code: str, language: str) -> None:
    assert "".join(map(text_of, coloured(code, language))) == code
