"""The page of a package."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from pkgstats.past import BeingMadeError
from pkgstats.view.reading import View
from pkgstats.web.door import FetchError
from pkgstats.web.pages import package as page_of_package
from pkgstats.web.pages.package import tellers_of

from .browsing import browsing, parsed
from .doors import StubDoor
from .facts import DAYS, SEEN, TODAY
from .world import DEPENDENTS, NEEDS, README, VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HTML_BYTES_MAX = 30_000


async def test_it_tells_what_is_known(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/package/react"))
    assert page.one("h1").text == "react 19.1.0"
    tiles = dict(zip(page.one(".tiles").texts("dt"), page.one(".tiles").texts("dd"), strict=True))
    assert tiles["Downloads a month"] == "300,000,000"
    assert tiles["Published"] == "2026-09-01 by grace"
    assert tiles["Licence"] == "MIT"
    assert tiles["Unpacked"] == "320.0 kB"
    assert tiles["Trend in 30 days"].endswith(" %")
    links = page.links()
    assert links["ada"] == "/user/ada"
    assert links["ui"] == "/search?q=keywords%3Aui"
    assert links["@types/react"] == "/package/@types/react"
    assert links["all 4"] == "/package/react/versions"
    assert links["all 1"] == "/search?q=dep%3Areact+sort%3Adownloads"
    assert links["@ada/engine"] == "/package/@ada/engine"
    text = page.one("#main").text
    for words in ("npm install react", "deno add npm:react", ">=0.10.0", "CommonJS", "2013-01-12"):
        assert words in text


async def test_links_that_lead_away_tell_nobody_whence(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/package/react"))
    away = [one for one in page.one("#main").all("a") if one["href"].startswith("http")]
    assert {one["href"] for one in away} == {
        "https://example.org/react",
        "https://example.org",
        "https://www.npmjs.com/package/react",
    }
    assert {one["rel"] for one in away} == {"nofollow noopener noreferrer"}


async def test_warnings_are_shown(http: httpx.AsyncClient) -> None:
    old = parsed(await http.get("/package/left-pad"))
    assert old.texts(".banner") == ["Deprecated use String.prototype.padStart()"]
    assert "javascript:" not in (await http.get("/package/left-pad")).text
    engine = parsed(await http.get("/package/@ada/engine"))
    assert engine.texts(".banner") == ["Runs a script when it is installed."]
    assert "small" not in engine.links()
    assert engine.links()["vue"] == "/package/vue"
    gone = await http.get("/package/gone")
    assert "A writer says that this package is no longer" in parsed(gone).one(".banner").text
    assert gone.headers["x-robots-tag"] == "noindex"


async def test_what_writers_say_is_text(http: httpx.AsyncClient) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (await http.get("/package/evil")).text


async def test_downloads_can_be_seen_by_day_week_and_month(http: httpx.AsyncClient) -> None:
    for by in ("day", "week", "month"):
        page = parsed(await http.get(f"/package/react?by={by}"))
        assert [one.text for one in page.all("a.chip") if "aria-current" in one.attributes] == [
            f"by {by}"
        ]
        assert f"Downloads a {by}" in page.texts("text")
        assert len(page.one("table.counts").all("tr")) > 2
    assert "nothing counted" in (await http.get("/package/react")).text
    assert (await http.get("/package/react?by=year")).status_code == 400


async def test_programs_get_all_of_it(http: httpx.AsyncClient) -> None:
    told = (await http.get("/package/react.json")).json()
    assert told["package"]["snapshot"]["licence"] == "MIT"
    assert told["versions"] == 4
    assert len(told["days"]) == DAYS
    assert told["outages"] == [TODAY - 10]
    assert told["dependents_count"] == 1
    assert told["growth"]["ratio"] > 0
    assert told["tellers"][0]["title"] == "the writer"
    table = (await http.get("/package/react.csv")).text.splitlines()
    assert table[0] == "day,downloads,disputed"
    assert len(table) == DAYS + 1
    feed = (await http.get("/package/react.feed.json")).json()
    assert feed["items"][0]["title"] == "react 19.1.0"


async def test_machines_read_facts_alone(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/package/react"))
    (data,) = (one for one in page.all("script") if one.attributes.get("type"))
    told = json.loads(data.text)
    assert told["@type"] == "SoftwareSourceCode"
    assert told["datePublished"] == "2026-09-01"
    bare = parsed(await http.get("/package/fast-csv"))
    (data,) = (one for one in bare.all("script") if one.attributes.get("type"))
    assert set(json.loads(data.text)) == {"@context", "@type", "name", "version", "description"}


async def test_an_unknown_package_is_looked_up_only_if_that_is_wanted(rich: Path) -> None:
    door = StubDoor()
    async with browsing(rich, door=door) as http:
        answer = await http.get("/package/raect")
    assert answer.status_code == 404
    assert parsed(answer).links()["react"] == "/package/react"
    assert door.asked == []


async def test_a_look_up_shows_the_package_and_where_it_is_from(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the look-up makes a package known that is known under another name."""
    known = View.package
    held = False

    async def look_up(_: str) -> None:
        nonlocal held
        held = True

    monkeypatch.setattr(View, "package", lambda view, name: known(view, name) if held else None)
    async with browsing(rich, door=StubDoor(lookup=look_up, texts={})) as http:
        first, again = await http.get("/package/vue"), await http.get("/package/vue")
    assert "looked up at the registry just now" in parsed(first).one(".banner").text
    assert parsed(again).all(".banner") == []


