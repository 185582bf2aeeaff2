"""Two peers over TCP, live: what one appends arrives at the other at once.

Run it: .venv/bin/python examples/over_tcp.py

Both peers are in this process to keep the example in one file; `reader` needs nothing of the
other than its address and the key.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypermultifeed import KeyPair, Multifeed, ReplicationError


async def share(multi: Multifeed) -> asyncio.Server:
    """Listen, and replicate with everyone who dials."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = multi.replicate(initiator=False)
        try:
            await stream.run(reader, writer)
        except (ReplicationError, OSError) as error:
            print("a peer failed:", error)  # its own stream has ended, and nothing else

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def read(folder: Path, key: bytes, port: int, count: int) -> None:
    """Dial, wait for the first feed, and follow it for `count` blocks."""
    async with Multifeed(folder, key=key, value_encoding="utf-8") as multi:
        stream = multi.replicate(initiator=True)
        with multi.events() as added:
            running = asyncio.create_task(
                stream.run(*await asyncio.open_connection("127.0.0.1", port))
            )
            feed = (await anext(added)).feed
            async for line in feed.read(0, count, live=True):
                print("received", line)
        await stream.close()
        await running


async def main() -> None:
    """One writer, one reader."""
    key = KeyPair.generate().public_key
    with tempfile.TemporaryDirectory() as name:
        async with Multifeed(Path(name, "writer"), key=key, value_encoding="utf-8") as multi:
            feed = await multi.writer("log")
            await feed.append("one")
            server = await share(multi)
            port = server.sockets[0].getsockname()[1]
            async with asyncio.TaskGroup() as group:
                group.create_task(read(Path(name, "reader"), key, port, count=3))
                await feed.append("two")
                await feed.append("three")
            server.close()


asyncio.run(main())
