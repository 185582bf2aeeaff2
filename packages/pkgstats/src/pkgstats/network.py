"""How a node finds peers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hypermultifeed import DEFAULT_BOOTSTRAP, Networker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from hypermultifeed import Corestore, Multifeed


@dataclass(frozen=True, slots=True)
class Network:
    """Which ways of finding peers are taken.

    Attributes:
        dht, lan: look for peers, and be found, in the DHT and in the local network.
        peers: host and port of peers to dial whatever else is found.
        bootstrap: ``host:port`` of the DHT's nodes to begin with.
        host, port: where to listen; port 0: any free one.
        loopback: whether peers on this machine count.
    """

    dht: bool = True
    lan: bool = True
    peers: Sequence[tuple[str, int]] = ()
    bootstrap: Sequence[str] = DEFAULT_BOOTSTRAP
    host: str = "0.0.0.0"  # noqa: S104 - peers are to reach us
    port: int = 0
    loopback: bool = False

    @classmethod
    def only_loopback(cls, *peers: tuple[str, int]) -> Self:
        """Peers on this machine that are named, and those who dial us."""
        return cls(dht=False, lan=False, peers=peers, host="127.0.0.1", loopback=True)

    @asynccontextmanager
    async def joined(
        self, store: Corestore, multis: Iterable[Multifeed]
    ) -> AsyncIterator[Networker]:
        """Replicate these multifeeds with every peer that has them, as long as the block lasts.

        Raises:
            OSError: the port is taken, or the address is not this machine's.
        """
        network = Networker(
            store,
            dht=self.dht,
            mdns=self.lan,
            bootstrap=self.bootstrap,
            host=self.host,
            port=self.port,
            allow_loopback=self.loopback,
        )
        async with network:
            for multi in multis:
                await network.swarm(multi)
            for host, port in self.peers:
                network.add_peer(host, port)
            yield network
