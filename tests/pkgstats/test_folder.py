"""What lies in a node's folder, read without its node."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pkgstats.folder import VIEW_FILE, indexer_in, search_in
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pkgstats.indexer import Indexer

G = b"g" * 32


def indexer(folder: Path, group: bytes = G) -> AbstractAsyncContextManager[Indexer]:
    return indexer_in(folder, group, {}, own=(), clock=lambda: 0)


async def test_what_was_indexed_is_found_without_a_node(filled: Path) -> None:
    async with search_in(filled) as search:
        assert (await search.search("left-pad")).hits[0].name == "left-pad"
        by_growth = await search.search("pad sort:growth")
        assert {hit.name for hit in by_growth.hits} >= {"left-pad", "pad-left"}


async def test_what_another_process_indexes_is_found_at_once(filled: Path) -> None:
    async with search_in(filled, remember=False) as here, search_in(filled) as other:
        assert (await here.search("pkg:react")).total == 1
        await other.rebuild()
        assert (await here.search("pkg:react")).total == 1
        assert not here._cache


def checked(folder: Path) -> list[int]:
    """How often the records of each writer were looked at again."""
    with View.open(folder / VIEW_FILE) as view:
        return [one.checked for one in view.writers()]


async def test_a_view_goes_on_where_it_was(tmp_path: Path) -> None:
    for times in (1, 2):
        async with indexer(tmp_path) as one:
            await one.note_check(G, wrong=False)
            assert checked(tmp_path) == [times]


async def test_a_view_of_another_group_is_made_anew(tmp_path: Path) -> None:
    async with indexer(tmp_path, b"o" * 32) as one:
        await one.note_check(G, wrong=False)
    async with indexer(tmp_path):
        assert checked(tmp_path) == []


async def test_a_damaged_view_is_made_anew_with_what_lies_beside_it(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"{VIEW_FILE}{suffix}").write_bytes(b"no database" * 1000)
    async with indexer(tmp_path):
        assert checked(tmp_path) == []


async def test_a_view_that_cannot_be_opened_now_stays(tmp_path: Path) -> None:
    (tmp_path / VIEW_FILE).mkdir()
    with pytest.raises(sqlite3.OperationalError):
        await indexer(tmp_path).__aenter__()
    assert (tmp_path / VIEW_FILE).is_dir()


async def test_what_fails_while_it_is_open_is_no_damage(tmp_path: Path) -> None:
    async with indexer(tmp_path) as one:
        await one.note_check(G, wrong=False)
    with pytest.raises(sqlite3.DatabaseError, match="later"):
        async with indexer(tmp_path):
            raise sqlite3.DatabaseError("later")
    async with indexer(tmp_path):
        assert checked(tmp_path) == [1]
