from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pkgstats import stopping
from pkgstats.search import engine as engine_module
from pkgstats.search import index
from pkgstats.search.engine import NoIndexError, Search, SearchTimeoutError
from pkgstats.search.query import Query, QueryError

from .corpus import NOW, MadeUpFacts, row_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from pkgstats.search.searcher import Searcher
    from pkgstats.search.typos import Vocabulary


@pytest.fixture
async def search(tmp_path: Path, facts: MadeUpFacts) -> AsyncIterator[Search]:
    @contextmanager
    def opened() -> Iterator[MadeUpFacts]:
        yield facts

    async with Search(tmp_path / "search", opened, threads=2) as search:
        yield search


async def names(search: Search, text: str) -> list[str]:
    return [hit.name for hit in (await search.search(text, now_ms=NOW)).hits]


async def test_there_is_nothing_before_the_first_index(search: Search) -> None:
    with pytest.raises(NoIndexError):
        await search.search("react")
    with pytest.raises(NoIndexError):
        await search.suggest("rea")


async def test_it_finds(search: Search) -> None:
    assert (await search.refresh()).kind == "rebuilt"
    assert (await names(search, "csv parser"))[0] == "csv-parse"
    assert await names(search, "pkg:react") == ["react"]
    assert (await search.search(Query(text="react"))).exact is not None
    assert (await search.suggest("reac"))[0].name == "react"
    assert len((await search.search("react", size=2)).hits) == 2


async def test_nonsense_is_refused_at_once(search: Search) -> None:
    with pytest.raises(QueryError):
        await search.search("sort:colour")


async def test_results_are_remembered_until_the_index_changes(
    search: Search, facts: MadeUpFacts
) -> None:
    await search.refresh()
    first = await search.search("react", now_ms=NOW)
    assert await search.search("react", now_ms=NOW) is first
    assert await search.search("react", size=5, now_ms=NOW) is not first
    facts.say(row_of("react-lamp 1.0.0 50 Glows"))
    assert await search.search("react", now_ms=NOW) is first
    assert (await search.refresh()).kind == "updated"
    again = await search.search("react", now_ms=NOW)
    assert (first.generation, again.generation) == (1, 2)
    assert "react-lamp" in [hit.name for hit in again.hits]


async def test_ages_are_reckoned_anew(search: Search) -> None:
    await search.refresh()
    assert "react" in [hit.name for hit in (await search.search("updated:<2d", now_ms=NOW)).hits]
    later = await search.search("updated:<2d", now_ms=NOW + 86_400_000 * 9)
    assert later.hits == ()


