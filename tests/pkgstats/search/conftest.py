from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.search.index import build, connect
from pkgstats.search.parse import parse
from pkgstats.search.searcher import Searcher

from .corpus import NOW, MadeUpFacts, made_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pkgstats.search.results import SearchResult


@pytest.fixture
def facts() -> MadeUpFacts:
    return made_up()


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the made-up packages; nobody changes it."""
    path = tmp_path_factory.mktemp("search") / "index.db"
    build(path, made_up())
    return path


@pytest.fixture
def searcher(index: Path) -> Iterator[Searcher]:
    searcher = Searcher(connect(index), lambda names: {name: float(len(name)) for name in names})
    yield searcher
    searcher.close()


@pytest.fixture
def search(searcher: Searcher) -> Callable[..., SearchResult]:
    def ask(text: str, size: int = 10, page: int = 1) -> SearchResult:
        return searcher.search(parse(text), size, page, NOW)

    return ask


@pytest.fixture
def names(search: Callable[..., SearchResult]) -> Callable[..., list[str]]:
    """The names that a query finds, in order."""

    def ask(text: str, size: int = 10, page: int = 1) -> list[str]:
        return [hit.name for hit in search(text, size, page).hits]

    return ask
