from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pkgstats.web.site import Settings

from .browsing import BASE, browsing

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

SPEC = "{http://a9.com/-/spec/opensearch/1.1/}"


async def templates(http: httpx.AsyncClient) -> dict[str, str]:
    answer = await http.get("/opensearch.xml")
    assert answer.headers["content-type"] == "application/opensearchdescription+xml"
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert len(root.findtext(f"{SPEC}ShortName", "")) <= 16  # as the specification has it
    return {one.get("type", ""): one.get("template", "") for one in root.iter(f"{SPEC}Url")}


async def test_a_browser_finds_all_that_the_description_tells(http: httpx.AsyncClient) -> None:
    told = await templates(http)
    assert told["text/html"] == f"{BASE}/search?q={{searchTerms}}"
    assert len(told) == 5
    for media_type, template in told.items():
        answer = await http.get(template.replace("{searchTerms}", "csv"))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)


async def test_addresses_are_those_by_which_others_reach_it(rich: Path) -> None:
    settings = Settings(public=True, base="https://packages.example")
    async with browsing(rich, settings=settings) as http:
        assert (await templates(http))["text/html"].startswith("https://packages.example/search?")


async def test_names_are_suggested_while_one_types(http: httpx.AsyncClient) -> None:
    answer = await http.get("/suggest", params={"q": "rea"})
    assert answer.headers["content-type"] == "application/x-suggestions+json"
    typed, names, summaries, addresses = answer.json()
    assert (typed, names[0], summaries[0]) == ("rea", "react", "Builds user interfaces")
    assert addresses[0] == f"{BASE}/package/react"
    assert len(names) == len(summaries) == len(addresses)


async def test_nothing_and_nonsense_have_no_suggestions(http: httpx.AsyncClient) -> None:
    assert (await http.get("/suggest")).json() == ["", [], [], []]
    assert (await http.get("/suggest?q=%20")).json() == [" ", [], [], []]
    long = (await http.get("/suggest", params={"q": "x" * 5000})).json()
    assert (long[0], long[1]) == ("x" * 214, [])
