"""Results of a search."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pkgstats.folder import search_in
from pkgstats.search.candidates import Candidates
from pkgstats.web import addresses

from .browsing import Element, browsing, parsed
from .facts import TOOLS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


async def page_of(http: httpx.AsyncClient, query: str, **more: int) -> Element:
    answer = await http.get("/search", params={"q": query, **more})
    assert answer.status_code == 200
    return parsed(answer)


def query_of(link: Element) -> str:
    return parse_qs(urlsplit(link["href"]).query)["q"][0]


def rows(page: Element) -> list[str]:
    """The names in the list of results, without the exact one."""
    return [name for one in page.all("ol.hits") for name in one.texts("a.name")]


async def test_the_package_of_that_name_has_a_place_of_its_own(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "left-pad")
    exact = page.one("section.exact")
    assert exact.one("h2").text == "The package of this name"
    assert exact.one("a.name").text == "left-pad"
    assert "left-pad" not in rows(page)
    assert "pad-left" in rows(page)
    assert page.one("ol.hits")["start"] == "2"


async def test_without_such_a_name_there_is_no_such_place(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "csv")
    assert page.all(".exact") == []
    assert sorted(rows(page)) == ["csv-parse", "fast-csv", "papaparse"]
    assert page.one("h1").text == "3 packages for csv"
    assert page.one("#q")["value"] == "csv"


async def test_where_not_all_were_counted_the_number_is_the_least(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Candidates.find
    monkeypatch.setattr(
        Candidates, "find", lambda self, asked, narrowing, _: find(self, asked, narrowing, 3)
    )
    async with browsing(rich) as http:
        assert (await page_of(http, "csv")).one("h1").text == "At least 3 packages for csv"


async def test_a_row_tells_what_helps_to_choose(http: httpx.AsyncClient) -> None:
    (row,) = [one for one in (await page_of(http, "csv")).all("li.hit") if "csv-parse" in one.text]
    assert row.one("a.name")["href"] == "/package/csv-parse"
    assert row.one(".version").text == "5.6.0"
    assert row.one(".count").text == "4.0M a month"
    assert row.one(".summary").text == "Reads CSV, whole or as it comes"
    assert row.texts("abbr") == ["TS", "ESM"]
    assert row.texts("a.tag") == ["csv", "parser", "stream"]
    assert row.one("time").text == "2026-08-12"
    assert "MIT" in row.one(".more").text
    assert "deprecated" in (await page_of(http, "left-pad")).one(".exact").texts(".mark")


async def test_a_keyword_leads_to_all_that_have_it(http: httpx.AsyncClient) -> None:
    tags = (await page_of(http, "left-pad")).one(".exact").all("a.tag")
    (tag,) = [one for one in tags if one.text == "text width"]
    assert query_of(tag) == 'keywords:"text width"'
    assert rows(await page_of(http, query_of(tag))) == ["left-pad"]


async def test_why_a_package_stands_there_adds_up(http: httpx.AsyncClient) -> None:
    row = (await page_of(http, "csv")).all("li.hit")[0]
    *parts, whole = [float(one) for one in row.one("details").texts("b")]
    assert sum(parts) == pytest.approx(whole, abs=0.06)
    assert len(parts) > 3
    assert (await page_of(http, "csv sort:name")).all("details") == []


async def test_a_typo_is_forgiven(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "papaparze")
    assert rows(page)[0] == "papaparse"
    assert page.links()["papaparse"] == "/package/papaparse"
    assert "Did you mean papaparse?" in page.one("main").text


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("pkg:react", "/package/react"),
        ("pkg:@types/react", "/package/@types/react"),
        ("pkg:package.json", "/package/package%2Ejson"),
        ("@ada", "/scope/ada"),
        ("~types", "/scope/types"),
        ("@grace", "/user/grace"),
    ],
)
async def test_one_thing_that_is_named_leads_to_its_page(
    http: httpx.AsyncClient, query: str, path: str
) -> None:
    answer = await http.get("/search", params={"q": query})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    told = await http.get("/search.json", params={"q": query})
    assert told.json()["results"]


async def test_with_anything_beside_it_is_a_search(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "@ada engine")
    assert rows(page) == ["@ada/engine"]
    ways = page.one("ul.readings").all("li")
    assert [(one.one("a")["href"], one.one("span").text) for one in ways] == [
        ("/scope/ada", "2 packages"),
        ("/user/ada", "3 packages"),
    ]


async def test_neither_a_scope_nor_a_user_is_words(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "@reac")
    assert "no scope and no user of that name" in page.one("ul.readings").text
    assert "react" in rows(page)


async def test_a_package_that_nobody_knows_has_near_ones(rich: Path) -> None:
    class Fetching:
        fetches = True

    async with browsing(rich) as http:
        page = await page_of(http, "pkg:raect")
    assert page.one("ul.near").texts("a")[0] == "react"
    assert "Nobody here has told of raect." in page.one("main").text
    assert "pkgstats crawl raect" in page.texts("code")
    assert page.all("aside") == []
    async with browsing(rich, door=Fetching()) as http:  # type: ignore[arg-type]
        page = await page_of(http, "pkg:raect")
    assert page.links()["Have it looked up"] == "/package/raect"


async def press(http: httpx.AsyncClient, page: Element, label: str) -> str:
    """Where a button leads, as a browser sends its form."""
    form = page.one("#refine")
    (button,) = [one for one in page.all("button") if one.text == label]
    assert button["form"] == form["id"]
    sent = {one["name"]: one["value"] for one in (*form.all("input"), button)}
    answer = await http.get(form["action"], params=sent)
    assert answer.status_code == 303
    return answer.headers["location"]


def pressed(page: Element) -> list[str]:
    return [one.text for one in page.all("button") if one.attributes.get("aria-pressed") == "true"]


async def test_filters_add_to_the_query_and_take_away(http: httpx.AsyncClient) -> None:
    page = await page_of(http, '"reads csv"  -fast')
    assert pressed(page) == ["best"]
    path = await press(http, page, "with types")
    assert path == addresses.search('"reads csv"  -fast is:types')
    page = parsed(await http.get(path))
    assert rows(page) == ["csv-parse"]
    assert pressed(page) == ["best", "with types"]
    assert await press(http, page, "with types") == addresses.search('"reads csv"  -fast')


async def test_filters_can_be_taken_back_where_nothing_is_left(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "csv license:isc", size=5)
    assert rows(page) == []
    assert pressed(page) == ["ISC"]
    assert await press(http, page, "ISC") == addresses.search("csv", size=5)


async def test_without_its_last_filter_a_query_is_none(http: httpx.AsyncClient) -> None:
    assert await press(http, await page_of(http, "is:types"), "with types") == "/"


async def test_results_can_be_put_into_another_order(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "csv sort:name")
    assert pressed(page) == ["name"]
    found = await http.get(await press(http, page, "downloads"))
    assert rows(parsed(found)) == ["csv-parse", "papaparse", "fast-csv"]
    assert await press(http, page, "best") == addresses.search("csv")


async def test_nothing_else_can_be_pressed(http: httpx.AsyncClient) -> None:
    answer = await http.get("/search", params={"q": "csv", "with": "dep:react"})
    assert answer.status_code == 400
    assert "buttons" in parsed(answer).one("main").text


async def test_pages_follow_each_other(http: httpx.AsyncClient) -> None:
    found, page = [], await page_of(http, "tool sort:name")
    for _ in range(10):
        found += rows(page)
        after = [one for one in page.all("a.chip") if one.attributes.get("rel") == "next"]
        if not after:
            break
        page = parsed(await http.get(after[0]["href"]))
    assert found == [f"tool-{n:02}" for n in range(TOOLS)]
    assert page.one("nav.pages").text == "Previous Page 4 of 4"


async def test_a_page_behind_the_last_leads_back(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "csv", page=9)
    assert page.links()["Back to the first"] == "/search?q=csv"


async def test_a_page_may_have_another_size(http: httpx.AsyncClient) -> None:
    page = await page_of(http, "tool sort:name", size=60)
    assert len(rows(page)) == 60
    assert page.links()["Next"] == "/search?q=tool+sort%3Aname&page=2&size=60"


async def test_the_twin_and_the_api_tell_the_same(http: httpx.AsyncClient) -> None:
    for query in ("left-pad", "csv sort:name", "@ada", "papaparze", "pkg:raect"):
        asked = {"q": query, "explain": "1"}
        api: dict[str, Any] = (await http.get("/api/search", params=asked)).json()
        twin: dict[str, Any] = (await http.get("/search.json", params=asked)).json()
        api_results, twin_results = api.pop("results"), twin.pop("results")
        assert {key: twin[key] for key in api if key != "readings"} == {
            key: api[key] for key in api if key != "readings"
        }
        pairs = zip(twin_results, api_results, strict=True)
        assert all({key: ours[key] for key in theirs} == theirs for ours, theirs in pairs)


async def test_results_are_a_table_too(http: httpx.AsyncClient) -> None:
    answer = await http.get("/search.csv", params={"q": "csv sort:downloads"})
    told = list(csv.DictReader(io.StringIO(answer.text)))
    assert [one["name"] for one in told] == ["csv-parse", "papaparse", "fast-csv"]
    assert told[0]["keywords"] == "csv parser stream"
    assert told[0]["updated"] == "2026-08-12"
    assert told[1]["updated"] == ""


async def test_a_query_can_be_followed(http: httpx.AsyncClient) -> None:
    told = (await http.get("/search.feed.json", params={"q": "left-pad react"})).json()
    times = [one["date_published"] for one in told["items"]]
    assert times == sorted(times, reverse=True)
    assert len(times) > 2
    assert told["home_page_url"].endswith("/search?q=left-pad+react")


async def test_an_empty_query_is_the_first_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/search?q=++")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_an_earlier_day_is_marked_and_leads_to_now(rich: Path, tmp_path: Path) -> None:
    async with browsing(rich) as http:
        answer = await http.get("/search", params={"q": "csv at:2026-09-01"})
        assert answer.status_code == 400
        assert "only the present" in parsed(answer).one(".lead").text

    class Days:
        """All days are as today."""

        async def get(self, day: int) -> Path:
            return rich

        async def search(self, query: Any, day: int, *, size: int, page: int) -> Any:
            async with search_in(rich) as search:
                return await search.search(query, size=size, page=page)

    async with browsing(rich, days=Days()) as http:
        page = await page_of(http, "csv at:2026-09-01 sort:name")
    banner = page.one(".banner")
    assert banner.one("time").text == "2026-09-01"
    assert query_of(banner.one("a")) == "csv sort:name"


async def test_what_is_asked_and_said_is_text_and_never_markup(http: httpx.AsyncClient) -> None:
    for query in ('"><script>x</script>', "evil", "</title><script>"):
        page = await page_of(http, query.replace('"', ""))
        assert all("src" in one.attributes for one in page.all("script"))
    assert (await page_of(http, "evil")).one(".exact").one(".summary").text.startswith("<script>")


async def test_many_may_ask_at_once(http: httpx.AsyncClient) -> None:
    queries = ["csv", "react", "tool", "left-pad", "@types x", "license:mit"] * 4
    pages = await asyncio.gather(*(page_of(http, query) for query in queries))
    for query, page in zip(queries, pages, strict=True):
        assert page.one(".query").text == query
