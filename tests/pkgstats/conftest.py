from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from .nodes import make_filled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some of everything; nobody may change it."""
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(make_filled(folder))
    return folder


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    folder = tmp_path / "filled"
    shutil.copytree(filled_once, folder)
    return folder
