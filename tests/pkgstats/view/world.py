"""Feeds of a group as plain lists of blocks, and a view that is fed with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypermultifeed import Entry
from pkgstats.records.blocks import encode_block
from pkgstats.records.model import CORES, GroupList, Member, WriterCard
from pkgstats.trust import CORE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pkgstats.records.model import Known
    from pkgstats.view.store import Applied, Store

NOW = 1_790_000_000_000
DAY_MS = 86_400_000
TODAY = NOW // DAY_MS
GROUP = b"G" * 32


def key(writer: str, kind: str = "meta") -> bytes:
    """The key of a writer's feed; writers are one letter, in the order of their keys."""
    return writer.encode() + hashlib.blake2b(f"{writer}/{kind}".encode(), digest_size=31).digest()


@dataclass
class World:
    """Blocks by kind and key of feed."""

    feeds: dict[tuple[str, bytes], list[bytes]] = field(default_factory=dict)
    edition: int = 0

    def raw(self, kind: str, feed: bytes, block: bytes) -> int:
        """Append a block as it is; returns its number."""
        blocks = self.feeds.setdefault((kind, feed), [])
        blocks.append(block)
        return len(blocks) - 1

    def say(self, writer: str, *records: Known) -> int:
        """Append one block of records to the writer's feed for the first one's kind."""
        kind = CORE_OF[type(records[0])]
        return self.raw(kind, key(writer, kind), encode_block(records))

    def join(self, *writers: str) -> None:
        """Each writer tells of all its feeds."""
        for writer in writers:
            cores = {kind: key(writer, kind) for kind in CORES[1:]}
            self.say(writer, WriterCard(observed_at=NOW, title=writer, cores=cores))

    def accept(self, *members: str | Member) -> None:
        """The group's next list."""
        self.edition += 1
        named = tuple(one if isinstance(one, Member) else Member(key=key(one)) for one in members)
        record = GroupList(observed_at=NOW, edition=self.edition, members=named)
        self.raw("meta", GROUP, encode_block([record]))

    def length(self, writer: str, kind: str = "meta") -> int:
        return len(self.feeds.get((kind, key(writer, kind)), ()))

    def whole(self, writer: str) -> dict[str, int]:
        """A bound that leaves all that a writer has said so far."""
        return {kind: self.length(writer, kind) for kind in CORES}

    def entries(self, kind: str, feed: bytes, start: int, stop: int) -> list[Entry]:
        blocks = self.feeds[kind, feed][start:stop]
        return [Entry(feed, index, block) for index, block in enumerate(blocks, start)]


def position(store: Store, kind: str, feed: bytes) -> int:
    """How many blocks of a feed were read."""
    text = store.positions(kind).get(feed.hex(), "")
    return int(text.partition(":")[2] or 0)


def deliver(
    store: Store, world: World, kind: str, feed: bytes, count: int, *, now: int = NOW
) -> Applied:
    """The next ``count`` blocks of a feed."""
    start = position(store, kind, feed)
    stop = min(start + count, len(world.feeds[kind, feed]))
    entries = world.entries(kind, feed, start, stop)
    return store.apply(kind, entries, {feed.hex(): f"0:{stop}"} if stop else {}, now=now)


def catch_up(store: Store, world: World, *, now: int = NOW, kinds: Sequence[str] = CORES) -> None:
    """Deliver all there is, as the indexer does."""
    while True:
        while True:
            _deliver_all(store, world, ["meta"], now)
            judged = store.retrust(only_meta=True, now=now)
            if not judged.accepted and not judged.reset:
                break
        judged = store.retrust(now=now)
        _deliver_all(store, world, kinds, now)
        store.apply_due(now=now)
        if not judged.accepted and not judged.reset:
            return


def _deliver_all(store: Store, world: World, kinds: Iterable[str], now: int) -> None:
    for kind, feed in world.feeds:
        if kind in kinds:
            deliver(store, world, kind, feed, 1 << 30, now=now)
