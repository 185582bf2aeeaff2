from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.pkgstats.fake_registry import FakeRegistry, faults

from pkgstats.crawler import crawling as crawling_module
from pkgstats.crawler.asked import Asked
from pkgstats.crawler.crawling import Crawling, NotFetchedError, Parts
from pkgstats.node import Node
from pkgstats.sources.addresses import Addresses
from pkgstats.sources.client import Client
from pkgstats.view.reading import View

from .world import Clock, addresses, fake, group_in, populate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.crawler.crawl import Progress
    from pkgstats.crawler.follow import Event


@dataclass
class World:
    """An open node with its crawler, before a fake registry."""

    node: Node
    crawling: Crawling
    registry: FakeRegistry
    addresses: Addresses

    async def fetch(self, name: str) -> None:
        await self.crawling.fetch(name, self.addresses, self.node.index)

    def knows(self, name: str) -> bool:
        with View.open(self.node.view_path) as view:
            return view.package(name) is not None


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    clock = Clock()
    client = partial(Client, clock=clock, sleep=clock.sleep, chance=lambda: 0.5)
    group = group_in(folder)
    async with fake() as registry, Node(folder, group, clock=lambda: int(clock() * 1000)) as node:
        writer = await node.own_writer()
        parts = Parts(folder, node.view_path, writer, node.multis, node)
        await node.catch_up()
        async with Crawling(parts, client=client, sleep=clock.sleep) as crawling:
            yield World(node, crawling, registry, addresses(registry))


async def test_a_package_that_somebody_looks_at_is_in_the_view_then(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        populate(one.registry, "wanted")
        await one.fetch("wanted")
        assert one.knows("wanted")
        assert not any("downloads" in target for target in one.registry.asked)
        await asyncio.wait(one.crawling._counting)
        with View.open(one.node.view_path) as view:
            assert view.days("wanted")
        assert (await one.node.search.search("pkg:wanted")).total == 1
        with pytest.raises(NotFetchedError, match="does not know it"):
            await one.fetch("nobody")
        one.registry.script("/wanted", faults.failure(), times=9)
        one.registry.npm.publish("wanted", "1.0.1")
        with pytest.raises(NotFetchedError, match="500"):
            await one.fetch("wanted")


async def test_nobody_is_asked_about_what_is_private_or_no_package(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        one.addresses = Addresses(one.registry.url, scopes={"work": "http://127.0.0.1:9"})
        for name, why in (
            ("@work/secret", "registry of its own"),
            ("../etc/passwd", "no package of that name"),
            ("", "no package of that name"),
            ("x" * 300, "no package of that name"),
        ):
            with pytest.raises(NotFetchedError, match=why):
                await one.fetch(name)
        assert one.registry.asked == []


async def test_who_wants_the_same_waits_for_one_look_and_only_so_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawling_module, "WAITING_MAX", 2)
    async with world(tmp_path) as one:
        populate(one.registry, "a", "b", "c")
        waiting = [asyncio.create_task(one.fetch(name)) for name in ("a", "a", "b", "c")]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert found[:3] == [None, None, None]
        assert "others wait" in str(found[3])
        assert [one.knows(name) for name in "abc"] == [True, True, False]
        assert len([target for target in one.registry.asked if target == "/a"]) == 1


async def test_who_gives_up_leaves_the_others_their_look(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        populate(one.registry, "a")
        first, second = (asyncio.create_task(one.fetch("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert one.knows("a")


async def test_what_is_done_at_once_is_said_once(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        names = [f"p{number}" for number in range(40)]
        populate(one.registry, *names)
        asked = Asked(tuple(names))
        told: list[Progress] = []
        runs = [one.crawling.once(asked, one.addresses, told.append), one.fetch("p39")]
        await asyncio.gather(*runs)
        assert told
        assert await one.crawling.once(Asked(), one.addresses) is None
        assert all(one.knows(name) for name in names)
        await one.crawling.memory.catch_up()
        again = await one.crawling.once(asked, one.addresses)
        assert again is not None
        assert (again.said, again.rows) == (0, 0)


async def test_following_looks_and_looks_again_at_others_each_day(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        populate(one.registry, "a")
        await one.crawling.once(Asked(("a",)), one.addresses)
        await one.node.catch_up()
        events: list[Event] = []
        enough = asyncio.Event()

        def heard(event: Event) -> None:
            events.append(event)
            days = [one for one in events if one.what == "rechecked"]
            if len(days) >= 2 and any(one.what == "idle" for one in events):
                enough.set()

        following = asyncio.create_task(one.crawling.follow(one.addresses, heard))
        async with asyncio.timeout(20):
            await enough.wait()
        following.cancel()
        await asyncio.wait({following})
