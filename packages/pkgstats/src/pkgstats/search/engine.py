"""Search for asyncio: who reads the index does so through a connection of its thread's own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

from pkgstats.search.files import IndexFiles, Refreshed
from pkgstats.search.index import connect, read_note
from pkgstats.search.parse import parse
from pkgstats.search.query import ANY, Query, QueryError, to_text
from pkgstats.search.searcher import Searcher
from pkgstats.search.typos import Vocabularies
from pkgstats.stopping import FewSteps, stopping, was_stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from pkgstats.search.index import Facts
    from pkgstats.search.results import Ranked, SearchResult, Suggestion
    from pkgstats.search.searcher import Growth

T = TypeVar("T")

THREADS: Final = 4
"""Searches that run at once."""

DEADLINE_S: Final = 2.0
"""Longest time that one search may take."""

CACHED: Final = 256
"""Results that are remembered."""

TYPED_MAX: Final = 214
"""Characters of the start of a name that suggestions are made of."""


class SearchTimeoutError(QueryError):
    """The search took too long, and was stopped."""


class NoIndexError(LookupError):
    """There is no index yet: `Search.refresh` makes it."""


class _Reader(NamedTuple):
    """A thread's access to one file."""

    number: int
    database: sqlite3.Connection
    searcher: Searcher


class _Limit:
    """Says when a search has to stop."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.cancelled = False

    def reached(self) -> bool:
        return self.cancelled or time.monotonic() > self._deadline


class Search:
    """Searches the facts. An async context manager.

    Args:
        folder: for the index alone; may be deleted while nobody has it open.
        open_facts: opens the view, in the thread that calls it.
        threads: how many searches run at once.
        growth: tells of packages how much more they are used than before, for ``sort:growth``.
        deadline_s: longest time that one search may take.
        remember: results; not where another process keeps the index up to date.
    """

    def __init__(
        self,
        folder: Path,
        open_facts: Callable[[], AbstractContextManager[Facts]],
        *,
        threads: int = THREADS,
        growth: Growth | None = None,
        deadline_s: float = DEADLINE_S,
        remember: bool = True,
    ) -> None:
        self._files = IndexFiles(folder)
        self._open_facts = open_facts
        self._growth = growth
        self._deadline_s = deadline_s
        self._remember = remember
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._making = asyncio.Lock()
        self._local = threading.local()
        self._opened: list[Searcher] = []
        self._vocabularies = Vocabularies()
        self._closed = False
        self._changes = 0
        self._cache: OrderedDict[tuple[object, ...], SearchResult] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for searches that run, and close the files."""
        self._closed = True
        async with self._making:
            await asyncio.to_thread(self._pool.shutdown)
        for searcher in self._opened:
            searcher.close()
        self._opened.clear()

    async def refresh(self, progress: Callable[[int], None] | None = None) -> Refreshed:
        """Bring the index up to the facts, while searches go on.

        Args:
            progress: is told, in another thread, how many packages are done when all have to be.
        """
        return await self._make(self._files.refresh, progress)

    async def rebuild(self, progress: Callable[[int], None] | None = None) -> Refreshed:
        """Make the index anew, while searches go on."""
        return await self._make(self._files.rebuild, progress)

    async def search(
        self, asked: str | Query, *, size: int = 20, page: int = 1, now_ms: int | None = None
    ) -> SearchResult:
        """Answer a query; see `pkgstats.search.query` for how it is written.

        Args:
            asked: the query.
            size: packages on a page, at most `pkgstats.search.searcher.SIZE_MAX`.
            page: which one, from 1.
            now_ms: the time, ms since 1970; None: now.

        Raises:
            QueryError: it makes no sense, or takes too long.
            NoIndexError: there is nothing to search yet.
        """
        query = parse(asked) if isinstance(asked, str) else asked
        key = (self._changes, query, size, page)
        if (known := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return known
        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        found = await self._run(
            lambda one: one.search(query, size, page, now),
            to_text(query),
            at_once=query.sort != "growth",  # reads the days of many packages, not of the index
        )
        if self._remember and query.age == ANY:
            self._cache[key] = found
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return found

    async def suggest(self, typed: str, limit: int = 8) -> list[Suggestion]:
        """Names that may be meant by what was typed so far; none of it is read as a query.

        Raises:
            NoIndexError: there is nothing to search yet.
        """
        typed = typed[:TYPED_MAX]
        return await self._run(lambda one: one.suggest(typed, limit), typed)

    def state(self) -> tuple[int, int]:
        """Of the index: the number of its file, and which generation of the facts it has.

        It reads one row, and may be called in any thread.

        Raises:
            NoIndexError: there is none yet.
        """
        reader = self._reader()
        return reader.number, read_note(reader.database, "generation")

    async def ranked(self, after: int, limit: int) -> list[Ranked]:
        """The packages that follow a rank by downloads, in their order.

        Args:
            after: the rank; 0: from the most used on.
            limit: ranks that are looked at; some have no package any more.

        Raises:
            NoIndexError: there is nothing to list yet.
        """
        return await self._run(lambda one: one.ranked(after, limit), "")

    async def last_rank(self) -> int:
        """The rank of the least used package.

        Raises:
            NoIndexError: there is nothing to list yet.
        """
        return await self._run(lambda one: one.last_rank(), "")

    async def _make(
        self,
        make: Callable[[Facts, Callable[[int], None] | None], Refreshed],
        progress: Callable[[int], None] | None,
    ) -> Refreshed:
        def work() -> Refreshed:
            with self._open_facts() as facts:
                return make(facts, progress)

        async with self._making:
            done = await asyncio.to_thread(work)
        if done.kind != "unchanged":
            self._changes += 1
            self._cache.clear()
        return done

    async def _run(self, work: Callable[[Searcher], T], text: str, *, at_once: bool = True) -> T:
        """Do it here if that costs little, else let a thread of the pool do it.

        Whoever is cancelled stops the thread, too. Without ``at_once`` it is not tried here.
        """
        if self._closed:
            raise RuntimeError("the search is closed")
        if at_once:
            with suppress(SearchTimeoutError):
                return self._work(work, FewSteps(), text)
        limit = _Limit(self._deadline_s)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._work, work, limit, text)
        except asyncio.CancelledError:
            limit.cancelled = True
            raise

    def _work(self, work: Callable[[Searcher], T], limit: _Limit | FewSteps, text: str) -> T:
        reader = self._reader()
        try:
            with stopping(reader.database, limit.reached):
                return work(reader.searcher)
        except sqlite3.OperationalError as error:
            if not was_stopped(error):
                raise
            sentence = "This search took too long."
            raise SearchTimeoutError(sentence, 0, len(text)) from error

    def _reader(self) -> _Reader:
        """This thread's reader of the file that counts now."""
        reader: _Reader | None = getattr(self._local, "reader", None)
        number = self._files.number
        if reader is None or reader.number != number:
            if not number:
                raise NoIndexError("there is no search index yet")
            try:
                database = connect(self._files.path(number))
            except sqlite3.Error:
                if self._files.number == number:
                    raise
                return self._reader()  # it was removed just then: there is a newer one
            searcher = Searcher(database, self._growth, self._vocabularies)
            new = _Reader(number, database, searcher)
            self._opened.append(new.searcher)
            if reader is not None:
                self._opened.remove(reader.searcher)
                reader.searcher.close()
            self._local.reader = reader = new
        return reader
