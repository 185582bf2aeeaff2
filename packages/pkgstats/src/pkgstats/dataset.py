"""The facts that come with the package: the most downloaded packages of npm.

The file is gzip over UTF-8 text. The first line names the columns; each further line is one
package, its fields separated by tabs, most downloaded first::

    name  version  downloads_a_month
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from pkgstats.listing import Row
from pkgstats.records.kinds import Name, Number, RecordError
from pkgstats.records.model import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = "name\tversion\tdownloads_a_month"
FILE: Final = "packages.tsv.gz"

PACKED_BYTES_MAX: Final = 1 << 20
"""Largest file that is read."""

TEXT_BYTES_MAX: Final = 8 << 20
"""Longest text in it."""

OBSERVED_AT: Final = 1_794_873_600_000
"""The day of the list (2026-11-17, ms since 1970): that of its youngest versions. No later, so that
what was seen since then counts more."""

SOURCE: Final = "list"
"""What records of these facts name as their source."""


class DatasetError(ValueError):
    """The file of facts is damaged, or is no such file."""


def pack(rows: Iterable[Row]) -> bytes:
    """The file for these facts; the same facts in any order give the same bytes.

    Raises:
        DatasetError: the file would be larger than `unpack` reads.
    """
    ordered = sorted(rows, key=lambda row: (-row.downloads, row.name))
    lines = [COLUMNS, *(f"{row.name}\t{row.version}\t{row.downloads}" for row in ordered)]
    packed = gzip.compress("\n".join([*lines, ""]).encode(), 9, mtime=0)
    if len(packed) > PACKED_BYTES_MAX:
        raise DatasetError(f"{len(packed):,} bytes packed; at most {PACKED_BYTES_MAX:,} are read")
    return packed


def unpack(packed: bytes) -> list[Row]:
    """The facts in a file, most downloaded first.

    Raises:
        DatasetError: the file is damaged, too large, out of order, or names a package twice;
            the message says in which line.
    """
    columns, *lines = _text(packed).split("\n")
    if columns != COLUMNS:
        raise DatasetError(f"line 1: the columns must be {COLUMNS!r}")
    if lines.pop() if lines else True:
        raise DatasetError("the last line is cut off")
    rows: list[Row] = []
    names: set[str] = set()
    for number, line in enumerate(lines, start=2):
        row = _row(line, number)
        if row.name in names:
            raise DatasetError(f"line {number}: {row.name} was there before")
        if rows and row.downloads > rows[-1].downloads:
            raise DatasetError(f"line {number}: {row.name} has more downloads than the line above")
        names.add(row.name)
        rows.append(row)
    return rows


@cache
def shipped() -> tuple[Row, ...]:
    """The facts that come with this package, most downloaded first."""
    return tuple(unpack(_shipped_file()))


@cache
def shipped_digest() -> str:
    """SHA-256 (hex) of the facts' text: the name of this edition of the data."""
    return hashlib.sha256(gzip.decompress(_shipped_file())).hexdigest()


def _shipped_file() -> bytes:
    return resources.files("pkgstats").joinpath("data", FILE).read_bytes()


def _text(packed: bytes) -> str:
    if len(packed) > PACKED_BYTES_MAX:
        raise DatasetError(f"the file has {len(packed):,} bytes, more than {PACKED_BYTES_MAX:,}")
    unpacker = zlib.decompressobj(wbits=31)  # 31: a gzip header, the largest window
    try:
        data = unpacker.decompress(packed, TEXT_BYTES_MAX)
        if not unpacker.eof or unpacker.unused_data:
            over = bool(unpacker.unconsumed_tail or unpacker.unused_data)
            raise DatasetError("the file holds too much" if over else "the file is cut off")
        return data.decode()
    except zlib.error as error:
        raise DatasetError(f"the file is not gzip, or is damaged ({error})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"the text is not UTF-8 ({error.reason})") from error


def _row(line: str, number: int) -> Row:
    fields = line.split("\t")
    if len(fields) != 3 or not (fields[2].isascii() and fields[2].isdecimal()):
        raise DatasetError(f"line {number}: a name, a version and a number were expected")
    if len(fields[2]) > 16:
        raise DatasetError(f"line {number}: the number is too large")
    try:
        name, version = Name().check(fields[0]), VERSION.check(fields[1])
        return Row(name, version, Number().check(int(fields[2])))
    except RecordError as error:
        raise DatasetError(f"line {number}: {error}") from error
