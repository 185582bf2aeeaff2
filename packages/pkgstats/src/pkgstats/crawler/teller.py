"""Says what is new, in batches: a block for each record would cost more than the record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pkgstats.crawler.recall import said_key
from pkgstats.listing import index_records
from pkgstats.records.model import Snapshot
from pkgstats.trust import CORE_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pkgstats.crawler.memory import Memory
    from pkgstats.listing import Row
    from pkgstats.records.model import Known
    from pkgstats.writer import Writer

RECORDS: Final = 512
"""Records that are said together."""

LOOKS: Final = 32
"""Looks after which what they found is said; so many are made again after a crash."""

ORDER: Final = ("meta", "readme", "index", "detail", "days")
"""Cores in the order in which they are appended to: what others refer to comes first."""


class Teller:
    """Collects what looks have found, and says it when it is enough.

    Attributes:
        said: records that were appended, rows of the list not counted.
        rows: rows of the list that were appended.
    """

    def __init__(self, writer: Writer, memory: Memory) -> None:
        """Take my writer and what it has said."""
        self._writer = writer
        self._memory = memory
        self._records: dict[str, Known] = {}
        self._listed: dict[str, None] = {}
        self._looked: dict[str, dict[str, tuple[int, str]]] = {}
        self._looks = 0
        self.said = self.rows = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to say it."""
        return self._looks >= LOOKS or len(self._records) >= RECORDS

    def tell(self, records: Iterable[Known]) -> int:
        """Say these, unless they were said; returns how many are new."""
        new = 0
        for record in records:
            key = said_key(record)
            if not self._memory.is_new(record):
                self._records.pop(key, None)  # it was another one for a moment
                continue
            new += key not in self._records
            self._records[key] = record
        return new

    def list(self, name: str) -> None:
        """Say the package's row of the list, as it is when all else was said, if it is new."""
        self._listed[name] = None

    def looked(self, part: str, name: str, at: int, etag: str = "") -> None:
        """A package was looked at, which is noted once all that was found is said."""
        self._looked.setdefault(part, {})[name] = (at, etag)
        self._looks += 1

    async def flush(self, now: int, row_of: Callable[[str], Row | None]) -> None:
        """Say all of it. If that is interrupted, what is not said yet is looked at again.

        Args:
            now: ms since 1970, UTC.
            row_of: the row of a package; None if nothing is known of it.
        """
        records, self._records = list(self._records.values()), {}
        listed, self._listed = list(self._listed), {}
        looked, self._looked, self._looks = self._looked, {}, 0
        for kind in ORDER:
            chosen = [one for one in records if CORE_OF[type(one)] == kind]
            if kind == "detail":
                await self._memory.catch_up()  # with the readmes that were just said
                chosen = [self._with_readme(one) for one in chosen]
            await self._writer.append(chosen)
        self.said += len(records)
        await self._memory.catch_up()
        rows = [row for name in listed if (row := row_of(name)) is not None]
        await self._say_rows(rows, now)
        for part, names in looked.items():
            self._memory.note(part, names)

    def _with_readme(self, record: Known) -> Known:
        """The record; if it is of a package, with where its readme lies."""
        if not isinstance(record, Snapshot) or record.readme_hash is None:
            return record
        return replace(record, readme_block=self._memory.readme_block(record.readme_hash))

    async def _say_rows(self, rows: Sequence[Row], now: int) -> None:
        new = list(self._memory.new_rows(rows))
        new.sort(key=lambda row: (-row.downloads, row.name))
        await self._writer.append(index_records(new, observed_at=now, source="downloads"))
        self.rows += len(new)
        await self._memory.catch_up()
