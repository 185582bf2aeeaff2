"""What holds for all pages, and for what programs ask."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from pkgstats.web.bounds import QUERY_STRING_BYTES_MAX

from .browsing import browsing, parsed

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

PAGES = [
    "/",
    "/search?q=pad",
    "/search?q=sort:x",
    "/search?q=pad&page=0",
    "/popular",
    "/rising",
    "/newest",
    "/random",
    "/about",
    "/package/left-pad",
    "/package/@types/left-pad",
    "/package/evil",
    "/package/nobody-knows",
    "/package/react/versions",
    "/user/ada",
    "/scope/ada",
    "/compare",
    "/compare?p=react&p=vue&p=nobody-knows",
    "/network",
    "/nothing/here",
]

OTHERS = [
    "/search.json?q=pad",
    "/search.atom?q=pad",
    "/popular.csv",
    "/api/search?q=pad",
    "/api/search?q=sort:x",
    "/package/x%00y.json",
    "/healthz",
]


@pytest.mark.parametrize("route", PAGES + OTHERS)
async def test_every_answer_keeps_browsers_in_bounds(http: httpx.AsyncClient, route: str) -> None:
    answer = await http.get(route)
    assert answer.status_code < 500
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("route", PAGES)
async def test_pages_load_nothing_from_elsewhere_and_have_nothing_inline(
    http: httpx.AsyncClient, route: str
) -> None:
    page = parsed(await http.get(route))
    loaded = [one["href"] for one in page.all("link") if one["rel"] in ("stylesheet", "icon")]
    loaded += [one["src"] for one in page.all("script") if "type" not in one.attributes]
    assert len(loaded) == 3
    assert all(one.startswith(("/static/", "data:")) for one in loaded)
    assert page.all("style") == []
    for one in page.all(""):
        assert not any(name == "style" or name.startswith("on") for name in one.attributes)


@pytest.mark.parametrize("route", PAGES)
async def test_pages_have_what_a_screen_reader_needs(http: httpx.AsyncClient, route: str) -> None:
    page = parsed(await http.get(route))
    assert page.one("html")["lang"] == "en"
    assert page.one("head").one("title").text.endswith("Pkg Stats")
    assert page.one("form.ask").one("label")["for"] == page.one("#q")["id"]
    assert [one["role"] for one in page.all("form.ask")] == ["search"]
    assert page.one("a.skip")["href"] == "#" + page.one("main")["id"]
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("route", PAGES)
async def test_no_page_names_an_element_twice(http: httpx.AsyncClient, route: str) -> None:
    names = [one["id"] for one in parsed(await http.get(route)).all("") if "id" in one.attributes]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", [one for one in PAGES if one != "/nothing/here"])
async def test_every_page_has_its_twins(http: httpx.AsyncClient, route: str) -> None:
    page = await http.get(route)
    links = [one for one in parsed(page).all("link") if one["rel"] == "alternate"]
    assert links
    for link in links:
        twin = await http.get(link["href"])
        assert twin.status_code == page.status_code
        assert twin.headers["content-type"].startswith(link["type"])


async def test_an_address_that_is_too_long_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/search?q=" + "x" * QUERY_STRING_BYTES_MAX)).status_code == 414
    assert (await http.get("/search?q=" + "x" * 2000)).status_code == 400


@pytest.mark.parametrize("name", ["left-pat", "../../etc/passwd", "a b", "%00", "x" * 300])
async def test_a_package_that_nobody_knows_is_not_found(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/package/{quote(name, safe='%')}")).status_code == 404


@pytest.mark.parametrize("name", ["@types/left-pad", "@types%2fleft-pad", "%40types/left-pad"])
async def test_a_name_may_have_a_scope(http: httpx.AsyncClient, name: str) -> None:
    assert "Types of left-pad" in (await http.get(f"/package/{name}")).text


async def test_only_reading_is_possible(http: httpx.AsyncClient) -> None:
    for route in ("/", "/search", "/api/search", "/package/left-pad", "/popular", "/healthz"):
        assert (await http.post(route)).status_code == 405
        assert (await http.head(route)).status_code < 400


async def test_names_that_point_here_by_a_trick_are_refused(http: httpx.AsyncClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8642", ""):
        assert (await http.get("/", headers={"host": host})).status_code == 421
    for host in ("localhost:1", "[::1]:8642", "127.0.0.1", "LOCALHOST"):
        assert (await http.get("/", headers={"host": host})).status_code == 200


async def test_programs_hear_too_that_there_is_nothing_yet(tmp_path: Path) -> None:
    async with browsing(tmp_path) as http:
        for route in ("/index.json", "/search.json?q=a", "/api/search?q=a"):
            answer = await http.get(route)
            assert answer.status_code == 503
            assert "Nothing has been indexed yet" in answer.json()["error"]
