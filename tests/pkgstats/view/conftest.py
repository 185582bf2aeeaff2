from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.view.reading import View
from pkgstats.view.store import Store

from .world import GROUP, World, catch_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "view.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, GROUP) as store:
        yield store


@pytest.fixture
def world() -> World:
    """Two writers, both accepted."""
    world = World()
    world.accept("a", "b")
    world.join("a", "b")
    return world


@pytest.fixture
def view(path: Path, store: Store) -> Iterator[View]:
    with View.open(path) as view:
        yield view


@pytest.fixture
def told(store: Store, world: World, view: View) -> Callable[[], View]:
    """The view once all that the world says was read."""

    def read() -> View:
        catch_up(store, world)
        return view

    return read
