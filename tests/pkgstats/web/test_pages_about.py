"""What the site says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.search.ranking import FEATURES

from .browsing import parsed

if TYPE_CHECKING:
    import httpx


async def test_all_weights_of_the_ranking_are_shown(http: httpx.AsyncClient) -> None:
    rows = parsed(await http.get("/about")).one("tbody").all("tr")
    told = [tuple(row.texts("td")) for row in rows]
    assert told == [(f"{one.weight:+.2f}", one.meaning) for one in FEATURES]
    twin = (await http.get("/about.json")).json()
    assert [one["weight"] for one in twin["weights"]] == [one.weight for one in FEATURES]


async def test_the_foot_of_each_page_leads_to_what_leaves_the_machine(
    http: httpx.AsyncClient,
) -> None:
    page = parsed(await http.get("/"))
    link = page.one("footer.bottom").links()["How that is meant"]
    path, _, place = link.partition("#")
    about = parsed(await http.get(path))
    assert about.one(f"#{place}").text == "What leaves your machine, and when"


async def test_it_links_to_nobody_else(http: httpx.AsyncClient) -> None:
    links = parsed(await http.get("/about")).all("a")
    assert all(one["href"][0] in "/#" for one in links)
