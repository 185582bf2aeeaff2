"""The packages of a user, or in a scope."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from pkgstats.web.pages.people import SIZE

from .browsing import browsing, parsed

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HTML_BYTES_MAX = 30_000


def names(told: dict[str, list[dict[str, str]]]) -> list[str]:
    return [one["name"] for one in told["packages"]]


async def test_a_users_packages_are_added_up(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/user/ada"))
    assert page.one("h1").text == "Packages of ada"
    assert page.texts("dd") == ["3", "305,005,000", "1"]
    rows = {one.all("a")[0].text: one for one in page.all("tr")[1:]}
    assert list(rows) == ["react", "left-pad", "@ada/engine"]
    assert rows["left-pad"].texts(".mark") == ["deprecated", "no types", "old"]
    assert rows["react"].texts(".mark") == []
    assert rows["react"].all("path")
    assert not rows["@ada/engine"].all("path")
    assert page.links()["2 packages in @ada"] == "/scope/ada"


async def test_a_scope_says_that_there_is_a_user_too(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/scope/ada"))
    assert page.one("h1").text == "Packages in @ada"
    assert page.links()["3 packages of ada"] == "/user/ada"
    same = await http.get("/scope/@ada")
    assert parsed(same).one("h1").text == "Packages in @ada"
    grace = parsed(await http.get("/user/grace"))
    assert grace.all(".banner") == []


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("downloads", ["react", "left-pad", "@ada/engine"]),
        ("updated", ["@ada/engine", "react", "left-pad"]),
        ("name", ["@ada/engine", "left-pad", "react"]),
        ("growth", ["left-pad", "react", "@ada/engine"]),
    ],
)
async def test_they_are_sorted(http: httpx.AsyncClient, sort: str, order: list[str]) -> None:
    assert names((await http.get(f"/user/ada.json?sort={sort}")).json()) == order


async def test_spreadsheets_and_readers_get_all_of_them(http: httpx.AsyncClient) -> None:
    rows = list(csv.DictReader(io.StringIO((await http.get("/user/ada.csv")).text)))
    assert [one["name"] for one in rows] == ["react", "left-pad", "@ada/engine"]
    assert rows[1]["marks"] == "deprecated, no types, old"
    assert float(rows[0]["growth"]) > 0
    feed = (await http.get("/user/ada.feed.json")).json()
    assert [one["title"] for one in feed["items"]] == [
        *("@ada/engine 0.3.0", "react 19.1.0"),
        "left-pad 1.3.0",
    ]


@pytest.mark.parametrize(
    "path", ["/user/nobody", "/scope/nobody", "/scope/a%20b", "/scope/a%3Fb", "/user/" + "x" * 300]
)
async def test_nobody_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_numbers_and_orders_have_bounds(http: httpx.AsyncClient) -> None:
    for asked in ("sort=stars", "page=0", "page=x", "page=201"):
        assert (await http.get(f"/user/ada?{asked}")).status_code == 400
    assert (await http.get("/user/ada?page=2")).status_code == 404


async def test_many_packages_come_in_pages_within_the_budget(world: Path) -> None:
    async with browsing(world) as http:
        first = await http.get("/user/giants")
        told = (await http.get("/user/giants.json")).json()
        total, pages = told["total"], told["pages"]
        assert len(first.content) <= HTML_BYTES_MAX
        assert len(told["packages"]) == SIZE
        assert parsed(first).links()["Next"] == "/user/giants?page=2"
        found = []
        for number in (1, 2, pages):
            path = f"/user/giants.json?sort=name&page={number}"
            found += names((await http.get(path)).json())
        assert len(set(found)) == len(found) == 2 * SIZE + total % SIZE
        assert found == sorted(found)
