"""The pages and the API, asked as a browser and a program would."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from pkgstats.node import VIEW_FILE, search_in
from pkgstats.web.app import application
from pkgstats.web.bounds import PAGE_MAX, QUERY_STRING_BYTES_MAX, SIZE_MAX
from pkgstats.web.guard import LOOPBACK_NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with search_in(folder) as search:
        app = application(folder / VIEW_FILE, search, hosts=LOOPBACK_NAMES)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642") as http:
            yield http


@pytest.fixture
async def http(filled_once: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(filled_once) as client:
        yield client


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return [one["name"] for one in answer.json()["results"]]


ROUTES = [
    "/",
    "/search?q=pad",
    "/search?q=sort:x",
    "/search?q=pad&page=0",
    "/package/left-pad",
    "/package/@types/left-pad",
    "/package/evil",
    "/package/nobody-knows",
    "/nothing/here",
    "/api/search?q=pad",
    "/api/search?q=sort:x",
    "/api/package/left-pad",
    "/api/package/x%00y",
    "/api/nothing",
    "/healthz",
    "/style.css",
]


@pytest.mark.parametrize("route", ROUTES)
async def test_every_answer_keeps_browsers_in_bounds(http: httpx.AsyncClient, route: str) -> None:
    answer = await http.get(route)
    assert answer.status_code < 500
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("route", [one for one in ROUTES if "/api" not in one and "css" not in one])
async def test_pages_load_nothing_from_elsewhere_and_need_no_script(
    http: httpx.AsyncClient, route: str
) -> None:
    text = (await http.get(route)).text
    assert "<script" not in text
    assert "javascript:" not in re.sub(r">[^<]*<", "><", text)  # in no attribute, that is
    assert all(one.startswith("/") for one in re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', text))


@pytest.mark.parametrize("route", ["/", "/search?q=pad", "/package/left-pad", "/nothing"])
async def test_pages_have_what_a_screen_reader_needs(http: httpx.AsyncClient, route: str) -> None:
    text = (await http.get(route)).text
    assert '<html lang="en">' in text
    assert re.search(r"<title>[^<]+</title>", text)
    assert '<label for="q">' in text
    assert 'role="search"' in text
    assert '<a class="skip" href="#main">' in text
    assert text.count("<h1>") == 1
    assert text.count("<main") == 1


async def test_the_first_page_says_how_much_there_is(http: httpx.AsyncClient) -> None:
    assert "5 npm packages, told by" in (await http.get("/")).text


async def test_a_search_finds_the_exact_name_first(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search", params={"q": "left-pad", "size": "10"})
    assert names(answer)[0] == "left-pad"
    told = answer.json()
    assert told["exact"] == "left-pad"
    assert told["size"] == 10
    assert "explain" not in told["results"][0]
    assert told["results"][0]["downloads"] == 5_000_000


async def test_a_search_can_be_explained(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search", params={"q": "pad text", "explain": "1"})
    first = answer.json()["results"][0]
    assert sum(part["points"] for part in first["explain"]) == pytest.approx(first["score"])


async def test_pages_of_results_follow_each_other(http: httpx.AsyncClient) -> None:
    found = [
        *names(await http.get("/api/search?q=pad&size=1")),
        *names(await http.get("/api/search?q=pad&size=1&page=2")),
    ]
    assert found == names(await http.get("/api/search?q=pad&size=2"))


async def test_an_empty_query_is_an_empty_form(http: httpx.AsyncClient) -> None:
    answer = await http.get("/search?q=++")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await http.get("/api/search")).status_code == 200


async def test_a_query_that_is_wrong_is_shown_with_its_place(http: httpx.AsyncClient) -> None:
    page = await http.get("/search", params={"q": "pad sort:nme"})
    assert page.status_code == 400
    assert "<mark>nme</mark>" in page.text
    answer = await http.get("/api/search", params={"q": "pad sort:nme"})
    told: dict[str, Any] = answer.json()
    assert answer.status_code == 400
    assert "pad sort:nme"[told["offset"] :][: told["length"]] == "nme"


@pytest.mark.parametrize(
    "query", ["size=0", f"size={SIZE_MAX + 1}", "size=-1", "size=x", "size=٣", "page=0"]
)
async def test_numbers_out_of_bounds_are_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/api/search?q=pad&{query}")
    assert answer.status_code == 400
    assert "whole number" in answer.json()["error"]
    assert (await http.get(f"/search?q=pad&page={PAGE_MAX + 1}")).status_code == 400


async def test_an_address_that_is_too_long_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/search?q=" + "x" * QUERY_STRING_BYTES_MAX)).status_code == 414
    assert (await http.get("/api/search?q=" + "x" * 2000)).status_code == 400


async def test_what_writers_say_is_text_and_never_markup(http: httpx.AsyncClient) -> None:
    for route in ("/search?q=evil", "/package/evil"):
        text = (await http.get(route)).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_what_is_asked_is_text_and_never_markup(http: httpx.AsyncClient) -> None:
    for query in ('"><script>x</script>', "sort:<script>"):
        text = (await http.get("/search", params={"q": query})).text
        assert "<script" not in text
        assert "&lt;script&gt;" in text


async def test_a_package_has_a_page_with_all_that_is_known(http: httpx.AsyncClient) -> None:
    text = (await http.get("/package/left-pad")).text
    for part in ("1.3.0", "5,000,000", "WTFPL", "ada", "padStart", "2026-09-21", "1.2.0"):
        assert part in text
    assert '<a href="/package/@types/left-pad">' in text  # which depends on it
    assert 'href="https://example.org/left-pad" rel="nofollow noopener noreferrer"' in text
    assert 'href="javascript' not in text


@pytest.mark.parametrize("name", ["@types/left-pad", "@types%2fleft-pad", "%40types/left-pad"])
async def test_a_name_may_have_a_scope(http: httpx.AsyncClient, name: str) -> None:
    assert "Types of left-pad" in (await http.get(f"/package/{name}")).text
    told = (await http.get(f"/api/package/{name}")).json()
    assert told["package"]["name"] == "@types/left-pad"


async def test_the_api_tells_all_of_a_package(http: httpx.AsyncClient) -> None:
    told = (await http.get("/api/package/left-pad")).json()
    assert told["package"]["snapshot"]["licence"] == "WTFPL"
    assert [one["version"] for one in told["versions"]] == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    assert [one["count"] for one in told["days"]] == list(range(100, 128))
    assert told["weeks"][0]["count"] == 800
    assert [one["name"] for one in told["dependents"]] == ["@types/left-pad"]
    assert re.fullmatch("[0-9a-f]{64}", told["package"]["told_by"])


@pytest.mark.parametrize("name", ["left-pat", "../../etc/passwd", "a b", "%00", "x" * 300])
async def test_a_package_that_nobody_knows_is_not_found(http: httpx.AsyncClient, name: str) -> None:
    address = quote(name, safe="%")
    page, told = await http.get(f"/package/{address}"), await http.get(f"/api/package/{address}")
    assert (page.status_code, told.status_code) == (404, 404)


async def test_only_reading_is_possible(http: httpx.AsyncClient) -> None:
    for route in ("/", "/search", "/api/search", "/package/left-pad", "/healthz"):
        assert (await http.post(route)).status_code == 405
        assert (await http.head(route)).status_code < 400


async def test_names_that_point_here_by_a_trick_are_refused(http: httpx.AsyncClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8642", ""):
        assert (await http.get("/", headers={"host": host})).status_code == 421
    for host in ("localhost:1", "[::1]:8642", "127.0.0.1", "LOCALHOST"):
        assert (await http.get("/", headers={"host": host})).status_code == 200


async def test_before_there_is_anything_it_says_so(tmp_path: Path) -> None:
    async with browser(tmp_path) as http:
        for route in ("/", "/search?q=a", "/api/search?q=a", "/package/a", "/healthz"):
            answer = await http.get(route)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert "Nothing has been indexed yet" in answer.text


async def test_health_tells_how_much_there_is(http: httpx.AsyncClient) -> None:
    told = (await http.get("/healthz")).json()
    assert (told["status"], told["packages"]) == ("ok", 5)
