"""Counts by day: how they are kept, and what they say together.

All days of one package, one year and one writer are one value, a row of segments

    number of the day record    who observed it, and when (table ``day_records``)
    first day in the year, span
    counts                      as `pkgstats.records.counts` packs them

so that a new day of 200,000 packages appends a few bytes to each. Which of several counts of a
day counts is decided when they are read. A value that grows too long is written anew with what
can count only, which bounds it whatever a writer repeats: to 366 segments of 17 bytes, and as many
of 10 for zeros that were read later, which count if the whole registry counted nothing that day.
"""

from __future__ import annotations

from array import array
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats import merge
from pkgstats.records import counts
from pkgstats.records.codec import names_hash
from pkgstats.records.names import WHOLE
from pkgstats.view.saying import package_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from pkgstats.records.model import DayCounts, NamesBlock
    from pkgstats.view.saying import Saying

_EPOCH: Final = date(1970, 1, 1).toordinal()

YEAR_DAYS: Final = 366

DAYS_END: Final = 2_932_897
"""The day after the last that a record can tell of, in the year 9999."""

Folded = dict[int, tuple[tuple[int, int], ...]]
"""Counts and the numbers of their records, by day of the year."""

_APPEND: Final = """
insert into days values (?, ?, ?, ?) on conflict (package, year, writer)
do update set value = cast(value || excluded.value as blob)
"""


def say_names(saying: Saying, record: NamesBlock) -> bytes:
    """Keep what a writer's names block lists; returns its hash."""
    ref = names_hash(record.names)
    ids = array("Q", [package_id(saying.database, name) for name in record.names])
    add = "insert into names_blocks values (?, ?, ?, ?) on conflict do nothing"
    saying.database.execute(add, (saying.writer, ref, saying.place, ids.tobytes()))
    return ref


def packages_of(saying: Saying, record: DayCounts) -> Sequence[int] | None:
    """The packages that are counted; None where the writer's names block is not here yet."""
    if record.names_ref is None:
        assert record.name is not None, "checked by the codec"
        return [package_id(saying.database, record.name)]
    find = "select packages from names_blocks where writer = ? and ref = ?"
    row = saying.database.execute(find, (saying.writer, record.names_ref)).fetchone()
    if row is None:
        return None
    return array("Q", row[0])


def say_days(saying: Saying, record: DayCounts, packages: Sequence[int]) -> None:
    """Append the counts of these packages.

    Raises:
        RecordError: they are not that many counts; nothing is written then.
    """
    rows = counts.unpack(record.counts, len(packages), record.span)
    made = saying.database.execute(
        "insert into day_records (core, place, observed_at, source) values (?, ?, ?, ?)",
        (saying.core, saying.place, record.observed_at, saying.source),
    )
    number = made.lastrowid
    assert number is not None, "a row was inserted"
    for year, start, stop in _years(record.first_day, record.first_day + record.span):
        head = _head(number, start - first_day_of(year), stop - start)
        days = slice(start - record.first_day, stop - record.first_day)
        saying.database.executemany(
            _APPEND,
            [
                (package, year, saying.writer, head + counts.pack([row[days]]))
                for package, row in zip(packages, rows, strict=True)
            ],
        )
    _compact(saying.database)


def first_day_of(year: int) -> int:
    """The first of January in days since 1970."""
    return date(year, 1, 1).toordinal() - _EPOCH


def year_of(day: int) -> int:
    """The year a day (since 1970) lies in."""
    return date.fromordinal(day + _EPOCH).year


