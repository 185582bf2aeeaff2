"""Whom we let in: bounds on connections that have not authenticated yet.

Anybody can open a socket and say nothing. So that this costs others nothing, those who have not
authenticated have few places, few of them per address, and the oldest loses its place to a
newcomer. Whoever has authenticated keeps the place.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, Generic, TypeVar

C = TypeVar("C")

HALF_OPEN_MAX: Final = 64
"""Connections that have not authenticated, in all: each holds a descriptor and some memory."""

HALF_OPEN_PER_ADDRESS: Final = 16
"""The same, from one address (IPv6: from one /64): many peers may share one behind a NAT."""


class Admission(Generic[C]):
    """The inbound connections of one swarm that have not authenticated yet.

    Attributes:
        dropped: how many lost their place before they had authenticated.
    """

    __slots__ = ("_by_address", "_half_open", "dropped")

    def __init__(self) -> None:
        self._half_open: dict[C, str] = {}
        self._by_address: dict[str, dict[C, None]] = {}
        self.dropped = 0

    @property
    def half_open(self) -> int:
        """Connections that have not authenticated yet."""
        return len(self._half_open)

    def admit(self, connection: C, host: str) -> C | None:
        """Take a newcomer in; returns whose place it took, which is to be closed."""
        source = _source(host)
        siblings = self._by_address.setdefault(source, {})
        loser = None
        if len(siblings) >= HALF_OPEN_PER_ADDRESS:
            loser = next(iter(siblings))
        elif len(self._half_open) >= HALF_OPEN_MAX:
            loser = next(iter(self._half_open))
        if loser is not None:
            self.dropped += 1
            self.done(loser)
            siblings = self._by_address.setdefault(source, siblings)
        self._half_open[connection] = source
        siblings[connection] = None
        return loser

    def done(self, connection: C) -> None:
        """A connection has authenticated, or is over. Idempotent."""
        source = self._half_open.pop(connection, None)
        if source is not None:
            siblings = self._by_address[source]
            del siblings[connection]
            if not siblings:
                del self._by_address[source]


def _source(host: str) -> str:
    """The address, or for IPv6 its /64, out of which one machine has as many as it likes."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return address.exploded[:19]
    return host
