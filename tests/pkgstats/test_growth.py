from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.group import Group
from pkgstats.growth import COMPARED, growth_of, outages_in, ratios
from pkgstats.listing import index_records
from pkgstats.records import counts
from pkgstats.records.model import DayCounts
from pkgstats.view.reading import View

from .nodes import AT, LAST_DAY, node, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


FIRST = LAST_DAY - 59


def days(name: str, row: Sequence[int]) -> DayCounts:
    return DayCounts(
        observed_at=AT, name=name, first_day=FIRST, span=len(row), counts=counts.pack([row])
    )


@pytest.fixture
async def filled_view(tmp_path: Path) -> Path:
    """Thirty packages; one day that nobody was counted, one package that doubles."""
    group = Group.create(tmp_path)
    usual = [100] * 60
    usual[40] = 0
    rising = [100] * 30 + [200] * 30
    rising[40] = 0
    async with node(tmp_path, group, alone=True) as one:
        writer = await one.write("me")
        await writer.append(index_records(rows("p", 30), observed_at=AT, source="list"))
        await writer.append([days("p-0", rising), *(days(f"p-{n}", usual) for n in range(1, 25))])
        await one.catch_up()
        return one.view_path


def test_growth_leaves_out_days_on_which_nobody_was_counted(filled_view: Path) -> None:
    with View.open(filled_view) as view:
        assert outages_in(view, LAST_DAY) == {FIRST + 40}
        found = growth_of(view, ["p-0", "p-1", "p-29", "nobody"], LAST_DAY + 1)
        assert found.keys() == {"p-0", "p-1"}
        assert (found["p-0"].ratio, found["p-1"].ratio) == (2.0, 1.0)
        assert found["p-0"].now.outages == 1
        given = growth_of(view, ["p-0"], LAST_DAY + 1, outages_in(view, LAST_DAY))
        assert given["p-0"] == found["p-0"]
        blind = growth_of(view, ["p-0"], LAST_DAY + 1, ())
        assert blind["p-0"].now.outages == 0
        assert outages_in(view, LAST_DAY, back=10) == set()


async def test_where_the_whole_registry_was_counted_that_tells_of_outages(tmp_path: Path) -> None:
    whole = [1000] * 60
    whole[50] = 0
    async with node(tmp_path, Group.create(tmp_path), alone=True) as one:
        writer = await one.write("me")
        await writer.append(index_records(rows("p", 30), observed_at=AT, source="list"))
        usual = [100] * 40 + [0] + [100] * 19
        await writer.append([days("", whole), *(days(f"p-{n}", usual) for n in range(1, 25))])
        await one.catch_up()
        with View.open(one.view_path) as view:
            assert outages_in(view, LAST_DAY) == {FIRST + 50}
            assert growth_of(view, ["p-1"], LAST_DAY + 1)["p-1"].now.outages == 1


def test_ratios_are_of_those_alone_that_have_one(filled_view: Path) -> None:
    with View.open(filled_view) as view:
        assert ratios(view, ["p-0", "p-29"], LAST_DAY) == {"p-0": 2.0}
        assert ratios(view, ["p-0"], LAST_DAY + 1000) == {}
    assert COMPARED >= 25
