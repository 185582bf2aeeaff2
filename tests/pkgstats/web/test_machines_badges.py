from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.web.machines.drawing import TEXT_MAX
from pkgstats.web.site import Settings

from .browsing import browsing

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/badge/version/react.svg", "npm: v19.1.0"),
        ("/badge/version/@types/react.svg", "npm: v19.1.0"),
        ("/badge/version/@types%2Freact.svg", "npm: v19.1.0"),
        ("/badge/downloads/react.svg", "downloads: 300M/month"),
        ("/badge/downloads/nobody-knows.svg", "downloads: unknown"),
        ("/badge/license/nobody-knows.svg", "license: unknown"),
        ("/badge/license/evil.svg", "license: unknown"),
        ("/badge/version/package.json.svg", "npm: v2.0.1"),
        ("/badge/version/react.svg?label=my%20%3Cb%3E", "my &lt;b&gt;: v19.1.0"),
    ],
)
async def test_a_badge_tells_one_thing(http: httpx.AsyncClient, address: str, says: str) -> None:
    answer = await http.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert f"<title>{says}</title>" in answer.text


async def test_a_package_that_should_not_be_used_says_so(http: httpx.AsyncClient) -> None:
    assert "deprecated</title>" in (await http.get("/badge/version/left-pad.svg")).text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/badge/stars/react.svg", 404),
        ("/badge/version/a%20b.svg", 404),
        ("/badge/version/react", 404),
        (f"/badge/version/react.svg?label={'x' * (TEXT_MAX + 1)}", 400),
    ],
)
async def test_there_are_no_others(http: httpx.AsyncClient, address: str, status: int) -> None:
    assert (await http.get(address)).status_code == status


async def test_readmes_elsewhere_may_show_it_for_a_while(http: httpx.AsyncClient) -> None:
    answer = await http.get("/badge/version/react.svg")
    assert answer.headers["cache-control"] == "max-age=3600"
    told = {"if-none-match": answer.headers["etag"]}
    assert (await http.get("/badge/version/react.svg", headers=told)).status_code == 304


@pytest.mark.parametrize(("public", "who"), [(False, "same-origin"), (True, "cross-origin")])
async def test_other_sites_may_embed_it_only_if_they_can_reach_it_at_all(
    rich: Path, public: bool, who: str
) -> None:
    async with browsing(rich, settings=Settings(public=public)) as http:
        badge, page = await http.get("/badge/version/react.svg"), await http.get("/package/react")
    assert badge.headers.get_list("cross-origin-resource-policy") == [who]
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
