"""A crawl: looks at packages one after the other, and says what is new of them.

It can be ended at any point, and goes on from there: what was said stands in the feeds, and what
was looked at in `Memory`. What goes wrong with one package is noted and holds up no other; a
source that does not answer at all ends the run.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pkgstats.crawler import plan
from pkgstats.crawler.budget import share
from pkgstats.crawler.looking import Looking
from pkgstats.crawler.teller import Teller
from pkgstats.crawler.telling import joined, told_days
from pkgstats.records.model import Heartbeat
from pkgstats.records.names import WHOLE, scope_of
from pkgstats.sources.count_facts import week_counts
from pkgstats.sources.downloads import requests_for
from pkgstats.sources.errors import (
    AddressError,
    AnswerError,
    BudgetError,
    MissingError,
    SourceError,
    WrongRegistryError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pkgstats.crawler.memory import Memory
    from pkgstats.crawler.plan import Work
    from pkgstats.crawler.sources import Sources
    from pkgstats.view.reading import View
    from pkgstats.writer import Writer

BEAT_MS: Final = plan.HOUR_MS
"""Between two heartbeats."""

IN_A_ROW_MAX: Final = 5
"""So many packages in a row without an answer: the source is away, and the run ends."""

NO_DAYS: Final = (
    "the address of the download counts knows none: set PKGSTATS_DOWNLOADS to one that does"
)

UNSURE: Final = (
    "what is missing in the registry is not told to be gone: no other package is known by which the"
    " registry could show that it is the right one"
)

PRIVATE: Final = (
    "%s left out, and nobody asked: .npmrc gives their scopes a registry of their own (%s), and"
    " facts about private packages are not for a group"
)

THE_WHOLE: Final = "the whole registry"
"""In place of a package's name, where something goes wrong with its days."""

SCOPES_SHOWN: Final = 5
"""Private scopes that a remark names."""

FAILED_MAX: Final = 1000
"""Packages that went wrong whose reasons are kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        done, total: looks; a package counts once for each part that is wanted of it.
        name: what was looked at last.
        said: records so far.
    """

    done: int
    total: int
    name: str
    said: int


