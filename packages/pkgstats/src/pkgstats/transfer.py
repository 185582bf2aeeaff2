"""Lists of packages from files into my index feed, and the view's list into files.

Formats, all in UTF-8:

* TSV: the first line names the columns, ``name``, ``version`` and ``downloads_a_month`` and perhaps
  ``summary``, in any order; other columns are left out.
* NDJSON: an object in each line with ``name``, ``version``, ``downloads`` (or
  ``downloads_a_month``) and perhaps ``summary``.
* CSV (export only): comma separated, quoted as RFC 4180 has it.
"""

from __future__ import annotations

import asyncio
import csv
import json
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from pkgstats.listing import Row, index_records
from pkgstats.records.kinds import Name, Number, RecordError
from pkgstats.records.model import SUMMARY, VERSION
from pkgstats.sources.fields import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pkgstats.crawler.memory import Memory
    from pkgstats.view.facts import ListingRow
    from pkgstats.writer import Writer

    Format = Literal["tsv", "ndjson", "csv"]

LINE_BYTES_MAX: Final = 64 << 10
"""Of one line; a longer one ends the import."""

ROWS_MAX: Final = 8_000_000
"""Rows of one file; more than twice what npm has."""

BAD_MAX: Final = 20
"""Bad lines whose reasons are kept."""

RECORDS_AT_ONCE: Final = 16
"""Records (blocks of some 60 kB) between two reports of progress."""

SOURCE: Final = "list"

COLUMNS: Final = ("name", "version", "downloads_a_month", "summary")

_NAME: Final = Name()
_NUMBER: Final = Number()


class TransferError(ValueError):
    """A file cannot be imported; the message says in which line, and what it should be."""


