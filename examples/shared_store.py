"""One store, two multifeeds, one connection that carries both.

Run it: .venv/bin/python examples/shared_store.py
"""

from __future__ import annotations

import asyncio
import tempfile

from hypermultifeed import Corestore, KeyPair, Multifeed, ReplicationStream, link, memory


async def main() -> None:
    """Share a store between two multifeeds, and a stream between both of each side."""
    news, chat = (KeyPair.generate().public_key for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Corestore(folder) as ours,
            Multifeed(ours, key=news, value_encoding="utf-8") as our_news,
            Multifeed(ours, key=chat, value_encoding="utf-8") as our_chat,
            Corestore(memory()) as theirs,
            Multifeed(theirs, key=news, value_encoding="utf-8") as their_news,
            Multifeed(theirs, key=chat, value_encoding="utf-8") as their_chat,
        ):
            await (await our_news.writer("local")).append("a new version is out")
            await (await our_chat.writer("local")).append("good morning")

            left, right = ReplicationStream(initiator=True), ReplicationStream(initiator=False)
            our_news.replicate(initiator=True, stream=left)
            our_chat.replicate(initiator=True, stream=left)
            their_news.replicate(initiator=False, stream=right)
            their_chat.replicate(initiator=False, stream=right)
            with their_news.events() as news_feeds, their_chat.events() as chat_feeds:
                async with asyncio.TaskGroup() as group:
                    group.create_task(link(left, right))
                    for added in (news_feeds, chat_feeds):
                        event = await anext(added)
                        print(await event.feed.get(0))
                    await left.close()
            print("cores in our store:", len(ours.list()))


asyncio.run(main())
