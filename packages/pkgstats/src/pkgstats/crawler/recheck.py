"""Looks at some of other writers' records again, at their source, and keeps a score of each.

What is looked at is read from the writers' feeds, not from the view: one that is set aside says
nothing there, and must be able to do better.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from pkgstats import merge, trust
from pkgstats.crawler import sampling
from pkgstats.crawler.budget import share
from pkgstats.records.blocks import decode_block
from pkgstats.records.codec import BadRecord, UnknownRecord, names_hash
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import DayCounts, IndexRows, NamesBlock, Retraction, WeekCounts
from pkgstats.sources.errors import BudgetError, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from hypermultifeed import Multifeed
    from pkgstats.crawler.memory import Memory
    from pkgstats.crawler.sources import Sources
    from pkgstats.records.model import Known, Member
    from pkgstats.view.reading import View

CHECKS_A_DAY: Final = 50
"""Records that are looked at again a day, of all writers together; one or two requests each."""

BLOCKS_MAX: Final = 2048
"""Blocks of a feed that a day's sample is drawn from, beginning anywhere."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One record to look at again, of one package; ``names`` are those that counts refer to."""

    key: str
    name: str
    record: Known
    names: Sequence[str] | None


@dataclass(slots=True)
class Rechecked:
    """What came of it.

    Attributes:
        checked, wrong: records with a verdict, and those that were wrong.
        unclear: without one: the source does not answer, or knows nothing of it any more.
        private: not asked about, since their scope has a registry of its own.
        errors: what was wrong: the writer's key and the record.
        aside: writers that are set aside now.
    """

    checked: int = 0
    wrong: int = 0
    unclear: int = 0
    private: int = 0
    errors: list[tuple[bytes, str]] = field(default_factory=list)
    aside: list[bytes] = field(default_factory=list)


class Score(Protocol):
    """Who keeps the scores: the view's indexer."""

    async def note_check(self, writer: bytes, *, wrong: bool) -> None:
        """Note that a record of a writer was looked at again."""

    async def catch_up(self) -> None:
        """Draw the conclusions."""


