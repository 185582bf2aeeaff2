from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.dataset import shipped
from pkgstats.group import Group
from pkgstats.sample import begin, sample_records, say_part
from pkgstats.view.reading import View

from .nodes import node

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that takes no time."""
    monkeypatch.setattr("pkgstats.sample.shipped", lambda: shipped()[:5000])


def test_the_parts_are_disjoint_and_together_the_whole() -> None:
    halves = [
        {name for record in sample_records(part, 2) for name in record.names} for part in range(2)
    ]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == {row.name for row in shipped()}


async def test_a_new_group_of_ones_own_has_something_to_search_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        assert await begin(one)
        await one.index()
        found = await one.search.search("semver")
        assert found.exact is not None
        blocks = one.multis["index"].feeds()[0].length
    async with node(tmp_path, group, alone=True) as again:
        assert not await begin(again)
        assert again.multis["index"].feeds()[0].length == blocks


async def test_a_group_of_others_has_its_own_facts(tmp_path: Path) -> None:
    async with node(tmp_path, Group(bytes(range(32))), alone=True) as one:
        assert not await begin(one)
        assert one.multis["index"].feeds() == []


async def test_a_part_that_was_begun_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    told: list[int] = []
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        writer = await one.write("half")
        await writer.append([next(sample_records(1, 2))])
        await say_part(writer, 1, 2, progress=told.append)
        await say_part(writer, 1, 2, progress=told.append)
        assert writer.feeds["index"].length == len(list(sample_records(1, 2)))
        await one.catch_up()
        with View.open(one.view_path) as view:
            assert view.counts().packages == told[-1] == 2500
