"""How often packages were downloaded: by day, in a period, by version in the last seven days.

Days are counted from 1970-01-01, UTC. What a source leaves out is not claimed. A day that reads 0
read 0 when it was looked at, and no more: it may be filled later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pkgstats.records.model import VERSION
from pkgstats.sources.errors import AnswerError, MissingError
from pkgstats.sources.fields import mapping, number, word
from pkgstats.sources.registry import encoded_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pkgstats.sources.addresses import Addresses
    from pkgstats.sources.answers import Document
    from pkgstats.sources.client import Client

BULK_NAMES_MAX: Final = 128
"""Names of one request; none of them has a scope."""

BULK_DAYS_MAX: Final = 365
SINGLE_DAYS_MAX: Final = 540
"""Days of one request; of a longer window only the last ones come, and nothing says so."""

ADDRESS_BYTES_MAX: Final = 6000
"""Bytes of names in one address; servers refuse longer ones from 8,000 on."""

REPEATS_MAX: Final = 3
"""How often days that were left out are asked for again."""

VERSIONS_MAX: Final = 50_000
"""Versions of one package that are counted."""

DAY_ZERO: Final = date(1970, 1, 1)
FIRST_DAY: Final = (date(2015, 1, 10) - DAY_ZERO).days
"""No day before it was ever counted."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class DaySeries:
    """Downloads of one package, day by day.

    Attributes:
        name: empty for the whole registry.
        first_day: of ``counts``.
        observed_at: when the answer came, ms since 1970.
    """

    name: str
    first_day: int
    counts: tuple[int, ...]
    observed_at: int
    evidence: dict[str, str]

    @property
    def end(self) -> int:
        """The day after the last one."""
        return self.first_day + len(self.counts)


@dataclass(frozen=True, slots=True)
class PeriodCount:
    """Downloads in a period: its first and last day, their number."""

    name: str
    first_day: int
    last_day: int
    count: int
    observed_at: int


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """Downloads of each version in the seven days that end with ``last_day``."""

    name: str
    last_day: int
    versions: dict[str, int]
    observed_at: int
    evidence: dict[str, str]


class Downloads:
    """A source of download counts; all methods raise a `SourceError`, see `errors`."""

    def __init__(self, client: Client, addresses: Addresses) -> None:
        self._client = client
        self._addresses = addresses
        self._week_end = (0, 0)

    async def point(self, period: str, name: str = "") -> PeriodCount:
        """Downloads in ``last-day``, ``last-week``, ``last-month`` or ``last-year``.

        Without a name: of the whole registry.
        """
        found = await self._ask("point", period, name)
        count = number(found.value.get("downloads"))
        if count is None:
            raise AnswerError("downloads without a number")
        start, end = read_day(found.value.get("start")), read_day(found.value.get("end"))
        return PeriodCount(name, start, end, count, found.observed_at)

    async def days(self, name: str, first: int, last: int) -> list[DaySeries]:
        """Downloads from day ``first`` to day ``last``, the latest days first.

        Several requests if the window is longer than one answer; where days are left out, the
        rest is asked for again, and what never comes is missing. Without a name: of all.
        """
        found: list[DaySeries] = []
        for _ in range(REPEATS_MAX + len(list(windows(first, last, SINGLE_DAYS_MAX)))):
            start = max(first, last - SINGLE_DAYS_MAX + 1, FIRST_DAY)
            if last < start:
                break
            answer = await self._ask("range", f"{day_text(start)}:{day_text(last)}", name)
            series = read_series(name, answer.value, answer, start, last)
            found += [series] if series.counts else []
            last = series.first_day - 1
        return found

    async def bulk(
        self, names: Sequence[str], first: int, last: int
    ) -> dict[str, DaySeries | None]:
        """The same days of many packages in one request; None for what is not known there.

        Args:
            names: at most 128, none with a scope (`requests_for` cuts a longer list).
            first, last: at most 365 days.

        Raises:
            ValueError: more was asked for.
        """
        if not 0 < len(names) <= BULK_NAMES_MAX or any(is_scoped(name) for name in names):
            raise ValueError(f"from 1 to {BULK_NAMES_MAX} names without scopes")
        if not 0 <= last - first < BULK_DAYS_MAX:
            raise ValueError(f"from 1 to {BULK_DAYS_MAX} days")
        joined = ",".join(map(encoded_name, names))
        period = f"{day_text(first)}:{day_text(last)}"
        comma = "," if len(names) == 1 else ""  # or one name is answered in the other form
        address = f"{self._addresses.need_downloads()}/downloads/range/{period}/{comma}{joined}"
        found = await self._client.document("downloads", address)
        return {
            name: read_series(name, said, found, first, last)
            if isinstance(said := found.value.get(name), dict)
            else None
            for name in names
        }

    async def days_of_many(
        self, names: Iterable[str], first: int, last: int
    ) -> dict[str, list[DaySeries]]:
        """Days of any names, in as few requests as may be; nothing for what is not known there."""
        found: dict[str, list[DaySeries]] = {}
        for wanted in requests_for(names):
            if is_scoped(wanted[0]):
                try:
                    found[wanted[0]] = await self.days(wanted[0], first, last)
                except MissingError:
                    found[wanted[0]] = []
                continue
            for start, end in windows(first, last, BULK_DAYS_MAX):
                for name, series in (await self.bulk(wanted, start, end)).items():
                    found.setdefault(name, []).extend([series] if series else [])
        return found

    async def last_week(self, name: str) -> VersionCounts:
        """Downloads of each version in the last seven days, which nobody keeps.

        The answer does not say which days these are, so their end is asked for once an hour.
        """
        last_day = await self._last_week_day()
        address = self._addresses.need_downloads()
        url = f"{address}/versions/{encoded_name(name)}/last-week"
        found = await self._client.document("downloads", url)
        counts = mapping(found.value.get("downloads"))
        versions = {
            version: count
            for version, value in list(counts.items())[:VERSIONS_MAX]
            if word(version, VERSION.bytes_max) and (count := number(value)) is not None
        }
        return VersionCounts(name, last_day, versions, found.observed_at, found.evidence)

    async def _last_week_day(self) -> int:
        """The last day of the source's last week; asked anew each hour."""
        now_hour = self._client.now() // 3600
        hour, day = self._week_end
        if hour != now_hour:
            day = (await self.point("last-week")).last_day
            self._week_end = (int(now_hour), day)
        return day

    async def _ask(self, form: str, period: str, name: str) -> Document:
        address = f"{self._addresses.need_downloads()}/downloads/{form}/{period}"
        url = f"{address}/{encoded_name(name).replace('%2F', '/')}" if name else address
        found = await self._client.document("downloads", url)
        if name and found.value.get("package", name) != name:
            raise AnswerError(f"downloads of another package than {name}")
        return found


