"""All versions of a package."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pkgstats.view.facts import VersionFacts
from pkgstats.web.pages.versions import SIZE, newest_first, rows_of

from .browsing import browsing, parsed
from .facts import SEEN
from .world import VERSIONS, WEEKS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HTML_BYTES_MAX = 30_000

WRITER = bytes(32)


def version(name: str, published: int) -> VersionFacts:
    return VersionFacts(name, published, "", None, "", "", SEEN, WRITER, "here")


async def test_all_versions_stand_there_newest_first(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/package/react/versions"))
    table = page.all("table")[-1]
    assert table.texts("th")[6:] == ["19.1.0", "20.0.0-rc.1", "19.0.0", "18.3.1"]
    cells = dict(zip(table.texts("th")[6:], table.all("tr")[1:], strict=True))
    assert cells["19.0.0"].texts("td") == [
        *("2026-03-05", "grace", "300.2 kB", "30,000,000"),
        "",
    ]
    assert cells["19.1.0"].texts("td")[3] == "–"  # noqa: RUF001 - a dash
    old = parsed(await http.get("/package/left-pad/versions"))
    assert old.all("table")[-1].texts("td").count("deprecated") == 4


async def test_adoption_is_drawn_by_major_version(http: httpx.AsyncClient) -> None:
    page = parsed(await http.get("/package/react/versions"))
    labels = " ".join(page.one("svg.chart").texts("text"))
    assert "19.x" in labels
    assert "18.x" in labels
    assert "No downloads by version" in (await http.get("/package/left-pad/versions")).text


async def test_a_thousand_versions_come_in_pages_within_the_budget(world: Path) -> None:
    seen: list[str] = []
    async with browsing(world) as http:
        for number in range(1, VERSIONS // SIZE + 1):
            answer = await http.get(f"/package/giant/versions?page={number}")
            assert len(answer.content) <= HTML_BYTES_MAX
            page = parsed(answer)
            seen += [one.text for one in page.all("table")[-1].all("th")][6:]
        assert len(set(seen)) == VERSIONS
        assert (await http.get("/package/giant/versions?page=11")).status_code == 404
        assert (await http.get("/package/giant/versions?page=0")).status_code == 400
        second = parsed(await http.get("/package/giant/versions?page=2")).links()
        assert second["Previous"] == "/package/giant/versions?page=1"
        assert second["Next"] == "/package/giant/versions?page=3"
        told = (await http.get("/package/giant/versions.json")).json()
        assert len(told["versions"]) == SIZE
        assert len(told["majors"]["19.x"]) == WEEKS
        rows = list(
            csv.DictReader(io.StringIO((await http.get("/package/giant/versions.csv")).text))
        )
        assert len(rows) == VERSIONS
        feed = (await http.get("/package/giant/versions.feed.json")).json()
        assert feed["items"][0]["title"] == "giant 19.4.999"


async def test_an_unknown_package_has_near_names(http: httpx.AsyncClient) -> None:
    answer = await http.get("/package/raect/versions")
    assert answer.status_code == 404
    assert parsed(answer).links()["react"] == "/package/react"


def test_downloads_are_those_of_the_last_week_alone() -> None:
    told = newest_first([version("1.0.0", 5), version("2.0.0", 9), version("0.1.0", 0)])
    assert [one.version for one in told] == ["2.0.0", "1.0.0", "0.1.0"]
    weeks = [("1.0.0", 100, 7), ("3.0.0", 100, 1), ("1.0.0", 107, 9)]
    assert [one.downloads for one in rows_of(told, weeks)] == [None, 9, None]
    assert [one.downloads for one in rows_of(told, [])] == [None, None, None]
