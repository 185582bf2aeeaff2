from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .browsing import browsing
from .facts import make_rich
from .world import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the facts of `facts`; nobody may change it."""
    folder = tmp_path_factory.mktemp("rich")
    make_rich(folder)
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the facts of `world`; nobody may change it."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    return folder


@pytest.fixture
async def http(rich: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its pages, without a door."""
    async with browsing(rich) as client:
        yield client
