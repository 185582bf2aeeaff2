"""What lies in a node's folder, read without its node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.folder import search_in

if TYPE_CHECKING:
    from pathlib import Path


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
