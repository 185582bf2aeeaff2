from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hypermultifeed import Corestore, KeyPair, Multifeed, memory
from pkgstats.group import root_key
from pkgstats.records.blocks import decode_block
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import CORES, Heartbeat, NamesBlock, Snapshot, WriterCard
from pkgstats.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from hypermultifeed import Hypercore, StorageFactory

G = KeyPair.from_seed(bytes(32))


@asynccontextmanager
async def multifeeds(
    storage: StorageFactory, kinds: Collection[str] = CORES
) -> AsyncIterator[dict[str, Multifeed]]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Corestore(storage))
        yield {
            kind: await stack.enter_async_context(
                Multifeed(store, key=root_key(G.public_key, kind))
            )
            for kind in kinds
        }


async def records(feed: Hypercore) -> list[object]:
    return [one for block in [b async for b in feed.read()] for one in decode_block(block)]


async def test_the_card_names_all_feeds_and_is_said_once() -> None:
    storage = memory()
    for _ in range(2):
        async with multifeeds(storage) as multis:
            writer = await Writer.open(multis, title="one", contact="me", now=5)
            (card,) = await records(writer.feeds["meta"])
            assert card == WriterCard(
                title="one",
                contact="me",
                cores={kind: writer.feeds[kind].key for kind in CORES},
                observed_at=5,
            )
            assert writer.key == multis["meta"].feeds()[0].key


async def test_another_title_is_another_card_even_behind_heartbeats_and_nonsense() -> None:
    async with multifeeds(memory()) as multis:
        writer = await Writer.open(multis, title="one", now=5)
        await writer.beat(Heartbeat(observed_at=6, checked=3))
        await writer.feeds["meta"].append(b"nonsense")
        assert (await writer.card()).title == "one"  # type: ignore[union-attr]
        await Writer.open(multis, title="two", now=7)
        assert (await writer.card()).title == "two"  # type: ignore[union-attr]
        await Writer.open(multis, title="two", now=8)
        assert writer.feeds["meta"].length == 4


async def test_records_go_into_the_feed_of_their_kind() -> None:
    async with multifeeds(memory()) as multis:
        writer = await Writer.open(multis, title="one", now=5)
        said = [Snapshot(name=f"p{n}", version="1", observed_at=n) for n in range(3)]
        assert await writer.append(said) == 1
        assert await writer.append([]) == 0
        assert await records(writer.feeds["detail"]) == said
        assert writer.feeds["index"].length == 0


async def test_records_that_lie_in_several_cores_are_refused_before_anything_is_written() -> None:
    async with multifeeds(memory()) as multis:
        writer = await Writer.open(multis, title="one", now=5)
        snapshot = Snapshot(name="a", version="1", observed_at=1)
        with pytest.raises(ValueError, match="several cores"):
            await writer.append([snapshot, NamesBlock(names=("a",), observed_at=1)])
        with pytest.raises(RecordError):
            await writer.append([snapshot, Snapshot(name="a", version="x" * 999, observed_at=1)])
        assert writer.feeds["detail"].length == 0


async def test_a_peer_that_shares_two_kinds_writes_two() -> None:
    async with multifeeds(memory(), ("meta", "index")) as multis:
        writer = await Writer.open(multis, title="one", now=5)
        assert writer.feeds.keys() == {"meta", "index"}
        with pytest.raises(ValueError, match="not open"):
            await writer.append([Snapshot(name="a", version="1", observed_at=1)])


async def test_the_groups_own_feed_is_no_writer_of_mine() -> None:
    async with multifeeds(memory()) as multis:
        await multis["meta"].writer("group", key_pair=G)
        assert Writer.keys(multis["meta"], G.public_key) == []
        writer = await Writer.open(multis, title="one", now=5)
        assert Writer.keys(multis["meta"], G.public_key) == [writer.key]
