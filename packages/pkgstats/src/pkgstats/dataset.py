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
from typing import TYPE_CHECKING

from pkgstats.facts import PackageFact, package_fact

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = "name\tversion\tdownloads_a_month"
PACKED_BYTES_MAX = 1 << 20
TEXT_BYTES_MAX = 8 << 20
FILE = "packages.tsv.gz"


class DatasetError(ValueError):
    """The file of facts is damaged, or is no such file."""


def pack(facts: Iterable[PackageFact]) -> bytes:
    """The file for these facts; the same facts in any order give the same bytes.

    Raises:
        DatasetError: the file would be larger than `unpack` reads.
    """
    ordered = sorted(facts, key=lambda fact: (-fact.downloads, fact.name))
    lines = [COLUMNS, *("\t".join(map(str, fact)) for fact in ordered)]
    packed = gzip.compress("\n".join([*lines, ""]).encode(), 9, mtime=0)
    if len(packed) > PACKED_BYTES_MAX:
        raise DatasetError(f"{len(packed):,} bytes packed; at most {PACKED_BYTES_MAX:,} are read")
    return packed


def unpack(packed: bytes) -> list[PackageFact]:
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
    facts: list[PackageFact] = []
    names: set[str] = set()
    for number, line in enumerate(lines, start=2):
        fact = _fact(line, number)
        if fact.name in names:
            raise DatasetError(f"line {number}: {fact.name} was there before")
        if facts and fact.downloads > facts[-1].downloads:
            raise DatasetError(f"line {number}: {fact.name} has more downloads than the line above")
        names.add(fact.name)
        facts.append(fact)
    return facts


@cache
def shipped() -> tuple[PackageFact, ...]:
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


def _fact(line: str, number: int) -> PackageFact:
    fields = line.split("\t")
    if len(fields) != 3 or not (fields[2].isascii() and fields[2].isdecimal()):
        raise DatasetError(f"line {number}: a name, a version and a number were expected")
    if len(fields[2]) > 16:
        raise DatasetError(f"line {number}: the number is too large")
    try:
        return package_fact(fields[0], fields[1], int(fields[2]))
    except ValueError as error:
        raise DatasetError(f"line {number}: {error}") from error
