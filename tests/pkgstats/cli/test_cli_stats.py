from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.pkgstats.nodes import AT, LAST_DAY, node

from pkgstats.cli import main
from pkgstats.cli.output import date_of
from pkgstats.cli.stats import gathered, percent
from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.records import counts
from pkgstats.records.model import DayCounts
from pkgstats.records.names import WHOLE
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from pathlib import Path


def test_totals_and_growth_of_a_package_and_of_all(filled: Path) -> None:
    for names in (["left-pad"], []):
        told = CliRunner().invoke(main, ["stats", *names, "--data", str(filled), "--json"])
        found = json.loads(told.stdout)
        assert found["last_day"] == date_of(LAST_DAY)
        week = found["growth"]["week"]
        assert week["now"]["downloads"] == sum(range(121, 128))
        assert week["ratio"] == sum(range(121, 128)) / sum(range(114, 121))
        assert found["growth"]["year"]["ratio"] is None
        assert (found["packages"], found["outages"]) == (5, [])
        assert (found["of"], found["summed"]) == ("package" if names else "most downloaded", 1)
        assert found["share"] is None
    text = CliRunner().invoke(main, ["stats", "--data", str(filled)]).stdout
    assert "+6.0 %" in text
    assert "by week:" in text


async def test_where_the_whole_registry_was_told_of_it_counts(tmp_path: Path) -> None:
    async with node(tmp_path, Group.create(tmp_path), alone=True) as one:
        writer = await one.write("me")
        row = [1000] * 13 + [0, 500]
        for name, factor in ((WHOLE, 1), ("a", 0.1)):
            record = DayCounts(
                observed_at=AT,
                name=name,
                first_day=LAST_DAY - len(row) + 1,
                span=len(row),
                counts=counts.pack([[int(count * factor) for count in row]]),
            )
            await writer.append([record])
        await writer.append(index_records([Row("a", "1", 9, "")], observed_at=AT, source="list"))
        await one.catch_up()
        with View.open(one.view_path) as view:
            found = gathered(view, None)
            assert (found["name"], found["of"], found["summed"]) == (None, "registry", None)
            assert found["growth"]["week"].now.downloads == 5500
            assert found["outages"] == [date_of(LAST_DAY - 1)]
            assert gathered(view, "a")["share"]["week"] == pytest.approx(0.1)
    told = await asyncio.to_thread(CliRunner().invoke, main, ["stats", "--data", str(tmp_path)])
    assert "the whole registry" in told.stdout
    told = await asyncio.to_thread(
        CliRunner().invoke, main, ["stats", "a", "--data", str(tmp_path)]
    )
    assert "of all downloads: week 10 %" in told.stdout


def test_who_has_no_days_is_told_so(filled: Path) -> None:
    found = CliRunner().invoke(main, ["stats", "react", "--data", str(filled)])
    assert found.exit_code == 0
    assert "nobody has told of downloads by day" in found.stderr
    assert CliRunner().invoke(main, ["stats", "nobody", "--data", str(filled)]).exit_code == 1
    assert percent(None) == "-"
