"""Packages side by side."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pkgstats.web.pages.compare import NAMES_MAX, READ_MAX, names_of

from .browsing import browsing, parsed
from .world import RELATIVES

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from .browsing import Element

HTML_BYTES_MAX = 30_000


def cells(page: Element, fact: str) -> list[str]:
    (row,) = (one for one in page.one("table.sides").all("tr") if one.texts("th")[0] == fact)
    return row.texts("td")


async def test_facts_stand_side_by_side(http: httpx.AsyncClient) -> None:
    answer = await http.get("/compare?p=react&p=vue&p=@ada/engine")
    page = parsed(answer)
    assert page.one("h1").text == "react or vue or @ada/engine"
    assert cells(page, "Version") == ["19.1.0", "3.5.0", "0.3.0"]
    assert cells(page, "Licence")[::2] == ["MIT", "Apache-2.0"]
    assert cells(page, "Dependents") == ["1", "0", "0"]
    assert cells(page, "Dependencies")[::2] == ["0", "2"]
    assert page.one("svg.chart").texts("text")
    assert page.one("form.with").all("input")[0]["value"] == "react"
    leave = [one["href"] for one in page.one("table.sides").all("a") if "leave" in one.text]
    assert leave[0] == "/compare?p=vue&p=@ada/engine"


async def test_there_is_one_address_of_a_comparison(http: httpx.AsyncClient) -> None:
    for asked in ("p=react,vue", "p=react&p=vue", "p=react&p=vue,react", "p=+react+&p=vue&x=1"):
        page = parsed(await http.get(f"/compare?{asked}"))
        (link,) = (one for one in page.all("link") if one["rel"] == "canonical")
        assert link["href"].endswith("/compare?p=react&p=vue")


async def test_unknown_names_are_said_with_near_ones(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/compare?p=vue&p=raect"))
    assert "Nobody has told of raect." in page.one(".banner").text
    assert page.one(".banner").links()["react"] == "/compare?p=vue&p=react"
    hostile = await http.get("/compare?p=%3Cscript%3E&p=a%00b")
    assert hostile.status_code == 200
    assert "<script>" not in hostile.text


async def test_fewer_than_two_explain_themselves(http: httpx.AsyncClient) -> None:
    empty = parsed(await http.get("/compare"))
    assert len([one for one in empty.all("input") if one["name"] == "p"]) == 2
    one = parsed(await http.get("/compare?p=react"))
    assert "Name a package to compare react with." in one.one("#main").text


async def test_no_more_than_can_be_told_apart_stand_there(http: httpx.AsyncClient) -> None:
    names = [f"tool-{n:02}" for n in range(NAMES_MAX + 2)]
    answer = await http.get("/compare", params={"p": ",".join(names)})
    page = parsed(answer)
    assert len(cells(page, "Version")) == NAMES_MAX
    assert "left out: tool-06, tool-07" in page.one(".banner").text
    assert page.all("form.with") == []


async def test_spreadsheets_get_the_same(http: httpx.AsyncClient) -> None:
    answer = await http.get("/compare.csv?p=react&p=vue")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [one["name"] for one in rows] == ["react", "vue"]
    assert rows[0]["published"] == "2026-09-01"
    told = (await http.get("/compare.json?p=react&p=vue")).json()
    assert told["packages"][0]["types"] == "@types"
    assert len(told["packages"][0]["days"]) > 80


async def test_six_large_ones_keep_within_the_budget(world: Path) -> None:
    names = ["giant", *RELATIVES, "@giants/part-0001"]
    async with browsing(world) as http:
        answer = await http.get("/compare", params={"p": names})
    assert len(cells(parsed(answer), "Version")) == len(names)
    assert len(answer.content) <= HTML_BYTES_MAX


def test_names_are_read_within_bounds() -> None:
    assert names_of(["a,b", "a", " c ", ","]) == ["a", "b", "c"]
    assert len(names_of([f"n{n}" for n in range(1000)])) == READ_MAX
    assert len(names_of([",".join(f"n{n}" for n in range(1000))])) == READ_MAX
    assert len(names_of(["x" * 10_000])[0]) == 214
