"""A crawler in a node of its own, before a fake registry and with a clock that only it moves."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.pkgstats.fake_npm import FakeNpm
from tests.pkgstats.fake_registry import FakeRegistry

from pkgstats.crawler.crawl import Crawler
from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE
from pkgstats.crawler.sources import Sources
from pkgstats.group import Group
from pkgstats.node import Node
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import content_hash
from pkgstats.records.model import Heartbeat, IndexRows, WriterCard
from pkgstats.sources.addresses import Addresses
from pkgstats.sources.client import Client
from pkgstats.sources.limiter import Limiter
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pkgstats.records.codec import BadRecord, UnknownRecord
    from pkgstats.records.model import Known

TODAY = 20_700
"""The day it is, since 1970: after all that a `FakeNpm` publishes."""


class Clock:
    """Seconds since 1970; sleeping moves it, and nothing waits."""

    def __init__(self, day: int = TODAY) -> None:
        self.now = day * 86_400 + 40_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def fake() -> FakeRegistry:
    return FakeRegistry(FakeNpm(today=TODAY))


def populate(registry: FakeRegistry, *names: str, days: int = 40) -> None:
    """Packages with downloads on the last days, and on each version."""
    for number, name in enumerate(names, 1):
        registry.npm.publish(name, description=f"package {number}")
        registry.npm.count(name, TODAY - days, [number * 100 + day for day in range(days)])
        registry.npm.week_counts[name] = {"1.0.0": number}


def addresses(registry: FakeRegistry) -> Addresses:
    return Addresses(registry.url, registry.downloads_url, registry.changes_url)


@dataclass
class Member:
    """A crawler, and what it works with."""

    crawler: Crawler
    node: Node
    memory: Memory
    view: View
    clock: Clock

    async def said(self) -> list[Known | UnknownRecord | BadRecord]:
        """All records in its feeds, index rows, cards and heartbeats left out."""
        assert self.node.writer is not None
        found = []
        for feed in self.node.writer.feeds.values():
            for index in range(feed.length):
                found += decode_block(await feed.get(index))
        return [one for one in found if not isinstance(one, (IndexRows, WriterCard, Heartbeat))]

    async def heartbeats(self) -> list[Heartbeat]:
        assert self.node.writer is not None
        feed = self.node.writer.feeds["meta"]
        blocks = [decode_block(await feed.get(index)) for index in range(feed.length)]
        return [one for block in blocks for one in block if isinstance(one, Heartbeat)]

    async def repeated(self) -> int:
        """How many records were said more than once."""
        hashes = [content_hash(one) for one in await self.said()]  # type: ignore[arg-type]
        return len(hashes) - len(set(hashes))


def group_in(folder: Path) -> Group:
    folder.mkdir(exist_ok=True)
    return Group.find(folder) or Group.create(folder)


@asynccontextmanager
async def member(folder: Path, registry: FakeRegistry, clock: Clock) -> AsyncIterator[Member]:
    """A crawler in this folder, made at the first time."""
    group = group_in(folder)
    async with AsyncExitStack() as stack:
        node = Node(folder, group, clock=lambda: int(clock() * 1000))
        await stack.enter_async_context(node)
        writer = await node.write("crawler")
        memory = await stack.enter_async_context(Memory(folder / FILE, writer))
        await node.catch_up()
        view = stack.enter_context(View.open(node.view_path))
        client = Client(
            Limiter(clock(), spent=memory.spent()),
            clock=clock,
            sleep=clock.sleep,
            chance=lambda: 0.5,
            silence_s=0.3,
        )
        await stack.enter_async_context(client)
        sources = Sources.of(client, addresses(registry))
        yield Member(Crawler(writer, memory, sources, view), node, memory, view, clock)


def letters(records: list[Known | UnknownRecord | BadRecord]) -> Iterator[str]:
    return (one.letter for one in records if hasattr(one, "letter"))
