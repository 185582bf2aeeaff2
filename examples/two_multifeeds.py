"""Two multifeeds in one process: each writes a feed of its own, and both end with both feeds.

Run it: .venv/bin/python examples/two_multifeeds.py
"""

from __future__ import annotations

import asyncio

from hypermultifeed import KeyPair, Multifeed, link, memory


async def main() -> None:
    """Write on both sides, replicate once, read everything on both sides."""
    key = KeyPair.generate().public_key  # whoever knows this key can take part
    async with (
        Multifeed(memory(), key=key, value_encoding="json") as alice,
        Multifeed(memory(), key=key, value_encoding="json") as bob,
    ):
        await (await alice.writer("local")).append({"from": "alice", "text": "hello"})
        await (await bob.writer("local")).extend(
            [{"from": "bob", "text": text} for text in ("hi", "how are you?")]
        )

        # A replication that is not live ends by itself when neither side misses anything.
        await link(
            alice.replicate(initiator=True, live=False), bob.replicate(initiator=False, live=False)
        )

        for name, multi in (("alice", alice), ("bob", bob)):
            print(f"{name} has {len(multi.feeds())} feeds")
            for feed in multi.feeds():
                async for message in feed.read():
                    print(f"  {message['from']}: {message['text']}")


asyncio.run(main())
