from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pkgstats.web.machines import sitemap
from pkgstats.web.site import Settings

from .browsing import BASE, browsing
from .facts import LISTED, TOOLS

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    import pytest

OPEN = Settings(indexed=True)


def places(answer: httpx.Response) -> list[str]:
    assert answer.headers["content-type"] == "application/xml"
    namespace = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    return [
        one.text or ""
        for one in ET.fromstring(answer.content).iter(f"{namespace}loc")  # noqa: S314 - our own
    ]


async def test_machines_may_follow_nothing_unless_told(http: httpx.AsyncClient) -> None:
    assert (await http.get("/robots.txt")).text == "User-agent: *\nDisallow: /\n"
    for path in ("/sitemap.xml", "/sitemap/1.xml"):
        assert (await http.get(path)).status_code == 404


async def test_all_packages_are_listed_the_most_used_first(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap, "FILE_PACKAGES", 50)
    async with browsing(rich, settings=OPEN) as http:
        rules = (await http.get("/robots.txt")).text
        assert "Disallow: /search\n" in rules
        assert "Disallow: /\n" not in rules
        (root,) = re.findall("Sitemap: (.+)\n", rules)
        files = places(await http.get(root))
        assert files == [f"{BASE}/sitemap/1.xml", f"{BASE}/sitemap/2.xml"]
        first, second = [places(await http.get(file)) for file in files]
        assert len(first) == 50
        assert first[0] == f"{BASE}/package/react"
        assert len({*first, *second}) == len(LISTED) + TOOLS
        assert f"{BASE}/package/package%2Ejson" in second
        assert (await http.get(second[-1])).status_code == 200
        for number in ("0", "3", "-1", "x", "50001", "9" * 99, "٣"):
            assert (await http.get(f"/sitemap/{number}.xml")).status_code == 404


async def test_days_of_change_are_told_where_they_are_known(rich: Path) -> None:
    async with browsing(rich, settings=OPEN) as http:
        text = (await http.get("/sitemap/1.xml")).text
    assert re.search(r"/package/react</loc><lastmod>\d{4}-\d\d-\d\d</lastmod>", text)
    assert "/package/tool-00</loc></url>" in text
