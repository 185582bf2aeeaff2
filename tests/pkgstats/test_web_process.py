"""The pages in a process of their own, beside a real node."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from pkgstats.child import ChildError
from pkgstats.cli.serving import serving_pages
from pkgstats.group import Group
from pkgstats.listing import Row
from pkgstats.records.model import ReadmePart, Snapshot
from pkgstats.web.door import Door
from pkgstats.web.process import LOG, NICE, RENDERED, pages_process
from pkgstats.web.server import listening
from pkgstats.web.site import Settings

from .nodes import AT, fill, node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.node import Node


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Node, str]]:
    group = Group.find(folder)
    assert group is not None
    async with (
        node(folder, group, alone=True) as one,
        serving_pages(one, "127.0.0.1", 0) as address,
    ):
        yield one, address


async def test_they_answer_and_follow_the_node(filled: Path) -> None:
    async with served(filled) as (one, address), httpx.AsyncClient(base_url=address) as http:
        asked = {"q": "left-pad"}
        assert (await http.get("/api/search", params=asked)).json()["results"][0]["name"] == (
            "left-pad"
        )
        asked = {"q": "pkg:fresh-0"}
        assert (await http.get("/api/search", params=asked)).json()["results"] == []
        await fill(one, "the writer", [Row("fresh-0", "1.0.0", 5)])
        await one.index()
        await until_found(http, asked)
        await one.rebuild()
        await until_found(http, asked)
        assert (await http.get("/package/fresh-0")).status_code == 200
        assert (await http.get("/control/peers")).status_code == 404
        door = Door.of(filled)
        assert door is not None
        assert door.pages == address != door.address
        if sys.platform != "win32":
            await _asks_of_days(http)
    assert Door.of(filled) is None
    assert "Traceback" not in (filled / LOG).read_text()


async def test_readmes_come_from_the_node_and_are_rendered_once(filled: Path) -> None:
    text = b"# Read me\n\n**well** <script>alert(1)</script>"
    digest = hashlib.blake2b(text, digest_size=32).digest()
    told = Snapshot(observed_at=AT + 1, name="written", version="1.0.0", readme_hash=digest)
    async with served(filled) as (one, address), httpx.AsyncClient(base_url=address) as http:
        writer = await one.write("the writer")
        await writer.append([ReadmePart(observed_at=AT, digest=digest, text=text)])
        await writer.append([replace(told, readme_block=writer.feeds["readme"].length - 1)])
        await one.index()
        await until_found(http, {"q": "pkg:written"})
        pages = [(await http.get("/package/written", timeout=30)).text for _ in range(2)]
    assert "<strong>well</strong>" in pages[0]
    assert "<script>alert" not in pages[0]
    assert pages[0] == pages[1]
    assert len(list((filled / RENDERED).iterdir())) == 1


async def until_found(http: httpx.AsyncClient, asked: dict[str, str]) -> None:
    """Pages may be a tenth of a second old."""
    async with asyncio.timeout(30):
        while (await http.get("/api/search", params=asked)).json()["total"] != 1:
            pass


async def _asks_of_days(http: httpx.AsyncClient) -> None:
    """Through the door of the node, which makes them."""
    for _ in range(100):
        answer = await http.get("/api/search", params={"q": "react at:2026-09-21"}, timeout=30)
        if answer.status_code != 202:
            break
        assert "is being made" in answer.text
    assert answer.json()["results"][0]["version"] == "19.0.0"
    for when in ("9999-12-31", "0001-01-01", "2026-13-01", "../..", "", "%00", "٣"):
        answer = await http.get("/api/search", params={"q": f"react at:{when}"})
        assert answer.status_code == 400


async def test_a_port_that_is_taken_is_told(filled: Path) -> None:
    with listening(port=0) as taken, pytest.raises(OSError, match=r"in use|normally permitted"):
        async with pages_process(filled, "127.0.0.1", taken.getsockname()[1]):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has priority classes instead")
async def test_they_yield_to_others_and_when_they_die_the_block_ends(filled: Path) -> None:
    async def killed() -> None:
        async with served(filled):
            (child,) = _children(os.getpid())
            assert os.getpriority(os.PRIO_PROCESS, child) >= NICE
            os.kill(child, signal.SIGKILL)
            await asyncio.Event().wait()

    with pytest.raises(ChildError, match="pages ended early"):
        await killed()
    assert Door.of(filled) is None


def _children(parent: int) -> list[int]:
    """The pages that a process has started."""
    words = ["ps", "-e", "-o", "pid=,ppid=,args="]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line.split(None, 2) for line in told.stdout.splitlines()]
    return [int(pid) for pid, of, args in lines if int(of) == parent and " pages " in args]


async def test_their_log_is_where_it_was_asked_for_and_tells_no_queries(
    filled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "access.log"
    group = Group.find(filled)
    assert group is not None
    async with (
        node(filled, group, alone=True),
        pages_process(filled, "127.0.0.1", 0, Settings(access_log=str(file))) as address,
        httpx.AsyncClient(base_url=address) as http,
    ):
        assert (await http.get("/search?q=my+secret")).status_code == 200
        metrics = (await http.get("/metrics")).text
    assert 'pkgstats_requests_total{route="search",status="200"} 1' in metrics
    first, second = file.read_text().splitlines()
    assert '"GET /search HTTP/1.1" 200 ' in first
    assert "secret" not in first
    assert '"GET /metrics HTTP/1.1" 200 ' in second


async def test_what_fails_in_them_stands_in_their_log_alone(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    hook.joinpath("sitecustomize.py").write_text(
        "from pkgstats.web.site import Site\nSite.ask = lambda *_: 1 / 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hook))
    async with (
        pages_process(filled, "127.0.0.1", 0) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as http,
    ):
        answer = await http.get("/package/left-pad?unknown=1")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "ZeroDivisionError" not in answer.text
    log = (filled / LOG).read_text()
    assert log.count("ZeroDivisionError: division by zero\n") == 1
    assert "no answer to GET '/package/left-pad'\nTraceback" in log
