"""The facts that come with the package, said by a writer of one's own: so search works at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.dataset import OBSERVED_AT, SOURCE, shipped
from pkgstats.listing import index_records
from pkgstats.writer import TITLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pkgstats.node import Node
    from pkgstats.records.model import IndexRows
    from pkgstats.writer import Writer


def sample_records(part: int = 0, parts: int = 1) -> Iterator[IndexRows]:
    """The facts, or one of several parts of them: every so manieth package, from the top down."""
    return index_records(shipped()[part::parts], observed_at=OBSERVED_AT, source=SOURCE)


async def say_part(
    writer: Writer, part: int, parts: int, *, progress: Callable[[int], None]
) -> None:
    """Append one of several parts of the facts, a block at a time, as far as it is not there yet.

    Args:
        writer: whose index holds nothing else.
        part, parts: which part of how many, from 0.
        progress: is told how many packages are there.
    """
    told = 0
    for number, record in enumerate(sample_records(part, parts)):
        if number >= writer.feeds["index"].length:
            await writer.append([record])
        told += len(record.names)
        progress(told)


async def begin(node: Node) -> bool:
    """Give a new group of one's own something to search; others' groups have their own facts.

    Returns:
        Whether it was new.
    """
    has_facts = any(feed.writable and feed.length for feed in node.multis["index"].feeds())
    if node.group.key_pair is None or node.membership.listed() is not None or has_facts:
        return False
    writer = await node.write(TITLE)
    await writer.append(sample_records())
    return True
