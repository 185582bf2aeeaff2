"""Two peers that know nothing but a key find each other, here through a DHT on this machine.

Run it: .venv/bin/python examples/network.py
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypermultifeed import Corestore, DhtNode, KeyPair, Multifeed, Networker, memory


async def share(key: bytes, network: dict[str, Any], shared: asyncio.Event) -> None:
    """Write something and be found until somebody has taken it."""
    async with (
        Corestore(memory()) as store,
        Networker(store, **network) as networker,
        Multifeed(store, key=key, value_encoding="json") as multi,
    ):
        await (await multi.writer("local")).append("hello from one who shares")
        await networker.swarm(multi)
        await networker.flushed(multi.discovery_key)  # from now on others find us
        shared.set()
        with networker.events() as events:
            async for event in events:  # PeerJoined, then PeerLeft
                print(type(event).__name__)
                if event.peer not in networker.peers:
                    break
        await networker.leave(key)


async def fetch(key: bytes, network: dict[str, Any]) -> None:
    """Find whoever shares the key and print the first block of the first feed."""
    async with (
        Corestore(memory()) as store,
        Networker(store, **network) as networker,
        Multifeed(store, key=key, value_encoding="json") as multi,
    ):
        with multi.events() as added:
            await networker.swarm(multi)
            event = await anext(added)
        print(await event.feed.get(0))
        [status] = networker.statuses()
        print(f"peers: {status.peers}, feeds: {status.feeds}")
        await networker.leave(key)


async def main() -> None:
    """Run a DHT of one node, and the two peers."""
    key = KeyPair.generate().public_key
    async with await DhtNode.listen("127.0.0.1") as node:
        # Between machines, bootstrap is all that is needed: the address of any node.
        network = {
            "bootstrap": [str(node.address)],
            "host": "127.0.0.1",
            "allow_loopback": True,
            "mdns": False,
        }
        shared = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(share(key, network, shared))
            await shared.wait()
            group.create_task(fetch(key, network))


asyncio.run(main())
