from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE
from pkgstats.group import Group
from pkgstats.listing import Row, index_records
from pkgstats.node import Node
from pkgstats.records.model import Snapshot, Tombstone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = 1_790_000_000_000


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with Node(tmp_path, Group.create(tmp_path)) as one:
        await one.write("me")
        yield one


def memory(node: Node) -> Memory:
    assert node.writer is not None
    return Memory(node.folder / FILE, node.writer)


async def test_what_my_feeds_hold_is_known_whatever_becomes_of_the_file(node: Node) -> None:
    assert node.writer is not None
    here = Snapshot(name="a", version="1.0.0", observed_at=NOW)
    gone = Tombstone(name="a", reason="unpublished", observed_at=NOW)
    async with memory(node) as one:
        assert one.is_new(here)
        await node.writer.append([here])
        await one.catch_up()
        assert not one.is_new(here)
        assert one.is_new(gone)
        await node.writer.append([gone])
    async with memory(node) as one:  # it was read at opening
        assert one.told("a") is None
        assert one.is_new(here)  # it would be news again
        back = one.retraction(here)
        assert back is not None
        assert (back.block, back.place) == (1, 0)
        later = Snapshot(name="a", version="1.0.1", modified=NOW + 1, observed_at=NOW + 2)
        assert one.retraction(later) is None
    (node.folder / FILE).write_bytes(b"no database at all" * 100)
    async with memory(node) as one:
        assert not one.is_new(gone)


async def test_another_writers_notes_are_not_mine(node: Node) -> None:
    async with memory(node) as one:
        one.note("packument", {"a": (NOW, "etag")})
    with sqlite3.connect(node.folder / FILE) as database:
        database.execute("update meta set value = x'00' where key = 'identity'")
    database.close()
    async with memory(node) as one:
        assert one.checked("packument") == {}


async def test_notes_that_are_ahead_of_the_feeds_are_made_anew(node: Node) -> None:
    async with memory(node):
        pass
    with sqlite3.connect(node.folder / FILE) as database:
        database.execute("insert or replace into meta values ('detail', 99)")
    database.close()
    async with memory(node) as one:
        assert node.writer is not None
        found = Snapshot(name="a", version="1.0.0", observed_at=NOW)
        await node.writer.append([found])
        await one.catch_up()
        assert not one.is_new(found)


@pytest.mark.parametrize("count", [10, 1500])
async def test_rows_that_were_said_are_not_new(node: Node, count: int) -> None:
    assert node.writer is not None
    rows = [Row(f"p{number}", "1.0.0", number) for number in range(count)]
    async with memory(node) as one:
        assert len(list(one.new_rows(rows))) == count
        await node.writer.append(index_records(rows, observed_at=NOW, source="list"))
        await one.catch_up()
        rows[3] = Row("p3", "1.0.1", 3)
        assert list(one.new_rows(rows)) == [rows[3]]


async def test_changes_wait_until_they_are_looked_at(node: Node) -> None:
    async with memory(node) as one:
        one.follow("7", ["b", "a", "b"])
        one.follow("9", ["c"])
        assert (one.sequence(), one.pending(2), one.pending(9)) == (
            "9",
            ["b", "a"],
            ["b", "a", "c"],
        )
        one.note("packument", {"a": (NOW, "x")})
        one.note("latest", {"c": (NOW + 1, "y")})
        assert one.pending(9) == ["b"]
        assert one.checked("packument", "latest") == {"a": NOW, "c": NOW + 1}
        assert (one.etag("a", "packument"), one.etag("a", "latest")) == ("x", "")
        one.watch(["z", "y", "z"])
        assert one.watched() == ["y", "z"]
        one.note_spent((20_000, 3))
        assert one.spent() == (20_000, 3)