@dataclass(slots=True)
class Listed:
    """What a file lists.

    Attributes:
        rows: most downloaded first, each package once.
        repeated: lines that name a package again; the first one counts.
        bad: number of lines that are left out.
        reasons: why, of the first ones.
    """

    rows: list[Row] = field(default_factory=list)
    repeated: int = 0
    bad: int = 0
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: rows in the file, those that were new or changed, blocks, bytes."""

    rows: int
    new: int
    blocks: int
    bytes: int


def format_of(path: Path) -> Format:
    """What a file's name says.

    Raises:
        TransferError: nothing that is known here.
    """
    endings: dict[str, Format] = {
        ".tsv": "tsv",
        ".ndjson": "ndjson",
        ".jsonl": "ndjson",
        ".csv": "csv",
    }
    found = endings.get(path.suffix.lower())
    if found is None:
        raise TransferError(f"{path.name}: which format is it? Say --format tsv, ndjson or csv")
    return found


def read_list(lines: IO[bytes], form: Format) -> Listed:
    """Read a list; bad lines are counted and left out.

    Args:
        lines: of a file that is open in binary.
        form: ``tsv`` or ``ndjson``.

    Raises:
        TransferError: it is no such list: no columns, a line without end, no good row at all.
    """
    if form == "csv":
        raise TransferError("CSV is for export only; import TSV or NDJSON")
    found = Listed()
    names: set[str] = set()
    order: tuple[int, ...] = ()
    for number, line in enumerate(_lines(lines), 1):
        if form == "tsv" and number == 1:
            order = _columns(line)
            continue
        try:
            row = _checked(*(_tsv(line, order) if form == "tsv" else _ndjson(line)))
        except (RecordError, ValueError, KeyError) as error:
            _left_out(found, number, error)
            continue
        found.repeated += row.name in names
        if row.name not in names:
            names.add(row.name)
            found.rows.append(row)
        if len(found.rows) > ROWS_MAX:
            raise TransferError(f"line {number}: more than {ROWS_MAX:,} packages")
    if not found.rows:
        reasons = found.reasons or ["the file is empty"]
        raise TransferError(f"no line is a package: {reasons[0]}")
    found.rows.sort(key=lambda row: (-row.downloads, row.name))
    return found


def _lines(lines: IO[bytes]) -> Iterator[str]:
    number = 0
    while line := lines.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise TransferError(f"line {number}: longer than {LINE_BYTES_MAX:,} bytes")
        yield line.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8", "replace")


def _columns(line: str) -> tuple[int, ...]:
    """Where the columns stand; -1 for a summary that is not there."""
    titles = line.split("\t")
    missing = [title for title in COLUMNS[:3] if title not in titles]
    if missing:
        raise TransferError(f"line 1: the columns {', '.join(missing)} are missing")
    return tuple(titles.index(title) if title in titles else -1 for title in COLUMNS)


def _tsv(line: str, order: tuple[int, ...]) -> tuple[Any, ...]:
    cells = line.split("\t")
    if len(cells) <= max(order):
        raise ValueError("too few columns")
    name, version, downloads, summary = (cells[at] if at >= 0 else "" for at in order)
    if not (downloads.isascii() and downloads.isdecimal() and len(downloads) < 17):
        raise ValueError("downloads are no number")
    return name, version, int(downloads), summary


def _ndjson(line: str) -> tuple[Any, ...]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - of a file, not of ours
    downloads = value.get("downloads", value.get("downloads_a_month"))
    return value.get("name"), value.get("version"), downloads, value.get("summary")


def _checked(name: Any, version: Any, downloads: Any, summary: Any) -> Row:
    told = " ".join(text(summary, 4 * SUMMARY.bytes_max).split())
    return Row(
        _NAME.check(name),
        VERSION.check(version),
        _NUMBER.check(downloads),
        text(told, SUMMARY.bytes_max),
    )


def _left_out(found: Listed, number: int, error: Exception) -> None:
    found.bad += 1
    if len(found.reasons) < BAD_MAX:
        found.reasons.append(f"line {number}: {error}")


async def import_rows(
    writer: Writer,
    memory: Memory,
    rows: list[Row],
    *,
    observed_at: int,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """Append the rows that I have not said so, most downloaded first.

    It can be interrupted at any point; what was appended is not appended again.

    Args:
        writer: mine.
        memory: what it has said.
        rows: see `read_list`.
        observed_at: when all of this was so, ms since 1970, UTC.
        on_progress: called with rows appended and rows to append.
    """
    feed = writer.feeds["index"]
    before = feed.length, feed.byte_length
    new = list(memory.new_rows(rows))
    records = index_records(new, observed_at=observed_at, source=SOURCE)
    done = 0
    on_progress(0, len(new))
    while batch := await asyncio.to_thread(lambda: list(islice(records, RECORDS_AT_ONCE))):
        await writer.append(batch)
        done += sum(len(record.names) for record in batch)
        on_progress(done, len(new))
    await memory.catch_up()
    return Imported(len(rows), len(new), feed.length - before[0], feed.byte_length - before[1])


def export_lines(rows: Iterable[ListingRow], form: Format) -> Iterator[str]:
    """The list as text, line by line with their ends; TSV can be imported again."""
    if form == "ndjson":
        for row in rows:
            yield json.dumps(row._asdict(), ensure_ascii=False) + "\n"
        return
    yield _line(COLUMNS, form)
    for row in rows:
        cells = (row.name, row.version, str(row.downloads), row.summary)
        yield _line([" ".join(cell.split()) for cell in cells], form)


def write_lines(file: Path, lines: Iterable[str]) -> int:
    """Write a file that is there as a whole or not at all; returns how many lines.

    Raises:
        OSError: it cannot be written.
    """
    partial = file.with_name(f"{file.name}.partial")
    number = 0
    try:
        with partial.open("w", encoding="utf-8", newline="") as opened:
            for line in lines:
                opened.write(line)
                number += 1
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return number


def _line(cells: Sequence[str], form: Format) -> str:
    if form == "tsv":
        return "\t".join(cells) + "\n"
    made = StringIO()
    csv.writer(made).writerow(cells)
    return made.getvalue()
