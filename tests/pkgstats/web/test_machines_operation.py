from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from pkgstats.web.app import application
from pkgstats.web.site import Settings

from .browsing import BASE, browsing, site_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_is_well_if_there_is_something_to_answer_from(http: httpx.AsyncClient) -> None:
    answer = await http.get("/healthz")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["lag"]) == ("ok", 0)
    assert told["generation"] > 0
    assert answer.headers["cache-control"] == "no-store"


async def test_it_is_not_well_before_that(tmp_path: Path) -> None:
    async with browsing(tmp_path) as http:
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "empty")
        assert answer.headers["retry-after"] == "2"
        assert (await http.get("/metrics")).status_code == 200  # even so


def value(text: str, name: str) -> float:
    return float(next(one for one in text.splitlines() if one.startswith(f"{name} ")).split()[1])


async def test_metrics_tell_what_was_asked_and_what_there_is(http: httpx.AsyncClient) -> None:
    for _ in range(3):
        await http.get("/package/react")
    await http.get("/nothing")
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    assert 'pkgstats_requests_total{route="package",status="200"} 3\n' in text
    assert 'pkgstats_requests_total{route="other",status="404"} 1\n' in text
    assert value(text, "pkgstats_cache_hits_total") == 2
    assert value(text, "pkgstats_cache_bytes") > 1000
    assert value(text, "pkgstats_packages") == 84
    assert value(text, "pkgstats_writers") == 1
    assert value(text, "pkgstats_view_generation") == value(text, "pkgstats_index_generation")
    assert value(text, "pkgstats_feed_age_seconds") >= 0


@pytest.mark.parametrize(
    ("address", "opened", "status"),
    [
        ("127.0.0.1", False, 200),
        ("::1", False, 200),
        ("192.0.2.7", False, 404),
        ("192.0.2.7", True, 200),
    ],
)
async def test_only_this_machine_is_told_of_them_unless_set_otherwise(
    rich: Path, address: str, opened: bool, status: int
) -> None:
    async with site_of(rich, settings=Settings(public=True, open_metrics=opened)) as site:
        transport = httpx.ASGITransport(application(site), client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            assert (await http.get("/metrics")).status_code == status


async def test_nor_are_clients_of_a_proxy_on_this_machine(rich: Path) -> None:
    async with browsing(rich, settings=Settings(public=True)) as http:
        told = {"x-forwarded-for": "127.0.0.1"}
        assert (await http.get("/metrics", headers=told)).status_code == 404
