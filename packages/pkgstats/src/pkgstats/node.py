"""A node: one folder with what a peer of a group needs, in one async context manager.

    async with Node(folder, group, network=Network()) as node:
        writer = await node.write("my crawler")
        await writer.append(records)
        await node.catch_up()

The folder holds the feeds (``store``), the view made from them (``view.db``) and the search index
made from that (``search``). The last two can be deleted any time.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from hypermultifeed import Corestore, Hypercore, Multifeed
from pkgstats import trust
from pkgstats.acceptance import Acceptance
from pkgstats.crawler.crawling import Crawling, Parts
from pkgstats.debounce import Debounce, rested
from pkgstats.folder import STORE_FOLDER, VIEW_FILE, indexer_in, search_in
from pkgstats.group import Group, GroupError, root_key
from pkgstats.indexer import now_ms
from pkgstats.membership import Membership
from pkgstats.readmes import ReadmeError, readme_of
from pkgstats.records.model import CORES
from pkgstats.view.reading import View
from pkgstats.writer import TITLE, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from types import TracebackType

    from hypermultifeed import Networker
    from pkgstats.indexer import Indexer, Progress
    from pkgstats.network import Network
    from pkgstats.search.engine import Search

TOO_FEW: Final = (
    "this node fetches and shares only what search needs, so it can tell nothing new; run"
    " `pkgstats serve` without --search-only"
)

README: Final = "readme"

SPARSE: Final = frozenset({README})
"""Kinds of which blocks are fetched only when they are looked at."""


class Node:
    """One peer of one group. While it is open, nobody else can write to its folder.

    Attributes:
        folder, group: as given.
        multis: the multifeeds that are open, by kind.
        network: None without one.
        membership: of the group: its list, and changes of it by its owner.
        indexer: keeps the view up to date.
        search: answers queries; it follows the view by itself.
        writer: my writer, once `write` was called.
        on_progress: called as the view grows.
    """

    def __init__(
        self,
        folder: Path | str,
        group: Group,
        *,
        network: Network | None = None,
        kinds: Collection[str] = CORES,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            folder: of this node; made if need be.
            group: see `Group.find`, `Group.join` and `Group.create`.
            network: how to find peers; None: stay alone.
            kinds: of the cores to share. Who only searches needs `group.SEARCH_KINDS`.
            clock: the time in ms since 1970, UTC.
        """
        self.folder = Path(folder)
        self.group = group
        self.multis: dict[str, Multifeed] = {}
        self.network: Networker | None = None
        self.writer: Writer | None = None
        self.on_progress: Callable[[Progress], None] | None = None
        self.membership: Membership
        self.indexer: Indexer
        self.search: Search
        self._view: View
        self._plan = network
        self._kinds = [kind for kind in CORES if kind in kinds or kind == trust.META]
        self._clock = clock
        self._acceptance = Acceptance(group.key)
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._work: asyncio.TaskGroup
        self._late: AsyncExitStack
        self._opening = asyncio.Lock()
        self._crawler: Crawling | None = None
        self._changes = Debounce()

    async def __aenter__(self) -> Self:
        """Open all of it, and go on with what is not read yet.

        Raises:
            StorageLockedError: another process has the folder.
            StorageError, OSError, sqlite3.Error: as the folder says.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the network, end what is being done, close everything.

        Raises:
            Exception: work in the background failed, which has ended the block.
        """
        try:
            await self._stack.__aexit__(exc_type, exc_value, traceback)
        except BaseExceptionGroup as failures:
            if exc_value is None or exc_value not in failures.exceptions:
                raise failures.exceptions[0] from None

    @property
    def view_path(self) -> Path:
        """The view's file."""
        return self.folder / VIEW_FILE

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where this node listens, host and port each; none without a network."""
        return [] if self.network is None else self.network.addresses

    # --- writing

    async def write(self, title: str, *, contact: str = "") -> Writer:
        """Open my writer, made at the first time; others believe it once the group admits it.

        The group's owner admits the own one by this, unless the list has it already.

        Args:
            title: what to call it.
            contact: how to reach who runs it.

        Raises:
            RecordError: a text is too long.
        """
        self.writer = await Writer.open(
            self.multis, title=title, contact=contact, now=self._clock()
        )
        self.indexer.accept(self.writer.key)
        self._judge()
        if self.group.key_pair is not None:
            await self.catch_up()
            listed = self.membership.listed()
            if listed is None or self.writer.key not in {one.key for one in listed.members}:
                await self.membership.admit(self.writer.key)
        return self.writer

    async def catch_up(self) -> None:
        """Take all that is here into the view."""
        await self.indexer.catch_up()

    async def index(self, progress: Callable[[int], None] | None = None) -> None:
        """Take all that is here into the view and the search index.

        Args:
            progress: is told, in another thread, how many packages are done when all have to be.
        """
        await self.catch_up()
        await self.search.refresh(progress)

    async def rebuild(self, progress: Callable[[int], None] | None = None) -> None:
        """Make the view and the search index anew from the feeds; the old ones answer meanwhile."""
        await self.indexer.rebuild()
        await self.search.rebuild(progress)

    async def readme(self, name: str) -> str:
        """The readme of a package, from here or from a peer that is connected.

        Raises:
            ReadmeError: the package is not known, has none, or nobody who has it is there.
        """
        facts = self._view.package(name)
        if facts is None or README not in self.multis:
            raise ReadmeError("a package that is not known, or a node that takes no readmes")
        return await readme_of(self._view, self.multis[README], facts)

    # --- crawling

    async def own_writer(self) -> Writer:
        """My writer, under the title that it has already, if any."""
        if self.writer is not None:
            return self.writer
        await self.catch_up()
        own = Writer.keys(self.multis[trust.META], self.group.key)
        cards = [one.card for one in self._view.writers() if one.key in own and one.card]
        return await self.write(cards[0].title if cards else TITLE)

    async def crawling(self) -> Crawling:
        """The crawler, which is opened when it is first needed, and closed with the node.

        Raises:
            GroupError: the node lacks kinds of cores, and so feeds for what is found.
            sqlite3.OperationalError: there is no room for what it remembers, say.
        """
        if len(self.multis) < len(CORES):
            raise GroupError(TOO_FEW)
        async with self._opening:
            if self._crawler is None:
                writer = await self.own_writer()
                parts = Parts(self.folder, self.view_path, writer, self.multis, self)
                await self.catch_up()
                self._crawler = await self._late.enter_async_context(Crawling(parts))
            return self._crawler

    async def note_check(self, writer: bytes, *, wrong: bool) -> None:
        """Note that a record of a writer was looked at again at its source."""
        await self.indexer.note_check(writer, wrong=wrong)
        self._judge()

    async def forgive(self, writer: bytes) -> None:
        """Begin the score of a writer anew on this peer; if it was set aside, it counts again.

        Raises:
            GroupError: nothing was heard of that writer.
        """
        if writer not in {one.key for one in self._view.writers()}:
            raise GroupError("nothing was heard of that writer")
        await self.indexer.forget_checks(writer)
        await self.catch_up()
        self._judge()

    # --- opening

    async def _open(self, stack: AsyncExitStack) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = await stack.enter_async_context(Corestore(self.folder / STORE_FOLDER))
        for kind in self._kinds:
            self.multis[kind] = await stack.enter_async_context(self._multifeed(store, kind))
        own = Writer.keys(self.multis[trust.META], self.group.key)
        self.indexer = await stack.enter_async_context(
            indexer_in(self.folder, self.group.key, self.multis, own=own, clock=self._clock)
        )
        self.indexer.on_progress = self._progressed
        self.indexer.listen(lambda _: self._changes.note())
        self._view = stack.enter_context(View.open(self.view_path))
        self.membership = Membership(
            self.group, self.multis, self._view, self.catch_up, self._clock
        )
        self._judge()
        self.search = await stack.enter_async_context(search_in(self.folder))
        if self._plan is not None:
            joined = self._plan.joined(store, self.multis.values())
            self.network = await stack.enter_async_context(joined)
        self._late = await stack.enter_async_context(AsyncExitStack())
        self._work = await stack.enter_async_context(asyncio.TaskGroup())
        stack.push_async_callback(self._end_tasks)
        self.spawn(self.indexer.run())
        self.spawn(self._follow())

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something until the node closes; should it fail, that ends the node's block."""
        self._tasks.append(self._work.create_task(work))

    def _multifeed(self, store: Corestore, kind: str) -> Multifeed:
        return Multifeed(
            store,
            key=root_key(self.group.key, kind),
            hypercore=partial(Hypercore, sparse=True) if kind in SPARSE else Hypercore,
            accept=self._acceptance.policy(kind),
        )

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    # --- what changes

    async def _follow(self) -> None:
        """Keep the search index up to date."""
        await self.catch_up()
        while True:
            await self._changes.quiet()
            await rested(self.search.refresh())
            await self._changes.change()

    def _progressed(self, progress: Progress) -> None:
        if progress.kind == trust.META:
            self._judge()
        if self.on_progress is not None:
            self.on_progress(progress)

    def _judge(self) -> None:
        """Ask peers again for the feeds of whom the list and the cards name now."""
        own = Writer.keys(self.multis[trust.META], self.group.key)
        for kind in self._acceptance.judge(self._view, own):
            if kind in self.multis:
                self.multis[kind].reconsider()
