from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.records.model import Snapshot
from pkgstats.search.query import Query, QueryError
from pkgstats.search.results import Hit, Part, Reading, SearchResult
from pkgstats.view.facts import ListingRow, PackageFacts, VersionFacts
from pkgstats.web import pages

EVIL = "\"'><script>alert(1)</script>&amp;"


class Tags(HTMLParser):
    """Notes tags and attributes, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def seen(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    for name, value in tags.attributes:
        assert not name.startswith("on")
        if name in {"href", "action"}:
            assert (value or "").startswith(("/", "#", "https://", "http://"))
    return tags


def result(text: str, *, total: int = 3) -> SearchResult:
    hit = Hit(text, text, 5, text, 0, 1.5, (Part("named", text, 1.0, 1.5),))
    return SearchResult(
        query=Query(text=text),
        exact=hit,
        results=(hit,) * 2,
        total=total,
        more=False,
        did_you_mean=text,
        readings=(Reading("scope", f"scope:{text}", 3),),
        notes=(text,),
        generation=1,
    )


def package(text: str) -> str:
    snapshot = Snapshot(
        observed_at=1,
        name="a",
        version="1",
        licence=text,
        keywords=(text, "two words"),
        maintainers=(text,),
        repository=f"https://example.org/{text}",
        homepage=f"javascript:{text}",
        deprecated=text,
        dependencies={text: "*", "@types/node": "*"},
    )
    facts = PackageFacts("a", text, 1, text, 1, "hidden", snapshot, b"", b"")
    version = VersionFacts(text, 1, "", None, text, "", 1, b"", "here")
    row = ListingRow("@types/b", "1", 1, "", 1, "here")
    return pages.package(facts, [version], [row])


@settings(max_examples=60, deadline=None)
@given(st.just(EVIL) | st.text(max_size=40))
def test_no_text_of_others_becomes_markup(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert seen(pages.sentence(text, text, query=text)).tags == seen(pages.sentence("", "")).tags
    seen(pages.wrong_query(text, QueryError(text, 0, 3, text)))
    seen(pages.results(text, result(text), number=1, size=1))
    seen(pages.not_known(text, [text, "left-pad"]))
    seen(package(text))


def test_the_wrong_place_in_a_query_is_marked_and_a_better_one_is_a_link() -> None:
    page = pages.wrong_query("a sort:nme b", QueryError("no", 7, 3, "name"))
    assert "a sort:<mark>nme</mark> b" in page
    assert 'href="/search?q=a+sort%3Aname+b"' in page


@pytest.mark.parametrize(
    ("number", "links"),
    [(1, ["page=2"]), (2, ["Previous", "page=3"]), (3, ["page=2"])],
)
def test_pages_lead_to_their_neighbours(number: int, links: list[str]) -> None:
    page = pages.results("q", result("q", total=3), number=number, size=1)
    nav = page.partition('<nav aria-label="Pages">')[2].partition("</nav>")[0]
    assert all(link in nav for link in links)
    assert nav.count("<a ") == len(links)


def test_a_package_that_is_hidden_says_so() -> None:
    assert "said to be gone (hidden)" in package("x")


def test_links_to_packages_keep_their_scope_and_names_that_are_none_are_no_links() -> None:
    page = package(EVIL)
    assert 'href="/package/@types/node"' in page
    assert 'href="/package/%22' not in page


def test_nothing_found_and_much_found() -> None:
    none = result("x", total=0)._replace(exact=None, results=(), did_you_mean=None)
    assert "<h1>Nothing was found</h1>" in pages.results("x", none, number=1, size=10)
    much = result("x", total=10_000)._replace(more=True)
    assert "<h1>More than 10,000 packages</h1>" in pages.results("x", much, number=1, size=10)