class Rechecker:
    """Checks the writers of a group that are not mine."""

    def __init__(
        self,
        multis: Mapping[str, Multifeed],
        score: Score,
        memory: Memory,
        sources: Sources,
        view: View,
        *,
        me: bytes,
    ) -> None:
        """Take what it works with; all of it is open. ``me``: key of my ``meta`` feed."""
        self._multis = multis
        self._score = score
        self._memory = memory
        self._sources = sources
        self._view = view
        self._me = me
        self._seed = memory.seed()

    async def run(self, *, limit: int = CHECKS_A_DAY, one_in: int = sampling.ONE_IN) -> Rechecked:
        """Look at today's sample, as far as that was not done yet.

        Args:
            limit: records a day, of all writers; each has an equal share.
            one_in: of so many records one is looked at.
        """
        found = Rechecked()
        client = self._sources.client
        now = int(client.now() * 1000)
        day = now // 86_400_000
        listed = self._view.group_list()
        client.limiter.set_share(share(self._view.writers(), self._me, listed, now))
        others = [
            one
            for one in trust.members_of(listed, ()).values()
            if one.key != self._me and one.role != "notes"
        ]
        try:
            for member in others:
                samples = await self.samples(member, day, one_in)
                await self._check(member.key, samples[: max(1, limit // len(others))], day, found)
        except BudgetError:
            pass  # the rest is for another day
        finally:
            self._memory.note_spent(client.limiter.spent)
        await self._score.catch_up()
        found.aside = [one.key for one in self._view.writers() if one.aside]
        return found

    async def samples(self, member: Member, day: int, one_in: int) -> list[Sample]:
        """What is to be looked at of a writer, in an order that nobody else knows."""
        card = next((one.card for one in self._view.writers() if one.key == member.key), None)
        cores = card.cores if card else {}
        taken = [one async for _, one in self._records(member, "meta", member.key, day)]
        away = {(one.core, one.block, one.place) for one in taken if isinstance(one, Retraction)}
        names: dict[bytes, Sequence[str]] = {}
        found: dict[str, Sample] = {}
        for kind in ("index", "detail", "days"):
            core = cores.get(kind, b"")
            async for (block, place), record in self._records(member, kind, core, day):
                if isinstance(record, NamesBlock):
                    names[names_hash(record.names)] = record.names
                if {(core, block, place), (core, block, None)} & away:
                    continue
                ref = record.names_ref if isinstance(record, DayCounts) else None
                listed = names.get(ref or b"")
                for key, name in sampling.subjects(record, listed, day):
                    if sampling.is_selected(self._seed, member.key, day, key, one_in=one_in):
                        found[key] = Sample(key, name, record, listed)
        return list(found.values())

    async def _records(
        self, member: Member, kind: str, core: bytes, day: int
    ) -> AsyncIterator[tuple[tuple[int, int], Known]]:
        """The records of a feed that count and are here, with their places; names come first."""
        feeds = {one.key: one for one in self._multis[kind].feeds()}
        feed = feeds.get(core)
        if feed is None:
            return
        length = feed.length
        if member.until is not None:
            length = min(length, member.until.get(kind, 0))
        start = int.from_bytes(self._seed[:4], "big") + day * BLOCKS_MAX
        for step in range(min(length, BLOCKS_MAX)):
            index = (start + step) % length if length > BLOCKS_MAX else step
            if not feed.has(index):
                continue
            block = await feed.get(index)
            try:
                records = await asyncio.to_thread(decode_block, block)
            except RecordError:
                continue
            for place, record in enumerate(records):
                if not isinstance(record, (BadRecord, UnknownRecord)):
                    yield (index, place), record

    async def _check(
        self, writer: bytes, samples: Sequence[Sample], day: int, found: Rechecked
    ) -> None:
        done = self._memory.rechecked(day)
        for one in samples:
            mark = hashlib.blake2b(one.key.encode(), key=writer, digest_size=8).hexdigest()
            if mark in done:
                continue
            if self._sources.addresses.is_private(one.name):
                found.private += 1
                continue
            try:
                wrong = await self._is_wrong(one)
            except BudgetError:
                raise
            except (SourceError, RecordError):
                wrong = None
            if wrong is None:
                found.unclear += 1
            else:
                await self._score.note_check(writer, wrong=wrong)
                found.checked += 1
                found.wrong += wrong
                found.errors += [(writer, one.key)] if wrong else []
            self._memory.note_rechecked(day, mark)

    async def _is_wrong(self, one: Sample) -> bool | None:
        if isinstance(one.record, DayCounts):
            return await self._are_days_wrong(one)
        if isinstance(one.record, WeekCounts):
            found = await self._sources.downloads.last_week(one.name)
            told = one.record.versions, one.record.last_day
            return sampling.week_wrong(*told, found.versions, found.last_day)
        document = await self._sources.registry.packument(one.name)
        verdict = sampling.wrong(one.record, one.name, document)
        if isinstance(one.record, IndexRows) and not verdict:
            return sampling.either([verdict, await self._is_month_wrong(one, one.record)])
        return verdict

    async def _are_days_wrong(self, one: Sample) -> bool | None:
        assert isinstance(one.record, DayCounts)
        told = sampling.row_of(one.record, one.names, one.name)
        if not told:
            return None
        first = max(min(told), max(told) - sampling.YEAR_DAYS + 1)
        return sampling.days_wrong(told, await self._days(one.name, first, max(told)))

    async def _is_month_wrong(self, one: Sample, rows: IndexRows) -> bool | None:
        """Of the downloads that a row of the list tells; where nobody counts them: unclear."""
        until = rows.observed_at // merge.DAY_MS
        told = rows.downloads[rows.names.index(one.name)]
        if not told:
            return None
        try:
            found = await self._days(one.name, until - sampling.YEAR_DAYS, until - 1)
        except BudgetError:
            raise
        except SourceError:
            return None
        return sampling.month_wrong(told, found, until)

    async def _days(self, name: str, first: int, last: int) -> dict[int, int]:
        series = await self._sources.downloads.days(name, first, last)
        return {
            day: count for each in series for day, count in enumerate(each.counts, each.first_day)
        }
