"""From feeds to the view: reads what is new in all feeds of a group and keeps the view up to date.

First come the feeds about writers (``meta``), since they tell whose others count; after each
change there the other feeds are judged anew. Blocks are applied in a thread of their own, one
batch a transaction, so that the event loop stays free.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, ParamSpec, Self, TypeVar

from hypermultifeed import ClosedError
from pkgstats import trust
from pkgstats.view import swapping
from pkgstats.view.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hypermultifeed import EntryBatch, Multifeed

P = ParamSpec("P")
R = TypeVar("R")

CHANGED_MAX: Final = 10_000
"""Names that listeners are told one by one; of more they are told that there are many."""

RESET_PAUSE_S: Final = 2.0
"""Rest after cores were reset, so that a writer who takes back one record after the other does
not keep everybody reading all of its feed again without end."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The view has changed.

    Attributes:
        generation: of the view.
        names: packages that changed; None: more than `CHANGED_MAX`, or the file is another one.
    """

    generation: int
    names: list[str] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far reading has come.

    Attributes:
        kind: of the feeds that are read now.
        records, refused: in this pass over all feeds.
        records_a_second: in this pass.
        behind: blocks of accepted feeds of that kind that are here, or elsewhere, and not read.
    """

    kind: str
    records: int
    refused: int
    records_a_second: float
    behind: int


