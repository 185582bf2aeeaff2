"""Runs that take a while, and how they are told through a door."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pkgstats.crawler.crawl import Outcome, Progress
from pkgstats.crawler.recheck import Rechecked
from pkgstats.group import Group
from pkgstats.plain import plain
from pkgstats.runs import Step, Told, import_rows, read_told
from pkgstats.transfer import Imported

from .nodes import node, rows

if TYPE_CHECKING:
    from pathlib import Path

TOLD: tuple[Told, ...] = (
    Progress(1, 2, "react", 3),
    Outcome(looked=1, gone=["a"], failed={"b": "why"}, remarks=["c"]),
    Rechecked(checked=2, wrong=1, errors=[(b"\xab" * 32, "react")], aside=[b"\xab" * 32]),
    Step("sharing", 1, 2),
    Imported(4, 3, 2, 1),
)


@pytest.mark.parametrize("told", TOLD, ids=lambda told: type(told).__name__)
def test_what_is_told_is_the_same_on_the_other_side(told: Told) -> None:
    assert read_told(type(told).__name__, json.loads(json.dumps(plain(told)))) == told


def test_what_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError):
        read_told("Other", {})
    with pytest.raises(TypeError):
        read_told("Step", {"else": 1})


async def test_an_import_tells_its_steps_and_what_came_of_it(tmp_path: Path) -> None:
    async with node(tmp_path, Group.create(tmp_path), alone=True) as one:
        told: list[Told] = []
        listed = rows("a", 3)
        await import_rows(one, listed, 1_790_000_000_000, told.append)
        assert told[0] == Step("sharing", 0, 3)
        assert isinstance(told[-1], Imported)
        assert told[-1].new == 3
        assert (await one.search.search("pkg:a-1")).total == 1
