"""The reader of the demo: fetches the writers' feeds, checks every block, answers from its copy."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from pkgstats.facts import fact_from_value
from pkgstats.lookup import Answer, Catalogue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hypermultifeed import Hypercore, Multifeed
    from pkgstats.facts import PackageFact

LOOK_EVERY_S: Final = 0.05
"""How often progress is looked at."""


class CheckError(Exception):
    """What was fetched is not what the writers wrote."""


@asynccontextmanager
async def replicating(multi: Multifeed, host: str, port: int) -> AsyncIterator[None]:
    """Replicate with one peer over TCP for as long as the block lasts.

    If the replication fails, so does the block.
    """
    reader, writer = await asyncio.open_connection(host, port)
    stream = multi.replicate(initiator=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.run(reader, writer))
        try:
            yield
        finally:
            await stream.close()


async def fetched(
    multi: Multifeed, key: bytes, total: int, report: Callable[[int], None]
) -> Hypercore:
    """Wait until a feed is known and all its blocks are here; ``report`` gets how many are."""
    with multi.events() as added:
        while (feed := multi.feed(key)) is None:
            await anext(added)
    download = asyncio.ensure_future(feed.download(0, total))
    try:
        while not download.done():
            await asyncio.wait([download], timeout=LOOK_EVERY_S)
            report(feed.downloaded(0, total))
    finally:
        download.cancel()
    await download
    return feed


async def check(feed: Hypercore, facts: Sequence[PackageFact]) -> None:
    """Hash every block again, then compare it with what its writer was given.

    Raises:
        CheckError: a block is damaged, missing, or says something else; it says which.
    """
    report = await feed.audit()
    if report.invalid or report.valid < len(facts):
        raise CheckError(
            f"{report.valid:,} of {len(facts):,} blocks are good, {report.invalid:,} are damaged"
        )
    index = 0
    async for value in feed.read(0, len(facts)):
        if fact_from_value(value) != facts[index]:
            raise CheckError(f"block {index} is not what was written")
        index += 1


async def catalogue(feeds: Sequence[tuple[str, Hypercore]]) -> Catalogue:
    """Everything that these feeds say, by package name."""
    answers = []
    for writer, feed in feeds:
        index = 0
        async for value in feed.read(0, feed.length):
            answers.append(Answer(fact_from_value(value), writer, index))
            index += 1
    return Catalogue(answers)
