"""An index over all feeds in SQLite, each block counted exactly once, whatever fails.

Run it: .venv/bin/python examples/index_feeds.py
"""

from __future__ import annotations

import asyncio
import sqlite3

from hypermultifeed import KeyPair, Multifeed, memory


async def index(multi: Multifeed, database: sqlite3.Connection) -> None:
    """Take in what is new. Rows and positions are committed together, or not at all."""
    stored = dict(database.execute("select feed, position from positions"))
    async for batch in multi.entries(after=stored):
        with database:  # a transaction
            for entry in batch.entries:
                if entry.error is None:
                    add = "insert into words values (?, 1) on conflict do update set n = n + 1"
                    database.execute(add, (entry.value["word"],))
            database.executemany(
                "insert or replace into positions values (?, ?)", batch.changed.items()
            )


async def main() -> None:
    """Index two writers' words, twice."""
    database = sqlite3.connect(":memory:")
    database.execute("create table words (word primary key, n)")
    database.execute("create table positions (feed primary key, position)")
    async with Multifeed(
        memory(), key=KeyPair.generate().public_key, value_encoding="json"
    ) as multi:
        alice, bob = await multi.writer("alice"), await multi.writer("bob")
        await alice.extend([{"word": "log"}, {"word": "feed"}])
        await index(multi, database)
        await bob.extend([{"word": "feed"}, {"word": "peer"}])
        await index(multi, database)  # goes on after what is stored
        for word, n in database.execute("select * from words order by n desc, word"):
            print(word, n)
    database.close()


asyncio.run(main())
