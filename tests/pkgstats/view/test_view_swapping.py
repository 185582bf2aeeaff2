from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.view import swapping
from pkgstats.view.reading import View
from pkgstats.view.store import Store

from .world import GROUP, World, catch_up, key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fresh_view_knows_what_was_checked_and_nothing_else(
    path: Path, store: Store, world: World
) -> None:
    catch_up(store, world)
    store.note_check(key("a"), wrong=True)
    fresh = swapping.fresh_path(path)
    fresh.write_bytes(b"what an earlier attempt left")
    with swapping.open_fresh(fresh, GROUP, store) as other:
        assert other.checks() == [(key("a"), 1, 1)]
        assert not other.positions("meta")


def test_the_fresh_view_takes_the_old_ones_place(path: Path, world: World) -> None:
    with Store.open(path, GROUP) as store:
        catch_up(store, world)
        with View.open(path) as reader:
            before = reader.identity
            fresh = swapping.fresh_path(path)
            swapping.open_fresh(fresh, GROUP, store).close()
            store.close()
            swapping.swap(path, fresh)
            assert reader.identity != before
            assert reader.group_list() is None
    assert not fresh.exists()
    with Store.open(path, GROUP) as store:
        assert not store.positions("meta")


def test_without_a_fresh_view_the_old_one_stays(path: Path, store: Store) -> None:
    store.close()
    with pytest.raises(FileNotFoundError):
        swapping.swap(path, swapping.fresh_path(path))
    with View.open(path) as view:
        assert view.counts().packages == 0


def test_a_view_is_removed_with_all_its_files(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).touch()
    swapping.remove(path)
    swapping.remove(path)
    assert [*path.parent.iterdir()] == []