def now_ms() -> int:
    """The time, ms since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Indexer:
    """Keeps one view up to date; an async context manager.

    Nothing else may write to the file meanwhile; any number of `View`s may read it.
    """

    def __init__(
        self,
        path: Path | str,
        group: bytes,
        feeds: Mapping[str, Multifeed],
        *,
        own: Collection[bytes] = (),
        clock: Callable[[], int] = now_ms,
        pause_s: float = RESET_PAUSE_S,
        horizon: int | None = None,
    ) -> None:
        """Prepare for one group.

        Args:
            path: the view's file.
            group: the group's public key.
            feeds: the multifeeds by kind of core, ``meta`` among them; value encoding binary.
            own: keys of my own writers' ``meta`` feeds.
            clock: the time in ms since 1970, UTC.
            pause_s: see `RESET_PAUSE_S`.
            horizon: make the view of facts observed up to then, ms; not to be rebuilt. None: all.
        """
        self._path = Path(path)
        self._group = group
        self._feeds = feeds
        self._own = set(own)
        self._clock = clock
        self._pause_s = pause_s
        self._horizon = horizon
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pkgstats-view")
        self._store: Store
        self._busy = asyncio.Lock()
        self._woken = asyncio.Event()
        self._meta_woken = False
        self._reset = False
        self._watched: set[bytes] = set()
        self._listeners: list[Callable[[Changed], None]] = []
        self._quiet = False
        self._started = 0.0
        self._records = self._refused = 0
        self.on_progress: Callable[[Progress], None] | None = None

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            SchemaError: it is of another version or group; delete it, and it is made anew.
        """
        try:
            self._store = await self._do(Store.open, self._path, self._group, self._horizon)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the file, after what is being applied."""
        await self._do(self._store.close)
        self._thread.shutdown()

    def listen(self, listener: Callable[[Changed], None]) -> None:
        """Tell ``listener`` of each change from now on, in the event loop."""
        self._listeners.append(listener)

    def accept(self, own: bytes) -> None:
        """Accept one more writer of mine, by the key of its ``meta`` feed."""
        self._own.add(own)
        self._wake(trust.META)

    async def note_check(self, writer: bytes, *, wrong: bool) -> None:
        """Note that a record of a writer was looked at again at its source."""
        await self._do(self._store.note_check, writer, wrong=wrong)
        self._wake(trust.META)

    async def forget_checks(self, writer: bytes) -> None:
        """Begin a writer's score anew; it counts again, if it was set aside."""
        await self._do(self._store.forget_checks, writer)
        self._wake(trust.META)

    async def run(self) -> None:
        """Read what is new, and whatever comes, until cancelled or the multifeeds close."""
        with ExitStack() as watches:
            for kind, multi in self._feeds.items():
                watches.enter_context(multi.watch(partial(self._wake, kind)))
            while not self._closed:
                self._woken.clear()
                self._watch_feeds(watches)
                try:
                    await self.catch_up()
                except ClosedError:
                    break
                await self._wait()

    async def catch_up(self) -> None:
        """Read all that is here; returns when there is nothing more."""
        async with self._busy:
            await self._read_all()

    async def rebuild(self) -> None:
        """Make the view anew from all feeds in a new file, and put it in the old one's place.

        The old one answers until then.

        Raises:
            OSError: it could not be replaced: on Windows, while somebody reads it.
        """
        async with self._busy:
            old, fresh = self._store, swapping.fresh_path(self._path)
            self._quiet = True
            self._store = await self._do(swapping.open_fresh, fresh, self._group, old)
            try:
                await self._read_all()
            except BaseException:
                await self._do(self._store.close)
                self._store = old
                raise
            finally:
                self._quiet = False
            await self._do(old.close)
            await self._do(self._store.close)
            try:
                await self._do(swapping.swap, self._path, fresh)
            finally:
                self._store = await self._do(Store.open, self._path, self._group)
            generation = await self._do(lambda: self._store.generation)
        self._tell(Changed(generation, None))

    @property
    def _closed(self) -> bool:
        return any(multi.closed for multi in self._feeds.values())

    def _wake(self, kind: str) -> None:
        self._meta_woken |= kind == trust.META
        self._woken.set()

    def _watch_feeds(self, watches: ExitStack) -> None:
        for kind, multi in self._feeds.items():
            for feed in multi.feeds():
                if feed.key not in self._watched:
                    self._watched.add(feed.key)
                    watches.enter_context(feed.watch(partial(self._wake, kind)))

    async def _wait(self) -> None:
        """Until there is something to read, or a record's time has come."""
        if self._reset:
            self._reset = False
            await asyncio.sleep(self._pause_s)
        due = await self._do(self._store.next_due)
        timeout = None if due is None else max(0.0, (due - self._clock()) / 1000)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout)

    async def _read_all(self) -> None:
        self._started, self._records, self._refused = time.monotonic(), 0, 0
        while await self._pass():
            pass

    async def _pass(self) -> bool:
        """Read all feeds once; returns whether another pass is needed."""
        again = False
        await self._settle()
        for kind in trust.FACTS:
            while kind in self._feeds and not await self._drain(kind):
                again |= await self._settle()
        await self._change(lambda store: store.apply_due(now=self._clock()))
        return again

    async def _settle(self) -> bool:
        """Read what writers tell about themselves until it is clear whose feeds count.

        Returns whether anything has changed about that.
        """
        changed = False
        while True:
            self._meta_woken = False
            await self._drain(trust.META)
            if not await self._retrust(only_meta=True):
                return await self._retrust(only_meta=False) or changed
            changed = True

    async def _retrust(self, *, only_meta: bool) -> bool:
        judge = partial(Store.retrust, own=self._own, only_meta=only_meta, now=self._clock())
        judged = await self._change(judge)
        self._reset |= judged.reset > 0
        return judged.reset > 0 or judged.accepted > 0

    async def _drain(self, kind: str) -> bool:
        """Read what is new in the feeds of a kind; False if writers have told something since."""
        multi = self._feeds[kind]
        feeds = [feed.key for feed in multi.feeds()]
        after = await self._do(self._store.positions, kind, feeds)
        holes: Literal["wait", "skip"] = "skip" if kind == "readme" else "wait"
        async for batch in multi.entries(after, holes=holes):
            await self._apply(kind, batch)
            if self._meta_woken and kind != trust.META:
                return False
        return True

    async def _apply(self, kind: str, batch: EntryBatch) -> None:
        now = self._clock()
        applied = await self._change(
            lambda store: store.apply(kind, batch.entries, batch.changed, now=now)
        )
        self._records += applied.records
        self._refused += applied.refused
        if self.on_progress is not None:
            lengths = {feed.key: feed.length for feed in self._feeds[kind].feeds()}
            behind = await self._do(self._store.behind, kind, lengths)
            rate = self._records / max(time.monotonic() - self._started, 1e-3)
            self.on_progress(Progress(kind, self._records, self._refused, rate, behind))

    async def _change(self, change: Callable[[Store], R]) -> R:
        """Do something to the view, and tell what has changed."""
        result, changed = await self._do(_changed, self._store, change)
        if changed is not None:
            self._tell(changed)
        return result

    def _tell(self, changed: Changed) -> None:
        for listener in () if self._quiet else self._listeners:
            listener(changed)

    async def _do(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(function, *args, **kwargs))


def _changed(store: Store, change: Callable[[Store], R]) -> tuple[R, Changed | None]:
    before = store.generation
    result = change(store)
    names = store.changed_since(before, CHANGED_MAX)
    return result, None if names == [] else Changed(store.generation, names)
