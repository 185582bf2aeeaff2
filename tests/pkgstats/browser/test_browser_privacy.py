"""What leaves the machine: nothing, for a search or a page that is held."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.pkgstats.browser.conftest import copied, serving
from tests.pkgstats.browser.test_browser_pages import ROUTES

from pkgstats.folder import VIEW_FILE, search_in
from pkgstats.web.app import application
from pkgstats.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTGOING = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}


class Outgoing:
    """Counts what this process does to reach others. A hook cannot be taken away: one for all."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.counts = False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.counts and event in OUTGOING:
            self.seen.append(f"{event} {arguments[1:]!r}")


@pytest.fixture(scope="session")
def _hooked() -> Outgoing:
    return Outgoing()


@pytest.fixture
def outgoing(_hooked: Outgoing) -> Iterator[Outgoing]:
    _hooked.seen.clear()
    _hooked.counts = True
    yield _hooked
    _hooked.counts = False


async def test_no_page_and_no_search_reaches_out(ground: Path, outgoing: Outgoing) -> None:
    async with search_in(ground) as search, Site(ground / VIEW_FILE, search) as site:
        transport = httpx.ASGITransport(application(site))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            for route in ROUTES:
                for address in (route, *twins(route)):
                    answer = await http.get(address)
                    assert answer.status_code < 500, address
                    assert "stays here" in answer.text or address != route, address
    assert outgoing.seen == []


def twins(route: str) -> list[str]:
    path, mark, query = route.partition("?")
    bare = "/index" if path == "/" else path
    return [bare + suffix + mark + query for suffix in (".json", ".atom", ".feed.json", ".csv")]


HOOK = """
import os, sys
EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}
def heard(event, arguments):
    if event in EVENTS:
        with open(os.environ["OUTGOING"], "a") as log:
            print(os.getpid(), event, repr(arguments[event != "socket.getaddrinfo":]), file=log)
sys.addaudithook(heard)
"""
"""Loaded first by all processes that `serve` starts."""


def test_the_processes_of_serve_reach_each_other_and_nobody_else(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    log = tmp_path / "outgoing.log"
    monkeypatch.setenv("OUTGOING", str(log))
    folder = copied(ground, tmp_path)
    with serving(folder, environment=str(tmp_path)) as address:
        asked = [httpx.get(address + route, trust_env=False) for route in ROUTES]
        assert max(one.status_code for one in asked) < 500
    reached = log.read_text().splitlines()
    assert reached, "the pages have asked the door, at least"
    assert [one for one in reached if "'127.0.0.1'" not in one] == []


async def test_the_count_would_notice(outgoing: Outgoing) -> None:
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get("http://127.0.0.1:1")
    assert outgoing.seen
