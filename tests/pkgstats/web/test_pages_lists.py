"""The lists of packages."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from pkgstats.web.pages.lists import KINDS, SIZE

from .browsing import browsing, parsed
from .facts import NOW

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from pkgstats.web.pages.lists import Kind

ATOM = "{http://www.w3.org/2005/Atom}"


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return parsed(answer).one("ol").texts("a.name")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_list_says_what_makes_a_package_stand_there(
    http: httpx.AsyncClient, kind: Kind
) -> None:
    page = parsed(await http.get(f"/{kind.name}"))
    assert page.one("h1").text == kind.title
    assert kind.rule in page.one("main").text
    here = [one for one in page.one("nav.ways").all("a") if "aria-current" in one.attributes]
    assert [one["href"] for one in here] == [f"/{kind.name}"]


async def test_the_popular_ones_stand_in_their_order(http: httpx.AsyncClient) -> None:
    found = names(await http.get("/popular"))
    assert found[:4] == ["react", "vue", "left-pad", "csv-parse"]
    assert len(found) == SIZE


async def test_only_what_tells_when_it_was_created_is_new(http: httpx.AsyncClient) -> None:
    answer = await http.get("/newest")
    assert names(answer)[:2] == ["@ada/engine", "@types/left-pad"]
    assert parsed(answer).texts(".mark")[0] == "created 2026-09-11"


async def test_rising_ones_say_by_how_much(http: httpx.AsyncClient) -> None:
    answer = await http.get("/rising")
    marks = parsed(answer).one("ol").texts(".mark")
    shares = [int(one.partition("%")[0]) for one in marks]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] >= 0
    assert marks[0].endswith("% in a week")


async def test_a_line_is_drawn_of_weeks_that_are_known(http: httpx.AsyncClient) -> None:
    rows = parsed(await http.get("/popular")).one("ol").all("li")
    drawn = {one.one("a.name").text: one.all("path") for one in rows}
    assert len(drawn["react"]) == 1
    assert drawn["react"][0]["d"].startswith("M")
    assert drawn["papaparse"] == []


async def test_others_are_drawn_each_day_and_on_request(rich: Path) -> None:
    async with browsing(rich) as http:
        answer = await http.get("/random")
        today = names(answer)
        assert names(await http.get("/random")) == today
        other = parsed(answer).links()["Draw others"]
        assert names(await http.get(other)) != today
        assert parsed(await http.get(other)).links()["Draw others"] != other
    async with browsing(rich, now=NOW + 86_400_000) as http:
        assert names(await http.get("/random")) != today


@pytest.mark.parametrize("seed", ["0", "1000000", "x", "-1"])
async def test_a_seed_is_a_number(http: httpx.AsyncClient, seed: str) -> None:
    assert (await http.get(f"/random?seed={seed}")).status_code == 400


async def test_drawn_packages_are_no_page_for_other_search_engines(
    http: httpx.AsyncClient,
) -> None:
    assert (await http.get("/random?seed=7")).headers["x-robots-tag"] == "noindex"
    assert (await http.get("/random?seed=7&x=1.atom")).status_code == 200
    assert (await http.get("/random.atom?seed=7")).status_code == 404


async def test_programs_read_the_same(http: httpx.AsyncClient) -> None:
    told = (await http.get("/popular.json")).json()
    assert (told["kind"], told["seed"]) == ("popular", None)
    first = told["packages"][0]
    assert (first["name"], first["downloads"], first["version"]) == ("react", 300_000_000, "19.1.0")
    assert len(first["weeks"]) == 13
    rows = list(csv.DictReader(io.StringIO((await http.get("/popular.csv")).text)))
    assert rows[1]["name"] == "vue"
    assert rows[1]["downloads_a_month"] == "40000000"


@pytest.mark.parametrize("kind", ["popular", "rising", "newest", "random"])
async def test_a_list_can_be_followed(http: httpx.AsyncClient, kind: str) -> None:
    answer = await http.get(f"/{kind}.atom")
    feed = ET.fromstring(answer.text)  # noqa: S314 - our own
    links = [one.find(f"{ATOM}link") for one in feed.findall(f"{ATOM}entry")]
    told = (await http.get(f"/{kind}.json")).json()
    assert [one.get("href", "").rpartition("/package/")[2] for one in links if one is not None] == [
        one["name"] if not one["name"].endswith(".json") else "package%2Ejson"
        for one in told["packages"]
    ]


async def test_who_stays_in_a_list_is_no_news(rich: Path) -> None:
    async def ids(kind: str, now: int) -> set[str]:
        async with browsing(rich, now=now) as http:
            return {one["id"] for one in (await http.get(f"/{kind}.feed.json")).json()["items"]}

    tomorrow = NOW + 86_400_000
    assert await ids("popular", NOW) == await ids("popular", tomorrow)
    assert not await ids("random", NOW) & await ids("random", tomorrow)


async def test_an_empty_list_says_what_it_takes(filled_once: Path) -> None:
    async with browsing(filled_once) as http:
        page = parsed(await http.get("/rising"))
        assert page.all("ol") == []
        assert page.texts("code") == ["pkgstats crawl --top 1000"]
        assert "Nobody has told of such packages" in parsed(await http.get("/newest")).text
        home = parsed(await http.get("/")).one(".shelves")
        assert "None is known to rise." in home.text