def _years(start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    while start < stop:
        year = year_of(start)
        end = min(stop, first_day_of(year + 1))
        yield year, start, end
        start = end


def _head(number: int, first: int, span: int) -> bytes:
    out = bytearray()
    for value in (number, first, span):
        counts.put_number(out, value)
    return bytes(out)


def segments(value: bytes) -> Iterator[tuple[int, int, list[int]]]:
    """The day record's number, the first day in the year and the counts of each segment."""
    offset = 0
    while offset < len(value):
        number, offset = counts.take_number(value, offset)
        first, offset = counts.take_number(value, offset)
        span, offset = counts.take_number(value, offset)
        row, offset = counts.take_row(value, offset, span)
        yield number, first, row


def fold(
    value: bytes, observed_at: Mapping[int, int], start: int = 0, stop: int = YEAR_DAYS
) -> Folded:
    """For each day of the year what the writer says of it: the count, and the record's number.

    A 0 that was read later follows; it counts instead if there was an outage. Segments that lie
    outside of the days ``[start, stop)`` of the year are passed over.
    """
    best: dict[int, tuple[merge.CountOrder, int]] = {}
    zeros: dict[int, tuple[merge.CountOrder, int]] = {}
    for number, first, row in segments(value):
        if first >= stop or first + len(row) <= start:
            continue
        at = observed_at[number]
        for day, count in enumerate(row, first):
            order = merge.count_order(count, at)
            if day not in best or order > best[day][0]:
                best[day] = order, number
            if not count and (day not in zeros or order > zeros[day][0]):
                zeros[day] = order, number
    found = {day: ((order.downloads, number),) for day, (order, number) in sorted(best.items())}
    late = {
        day: (*found[day], (0, number))
        for day, (order, number) in zeros.items()
        if best[day][0].downloads and order.observed_at > best[day][0].observed_at
    }
    return {**found, **late}


class Observed(dict[int, int]):
    """When each day record was observed (ms), by its number; looked up when it is needed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Take a connection within a transaction."""
        super().__init__()
        self._database = database

    def __missing__(self, number: int) -> int:
        find = "select observed_at from day_records where id = ?"
        self[number] = self._database.execute(find, (number,)).fetchone()[0]
        return self[number]

    @cached_property
    def outages(self) -> frozenset[int]:
        """Days on which the whole registry counted nothing, by what is told of it together."""
        found = _all_told(self._database, WHOLE, 0, DAYS_END, self)
        joint = {day: merge.joint_count(one.counted for one in all_) for day, all_ in found.items()}
        return frozenset(day for day, one in joint.items() if not one.downloads)


class ToldDay(NamedTuple):
    """What one writer says of a day, and in which day record."""

    counted: merge.Counted
    number: int


class Told(NamedTuple):
    """What is said of a day.

    Attributes:
        each: of each writer the words that count.
        best: the count that counts of these.
    """

    each: tuple[ToldDay, ...]
    best: merge.Counted


def told_of(
    database: sqlite3.Connection, name: str, start: int, stop: int, observed: Observed
) -> dict[int, Told]:
    """What is said of those days of ``[start, stop)`` that any writer was asked for."""
    found: dict[int, Told] = {}
    for day, all_ in _all_told(database, name, start, stop, observed).items():
        turns = name != WHOLE and _turns_on_outage(all_)
        found[day] = _joined(all_, outage=turns and day in observed.outages)
    return found


def _turns_on_outage(all_: Sequence[ToldDay]) -> bool:
    """Whether a 0 was read later than another count; if not, which is usual, an outage is all one.

    So what is told of the whole registry is seldom read.
    """
    if len(all_) == 1:
        return False
    zeros = [one.counted.observed_at for one in all_ if not one.counted.downloads]
    others = [one.counted.observed_at for one in all_ if one.counted.downloads]
    return bool(zeros and others) and max(zeros) > min(others)


def _joined(all_: Sequence[ToldDay], *, outage: bool) -> Told:
    if len(all_) == 1:
        return Told(tuple(all_), all_[0].counted)
    each: dict[bytes, ToldDay] = {}
    for one in all_:
        writer = one.counted.writer
        both = [one.counted, each[writer].counted] if writer in each else [one.counted]
        if merge.joint_count(both, outage=outage) is one.counted:
            each[writer] = one
    best = merge.joint_count((one.counted for one in each.values()), outage=outage)
    return Told(tuple(each.values()), best)


def _all_told(
    database: sqlite3.Connection, name: str, start: int, stop: int, observed: Observed
) -> dict[int, list[ToldDay]]:
    """All that can count."""
    row = database.execute("select id from packages where name = ?", (name,)).fetchone()
    return _told(database, row[0], start, stop, observed) if row else {}


def _told(
    database: sqlite3.Connection, package: int, start: int, stop: int, observed: Observed
) -> dict[int, list[ToldDay]]:
    find = """select d.year, d.value, w.key from days d join writers w on w.id = d.writer
              where d.package = ? and d.year >= ? and d.year <= ? order by d.year"""
    found: dict[int, list[ToldDay]] = {}
    if start >= stop:
        return found
    years = (package, year_of(start), year_of(stop - 1))
    for year, value, writer in database.execute(find, years):
        first = first_day_of(year)
        asked = start - first, stop - first
        for offset, words in fold(value, observed, *asked).items():
            if start <= first + offset < stop:
                found.setdefault(first + offset, []).extend(
                    ToldDay(merge.Counted(count, observed[number], writer), number)
                    for count, number in words
                )
    return found


def _compact(database: sqlite3.Connection) -> None:
    for (row,) in database.execute("select id from crowded").fetchall():
        (value,) = database.execute("select value from days where rowid = ?", (row,)).fetchone()
        folded = fold(value, Observed(database))
        update = "update days set value = ? where rowid = ?"
        database.execute(update, (_written(folded), row))
        database.execute("delete from crowded where id = ?", (row,))


def _written(folded: Folded) -> bytes:
    """Segments as long as one record's days follow each other; zeros that were read later last."""
    best = [(day, *words[0]) for day, words in folded.items()]
    late = [(day, *zero) for day, words in folded.items() for zero in words[1:]]
    return _segments_of(best) + _segments_of(late)


def _segments_of(days: Sequence[tuple[int, int, int]]) -> bytes:
    out = bytearray()
    run: list[int] = []
    first = last = -1
    for day, count, number in [*days, (-1, 0, -1)]:
        if run and (number != last or day != first + len(run)):
            out += _head(last, first, len(run)) + counts.pack([run])
            run = []
        if not run:
            first, last = day, number
        run.append(count)
    return bytes(out)