def is_scoped(name: str) -> bool:
    """Whether a name has a scope; it need not be one that a package can have."""
    return name.startswith("@")


def day_text(day: int) -> str:
    """``2026-08-28``."""
    return (DAY_ZERO + timedelta(days=day)).isoformat()


def read_day(value: Any) -> int:
    """The day that a text names.

    Raises:
        AnswerError: it names none since 1970.
    """
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise AnswerError("downloads of no day")
    try:
        found = (date.fromisoformat(value) - DAY_ZERO).days
    except ValueError:
        raise AnswerError("downloads of no day") from None
    if found < 0:
        raise AnswerError("downloads of no day")
    return found


def read_series(
    name: str, said: dict[str, Any], source: Document, first: int, last: int
) -> DaySeries:
    """The days of one package; all lie in the window that was asked for, and follow each other.

    Days that were not over when the answer came are left out: they read 0 or half.

    Raises:
        AnswerError: they do not, or a count is none.
    """
    rows = said.get("downloads")
    if not isinstance(rows, list) or len(rows) > last - first + 1:
        raise AnswerError("downloads of other days than were asked for")
    if name and said.get("package", name) != name:
        raise AnswerError(f"downloads of another package than {name}")
    start = read_day(mapping(rows[0]).get("day")) if rows else first
    counts: list[int] = []
    for place, row in enumerate(rows):
        count = number(mapping(row).get("downloads"))
        if count is None or read_day(mapping(row).get("day")) != start + place:
            raise AnswerError("downloads with a day that is missing, or without a number")
        counts.append(count)
    if not first <= start <= last + 1 - len(counts):
        raise AnswerError("downloads of other days than were asked for")
    over = source.observed_at // 86_400_000 - start
    return DaySeries(
        name, start, tuple(counts[: max(0, over)]), source.observed_at, source.evidence
    )


def requests_for(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cut a list of names into requests: scoped ones alone, others by 128, none twice.

    Names that differ in capitals only come in different requests, since a source may take them
    for the same.
    """
    request: list[str] = []
    seen: set[str] = set()
    later: list[str] = []
    size = 0
    for name in dict.fromkeys(names):
        if is_scoped(name):
            yield (name,)
            continue
        if len(request) == BULK_NAMES_MAX or size + len(name) >= ADDRESS_BYTES_MAX:
            yield tuple(request)
            request, seen, size = [], set(), 0
        if name.lower() in seen:
            later.append(name)
            continue
        request.append(name)
        seen.add(name.lower())
        size += len(name) + 1
    if request:
        yield tuple(request)
        yield from requests_for(later)


def windows(first: int, last: int, days_max: int) -> Iterator[tuple[int, int]]:
    """Cut a window into such of at most ``days_max`` days, the latest first."""
    first = max(first, FIRST_DAY)
    while last >= first:
        start = max(first, last - days_max + 1)
        yield start, last
        last = start - 1
