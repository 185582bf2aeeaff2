"""What cannot be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request
from starlette.responses import Response

from pkgstats.past import BeingMadeError
from pkgstats.web.pages.errors import near, nowhere, unknown_package

from .browsing import browsing, parsed, site_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


@pytest.mark.parametrize(
    ("path", "name"), [("/raect", "react"), ("/packages/left-padd", "left-pad"), ("/vue/x", "")]
)
async def test_an_address_that_is_none_shows_packages_like_its_end(
    http: httpx.AsyncClient, path: str, name: str
) -> None:
    answer = await http.get(path)
    page = parsed(answer)
    assert answer.status_code == 404
    assert answer.headers["x-robots-tag"] == "noindex"
    assert page.one("h1").text == "Not found"
    shown = [one.text for near in page.all("ul.near") for one in near.all("a")]
    assert shown[:1] == ([name] if name else [])
    assert page.one("#q")["value"] == path.strip("/").rpartition("/")[2]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/popular/", "/popular"),
        ("/package/react/?at=2026-09-01", "/package/react?at=2026-09-01"),
        ("/package/@types/node///", "/package/@types/node"),
        ("/%5Cother.example/", "/%5Cother.example"),
    ],
)
async def test_an_address_with_a_slash_at_its_end_is_that_without(
    http: httpx.AsyncClient, path: str, location: str
) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, location)


@pytest.mark.parametrize("raw", [b"//other.example/", b"/\\other.example/", b"/\\/other.example//"])
async def test_no_slash_leads_to_another_host(rich: Path, raw: bytes) -> None:
    async with site_of(rich) as site:
        scope = {"type": "http", "path": raw.decode(), "raw_path": raw, "query_string": b""}
        found = await nowhere(site, Request(scope))
    assert isinstance(found, Response)
    assert found.headers["location"] == "/other.example"


async def test_nothing_but_slashes_is_nowhere(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{http.base_url}//")).status_code == 404


@pytest.mark.parametrize("path", ["/" + "x" * 900, "/%00", "/@a/b/c", "/%22", "/sort:x"])
async def test_no_address_is_too_strange(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_programs_are_told_in_json(http: httpx.AsyncClient) -> None:
    answer = await http.get("/package/raect.json")
    assert answer.status_code == 404
    assert answer.json()["did_you_mean"][0] == "react"


async def test_a_package_that_is_not_held_says_how_it_can_be_had(rich: Path) -> None:
    async with site_of(rich) as site:
        told = await unknown_package(site, "raect")
        looked_up = await unknown_package(site, "raect", "The registry does not know it.")
        assert await near(site, "") == ()
        assert await near(site, 'sort:x "') == ()
    assert told.data.unheld == "raect"
    assert told.data.did_you_mean[0] == "react"
    assert (looked_up.data.unheld, looked_up.data.error) == ("", "The registry does not know it.")


@pytest.mark.parametrize(
    ("query", "place", "better"),
    [
        ("pad sort:updatd", "updatd", "pad sort:updated"),
        ("licens:mit", "licens:", "license:mit"),
        ('a "b', '"b', 'a "b"'),
        ("downloads:many", "many", "downloads:>1000"),
    ],
)
async def test_a_query_that_is_wrong_is_shown_with_its_place(
    http: httpx.AsyncClient, query: str, place: str, better: str
) -> None:
    answer = await http.get("/search", params={"q": query})
    page = parsed(answer)
    assert answer.status_code == 400
    assert page.one("mark").text == place
    assert page.one("pre.asked").text == query
    assert better in page.links()
    assert page.one("div")["role"] == "alert"
    told = (await http.get("/search.json", params={"q": query})).json()
    assert query[told["offset"] :][: told["length"]] == place
    assert told["better"] == better


async def test_before_there_is_anything_it_says_so(tmp_path: Path) -> None:
    async with browsing(tmp_path) as http:
        for path in ("/", "/search?q=a", "/popular", "/package/a"):
            answer = await http.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            page = parsed(answer)
            assert "Nothing has been indexed yet" in page.one(".lead").text
            assert page.links()["Look again"] == path


async def test_what_is_being_made_is_asked_for_again_by_hand(rich: Path) -> None:
    class Days:
        async def get(self, day: int) -> Path:
            raise BeingMadeError("this day is being made")

        async def search(self, *_: object, **__: object) -> None:
            raise BeingMadeError("this day is being made")

    async with browsing(rich, days=Days()) as http:  # type: ignore[arg-type]
        answer = await http.get("/search?q=csv+at%3A2026-09-01")
    assert answer.status_code == 202
    assert answer.headers["retry-after"] == "2"
    page = parsed(answer)
    assert page.links()["Look again"] == "/search?q=csv+at%3A2026-09-01"
    assert all(one.attributes.get("http-equiv") is None for one in page.all("meta"))


@pytest.mark.parametrize(
    "path", ["/search?q=a&page=0", "/search?q=a&page=51", "/search?q=a&size=x"]
)
async def test_numbers_out_of_bounds_are_refused(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 400
    assert "is a whole number from 1 to" in parsed(answer).one(".lead").text
