"""Rows of the list (name, version, downloads a month, summary) as records for the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.records.model import INDEX_ROWS_MAX, IndexRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROWS_BYTES_MAX: Final = 60_000
"""Bytes of the rows of one record, so that it fills a block and is never too large for one."""

ROW_BYTES: Final = 16
"""What a row costs beside its texts, at most: their lengths, and the number."""


class Row(NamedTuple):
    """What the list says of one package.

    Attributes:
        name, version: of the package.
        downloads: in a month.
        summary: one line; may be empty.
    """

    name: str
    version: str
    downloads: int
    summary: str = ""


def index_records(rows: Iterable[Row], *, observed_at: int, source: str) -> Iterator[IndexRows]:
    """As few records as hold these rows, in their order; each fits into a block.

    Args:
        rows: the most downloaded first, so that the first block is the most useful one.
        observed_at: when all of this was seen, ms since 1970, UTC.
        source: where.
    """
    waiting: list[Row] = []
    size = 0
    for row in rows:
        cost = ROW_BYTES + sum(len(text.encode()) for text in (row.name, row.version, row.summary))
        if waiting and (size + cost > ROWS_BYTES_MAX or len(waiting) == INDEX_ROWS_MAX):
            yield _record(waiting, observed_at, source)
            waiting, size = [], 0
        waiting.append(row)
        size += cost
    if waiting:
        yield _record(waiting, observed_at, source)


def _record(rows: list[Row], observed_at: int, source: str) -> IndexRows:
    names, versions, downloads, summaries = zip(*rows, strict=True)
    return IndexRows(
        names=names,
        versions=versions,
        downloads=downloads,
        summaries=summaries,
        observed_at=observed_at,
        source=source,
    )
