"""The crawler of a node at work: runs that are asked for, single packages, and following.

They go on side by side: what has been said is remembered in one place, and all of them wait for
the same budget.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from pkgstats.crawler import plan
from pkgstats.crawler.asked import known_of, top_names
from pkgstats.crawler.crawl import Crawler
from pkgstats.crawler.follow import Event, Follower
from pkgstats.crawler.memory import Memory
from pkgstats.crawler.notes import FILE
from pkgstats.crawler.plan import FULL, Work
from pkgstats.crawler.recheck import Rechecker
from pkgstats.crawler.sources import Sources
from pkgstats.records.names import is_package_name
from pkgstats.sources.client import Client
from pkgstats.sources.errors import SourceError, StatusError
from pkgstats.sources.limiter import Limiter
from pkgstats.view.reading import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from hypermultifeed import Multifeed
    from pkgstats.crawler.asked import Asked
    from pkgstats.crawler.crawl import Outcome, Progress
    from pkgstats.crawler.recheck import Rechecked, Score
    from pkgstats.sources.addresses import Addresses
    from pkgstats.writer import Writer

COUNTS: Final = frozenset({"days", "weeks"})

WAITING_MAX: Final = 8
"""Packages that are looked at live, or wait for it; who wants another one is told to come back."""


FETCH_S: Final = 60.0
"""How long such a look may take, waiting for the budget included."""


class NotFetchedError(Exception):
    """A package cannot be looked at live; the text says why."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node gives its crawler; all of it is open.

    Attributes:
        folder, view_path: of the node.
        writer: mine.
        multis: the multifeeds by kind.
        score: keeps what comes of looking at others' records again.
    """

    folder: Path
    view_path: Path
    writer: Writer
    multis: Mapping[str, Multifeed]
    score: Score


class Crawling:
    """The crawler of one node; an async context manager.

    Attributes:
        memory: what my writer has said.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        client: Callable[[], Client] = Client,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take what the node gives.

        Args:
            parts: of the node.
            client: makes what asks the sources.
            sleep: waits for seconds.
        """
        self.memory: Memory
        self._make_client = client
        self._sleep = sleep
        self._parts = parts
        self._stack = AsyncExitStack()
        self._client: Client
        self._view: View
        self._one = asyncio.Lock()
        self._wanted: dict[str, asyncio.Task[None]] = {}
        self._counting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Open what it remembers, and the way to the sources.

        Raises:
            sqlite3.OperationalError: there is no room, say.
        """
        async with AsyncExitStack() as stack:
            path = self._parts.folder / FILE
            self.memory = await stack.enter_async_context(Memory(path, self._parts.writer))
            self._view = stack.enter_context(View.open(self._parts.view_path))
            self._client = self._make_client()
            self._client.limiter = Limiter(self._client.now(), spent=self.memory.spent())
            await stack.enter_async_context(self._client)
            stack.push_async_callback(self._end)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all of it."""
        await self._stack.__aexit__(exc_type, exc_value, traceback)

    async def _end(self) -> None:
        tasks = [*self._wanted.values(), *self._counting]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- what is asked for

    async def once(
        self,
        asked: Asked,
        addresses: Addresses,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Outcome | None:
        """Look at the packages that were asked for; None if none were.

        Raises:
            SourceError: a source is away, or today's requests are used up.
        """
        sources = Sources.of(self._client, addresses)
        crawler = self._crawler(sources)
        crawler.on_progress = on_progress
        is_private = addresses.is_private
        names = list(asked.packages)
        self.memory.watch(addresses.shared(names))
        for user in asked.users:
            private = is_private(scope := f"@{user}/*")
            names += [scope] if private else await self._packages_of(sources, user)
        top = top_names(self._view, asked.top)
        names += [*crawler.mine(top), *filter(is_private, top)]
        if not (asked.names or asked.top):
            return None
        return await crawler.crawl(asked.work(names, self.memory, crawler.now))

    async def recheck(self, addresses: Addresses) -> Rechecked:
        """Look at today's sample of other writers' records."""
        sources = Sources.of(self._client, addresses)
        parts = self._parts
        checker = Rechecker(
            parts.multis, parts.score, self.memory, sources, self._view, me=parts.writer.key
        )
        return await checker.run()

    async def follow(self, addresses: Addresses, on_event: Callable[[Event], None]) -> None:
        """Go on until cancelled; once a day others' records are looked at too."""
        crawler = self._crawler(Sources.of(self._client, addresses))
        follower = Follower(crawler, self._view, on_event=on_event, sleep=self._sleep)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recheck_daily(addresses, on_event))
            tasks.create_task(follower.run())

    async def _recheck_daily(self, addresses: Addresses, on_event: Callable[[Event], None]) -> None:
        while True:
            found = await self.recheck(addresses)
            text = f"{found.checked} records of others looked at again, {found.wrong} wrong"
            on_event(Event("rechecked", text))
            now = self._client.now()
            await self._sleep(plan.DAY_MS / 1000 - now % (plan.DAY_MS / 1000) + 1)

    # --- what somebody looks at

    async def fetch(
        self, name: str, addresses: Addresses, index: Callable[[], Awaitable[None]]
    ) -> None:
        """Look at one package now; who asks for the same meanwhile waits for the same look.

        Its downloads take longer and come a little later.

        Args:
            name: of the package.
            addresses: who is asked.
            index: takes what was said into the view and the search index.

        Raises:
            NotFetchedError: there is no such package, it is private, or too many wait.
        """
        if not is_package_name(name):
            raise NotFetchedError("there can be no package of that name")
        if addresses.is_private(name):
            raise NotFetchedError(
                "its scope has a registry of its own: it is nobody else's business"
            )
        task = self._wanted.get(name)
        if task is None:
            if len(self._wanted) + len(self._counting) >= WAITING_MAX:
                raise NotFetchedError("others wait for packages of theirs; try again in a moment")
            task = self._wanted[name] = asyncio.create_task(self._fetch(name, addresses, index))
            task.add_done_callback(lambda done: self._done(name, done))
        await asyncio.shield(task)

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        del self._wanted[name]
        if not task.cancelled():
            task.exception()  # who has asked for it may be gone

    async def _fetch(
        self, name: str, addresses: Addresses, index: Callable[[], Awaitable[None]]
    ) -> None:
        async with self._one:
            crawler = self._crawler(Sources.of(self._client, addresses))
            try:
                async with asyncio.timeout(FETCH_S):
                    outcome = await crawler.crawl(Work((name,), FULL - COUNTS))
            except TimeoutError:
                raise NotFetchedError("the registry takes too long; try again later") from None
            except SourceError as error:
                raise NotFetchedError(str(error)) from error
            if name in outcome.unknown or name in outcome.gone:
                raise NotFetchedError("the registry does not know it")
            if name in outcome.failed:
                raise NotFetchedError(outcome.failed[name])
            await index()
        counting = asyncio.create_task(self._count(crawler, name, index))
        self._counting.add(counting)
        counting.add_done_callback(self._counting.discard)

    async def _count(
        self, crawler: Crawler, name: str, index: Callable[[], Awaitable[None]]
    ) -> None:
        with suppress(SourceError):  # the next crawl asks again
            await crawler.crawl(Work((name,), COUNTS))
            await index()

    def _crawler(self, sources: Sources) -> Crawler:
        return Crawler(self._parts.writer, self.memory, sources, self._view)

    async def _packages_of(self, sources: Sources, user: str) -> list[str]:
        """Of a user, and of the scope of that name; of a mirror's, as far as the view knows."""
        found: dict[str, None] = {}
        errors: list[SourceError] = []
        for ask in (sources.registry.packages_of, sources.registry.packages_in):
            try:
                found |= dict.fromkeys(await ask(user))
            except StatusError as error:
                errors.append(error)
        names = [*found, *(known_of(self._view, user) if errors else ())]
        if not names and errors:
            raise errors[0]
        return names