async def test_few_results_are_remembered(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CACHED", 2)
    await search.refresh()
    first = await search.search("react", now_ms=NOW)
    await search.search("lodash", now_ms=NOW)
    assert await search.search("react", now_ms=NOW) is first
    await search.search("express", now_ms=NOW)
    assert await search.search("react", now_ms=NOW) is first
    await search.search("csv", now_ms=NOW)
    await search.search("date", now_ms=NOW)
    assert await search.search("react", now_ms=NOW) is not first


async def test_searches_go_on_while_the_index_is_made_anew(
    search: Search, facts: MadeUpFacts
) -> None:
    """Each answer is of one generation: all the old packages, or all the new ones."""
    await search.refresh()
    old, new = set(facts.rows), set(facts.rows)
    rebuilt = asyncio.create_task(search.rebuild())
    for number in range(20):
        rows = [row_of(f"gen{number}x{i} 1.0.0 50 Glows") for i in range(3)]
        facts.say(*rows)
        new |= {row.name for row in rows}
        asked = search.search("glow", size=100, now_ms=NOW)
        found, done = await asyncio.gather(asked, search.refresh())
        assert len(found.hits) % 3 == 0, [hit.name for hit in found.hits]
        assert done.generation == facts.generation
    await rebuilt
    found = await search.search("glow", size=100, now_ms=NOW)
    assert {hit.name for hit in found.hits} == new - old


async def test_a_file_that_is_removed_while_it_is_opened_is_let_go(
    search: Search, facts: MadeUpFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search.refresh()
    opened: list[Path] = []

    def connect(path: Path) -> sqlite3.Connection:
        opened.append(path)
        if len(opened) == 1:
            search._files.rebuild(facts)
            raise sqlite3.OperationalError("disk I/O error")
        return index.connect(path)

    monkeypatch.setattr(engine_module, "connect", connect)
    assert await names(search, "pkg:react") == ["react"]
    assert [path.name for path in opened] == ["search-1.db", "search-2.db"]


async def test_a_file_that_cannot_be_read_is_an_error(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search.refresh()

    def connect(_: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(engine_module, "connect", connect)
    with pytest.raises(sqlite3.OperationalError):
        await search.search("react")


def nothing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of SQLite takes too many steps to be answered at once."""
    monkeypatch.setattr(stopping, "STEPS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(stopping, "STEPS_AT_ONCE", 1)


async def test_what_takes_long_is_done_in_a_thread(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thread_of(searcher: Searcher) -> threading.Thread:
        assert searcher.suggest("react", 5)
        return threading.current_thread()

    await search.refresh()
    assert await search._run(thread_of, "") is threading.main_thread()
    nothing_at_once(monkeypatch)
    assert await search._run(thread_of, "") is not threading.main_thread()


async def test_growth_is_looked_up_in_a_thread(tmp_path: Path, facts: MadeUpFacts) -> None:
    asked: list[threading.Thread] = []

    @contextmanager
    def opened() -> Iterator[MadeUpFacts]:
        yield facts

    def growth(names: Sequence[str]) -> dict[str, float]:
        asked.append(threading.current_thread())
        return dict.fromkeys(names, 1.0)

    async with Search(tmp_path / "search", opened, growth=growth) as search:
        await search.refresh()
        assert await names(search, "csv sort:growth")
    assert asked
    assert threading.main_thread() not in asked


async def test_threads_share_one_vocabulary(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vocabulary_of(searcher: Searcher) -> Vocabulary:
        return searcher._vocabulary()

    await search.refresh()
    at_once = await search._run(vocabulary_of, "")
    nothing_at_once(monkeypatch)
    assert await search._run(vocabulary_of, "") is at_once
    assert "react" in at_once


async def test_a_slow_search_is_stopped(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    await search.refresh()
    nothing_at_once(monkeypatch)
    monkeypatch.setattr(search, "_deadline_s", -1.0)
    with pytest.raises(SearchTimeoutError) as caught:
        await search.search("react table", now_ms=NOW)
    assert (caught.value.offset, caught.value.length) == (0, len("react table"))
    monkeypatch.setattr(search, "_deadline_s", 60.0)
    assert await names(search, "react table"), "the connection still works"


async def test_who_gives_up_stops_the_search(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search.refresh()
    nothing_at_once(monkeypatch)
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(searcher: Searcher) -> None:
        if threading.current_thread() is threading.main_thread():
            searcher.suggest("react", 5)  # is stopped
        started.set()
        go_on.wait(10)
        try:
            searcher.suggest("react", 5)
        finally:
            ended.set()

    task = asyncio.create_task(search._run(slow, ""))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert await names(search, "react")


async def test_closing_waits_and_can_be_repeated(search: Search) -> None:
    await search.refresh()
    await names(search, "react")
    await search.close()
    await search.close()
    with pytest.raises(RuntimeError):
        await search.search("lodash")


async def test_packages_are_listed_by_rank(search: Search, facts: MadeUpFacts) -> None:
    with pytest.raises(NoIndexError):
        await search.last_rank()
    await search.refresh()
    last = await search.last_rank()
    assert last == len(facts.rows)
    first, rest = await search.ranked(0, 3), await search.ranked(3, last)
    assert [one.rank for one in first] == [1, 2, 3]
    by_downloads = sorted(facts.listing_rows(), key=lambda row: -row.downloads)
    assert first[0].name == by_downloads[0].name
    assert len({one.name for one in first + rest}) == last
    assert await search.ranked(last, 10) == []


async def test_each_change_of_the_index_is_another_state(
    search: Search, facts: MadeUpFacts
) -> None:
    with pytest.raises(NoIndexError):
        search.state()
    await search.refresh()
    first = search.state()
    assert first == (1, facts.generation)
    facts.say(row_of("fresh 1.0.0 10 New"))
    assert search.state() == first  # not yet in the index
    await search.refresh()
    assert search.state() == (1, facts.generation)
    await search.rebuild()
    assert search.state() == (2, facts.generation)
