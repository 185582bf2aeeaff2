"""npm's configuration, read as npm reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.sources.npmrc import environment_settings, expand, read_npmrc, unquote

ENVIRON = {"HOST": "example.org", "EMPTY": ""}


def test_a_file_is_read() -> None:
    content = """
; a comment
# another
registry = https://registry.${HOST}/   ; after a value
  @scope:registry=https://scope.example.org
quoted="a ; b"
single='c # d'
escaped=a\\;b\\#c\\\\d\\e
flag
=nothing
twice=1
twice=2
[section]
registry=https://not.example.org
"""
    assert read_npmrc(content, ENVIRON) == {
        "registry": "https://registry.example.org/",
        "@scope:registry": "https://scope.example.org",
        "quoted": "a ; b",
        "single": "c # d",
        "escaped": "a;b#c\\d\\e",
        "twice": "2",
    }
    assert read_npmrc("a=1\r\nb=2\rc=3", {}) == {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${HOST}", "example.org"),
        ("a${HOST}b${HOST}", "aexample.orgbexample.org"),
        ("${UNSET}", "${UNSET}"),
        ("${UNSET?}", ""),
        ("${HOST?}", "example.org"),
        ("${EMPTY}", ""),
        ("\\${HOST}", "${HOST}"),
        ("\\\\${HOST}", "\\example.org"),
        ("$HOST ${} ${", "$HOST ${} ${"),
    ],
)
def test_variables_are_put_in(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


def test_keys_hold_variables_too() -> None:
    assert read_npmrc("@${HOST}:registry=x", ENVIRON) == {"@example.org:registry": "x"}


def test_the_environment_has_settings_in_any_case() -> None:
    environ = {
        "npm_config_registry": "a",
        "NPM_CONFIG_USER_AGENT": "b",
        "npm_config__auth": "c",
        "npm_config_empty": "",
        "other": "d",
    }
    assert environment_settings(environ) == {"registry": "a", "user-agent": "b", "_auth": "c"}


@given(st.text(max_size=200))
def test_any_text_is_read(content: str) -> None:
    for value in read_npmrc(content, ENVIRON).values():
        assert isinstance(value, str)
    unquote(content)
