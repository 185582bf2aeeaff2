"""What the handlers of all pages work with, and what they answer."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self, TypeVar

from pkgstats.past import PastError
from pkgstats.search.parse import parse
from pkgstats.stopping import FewSteps, stopping, was_stopped
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pkgstats.markup.renderer import Renderer
    from pkgstats.search.engine import Search
    from pkgstats.search.query import Query
    from pkgstats.search.results import SearchResult
    from pkgstats.syndication import Feed
    from pkgstats.web.freshness import Freshness
    from pkgstats.web.metrics import Metrics
    from pkgstats.web.pagecache import PageCache

T = TypeVar("T")

THREADS: Final = 4
"""Threads that read the view."""


def now_ms() -> int:
    """The time by this machine's clock, ms since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How the pages are served.

    Attributes:
        public: others than this machine's user read them.
        indexed: machines may read and list them (``robots.txt``).
        base: how others reach the pages, ``https://host``; empty: by the name they ask for.
        trust_proxy: all requests come from a proxy of ours, which says whose they are.
        access_log: the file of the access log; ``-``: where errors go; empty: there is none.
        log_queries: it says what was searched for, too.
        open_metrics: others than this machine may ask for them.
    """

    public: bool = False
    indexed: bool = False
    base: str = ""
    trust_proxy: bool = False
    access_log: str = ""
    log_queries: bool = False
    open_metrics: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What the ``.csv`` twin of a page tells."""

    headers: tuple[str, ...]
    rows: Sequence[Sequence[str | int | float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a handler answers: the same for people, programs and machines.

    Attributes:
        template: the file that makes HTML of it.
        title: of the page, without the site's name.
        data: a frozen dataclass of the page's own: what the template has as ``page``, and what
            the ``.json`` twin tells.
        description: in a sentence, for lists of results elsewhere.
        path: the one address of this page, where several lead here; empty: as asked.
        query: what stands in the search field.
        feed: makes what ``.atom`` and ``.feed.json`` tell; None: there are none.
        table: makes what ``.csv`` tells; None: there is none.
        structured: schema.org data (JSON-LD).
        status: of HTTP.
        headers: further ones.
        listed: whether other search engines may list it.
        lasts: whether the same view gives the same page, the whole day.
        extra: further variables of the template, which the twins do not tell: pictures.
    """

    template: str
    title: str
    data: Any
    description: str = ""
    path: str = ""
    query: str = ""
    feed: Callable[[], Feed] | None = None
    table: Callable[[], Table] | None = None
    structured: dict[str, Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    listed: bool = True
    lasts: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


class Door(Protocol):
    """What the process with the feeds, the network and the crawler does for the pages.

    Attributes:
        fetches: whether it looks up packages that are not held.
    """

    fetches: bool

    async def readme(self, name: str) -> str:
        """A package's readme, from here or from a peer; raises `ReadmeError`."""

    async def fetch(self, name: str) -> None:
        """Look a package up at the registry and tell what it says; raises `FetchError`."""

    async def peers(self) -> dict[str, Any] | None:
        """The network's report, as `hypermultifeed` gives it; None without a network.

        With it ``kinds``, of feeds by the topics' keys, and ``lengths`` of feeds by theirs.
        """


class Days(Protocol):
    """The view as it was at the end of earlier days."""

    async def get(self, day: int) -> Path:
        """The folder of a day; raises `PastError`, or `BeingMadeError`."""

    async def search(self, query: Query, day: int, *, size: int, page: int) -> SearchResult:
        """What a search would have found; raises the same."""


class Operation(NamedTuple):
    """How an application works, for whoever looks after it."""

    metrics: Metrics
    cache: PageCache
    freshness: Freshness


class Site:
    """The view and the search of one folder, for all handlers; an async context manager.

    Attributes:
        view_path: the view's file.
        search: answers queries.
        door: to the process that has the feeds; None: what is not in the view is not known.
        settings: how it is served.
        renderer: makes HTML of readmes; None: they are shown as they were written.
        clock: tells the time, ms since 1970, UTC.
        operation: of the application that tells of it; set by that.
    """

    operation: Operation

    def __init__(
        self,
        view_path: Path,
        search: Search,
        *,
        days: Days | None = None,
        door: Door | None = None,
        settings: Settings | None = None,
        renderer: Renderer | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Take what stays the caller's."""
        self.view_path = view_path
        self.search = search
        self.door = door
        self.settings = settings or Settings()
        self.renderer = renderer
        self.clock = clock
        self._days = days
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pages")
        self._local = threading.local()
        self._views: list[View] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for what is being read, and close the views."""
        await asyncio.to_thread(self._pool.shutdown)
        for view in self._views:
            view.close()

    async def ask(self, question: Callable[[View], T]) -> T:
        """What the view answers, all of one state; a long answer is made in a thread.

        Args:
            question: may be asked twice.

        Raises:
            sqlite3.OperationalError: there is no view yet.
        """
        try:
            return self._answer(question, FewSteps().reached)
        except sqlite3.OperationalError as error:
            if not was_stopped(error):
                raise
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._answer, question)

    def open_view(self) -> View:
        """A view for one more thread, which is closed with the site.

        Raises:
            sqlite3.OperationalError: there is no view yet.
        """
        view = View.open(self.view_path)
        self._views.append(view)
        return view

    async def find(self, text: str, *, size: int, page: int) -> SearchResult:
        """What a search finds, now or on the day that it names.

        Raises:
            QueryError, NoIndexError: see `Search.search`.
            PastError, BeingMadeError: see `Pasts.search`.
        """
        query = parse(text)
        if query.at is None:
            return await self.search.search(query, size=size, page=page)
        return await self._past().search(query, query.at, size=size, page=page)

    async def ask_at(self, question: Callable[[View], T], day: int | None) -> T:
        """As `ask`, of the view at the end of a day; None: of the present one.

        Raises:
            PastError, BeingMadeError: see `Days.get`.
        """
        if day is None:
            return await self.ask(question)
        path = (await self._past().get(day)) / self.view_path.name

        def answer() -> T:
            with View.open(path) as view, view.state():
                return question(view)

        return await asyncio.get_running_loop().run_in_executor(self._pool, answer)

    def _past(self) -> Days:
        if self._days is None:
            raise PastError("here only the present can be looked at")
        return self._days

    def _answer(self, question: Callable[[View], T], enough: Callable[[], bool] = bool) -> T:
        view = getattr(self._local, "view", None)
        if view is None:
            view = self._local.view = self.open_view()
        with view.state() as database, stopping(database, enough):
            return question(view)
