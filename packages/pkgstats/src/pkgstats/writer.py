"""A writer of mine: one feed of each kind, under one card."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from pkgstats.records.blocks import decode_block, encode_block, split_blocks
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import Heartbeat, WriterCard
from pkgstats.trust import CORE_OF, META

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hypermultifeed import Hypercore, Multifeed
    from pkgstats.records.model import Known

NAME: Final = "pkgstats"
"""What my feeds are called within their multifeeds; peers do not see it."""

TITLE: Final = "pkgstats"
"""What one's own writer is called unless its user says otherwise."""


class Writer:
    """Appends records to my feeds; who reads them decides what they count for.

    Attributes:
        feeds: by kind.
    """

    def __init__(self, feeds: Mapping[str, Hypercore]) -> None:
        """Take the feeds; see `open`."""
        self.feeds = dict(feeds)

    @classmethod
    async def open(
        cls, multis: Mapping[str, Multifeed], *, title: str, contact: str = "", now: int
    ) -> Self:
        """Open my feeds, made at the first time, and say in the card which they are.

        Args:
            multis: the group's multifeeds by kind; ``meta`` is among them.
            title: what to call this writer.
            contact: how to reach who runs it.
            now: ms since 1970, UTC.

        Raises:
            RecordError: the title or the contact is too long.
        """
        feeds = {kind: await multi.writer(NAME) for kind, multi in multis.items()}
        writer = cls(feeds)
        cores = {kind: feed.key for kind, feed in feeds.items()}
        card = WriterCard(title=title, contact=contact, cores=cores, observed_at=now)
        await writer.present(card)
        return writer

    @staticmethod
    def keys(meta: Multifeed, group: bytes) -> list[bytes]:
        """The keys by which my writers in a multifeed of kind ``meta`` are known."""
        return [feed.key for feed in meta.feeds() if feed.writable and feed.key != group]

    @property
    def key(self) -> bytes:
        """What this writer is known by: the key of its ``meta`` feed."""
        return self.feeds[META].key

    async def present(self, card: WriterCard) -> bool:
        """Append a card unless the newest one says the same; returns whether it was appended."""
        old = await self.card()
        if old is not None and _words(old) == _words(card):
            return False
        await self.append([card])
        return True

    async def card(self) -> WriterCard | None:
        """The newest card in my ``meta`` feed."""
        feed = self.feeds[META]
        for index in range(feed.length - 1, -1, -1):
            try:
                records = decode_block(await feed.get(index))
            except RecordError:
                continue
            for record in reversed(records):
                if isinstance(record, WriterCard):
                    return record
        return None

    async def append(self, records: Iterable[Known]) -> int:
        """Append records of one kind of core, as few blocks as hold them; returns how many.

        Packing them is done in a thread.

        Raises:
            RecordError: a record passes a bound; nothing was appended.
            ValueError: they belong into different cores, or into one that is not open here.
        """
        chosen = list(records)
        if not chosen:
            return 0
        kinds = {CORE_OF[type(record)] for record in chosen}
        feed = self.feeds.get(kinds.pop())
        if kinds or feed is None:
            raise ValueError("records of several cores, or of one that is not open")
        blocks = await asyncio.to_thread(lambda: list(split_blocks(chosen)))
        await feed.extend(blocks)
        return len(blocks)

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Say that this writer is at work."""
        await self.feeds[META].append(encode_block([heartbeat]))


def _words(card: WriterCard) -> tuple[object, ...]:
    return card.title, card.contact, card.cores
