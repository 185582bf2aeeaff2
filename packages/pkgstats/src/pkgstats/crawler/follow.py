"""Goes on for ever: what has changed, then what is due, as fast as the budget lets it.

One page of changes a few times an hour is cheap, so each crawler follows them all and looks at the
names that are its own. Where the registry's changes have no address, or do not answer, all is
looked at by its turn.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.crawler import plan
from pkgstats.crawler.plan import FULL, Work
from pkgstats.sources.errors import AddressError, BudgetError, SourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pkgstats.crawler.crawl import Crawler, Outcome
    from pkgstats.view.reading import View

POLL_S: Final = 600.0
"""Between two looks at the changes."""

SLICE: Final = 128
"""Packages of one run: what a bulk request takes."""

DIFFERENCES_MAX: Final = 100_000
"""New names that one listing of all names adds; the rest come when they change."""

CHANGED: Final = FULL - {"days", "weeks", "readme"}


@dataclass(frozen=True, slots=True)
class Event:
    """What following has come to.

    Attributes:
        what: ``changes``, ``crawled``, ``idle`` or ``trouble``.
        text: for people.
        outcome: of a run.
    """

    what: str
    text: str
    outcome: Outcome | None = None


class Follower:
    """Keeps a crawler busy."""

    def __init__(
        self,
        crawler: Crawler,
        view: View,
        *,
        on_event: Callable[[Event], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the crawler, and the view in which all names stand."""
        self._crawler = crawler
        self._memory = crawler.memory
        self._view = view
        self._on_event = on_event
        self._sleep = sleep
        self._next_changes = 0.0
        self._in_trouble = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._look_at_changes()
                busy = await self.round()
            except BudgetError as error:
                self._on_event(Event("idle", f"{error}; until tomorrow"))
                await self._sleep(max(1.0, error.until - self._crawler.now / 1000))
            except SourceError as error:
                self._on_event(Event("trouble", f"{error}; another try in {POLL_S:.0f} s"))
                await self._sleep(POLL_S)
            else:
                if not busy:
                    self._on_event(Event("idle", "nothing is due"))
                    await self._crawler.beat()
                    await self._sleep(POLL_S)

    async def round(self) -> bool:
        """Look at what has changed, or else at what is due; False if there is nothing."""
        work = next((one for one in self._work() if one.names), None)
        if work is None:
            return False
        outcome = await self._crawler.crawl(work)
        text = f"{outcome.looked} looks, {outcome.said} new records"
        self._on_event(Event("crawled", text, outcome))
        return True

    def _work(self) -> Iterator[Work]:
        """What is to be done next, the most urgent first."""
        memory, now = self._memory, self._crawler.now
        yield Work(tuple(memory.pending(SLICE)), CHANGED)
        watched = memory.watched()

        def due(names: list[str], *parts: str) -> tuple[str, ...]:
            seen = memory.checked(*parts)
            return tuple(plan.due(names, seen, now, watched=set(watched), limit=SLICE))

        yield Work(due(self._crawler.mine(watched), "weeks"), frozenset({"weeks"}))
        ranked = self._ranked(watched)
        yield Work(due(ranked, "days"), frozenset({"days"}))
        yield Work(due(ranked, "latest", "packument"), frozenset({"manifest"}))

    def _ranked(self, watched: list[str]) -> list[str]:
        """My names, the most downloaded first, then those that are watched and not listed."""
        names = dict.fromkeys(row.name for row in self._view.listing_rows())
        return self._crawler.mine(list(names | dict.fromkeys(watched)))

    # --- changes

    async def _look_at_changes(self) -> None:
        """Look at the changes if it is time; where they cannot be had, that is said once."""
        if self._crawler.now / 1000 < self._next_changes:
            return
        self._next_changes = self._crawler.now / 1000 + POLL_S
        try:
            await self.changes()
        except BudgetError:
            raise
        except SourceError as error:
            if isinstance(error, AddressError):
                self._next_changes = math.inf  # it cannot become known while this runs
            if not self._in_trouble:
                text = f"no changes: {error}; all is looked at by its turn instead"
                self._on_event(Event("trouble", text))
            self._in_trouble = True
        else:
            self._in_trouble = False

    async def changes(self) -> None:
        """Note what has changed since the last time; from now on, if there was none.

        Raises:
            SourceError: the changes cannot be had now.
        """
        source = self._crawler.sources.changes
        sequence = self._memory.sequence()
        if not sequence:
            self._memory.follow(await source.newest(), ())
            return
        while True:
            page = await source.since(sequence)
            if page.reset:
                await self._compare(page.sequence)
            else:
                names = [one.name for one in page.changes]
                self._note(page.sequence, self._crawler.mine(names))
            if page.last or page.sequence == sequence:
                return
            sequence = page.sequence

    async def _compare(self, sequence: str) -> None:
        """The sequence was begun anew: compare all names with those that are known."""
        known = {row.name for row in self._view.listing_rows()}
        gone = set(known)
        new: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await self._crawler.sources.changes.names(after)
            gone.difference_update(page.names)
            room = DIFFERENCES_MAX - len(new)
            new += [name for name in page.names if name not in known][:room]
            after = page.after
        self._note(sequence, self._crawler.mine([*sorted(gone), *new]))

    def _note(self, sequence: str, names: list[str]) -> None:
        self._memory.follow(sequence, names)
        if names:
            self._on_event(Event("changes", f"{len(names)} packages have changed"))
