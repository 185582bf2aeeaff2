"""One writer of the demo: a process that appends its part of the facts and serves its feed.

It speaks to its parent in lines: the root key (hex) comes first on standard input, whose end asks
the process to close; what happens goes to standard output as JSON. A parent that dies closes the
pipe too, so no writer is ever left behind.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypedDict

from hypermultifeed import HypermultifeedError, Multifeed
from pkgstats.dataset import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypermultifeed import Hypercore
    from pkgstats.facts import PackageFact

APPEND_BATCH: Final = 250
"""Facts signed and stored together."""

HOST: Final = "127.0.0.1"


class Progress(TypedDict):
    """What a writer says, one line each time something changes.

    Attributes:
        feed: its feed's key in hex.
        port: where it listens on the loopback address.
        length: blocks appended so far.
        total: blocks that it will have appended.
    """

    feed: str
    port: int
    length: int
    total: int


def part_of(part: int, parts: int) -> tuple[PackageFact, ...]:
    """The facts that one of several writers appends: every so manieth, from the top down."""
    return shipped()[part::parts]


def writer_name(part: int) -> str:
    """What a writer is called."""
    return f"writer-{part + 1}"


async def write(
    folder: Path,
    root_key: bytes,
    part: int,
    parts: int,
    *,
    say: Callable[[Progress], None],
    asked_to_end: asyncio.Event,
) -> None:
    """Serve the feed in a folder and append what it lacks, until asked to end.

    A feed that was begun by an earlier process is continued.
    """
    facts = part_of(part, parts)
    async with Multifeed(folder, key=root_key, value_encoding="json") as multi:
        feed = await multi.writer(writer_name(part))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(HypermultifeedError, OSError):  # the peer's end of it says why
                await multi.replicate(initiator=False).run(reader, writer)

        server = await asyncio.start_server(serve, HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]

            def tell() -> None:
                say(Progress(feed=feed.key.hex(), port=port, length=feed.length, total=len(facts)))

            tell()
            await append_rest(feed, facts, tell, asked_to_end)
            await asked_to_end.wait()


async def append_rest(
    feed: Hypercore,
    facts: tuple[PackageFact, ...],
    tell: Callable[[], None],
    asked_to_end: asyncio.Event,
) -> None:
    """Append the facts that the feed does not have yet, in batches."""
    while feed.length < len(facts) and not asked_to_end.is_set():
        batch = facts[feed.length : feed.length + APPEND_BATCH]
        await feed.extend([fact.to_value() for fact in batch])
        tell()
        await asyncio.sleep(0)  # peers get their turn


def run_writer(folder: Path, part: int, parts: int) -> None:
    """The whole life of a writer's process."""
    root_key = bytes.fromhex(sys.stdin.readline())

    def say(progress: Progress) -> None:
        print(json.dumps(progress), flush=True)  # noqa: T201 - the parent reads it

    async def work() -> None:
        asked_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait_for_end() -> None:
            sys.stdin.read()
            with suppress(RuntimeError):  # the loop is closed: we have ended by ourselves
                loop.call_soon_threadsafe(asked_to_end.set)

        threading.Thread(target=wait_for_end, daemon=True).start()
        await write(folder, root_key, part, parts, say=say, asked_to_end=asked_to_end)

    with suppress(BrokenPipeError):  # the parent is gone, nothing is left to do
        asyncio.run(work())
