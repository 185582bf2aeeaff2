from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.pkgstats.nodes import node

from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.web.freshness import HOLD_S, LOOK_EVERY_S, Freshness

from .browsing import site_of
from .facts import NOW, TODAY

if TYPE_CHECKING:
    from pathlib import Path


async def more_facts(folder: Path) -> None:
    group = Group.find(folder)
    assert group is not None
    async with node(folder, group, alone=True) as one:
        writer = await one.write("another time")
        records = index_records(
            [Row("fresh", "1.0.0", writer.feeds["index"].length, "")],
            observed_at=NOW,
            source="list",
        )
        await writer.append(records)
        await one.index()


async def test_each_change_is_another_state(rich: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(rich, folder)
    now = 0.0
    async with site_of(folder) as site:
        freshness = Freshness(site, lambda: now)
        first = freshness.state()
        assert first is not None
        assert first.day == TODAY
        assert first.indexed == first.generation
        await more_facts(folder)
        assert freshness.state() is first  # so soon nobody looks again
        now += LOOK_EVERY_S
        second = freshness.state()
        assert second is not None
        assert second.generation > first.generation
        assert second.indexed == second.generation
        await more_facts(folder)
        now += LOOK_EVERY_S
        assert freshness.state() is second  # where much changes, a state counts for longer
        now += HOLD_S - LOOK_EVERY_S
        third = freshness.state()
        assert third is not None
        assert third.generation > second.generation


async def test_another_day_is_another_state(rich: Path) -> None:
    async with site_of(rich) as today, site_of(rich, now=NOW + 86_400_000) as tomorrow:
        first, second = Freshness(today).state(), Freshness(tomorrow).state()
        assert first is not None
        assert second is not None
        assert first._replace(day=second.day) == second


async def test_before_there_is_anything_there_is_no_state(tmp_path: Path) -> None:
    async with site_of(tmp_path) as site:
        assert Freshness(site).state() is None
