"""A client with a clock of its own, before a fake registry."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.pkgstats.fake_registry import FakeRegistry

from pkgstats.sources.addresses import Addresses
from pkgstats.sources.changes import Changes
from pkgstats.sources.client import Client
from pkgstats.sources.downloads import Downloads
from pkgstats.sources.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.pkgstats.fake_npm import FakeNpm

NOW = 20_700 * 86_400.0 + 50_000


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Asking:
    """The fake registry, who asks it, and the time."""

    fake: FakeRegistry
    client: Client
    clock: Clock
    addresses: Addresses
    registry: Registry
    downloads: Downloads
    changes: Changes


@asynccontextmanager
async def asking(npm: FakeNpm | None = None, **settings: Any) -> AsyncIterator[Asking]:
    """Everything that asks, with no chance in it; ``settings`` go to the client."""
    clock = Clock()
    chosen = {"clock": clock, "sleep": clock.sleep, "chance": lambda: 0.0, **settings}
    async with FakeRegistry(npm) as fake, Client(**chosen) as client:
        addresses = Addresses(fake.url, fake.downloads_url, fake.changes_url)
        yield Asking(
            fake,
            client,
            clock,
            addresses,
            Registry(client, addresses),
            Downloads(client, addresses),
            Changes(client, addresses),
        )
