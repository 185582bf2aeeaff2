"""How the layers of the application work together; each has a test of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from pkgstats.web.app import application
from pkgstats.web.guard import LOOPBACK_NAMES
from pkgstats.web.limits import ANSWER_PRICE, BURST, SEARCH_PRICE
from pkgstats.web.site import Settings

from .browsing import BASE, site_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.web.watching import Answered

FAR = "192.0.2.7"


@asynccontextmanager
async def asked_from(
    folder: Path, settings: Settings, *addresses: str
) -> AsyncIterator[tuple[list[httpx.AsyncClient], list[Answered]]]:
    """Clients at these addresses of one application, and what its log is told."""
    told: list[Answered] = []
    async with site_of(folder, settings=settings) as site:
        app = application(site, log=told.append)
        yield (
            [
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, client=(one, 1)), base_url=BASE
                )
                for one in addresses
            ],
            told,
        )


@pytest.mark.parametrize("path", ["/", "/search?q=csv", "/package/react", "/nothing/here"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
async def test_one_can_only_read(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/index.json", "/nothing", "/api/search?q=csv", "/healthz"])
async def test_a_head_is_that_of_the_whole_answer(http: httpx.AsyncClient, path: str) -> None:
    whole, head = await http.get(path), await http.head(path)
    assert head.status_code == whole.status_code
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers["content-length"] == str(len(whole.content))


async def test_an_answer_that_is_remembered_is_the_one_that_was_made(
    http: httpx.AsyncClient,
) -> None:
    for path in ("/", "/package/react", "/search?q=csv", "/package/react.atom", "/popular.csv"):
        first, second = await http.get(path), await http.get(path)
        assert first.content == second.content
        assert dict(first.headers) == dict(second.headers)
        assert first.headers["content-security-policy"]


async def test_no_answer_to_a_burst_is_lost(rich: Path) -> None:
    async with asked_from(rich, Settings(), "127.0.0.1") as ((http,), told):
        paths = [f"/package/tool-{n % 70:02}?by={by}" for n in range(200) for by in ("day", "week")]
        paths += [f"/api/search?q=tool&size={n % 50 + 1}" for n in range(200)]
        answers = await asyncio.gather(*(http.get(path) for path in paths))
    assert {one.status_code for one in answers} == {200}
    for path, answer in zip(paths, answers, strict=True):  # and each got the one to its question
        if path.startswith("/package"):
            assert f"<title>{path[9:16]}" in answer.text
        else:
            assert len(answer.json()["results"]) == int(path.rpartition("=")[2])
    assert len(told) == len(paths)


async def test_strangers_are_limited_and_this_machine_and_others_are_not(rich: Path) -> None:
    async with asked_from(rich, Settings(public=True), FAR, "192.0.2.8", "::1") as (clients, _):
        far, other, here = clients
        times = int(BURST / (SEARCH_PRICE + ANSWER_PRICE)) + 20
        paths = [f"/api/search?q=csv%20{number}" for number in range(times)]
        answers = [await far.get(path) for path in paths]
        assert answers[50].status_code == 200
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].headers["x-content-type-options"] == "nosniff"
        assert (await other.get("/api/search?q=csv")).status_code == 200
        assert {(await here.get(path)).status_code for path in paths} == {200}


async def test_only_what_has_to_be_made_has_the_price_of_it(rich: Path) -> None:
    async with asked_from(rich, Settings(public=True), FAR) as ((far,), _):
        times = int(BURST / (SEARCH_PRICE + ANSWER_PRICE)) * 5
        codes = {(await far.get("/search.json?q=csv")).status_code for _ in range(times)}
    assert codes == {200}


async def test_on_a_machine_of_ones_own_nobody_is_limited(rich: Path) -> None:
    async with asked_from(rich, Settings(), FAR) as ((far,), _):
        times = int(BURST / (SEARCH_PRICE + ANSWER_PRICE)) + 20
        codes = {(await far.get(f"/suggest?q={n}")).status_code for n in range(times)}
    assert codes == {200}


async def test_a_proxy_that_is_trusted_tells_its_clients_apart(rich: Path) -> None:
    settings = Settings(public=True, trust_proxy=True)
    async with asked_from(rich, settings, "127.0.0.1") as ((proxy,), told):
        await proxy.get("/", headers={"x-forwarded-for": "127.0.0.1, 192.0.2.9"})
        metrics = await proxy.get("/metrics", headers={"x-forwarded-for": "192.0.2.9"})
    assert metrics.status_code == 404
    assert [one.status for one in told] == [200, 404]
    assert {one.client for one in told} == {"192.0.2.9"}


@pytest.mark.parametrize(
    ("base", "said"),
    [("", None), ("http://a.example", None), ("https://a.example", "max-age=31536000")],
)
async def test_browsers_keep_to_https_where_there_is_any(
    rich: Path, base: str, said: str | None
) -> None:
    async with asked_from(rich, Settings(public=True, base=base), FAR) as ((far,), _):
        answer = await far.get("/")
    assert answer.headers.get("strict-transport-security") == said
    assert f'rel="canonical" href="{base or BASE}/"' in answer.text


async def test_names_that_point_here_by_a_trick_are_refused(rich: Path) -> None:
    async with site_of(rich) as site:
        transport = httpx.ASGITransport(application(site, hosts=LOOPBACK_NAMES))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            for host in ("evil.example", "127.0.0.1.evil.example:8642", ""):
                assert (await http.get("/", headers={"host": host})).status_code == 421
            for host in ("localhost:1", "[::1]:8642", "127.0.0.1", "LOCALHOST"):
                assert (await http.get("/", headers={"host": host})).status_code == 200


async def test_before_there_is_anything_every_page_says_so(tmp_path: Path) -> None:
    async with asked_from(tmp_path, Settings(), FAR) as ((far,), _):
        for path in ("/", "/search?q=a", "/api/search?q=a", "/package/a", "/popular"):
            answer = await far.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