async def test_a_look_up_that_takes_long_does_not_hold_the_reader(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_package, "FETCH_S", 0.0)

    async def forever(_: str) -> None:
        await asyncio.Event().wait()

    async with browsing(rich, door=StubDoor(lookup=forever)) as http:
        answer = await http.get("/package/not-held")
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "2")


@pytest.mark.parametrize(
    ("error", "status"), [(FetchError("the registry is silent"), 404), (BeingMadeError("x"), 202)]
)
async def test_a_look_up_that_fails_says_why(rich: Path, error: Exception, status: int) -> None:
    async def fail(_: str) -> None:
        raise error

    async with browsing(rich, door=StubDoor(lookup=fail)) as http:
        answer = await http.get("/package/not-held")
    assert answer.status_code == status
    if status == 404:
        assert "the registry is silent" in answer.text


async def test_a_readme_is_shown_and_its_images_when_asked(rich: Path, world: Path) -> None:
    door = StubDoor(texts={"giant": "# Read me\n\n<script>x</script>"})
    async with browsing(world, door=door) as http:
        answer = await http.get("/package/giant")
        assert "Read me" in parsed(answer).one(".readme").text
        assert "img-src 'self' data:" in answer.headers["content-security-policy"]
        asked = await http.get("/package/giant?images=1")
        assert "img-src https: 'self' data:" in asked.headers["content-security-policy"]
        assert len(asked.headers.get_list("content-security-policy")) == 1
        assert "readme giant" in door.asked
        door.asked.clear()
        await http.get("/package/giant.json")
        await http.get("/package/tiny")
        assert door.asked == []
    async with browsing(rich) as http:
        assert "No readme was told." in (await http.get("/package/react")).text


async def test_a_day_that_is_gone_is_shown_as_it_was(rich: Path) -> None:
    class OneDay:
        async def get(self, day: int) -> Path:
            assert day == TODAY - 1
            return rich

        async def search(self, *_: object, **__: object) -> None: ...

    async with browsing(rich, days=OneDay()) as http:  # type: ignore[arg-type]
        answer = await http.get("/package/react?at=2026-09-20")
        page = parsed(answer)
        assert "at the end of 2026-09-20" in page.one(".banner").text
        assert page.links()["by month"] == "/package/react?at=2026-09-20&by=month#downloads"
        assert answer.headers["x-robots-tag"] == "noindex"
        for wrong in ("yesterday", "2026-02-30", "20260920", "2026-W38-7"):
            assert (await http.get(f"/package/react?at={wrong}")).status_code == 400


async def test_the_largest_package_keeps_within_the_budget(world: Path) -> None:
    async with browsing(world, door=StubDoor(texts={"giant": README})) as http:
        answer = await http.get("/package/giant")
        page = parsed(answer)
        whole = len(answer.content)
        readme = answer.text[answer.text.index('<section class="readme"') :]
        assert whole - len(readme.encode()) <= HTML_BYTES_MAX
        for by in ("day", "month"):
            assert len((await http.get(f"/package/giant?by={by}")).content) <= HTML_BYTES_MAX
    assert f"all {VERSIONS:,}" in page.links()
    assert f"all {DEPENDENTS + 3:,}" in page.links()
    assert sum(one["href"].startswith("/package/@scope-") for one in page.all("a")) == NEEDS


def test_who_says_so_is_told_latest_first(rich: Path) -> None:
    with View.open(rich / "view.db") as view:
        facts = view.package("react")
        assert facts is not None
        assert facts.told_by is not None
        found = tellers_of(facts, view.versions("react"), view.days("react"), {facts.told_by: "me"})
    (one,) = found
    assert (one.title, one.seen) == ("me", SEEN)
    assert one.about == ("downloads a month", "manifest", "versions", "downloads by day")
