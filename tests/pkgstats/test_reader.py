from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hypermultifeed import Multifeed, memory
from pkgstats.dataset import shipped
from pkgstats.reader import CheckError, catalogue, check, fetched, replicating

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hypermultifeed import Hypercore
    from pkgstats.facts import PackageFact

KEY = bytes(range(32))
FACTS = shipped()[:300]


@asynccontextmanager
async def multifeed() -> AsyncIterator[Multifeed]:
    async with Multifeed(memory(), key=KEY, value_encoding="json") as multi:
        yield multi


@asynccontextmanager
async def written(facts: tuple[PackageFact, ...] = FACTS) -> AsyncIterator[Hypercore]:
    async with multifeed() as multi:
        feed = await multi.writer("w")
        await feed.extend([fact.to_value() for fact in facts])
        yield feed


async def test_a_feed_that_grows_is_fetched_whole() -> None:
    async with multifeed() as theirs, multifeed() as ours:
        feed = await theirs.writer("w")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await theirs.replicate(initiator=False).run(reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        counts: list[int] = []
        async with server, replicating(ours, *server.sockets[0].getsockname()[:2]):
            fetching = asyncio.ensure_future(fetched(ours, feed.key, len(FACTS), counts.append))
            await feed.extend([fact.to_value() for fact in FACTS[:100]])
            await feed.extend([fact.to_value() for fact in FACTS[100:]])
            copy = await fetching
        assert counts == sorted(counts)
        assert counts[-1] == len(FACTS)
        await check(copy, FACTS)
        found = await catalogue([("w", copy)])
        assert len(found) == len(FACTS)
        answer = found.find(FACTS[7].name)
        assert answer == (FACTS[7], "w", 7)


async def test_nobody_there_fails_at_once() -> None:
    async with multifeed() as ours:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            async with replicating(ours, "127.0.0.1", port):
                pytest.fail("connected to nobody")


async def test_checking_finds_what_is_not_as_written() -> None:
    async with written() as feed:
        await check(feed, FACTS)
        others = (*FACTS[:5], FACTS[5]._replace(version="0.0.1"), *FACTS[6:])
        with pytest.raises(CheckError, match="block 5 is not what was written"):
            await check(feed, others)


async def test_checking_finds_what_is_missing() -> None:
    async with written() as feed:
        await feed.clear(3, 4)
        with pytest.raises(CheckError, match="299 of 300"):
            await check(feed, FACTS)


async def test_a_writer_that_says_nonsense_is_refused() -> None:
    async with multifeed() as multi:
        feed = await multi.writer("w")
        await feed.append({"name": "\x1b[2J", "version": "1", "downloads": 1})
        with pytest.raises(ValueError, match="not a package name"):
            await catalogue([("w", feed)])
