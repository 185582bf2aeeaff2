"""What a search has found, told."""

from __future__ import annotations

import pytest

from pkgstats.search.query import Filter, Query
from pkgstats.search.results import Hit, Reading, SearchResult
from pkgstats.view.facts import Details
from pkgstats.web.pages.found import feed_of, table_of, told, unknown


def hit(name: str, modified: int = 0) -> Hit:
    return Hit(name, "1.0.0", 10, f"about {name}", modified, 0.0, ())


def result(query: Query, *others: Hit, exact: Hit | None = None, **more: object) -> SearchResult:
    values = {
        "query": query,
        "exact": exact,
        "results": others,
        "total": len(others) + (exact is not None),
        "more": False,
        "did_you_mean": None,
        "readings": (),
        "notes": (),
        "generation": 1,
        **more,
    }
    return SearchResult(**values)  # type: ignore[arg-type]


DETAILS = Details(("k",), ("ada",), "MIT", "use b", "own", "esm", (), 5, None)


def test_the_exact_one_is_the_first_result() -> None:
    found = told("a", result(Query("a"), hit("b"), exact=hit("a")), {"a": DETAILS}, size=20, page=1)
    assert found.first is not None
    assert (found.exact, found.first.name) == ("a", "a")
    assert [one.name for one in found.others] == ["b"]
    assert (found.first.licence, found.first.module, found.first.deprecated) == (
        "MIT",
        "esm",
        "use b",
    )
    assert (found.others[0].licence, found.others[0].types) == ("", "")


@pytest.mark.parametrize(
    ("total", "size", "pages"), [(0, 20, 0), (20, 20, 1), (21, 20, 2), (9999, 20, 50)]
)
def test_pages_are_counted_up_to_the_last_that_is_given(total: int, size: int, pages: int) -> None:
    found = told("a", result(Query("a"), total=total), {}, size=size, page=1)
    assert found.pages == pages


def test_readings_lead_to_their_pages() -> None:
    query = Query(filters=(Filter("person", ("ada",)),))
    readings = (
        Reading("scope", "scope:ada", 2),
        Reading("maintainer", "maintainer:ada", 3),
        Reading("text", "@ada", 0),
    )
    found = told("@ada", result(query, readings=readings), {}, size=20, page=1)
    assert [one.path for one in found.readings] == ["/scope/ada", "/user/ada", ""]


def test_only_a_package_that_was_asked_for_is_unknown() -> None:
    assert unknown(result(Query(package="x"))) == "x"
    assert unknown(result(Query(package="x"), exact=hit("x"))) == ""
    assert unknown(result(Query("x"))) == ""


def test_a_follower_is_told_once_of_a_version() -> None:
    query = Query("a")
    found = told("a", result(query, hit("b", 5), hit("c", 9)), {}, size=20, page=1)
    feed = feed_of(found, 100)
    assert [one.title for one in feed.items] == ["c 1.0.0", "b 1.0.0"]
    assert feed.updated == 9
    turned = told("a", result(query, hit("c", 9), hit("b", 5)), {}, size=20, page=1)
    assert feed_of(turned, 200) == feed
    newer = told("a", result(query, hit("c", 9)._replace(version="2.0.0")), {}, size=20, page=1)
    assert feed_of(newer, 100).items[0].id not in {one.id for one in feed.items}
    assert feed_of(told("a", result(query), {}, size=20, page=1), 100).updated == 100


def test_a_table_has_a_package_a_row() -> None:
    found = told("a", result(Query("a"), hit("b")), {"b": DETAILS}, size=20, page=1)
    assert list(table_of(found).rows) == [
        ("b", "1.0.0", 10, None, "MIT", "k", "use b", "about b"),
    ]
