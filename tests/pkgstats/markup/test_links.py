"""Where links lead to: into the repository, to the web, or nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.markup.links import LINK_CHARACTERS_MAX, Base, host_of, image, link, repository_of

HUB = "https://github.com/owner/name"
BASE = Base("owner/name", "packages/one")


@pytest.mark.parametrize(
    "said",
    [
        "git+https://github.com/owner/name.git",
        "https://github.com/owner/name",
        "http://www.github.com/owner/name/",
        "https://github.com/owner/name#readme",
        "https://GitHub.com/owner/name.git#main",
        "git://github.com/owner/name.git",
        "git+ssh://git@github.com/owner/name.git",
        "ssh://git@github.com:owner/name.git",
        "ssh://git@github.com:22/owner/name.git",
        "git@github.com:owner/name.git",
        "https://user:secret@github.com/owner/name.git",
        "github.com/owner/name",
        "github:owner/name",
        "github:owner/name#v1",
        "owner/name",
        " owner/name ",
        "https://github.com/owner/name/issues",
    ],
)
def test_forms_of_a_repository(said: str) -> None:
    found = repository_of(Base(said))
    assert found is not None
    assert (found.address, found.directory) == (HUB, "")


@pytest.mark.parametrize(
    "said",
    [
        *("", "owner", "a/b/c", "https://example.org/owner/name", "gist:11", "git@github.com:name"),
        *("https://github.com/", "https://github.com/owner", "https://github.com/../name"),
        *("https://github.com.example.org/a/b", "javascript:alert/1", "owner/na me", 'a/b"'),
        *("https://github.com/owner/.git", "x" * 600 + "/name", "https://evil@example.org/a/b"),
    ],
)  # fmt: skip
def test_what_is_no_known_repository(said: str) -> None:
    assert repository_of(Base(said)) is None


def test_a_folder_is_named_by_itself_or_by_the_address() -> None:
    tree = "https://github.com/owner/name/tree/main/packages/two"
    for base, folder in [
        (Base(tree), "packages/two"),
        (Base(tree, "packages/one"), "packages/one"),
        (Base("https://gitlab.com/group/below/name/-/tree/main/two"), "two"),
    ]:
        found = repository_of(base)
        assert found is not None
        assert found.directory == folder


@pytest.mark.parametrize(
    ("repository", "page", "raw"),
    [
        ("owner/name", f"{HUB}/blob/HEAD/a.md", f"{HUB}/raw/HEAD/a.md"),
        (
            "gitlab:group/below/name",
            "https://gitlab.com/group/below/name/-/blob/HEAD/a.md",
            "https://gitlab.com/group/below/name/-/raw/HEAD/a.md",
        ),
        (
            "bitbucket:owner/name",
            "https://bitbucket.org/owner/name/src/HEAD/a.md",
            "https://bitbucket.org/owner/name/raw/HEAD/a.md",
        ),
        (
            "https://codeberg.org/owner/name",
            "https://codeberg.org/owner/name/src/branch/HEAD/a.md",
            "https://codeberg.org/owner/name/raw/branch/HEAD/a.md",
        ),
        ("https://example.org/owner/name", None, None),
    ],
)
def test_each_host_has_its_rule(repository: str, page: str | None, raw: str | None) -> None:
    assert link(Base(repository), "a.md") == page
    assert image(Base(repository), "a.md") == raw


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("docs/a b.md?x=1#c d", f"{HUB}/blob/HEAD/packages/one/docs/a%20b.md#c%20d"),
        ("docs/a%20b.md", f"{HUB}/blob/HEAD/packages/one/docs/a%20b.md"),
        ("./a/../b", f"{HUB}/blob/HEAD/packages/one/b"),
        ("../two/b", f"{HUB}/blob/HEAD/packages/two/b"),
        ("..\\two\\b", f"{HUB}/blob/HEAD/packages/two/b"),
        ("/LICENSE", f"{HUB}/blob/HEAD/LICENSE"),
        ("../..", HUB),
        ("../../..", None),
        ("%2e%2e/%2e%2e/%2e%2e/x", None),
        ('"onclick="x', f"{HUB}/blob/HEAD/packages/one/%22onclick%3D%22x"),
        ("", None),
        ("?x", None),
        ("//example.org/a", "https://example.org/a"),
        (" https://example.org\n/a ", "https://example.org/a"),
        ("HTTP://example.org:80", "HTTP://example.org:80"),
        ('https://example.org/"<>\\', "https://example.org/%22%3C%3E%5C"),
        ("https://example.org/%7Ea?b=c&d#e", "https://example.org/%7Ea?b=c&d#e"),
        ("https://user@example.org", None),
        ("https://example.org@evil.example/", None),
        ("https://example.org\\@evil.example/", None),
        ("https:example.org", None),
        ("https:///example.org", None),
        ("https://", None),
        ("mailto:me@example.org?subject=a b", "mailto:me@example.org?subject=a%20b"),
        ("mailto:", None),
        ("java\tscript:alert(1)", None),
        ("C:\\x", None),
        ("localhost:3000", None),
        ("a" * LINK_CHARACTERS_MAX, None),
    ],
)
def test_links(said: str, address: str | None) -> None:
    assert link(BASE, said) == address


def test_images() -> None:
    assert image(BASE, "a.png?raw=true#b") == f"{HUB}/raw/HEAD/packages/one/a.png"
    assert image(BASE, f"{HUB}/blob/main/a.png") == f"{HUB}/raw/main/a.png"
    assert image(BASE, "https://example.org/blob/a.png") == "https://example.org/blob/a.png"
    assert image(BASE, "data:image/png;base64,AA") is None
    assert image(BASE, "mailto:me@example.org") is None


def test_hosts() -> None:
    assert host_of("https://example.org:80/a?b#c") == "example.org:80"
    assert host_of("mailto:me@example.org?subject=x") == "me@example.org"
    assert host_of("#r-usage") == ""


@given(st.text(), st.text(alphabet="abc:/@.#%?\\ \t~-<>\"'") | st.text())
def test_whatever_is_said_an_address_is_whole_and_plain(repository: str, said: str) -> None:
    for found in (link(Base(repository), said), image(Base("a/b", repository), said)):
        if found is not None:
            assert found.lower().startswith(("http://", "https://", "mailto:"))
            assert found.isascii()
            assert not set(found) & set('"<>\\ \t\n')
