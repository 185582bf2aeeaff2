from __future__ import annotations

import pytest

from pkgstats.records.model import Snapshot
from pkgstats.view.facts import PackageFacts
from pkgstats.web.pages.links import Links, links_of, types_of

from .facts import SEEN


def facts(**told: str) -> PackageFacts:
    snapshot = Snapshot(observed_at=SEEN, name="@a/b", version="1.0.0", **told)  # type: ignore[arg-type]
    return PackageFacts("@a/b", "1.0.0", 1, "", SEEN, "here", snapshot, None, None)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("git+https://github.com/me/it.git", "https://github.com/me/it"),
        ("me/it", "https://github.com/me/it"),
        ("git+https://git.example.org/me/it.git", "https://git.example.org/me/it"),
        ("javascript:alert(1)", ""),
        ("git://git.example.org/it", ""),
        ("", ""),
    ],
)
def test_repositories_become_pages(said: str, address: str) -> None:
    assert links_of(facts(repository=said)).repository == address


def test_homepages_are_of_the_web() -> None:
    assert links_of(facts(homepage="https://example.org/a")).homepage == "https://example.org/a"
    assert links_of(facts(homepage="data:text/html,x")).homepage == ""


def test_types_have_a_package_of_their_own() -> None:
    assert types_of("react") == "@types/react"
    assert types_of("@a/b") == "@types/a__b"
    assert links_of(facts(types="@types")).types == "@types/a__b"
    assert links_of(facts(types="own")).types == ""


def test_without_a_manifest_there_is_npm() -> None:
    bare = PackageFacts("x", "", None, "", SEEN, "here", None, None, None)
    assert links_of(bare) == Links("https://www.npmjs.com/package/x", "", "", "")
