"""Peers of a group in memory: multifeeds that are linked when a test says so, and their views."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import groupby
from typing import TYPE_CHECKING, Self

from hypermultifeed import KeyPair, Multifeed, link, memory
from pkgstats.indexer import Indexer
from pkgstats.records.blocks import encode_block
from pkgstats.records.model import CORES, GroupList, Member
from pkgstats.trust import CORE_OF
from pkgstats.view.reading import View
from pkgstats.writer import Writer

from .world import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pkgstats.records.model import Known

OWNER = KeyPair.from_seed(b"owner of the group".ljust(32))


class Peer:
    """One machine: five multifeeds and a view."""

    def __init__(self, path: Path, kinds: Sequence[str] = CORES) -> None:
        self.path = path
        self.kinds = kinds
        self.multis: dict[str, Multifeed] = {}
        self.indexer: Indexer
        self.writer: Writer
        self.now = NOW
        self._stack = AsyncExitStack()
        self._edition = 0

    async def __aenter__(self) -> Self:
        for kind in self.kinds:
            key = OWNER.public_key[:16] + kind.encode().ljust(16)
            multi = Multifeed(memory(), key=key)
            self.multis[kind] = await self._stack.enter_async_context(multi)
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()
        await self._stack.aclose()

    async def start(self) -> None:
        """Open the view, as after a restart."""
        group = OWNER.public_key
        self.indexer = Indexer(self.path, group, self.multis, clock=lambda: self.now, pause_s=0)
        await self.indexer.__aenter__()

    async def stop(self) -> None:
        await self.indexer.__aexit__(None, None, None)

    async def write(self, title: str) -> bytes:
        """Become a writer; returns its key."""
        self.writer = await Writer.open(self.multis, title=title, now=NOW)
        return self.writer.key

    async def say(self, *records: Known) -> None:
        """One block in each of the cores these belong in."""
        for _, belonging in groupby(records, key=lambda record: CORE_OF[type(record)]):
            await self.writer.append(belonging)

    async def accept(self, *members: bytes | Member) -> None:
        """As the owner: the group's next list."""
        self._edition += 1
        named = tuple(one if isinstance(one, Member) else Member(key=one) for one in members)
        record = GroupList(observed_at=NOW, edition=self._edition, members=named)
        feed = await self.multis["meta"].writer("group", key_pair=OWNER)
        await feed.append(encode_block([record]))

    async def meet(self, other: Peer) -> None:
        """Exchange all there is."""
        for kind in self.multis.keys() & other.multis.keys():
            ours, theirs = self.multis[kind], other.multis[kind]
            streams = (
                ours.replicate(initiator=True, live=False),
                theirs.replicate(initiator=False, live=False),
            )
            await link(*streams)

    async def read(self) -> View:
        """Take all that is here into the view; returns the view, open."""
        await self.indexer.catch_up()
        return View.open(self.path)

    async def hash(self) -> bytes:
        with await self.read() as view:
            return view.view_hash()
