"""What a node does about its group's list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pkgstats.group import Group, GroupError

from .nodes import fill, node, rows

if TYPE_CHECKING:
    from pathlib import Path


async def test_only_the_owner_changes_the_list(tmp_path: Path) -> None:
    async with node(tmp_path, Group(bytes(range(32))), alone=True) as one:
        with pytest.raises(GroupError, match="owner"):
            await one.membership.admit(bytes(32))


async def test_of_changes_to_the_list_at_once_none_is_lost(tmp_path: Path) -> None:
    async with node(tmp_path, Group.create(tmp_path), alone=True) as owner:
        keys = [bytes([number]) * 32 for number in range(8)]
        await asyncio.gather(*map(owner.membership.admit, keys), owner.membership.set_rate(7))
        await asyncio.gather(
            *(owner.membership.revoke(key, {}) for key in keys[:4]),
            owner.membership.admit(b"x" * 32),
        )
        listed = owner.membership.listed()
    assert listed is not None
    assert listed.rate == 7
    assert {one.key for one in listed.members} == {*keys, b"x" * 32}
    assert {one.key for one in listed.members if one.until is not None} == set(keys[:4])


async def test_what_is_here_when_a_writer_is_revoked_goes_on_to_count(tmp_path: Path) -> None:
    async with node(tmp_path, Group.create(tmp_path), alone=True) as owner:
        key = await fill(owner, "me", rows("a", 10))
        listed = await owner.membership.revoke(key)
        assert [one.until for one in listed.members] == [{"meta": 1, "index": 1}]
        with pytest.raises(GroupError):
            await owner.membership.revoke(bytes(32))
