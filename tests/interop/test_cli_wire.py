"""The command line and JavaScript's networker find each other by the key alone, in a DHT."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.networks import ROOT

from hypermultifeed.keys import discovery_key
from hypermultifeed.network.dht import DhtNode

from .js_peer import JsPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = "x"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stops commands by a signal")


@asynccontextmanager
async def dht(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A DHT that both sides begin with."""
    async with await DhtNode.listen("127.0.0.1") as node:
        monkeypatch.setenv("HYPERMULTIFEED_BOOTSTRAP", str(node.address))
        monkeypatch.setenv("HYPERMULTIFEED_LAN", "0")
        monkeypatch.setenv("HYPERMULTIFEED_LOOPBACK", "1")
        yield str(node.address)


@asynccontextmanager
async def javascript(bootstrap: str) -> AsyncIterator[JsPeer]:
    """A JavaScript networker that shares a multifeed with one block."""
    async with JsPeer("networker") as process:
        await process.call("start", options={"bootstrap": [bootstrap]})
        await process.call("open", multifeed=NAME, rootKey=ROOT.hex())
        feed = (await process.call("writer", multifeed=NAME, name="js"))["key"]
        await process.call("append", multifeed=NAME, feed=feed, values=["from js"])
        yield process


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    whole = [sys.executable, "-u", "-m", "hypermultifeed", "-d", os.fspath(folder), *arguments]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*whole, stdin=pipe, stdout=pipe, stderr=pipe)


async def run(folder: Path, *arguments: str, stdin: str = "") -> Any:
    process = await start(folder, *arguments)
    said, errors = await process.communicate(stdin.encode())
    assert process.returncode == 0, errors
    return said.decode()


async def test_clone_and_sync_with_javascript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ours"
    async with dht(monkeypatch) as bootstrap, javascript(bootstrap) as js:
        await js.call("swarm", multifeed=NAME)
        await js.call("flushed", topic=discovery_key(ROOT).hex())
        fact = json.loads(await run(folder, "clone", "--json", "-", stdin=ROOT.hex()))
        assert (fact["feeds"], fact["new_blocks"], fact["missing_blocks"]) == (1, 1, 0)
        assert "from js" in await run(folder, "cat")
        await run(folder, "append", stdin='"from us"\n')
        await run(folder, "sync")
        await js.call("settle", multifeed=NAME, feeds=2, blocks=2)


async def test_javascript_finds_a_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ours"
    await run(folder, "create", "--key", "-", stdin=ROOT.hex())
    await run(folder, "append", stdin='"from us"\n')
    async with dht(monkeypatch) as bootstrap, javascript(bootstrap) as js:
        share = await start(folder, "share", "--json")
        assert share.stdout is not None
        while json.loads(await share.stdout.readline())["event"] != "announced":
            pass
        await js.call("swarm", multifeed=NAME)
        await js.call("settle", multifeed=NAME, feeds=2, blocks=2)
        await run(folder, "append", stdin='"while sharing"\n')
        await js.call("settle", multifeed=NAME, feeds=2, blocks=3)
        await run(folder, "stop")
        await share.communicate()
        assert share.returncode == 0
    assert "from js" in await run(folder, "cat")
    async with JsPeer("multifeed") as there:  # the folder is JavaScript's again
        await there.call("open", folder=str(folder), rootKey=ROOT.hex(), valueEncoding="utf-8")
        values = (await there.call("values")).values()
    assert sorted(len(feed) for feed in values) == [1, 2]
