"""Nodes on one machine, for tests: loopback only, and waiting without sleeping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.network import Network
from pkgstats.node import Node
from pkgstats.records import counts
from pkgstats.records.model import CORES, DayCounts, Snapshot, VersionEvent, WeekCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from pkgstats.records.model import Known

DEADLINE_S = 30.0


def node(
    folder: Path, group: Group, *peers: Node, kinds: Collection[str] = CORES, alone: bool = False
) -> Node:
    """A node that dials those peers."""
    folder.mkdir(exist_ok=True)
    joined = Group.join(folder, group.key) if group.key_pair is None else group
    network = None if alone else Network.only_loopback(*(one.addresses[0] for one in peers))
    return Node(folder, joined, network=network, kinds=kinds)


async def until(one: Node, holds: Callable[[], bool]) -> None:
    """Wait until something holds; looked at whenever the node's view may have changed."""
    woken = asyncio.Event()
    one.indexer.listen(lambda _: woken.set())
    one.on_progress = lambda _: woken.set()
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await woken.wait()
            woken.clear()


def rows(prefix: str, count: int, downloads: int = 1000) -> list[Row]:
    return [
        Row(f"{prefix}-{number}", "1.0.0", downloads - number, f"package {number}")
        for number in range(count)
    ]


async def fill(one: Node, title: str, listed: list[Row], now: int = 1_790_000_000_000) -> bytes:
    """Let a node write; returns its writer's key."""
    writer = await one.write(title)
    await writer.append(index_records(listed, observed_at=now, source="list"))
    return writer.key


AT = 1_790_000_000_000
"""When the facts of `facts_of_all_kinds` were seen: 2026-09-21."""

LAST_DAY = AT // 86_400_000 - 1


def facts_of_all_kinds() -> list[list[Known]]:
    """Some of everything that the view can show, by kind of core."""
    listed = [
        Row("left-pad", "1.3.0", 5_000_000, "Fills a text up to a width"),
        Row("pad-left", "2.1.0", 900_000, "The same the other way round"),
        Row("react", "19.0.0", 300_000_000, "Builds user interfaces"),
        Row("@types/left-pad", "1.0.0", 70_000, "Types of left-pad"),
        Row("evil", "1.0.0", 7, "<script>alert(1)</script> [bold]not bold[/bold]"),
    ]
    snapshot = Snapshot(
        observed_at=AT,
        source="registry",
        name="left-pad",
        version="1.3.0",
        modified=AT - 1000,
        description="Fills a text up to a width",
        keywords=("pad", "text width"),
        licence="WTFPL",
        repository="https://example.org/left-pad",
        homepage="javascript:alert(1)",
        maintainers=("ada",),
        deprecated="use String.prototype.padStart()",
    )
    user = Snapshot(
        observed_at=AT,
        name="@types/left-pad",
        version="1.0.0",
        maintainers=("types",),
        dependencies={"left-pad": "^1"},
    )
    versions = [
        VersionEvent(observed_at=AT, name="left-pad", version=f"1.{n}.0", published=AT - 9000 + n)
        for n in range(4)
    ]
    days = DayCounts(
        observed_at=AT,
        source="downloads",
        name="left-pad",
        first_day=LAST_DAY - 27,
        span=28,
        counts=counts.pack([list(range(100, 128))]),
    )
    weeks = WeekCounts(observed_at=AT, name="left-pad", last_day=LAST_DAY, versions={"1.3.0": 800})
    return [
        [*index_records(listed, observed_at=AT, source="list")],
        [snapshot, user, *versions],
        [days, weeks],
    ]


async def make_filled(folder: Path) -> Group:
    """A folder with a group, a writer and facts of all kinds, indexed; nobody has it open."""
    group = Group.create(folder)
    async with node(folder, group, alone=True) as one:
        writer = await one.write("the writer")
        for records in facts_of_all_kinds():
            await writer.append(records)
        await one.index()
    return group
