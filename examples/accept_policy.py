"""Which feeds of others to take: an accept policy decides, feed by feed.

Run it: .venv/bin/python examples/accept_policy.py
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypermultifeed import KeyPair, Multifeed, link, memory

if TYPE_CHECKING:
    from collections.abc import Mapping


async def main() -> None:
    """Offer three feeds to a peer that trusts one writer only."""
    key = KeyPair.generate().public_key
    trusted = KeyPair.generate()

    def accept(feed_key: bytes, peer: Any, hints: Mapping[str, Any]) -> bool:
        """True takes the feed. `hints` is what the peer said beside the keys: never proven."""
        del hints
        said = "yes" if feed_key == trusted.public_key else "no"
        print(f"{peer.user_data['name']} offers a feed: {said}")
        return feed_key == trusted.public_key

    async with (
        Multifeed(memory(), key=key) as offering,
        Multifeed(memory(), key=key, accept=accept) as choosing,
    ):
        await (await offering.writer("a")).append(b"from somebody")
        await (await offering.writer("b", key_pair=trusted)).append(b"from whom we trust")
        await (await offering.writer("c")).append(b"from somebody else")

        await link(
            offering.replicate(initiator=True, live=False, user_data={"name": "a peer"}),
            choosing.replicate(initiator=False, live=False),
        )
        for feed in choosing.feeds():
            print((await feed.get(0)).decode())


asyncio.run(main())
