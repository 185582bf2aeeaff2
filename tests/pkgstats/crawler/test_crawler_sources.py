from __future__ import annotations

from pkgstats.crawler.sources import Sources
from pkgstats.sources.client import Client

from .world import addresses, fake, populate


async def test_all_sources_spend_from_one_budget() -> None:
    async with fake() as registry, Client() as client:
        populate(registry, "a")
        sources = Sources.of(client, addresses(registry))
        await sources.registry.latest("a")
        await sources.downloads.point("last-week", "a")
        await sources.changes.newest()
        assert client.limiter.spent[1] == len(registry.asked) == 3