@dataclass(slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        looked: looks that were made.
        said, rows: records, and rows of the list, that were new and are said.
        gone: packages that were there and are not any more.
        unknown: names that the registry does not know.
        failed: packages that went wrong, and why.
        private: packages that were refused, since their scope has a registry of its own.
        remarks: what could not be asked at all.
    """

    looked: int = 0
    said: int = 0
    rows: int = 0
    gone: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    private: int = 0
    remarks: list[str] = field(default_factory=list)

    def refuse(self, names: Sequence[str]) -> None:
        """Note that packages are private."""
        scopes = sorted({f"@{scope_of(name)}" for name in names})
        self.private += len(names)
        if names:
            some = "1 package is" if len(names) == 1 else f"{len(names)} packages are"
            more = ", …" if len(scopes) > SCOPES_SHOWN else ""
            self.remarks.append(PRIVATE % (some, ", ".join(scopes[:SCOPES_SHOWN]) + more))

    def fail(self, name: str, error: Exception) -> None:
        """Note that a package went wrong."""
        if len(self.failed) < FAILED_MAX:
            self.failed[name] = str(error)


class Crawler:
    """Looks at packages for one writer. One run at a time.

    Attributes:
        on_progress: called after each look.
    """

    def __init__(self, writer: Writer, memory: Memory, sources: Sources, view: View) -> None:
        """Take what it works with; all of it is open, and the view is read in this thread."""
        self.memory = memory
        self.sources = sources
        self.on_progress: Callable[[Progress], None] | None = None
        self._writer = writer
        self._view = view
        self._teller = Teller(writer, memory)
        self._looking = Looking(sources, memory, self._teller, view)
        self._beat_at = 0
        self._unreported = 0
        self._in_a_row = 0
        self._done = self._total = 0

    @property
    def me(self) -> bytes:
        """What my writer is known by."""
        return self._writer.key

    @property
    def now(self) -> int:
        """Ms since 1970."""
        return int(self.sources.client.now() * 1000)

    @property
    def last_day(self) -> int:
        """The last day that is over."""
        return self.now // plan.DAY_MS - 1

    async def crawl(self, work: Work) -> Outcome:
        """Look at the packages of a run; those that are private are refused before anyone is asked.

        Raises:
            SourceError: a source is away or the wrong one, or today's requests are used up; what
                was found is said.
        """
        outcome = Outcome()
        self._looking.begin()
        work = self._shared(work, outcome)
        parts = [part for part in ("days", "weeks", "manifest") if part in work.wanted]
        self._done, self._total = 0, len(work.names) * len(parts)
        before = self._teller.said, self._teller.rows
        await self.beat()
        try:
            for part in parts:
                await self._part(part, work, outcome)
        finally:
            await self._flush()
            self.memory.note_spent(self.sources.client.limiter.spent)
            outcome.said = self._teller.said - before[0]
            outcome.rows = self._teller.rows - before[1]
        await self.beat()
        return outcome

    async def beat(self, *, always: bool = False) -> None:
        """Say that I am at work, once an hour and after a refusal; take my share of the budget."""
        writers = self._view.writers()
        limiter = self.sources.client.limiter
        limiter.set_share(share(writers, self._writer.key, self._view.group_list(), self.now))
        heard = [one.heartbeat for one in writers if one.key == self._writer.key and one.heartbeat]
        last = max([self._beat_at, *(one.observed_at for one in heard)])
        refusals = limiter.take_refusals()
        if not (always or refusals or not 0 <= self.now - last < BEAT_MS):
            return
        heartbeat = Heartbeat(
            observed_at=self.now,
            sequence=self.memory.sequence(),
            checked=self._unreported,
            refusals=refusals or None,
            rate=limiter.rate(self.sources.client.now()),
        )
        await self._writer.beat(heartbeat)
        self._beat_at, self._unreported = self.now, 0

    def mine(self, names: list[str]) -> list[str]:
        """Those of the names that are mine, among the writers that are at work now.

        Private ones are nobody's.
        """
        at_work = plan.heard_of(self._view.writers(), self._writer.key, self.now)
        names = self.sources.addresses.shared(names)
        return list(plan.mine(names, self._writer.key, [one.key for one in at_work]))

    def _shared(self, work: Work, outcome: Outcome) -> Work:
        """The work without private packages, which wait no more either."""
        shared = self.sources.addresses.shared(work.names)
        private = [name for name in work.names if self.sources.addresses.is_private(name)]
        outcome.refuse(private)
        self.memory.drop_pending(private)
        return replace(work, names=tuple(shared))

    async def _flush(self) -> None:
        await self._teller.flush(self.now, self._looking.row)

    # --- the parts of a run

    async def _part(self, part: str, work: Work, outcome: Outcome) -> None:
        how = {"days": self._days, "weeks": self._weeks, "manifest": self._manifests}[part]
        try:
            await how(work, outcome)
        except AddressError as error:
            outcome.remarks.append(str(error))
            self._done += len(work.names)

    async def _manifests(self, work: Work, outcome: Outcome) -> None:
        for name in work.names:
            await self._try([name], self._manifest(name, work, outcome), outcome)
            self._teller.list(name)
            await self._looked([name], outcome)
        if not await self._looking.settle():
            outcome.remarks.append(UNSURE)

    async def _manifest(self, name: str, work: Work, outcome: Outcome) -> None:
        found = await self._looking.look(name, work.wanted, self.now)
        if found == "gone":
            outcome.gone.append(name)
        elif found == "unknown":
            outcome.unknown.append(name)

    async def _weeks(self, work: Work, outcome: Outcome) -> None:
        for name in work.names:
            await self._try([name], self._week(name), outcome)
            await self._looked([name], outcome)

    async def _week(self, name: str) -> None:
        found = await self.sources.downloads.last_week(name)
        self._teller.tell(week_counts(found))
        self._teller.looked("weeks", name, found.observed_at)

    async def _days(self, work: Work, outcome: Outcome) -> None:
        for names in requests_for(work.names):
            await self._try(names, self._days_of(names), outcome)
            for name in names if "manifest" not in work.wanted else ():
                self._teller.list(name)
            await self._looked(names, outcome)
        if work.names:
            await self._try([THE_WHOLE], self._whole(), outcome)

    async def _whole(self) -> None:
        """The days of the whole registry, once a day by the crawler whose they are: one request."""
        today = self.now // plan.DAY_MS
        if self.memory.looked_at(WHOLE, "days") // plan.DAY_MS == today or not self.mine([WHOLE]):
            return
        tail = self.memory.tail(WHOLE)
        first = plan.first_day(tail.end if tail else None, self.last_day)
        with suppress(AnswerError, MissingError):  # a source may tell of packages alone
            series = joined(await self.sources.downloads.days(WHOLE, first, self.last_day))
            _, counts = told_days(series, {WHOLE: tail} if tail else {}, self.last_day)
            self._teller.tell(counts)
        self._teller.looked("days", WHOLE, self.now)

    async def _days_of(self, names: Sequence[str]) -> None:
        last = self.last_day
        tails = {name: tail for name in names if (tail := self.memory.tail(name)) is not None}
        ends = [tails[name].end if name in tails else None for name in names]
        first = min(plan.first_day(end, last) for end in ends)
        try:
            found = await self.sources.downloads.days_of_many(names, first, last)
        except MissingError:
            raise AddressError(NO_DAYS) from None
        series = [one for each in found.values() for one in joined(each)]
        blocks, counts = await asyncio.to_thread(told_days, series, tails, last)
        self._teller.tell(blocks)
        self._teller.tell(counts)
        for name in names:
            self._teller.looked("days", name, self.now)

    # --- each look

    async def _try(self, names: Sequence[str], look: Awaitable[None], outcome: Outcome) -> None:
        """Look, and note what goes wrong; what concerns all packages is raised."""
        try:
            await look
        except (AddressError, BudgetError, WrongRegistryError):
            raise
        except SourceError as error:
            for name in names:
                outcome.fail(name, error)
            answered = isinstance(error, (AnswerError, MissingError))
            self._in_a_row = 0 if answered else self._in_a_row + 1
            if self._in_a_row >= IN_A_ROW_MAX:
                raise
        else:
            self._in_a_row = 0

    async def _looked(self, names: Sequence[str], outcome: Outcome) -> None:
        outcome.looked += len(names)
        self._done += len(names)
        self._unreported += len(names)
        if self._teller.is_full:
            await self._flush()
            await self.beat()
        if self.on_progress is not None:
            said = self._teller.said
            self.on_progress(Progress(self._done, self._total, names[-1], said))
