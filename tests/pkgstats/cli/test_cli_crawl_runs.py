from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.cli.crawl_runs import planned
from pkgstats.crawler.asked import Asked, is_user
from pkgstats.crawler.notes import FILE, peek
from pkgstats.crawler.plan import FULL, HOUR_MS, LIGHT
from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.node import Node
from pkgstats.sources.errors import AnswerError
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000_000


def test_users_and_packages_are_told_apart() -> None:
    asked = Asked(("@ada", "@s/x", "react"))
    assert (asked.users, asked.packages) == (["ada"], ["@s/x", "react"])
    assert is_user("@ada")
    assert not is_user("@ada/x")
    for wrong in ("no name", "@", "@a/b/c", ".x", "\x1b[1m"):
        with pytest.raises(AnswerError, match="no name of a package"):
            Asked((wrong,)).check()
    asked.check()


def test_what_is_named_is_looked_at_in_full_and_always() -> None:
    assert (Asked(("a",)).wanted, Asked(("a",)).age_ms) == (FULL, 0)
    assert (Asked(top=9).wanted, Asked(top=9).age_ms) == (LIGHT, 20 * HOUR_MS)
    assert (Asked(("@u",)).wanted, Asked(("@u",)).age_ms) == (FULL, 20 * HOUR_MS)
    assert Asked(top=9, full=True).wanted == FULL
    assert Asked(("a",), max_age=0.5).age_ms == HOUR_MS // 2


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


async def test_a_writer_keeps_its_title(tmp_path: Path) -> None:
    async with Node(tmp_path, Group.create(tmp_path)) as node:
        await node.write("chosen")
    async with Node(tmp_path, _group(tmp_path)) as node:
        writer = await node.own_writer()
        card = await writer.card()
        assert card is not None
        assert card.title == "chosen"


def _group(folder: Path) -> Group:
    found = Group.find(folder)
    assert found is not None
    return found
