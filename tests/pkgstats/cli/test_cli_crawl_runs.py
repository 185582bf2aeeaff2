from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.cli.crawl_runs import planned
from pkgstats.crawler.asked import Asked
from pkgstats.crawler.notes import FILE, peek
from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.node import Node
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000_000


async def test_a_plan_tells_requests_and_how_long_they_take(tmp_path: Path) -> None:
    async with Node(tmp_path, Group.create(tmp_path)) as node:
        writer = await node.own_writer()
        rows = [Row(f"@u/p{number}", "1.0.0", number) for number in range(5)]
        await writer.append(index_records(rows, observed_at=NOW, source="list"))
        await node.catch_up()
        with View.open(node.view_path) as view, peek(tmp_path / FILE) as notes:
            plan = planned(Asked(("@u",), top=3, full=False), view, notes, NOW)
    assert len([ask for ask in plan.asks if ask.path.endswith("/latest")]) == 5
    assert plan.seconds == 26.0  # 13 requests, one in two seconds
    assert "@u" in plan.notes[0]
