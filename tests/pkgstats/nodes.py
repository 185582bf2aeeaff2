"""Nodes on one machine, for tests: loopback only, and waiting without sleeping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.node import Network, Node
from pkgstats.records.model import CORES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

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
