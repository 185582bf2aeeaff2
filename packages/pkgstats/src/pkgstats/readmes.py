"""Readmes, which are fetched from the feeds when somebody looks at one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from hypermultifeed import HypermultifeedError
from pkgstats.records.blocks import decode_block
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import README_BYTES_MAX, README_PART_BYTES, ReadmePart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed import Hypercore, Multifeed
    from pkgstats.view.facts import PackageFacts
    from pkgstats.view.reading import View

BLOCK_TIMEOUT_S: Final = 10.0
"""How long one block of a readme may take to come from a peer."""

PARTS_MAX: Final = -(-README_BYTES_MAX // README_PART_BYTES)


class ReadmeError(Exception):
    """There is no readme to show; the text says why."""


async def readme_of(view: View, readmes: Multifeed, facts: PackageFacts) -> str:
    """The readme of a package's latest snapshot, from this machine or from a peer that has it.

    Args:
        view: says which writer has it, and where.
        readmes: the group's multifeed of readmes, whose blocks come when they are asked for.
        facts: the package.

    Raises:
        ReadmeError: nobody has told one, or who has it is not connected.
    """
    digest = facts.snapshot.readme_hash if facts.snapshot else None
    if digest is None:
        raise ReadmeError(f"nobody has told the readme of {facts.name}")
    missing = f"the readme of {facts.name} is not here, and nobody who has it is connected"
    for feed, block in _places(view, readmes, facts, digest):
        try:
            return await _read(feed, block, digest)
        except (HypermultifeedError, RecordError, LookupError) as error:
            missing = f"the readme of {facts.name} cannot be had: {error}"
    raise ReadmeError(missing)


def _places(
    view: View, readmes: Multifeed, facts: PackageFacts, digest: bytes
) -> Iterator[tuple[Hypercore, int]]:
    """Where it begins: in feeds that are here, then where its writer says that it lies."""
    for place in view.readme(digest):
        feed = readmes.feed(place.core)
        if place.part == 0 and feed is not None:
            yield feed, place.block
    block = facts.snapshot.readme_block if facts.snapshot else None
    for writer in view.writers() if block is not None else ():
        if writer.key == facts.told_by and writer.card is not None:
            core = writer.card.cores.get("readme")
            feed = readmes.feed(core) if core is not None else None
            if feed is not None and block is not None:
                yield feed, block


async def _read(feed: Hypercore, block: int, digest: bytes) -> str:
    """Read the parts from a block on; a part never lies before the one that goes first."""
    parts: dict[int, bytes] = {}
    for index in range(block, block + PARTS_MAX + 1):
        if index > block and index >= feed.length:
            break
        for record in decode_block(await feed.get(index, timeout_s=BLOCK_TIMEOUT_S)):
            if isinstance(record, ReadmePart) and record.digest == digest:
                parts[record.part] = record.text
                if len(parts) == record.parts:
                    return _checked(b"".join(parts[part] for part in sorted(parts)), digest)
    raise RecordError("its parts are not where they should be")


def _checked(text: bytes, digest: bytes) -> str:
    if hashlib.blake2b(text, digest_size=32).digest() != digest:
        raise RecordError("it is not the one that the snapshot names")
    return text.decode("utf-8", "replace")
