"""The first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.folder import VIEW_FILE
from pkgstats.view.reading import View
from pkgstats.web.pages.lists import POPULAR, RANDOM, entries

from .browsing import parsed
from .facts import LISTED, NOW, TOOLS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


async def test_it_says_how_much_there_is(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/"))
    assert page.one("h1").text == f"{len(LISTED) + TOOLS} npm packages, on your machine"
    assert "Told by 1 writer" in page.one("main").text


async def test_there_is_one_field_which_waits_for_the_reader(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/"))
    assert page.one("form")["action"] == "/search"
    field = page.one("#q")
    assert field["name"] == "q"
    assert "autofocus" not in field.attributes
    assert page.one("label")["for"] == "q"


async def test_some_of_each_list_are_shown_with_a_link_to_all(http: httpx.AsyncClient) -> None:
    shelves = parsed(await http.get("/")).one(".shelves").all("section")
    heads = [one.one("h2").one("a") for one in shelves]
    assert [(one.text, one["href"]) for one in heads] == [
        ("Most popular", "/popular"),
        ("Rising", "/rising"),
        ("Newest", "/newest"),
        ("At random", "/random"),
    ]
    first = [[link.text for link in one.one("ol").all("a")] for one in shelves]
    assert first[0] == ["react", "vue", "left-pad", "csv-parse", "papaparse", "fast-csv"]
    assert first[2][0] == "@ada/engine"
    assert [len(one) for one in first] == [6, 6, 6, 6]
    assert shelves[0].texts("span")[0] == "300M"
    assert shelves[1].texts("span")[0].startswith("+")
    assert shelves[2].texts("span")[0] == "2026-09-11"


async def test_the_tips_can_be_tried(http: httpx.AsyncClient) -> None:
    tips = parsed(await http.get("/")).one("dl.hints").all("a")
    assert len(tips) == 8
    for tip in tips:
        assert (await http.get(tip["href"])).status_code in (200, 303)


async def test_programs_read_the_same(http: httpx.AsyncClient) -> None:
    told = (await http.get("/index.json")).json()
    assert told["packages"] == len(LISTED) + TOOLS
    assert told["writers"] == 1
    assert [one["kind"] for one in told["shelves"]] == ["popular", "rising", "newest", "random"]
    assert told["shelves"][0]["packages"][0]["downloads"] == 300_000_000


def test_a_list_is_worked_out_once_for_a_day(rich: Path) -> None:
    with View.open(rich / VIEW_FILE) as view:
        first = entries(view, POPULAR, NOW, 6)
        assert entries(view, POPULAR, NOW + 1, 6) is first
        tomorrow = NOW + 86_400_000
        assert entries(view, RANDOM, tomorrow, 6) != entries(view, RANDOM, NOW, 6)
