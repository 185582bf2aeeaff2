"""How much each client may ask for: a bucket of tokens each, in a table that does not grow. Pure.

What costs us more has a higher price, so nobody is kept from reading, and nobody alone can keep
the machine busy with searches.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

RATE: Final = 100.0
"""Tokens that a client gets in a second: 100 remembered pages, or 4 searches, go on for ever."""

BURST: Final = 2500.0
"""Tokens that a client has at most: 100 searches at once, after some silence."""

CLIENTS_MAX: Final = 16_384
"""Clients that are remembered; the one that asked least lately is forgotten, and begins anew."""

ANSWER_PRICE: Final = 1.0
"""Of any answer, …"""

PAGE_PRICE: Final = 4.0
"""… more if it is not remembered and has to be made, …"""

SEARCH_PRICE: Final = 24.0
"""… and yet more if that takes a search."""

NETWORK_BITS: Final = 64
"""Of an IPv6 address, the part that counts: the rest anyone can choose freely at home."""

UNKNOWN: Final = "unknown"
"""All clients whose address cannot be read are one."""


class Limits:
    """A bucket for each client: ``rate`` tokens a second flow in, up to ``burst``."""

    def __init__(
        self, rate: float = RATE, burst: float = BURST, clients_max: int = CLIENTS_MAX
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clients_max = clients_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._buckets)

    def take(self, client: str, price: float, now: float) -> float:
        """Take the price out of a client's bucket, and give 0.

        If there is not as much in it, take nothing, and give the seconds until there will be.

        Args:
            client: see `client_of`.
            price: at most the burst.
            now: seconds of a clock that only goes on.
        """
        level, when = self._buckets.pop(client, (self._burst, now))
        level = min(self._burst, level + (now - when) * self._rate)
        wait = max(0.0, (price - level) / self._rate)
        self._buckets[client] = (level if wait else level - price, now)
        if len(self._buckets) > self._clients_max:
            self._buckets.popitem(last=False)
        return wait


@lru_cache(1024)
def client_of(address: str) -> str:
    """Who counts as one client: an IPv4 address, an IPv6 network; empty: this machine itself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is None:
            if found.is_loopback:
                return ""
            return str(IPv6Address(int(found) >> (128 - NETWORK_BITS) << (128 - NETWORK_BITS)))
        found = found.ipv4_mapped
    return "" if found.is_loopback else str(found)
