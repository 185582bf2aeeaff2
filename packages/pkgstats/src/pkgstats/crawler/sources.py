"""All sources of a crawl, behind one client and so one budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pkgstats.sources.changes import Changes
from pkgstats.sources.downloads import Downloads
from pkgstats.sources.registry import Registry

if TYPE_CHECKING:
    from pkgstats.sources.addresses import Addresses
    from pkgstats.sources.client import Client


@dataclass(frozen=True, slots=True)
class Sources:
    """Who is asked."""

    client: Client
    addresses: Addresses
    registry: Registry
    downloads: Downloads
    changes: Changes

    @classmethod
    def of(cls, client: Client, addresses: Addresses) -> Self:
        """The sources at these addresses."""
        return cls(
            client,
            addresses,
            Registry(client, addresses),
            Downloads(client, addresses),
            Changes(client, addresses),
        )
