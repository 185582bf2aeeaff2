"""Sparse reading: a feed of a thousand blocks, of which only what is asked for is fetched.

Run it: .venv/bin/python examples/sparse_reading.py
"""

from __future__ import annotations

import asyncio

from hypermultifeed import Hypercore, link, memory


async def main() -> None:
    """Fetch one block, a range, and the block that holds a given byte."""
    async with Hypercore(memory(), value_encoding="utf-8") as ours:
        await ours.extend(f"line {number:04}\n" for number in range(1000))

        async with Hypercore(memory(), ours.key, sparse=True, value_encoding="utf-8") as copy:
            left, right = ours.replicate(initiator=True), copy.replicate(initiator=False)
            async with asyncio.TaskGroup() as group:
                group.create_task(link(left, right))

                print("length", await copy.update(), "with", copy.downloaded(), "blocks here")
                print("block 500:", (await copy.get(500)).strip())
                await copy.download(10, 20)
                index, offset = await copy.seek(5005)
                print(f"byte 5005 is byte {offset} of block {index}")
                print("here now:", copy.downloaded(), "blocks; block 11 too:", copy.has(11))
                await left.close()

            # Without a peer, what is not here is missing: `wait=False` says so at once.
            try:
                await copy.get(999, wait=False)
            except LookupError as error:
                print("LookupError:", error)


asyncio.run(main())
