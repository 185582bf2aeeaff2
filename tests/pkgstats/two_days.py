"""A node that knows facts of two days."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING

from pkgstats.group import Group
from pkgstats.listing import Row
from pkgstats.past import end_of
from pkgstats.search.query import EPOCH

from .nodes import fill, node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.node import Node


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


FIRST, SECOND = day("2026-01-10"), day("2026-01-20")

OLD = [Row("react", "18.0.0", 100, "a library"), Row("gone-later", "1.0.0", 90, "a library")]
NEW = [Row("react", "19.0.0", 300, "a library"), Row("brand-new", "0.1.0", 200, "a library")]


async def two_days(one: Node) -> bytes:
    """Facts of two days, each at the last moment of its day; returns the writer's key."""
    key = await fill(one, "me", OLD, now=end_of(FIRST))
    await fill(one, "me", NEW, now=end_of(SECOND))
    await one.index()
    return key


@asynccontextmanager
async def filled_node(folder: Path) -> AsyncIterator[Node]:
    async with node(folder, Group.create(folder), alone=True) as one:
        one.indexer._pause_s = 0
        await two_days(one)
        yield one


AT_FIRST = {"react": ("18.0.0", 100), "gone-later": ("1.0.0", 90)}
AT_SECOND = {"react": ("19.0.0", 300), "brand-new": ("0.1.0", 200), "gone-later": ("1.0.0", 90)}
