"""What a networker says about itself: plain values, to be shown or sent as JSON."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from hypermultifeed.errors import HypermultifeedError

FAILURES_KEPT: Final = 50
"""Failed connections that a report tells about."""


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """One topic that is joined.

    Attributes:
        topic: the discovery key under which peers find each other, 32 bytes.
        key: the root key or the core's key it was joined by; None if only the topic was given.
        announce, lookup: what was asked for.
        flushed: whether everybody who was found at first has been tried.
        rounds: how often the DHT was asked.
        error: why it did not answer the last time; None if it did.
        found: peers known for it, connected or not.
        feeds: how many the multifeed has that was joined; None for any other topic.
        peers: connected peers that share it.
    """

    topic: bytes
    key: bytes | None
    announce: bool
    lookup: bool
    flushed: bool
    rounds: int
    error: str | None
    found: int
    feeds: int | None
    peers: int


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer that is connected.

    Attributes:
        public_key: its static Noise key, 32 bytes.
        address: host and port.
        initiator: whether we dialled.
        local: whether it is on a network of ours.
        topics: joined topics that it has shown to share, by proving that it knows their keys.
        connected_s: for how long, in seconds.
        bytes_received, bytes_sent: on the wire so far.
        received_per_s, sent_per_s: bytes per second since the report before this one, or since
            the connection was made.
    """

    public_key: bytes
    address: tuple[str, int]
    initiator: bool
    local: bool
    topics: tuple[bytes, ...]
    connected_s: float
    bytes_received: int
    bytes_sent: int
    received_per_s: float
    sent_per_s: float


@dataclass(frozen=True, slots=True)
class FailedConnection:
    """A connection that ended with an error, or a dial that came to nothing.

    Attributes:
        address: host and port.
        initiator: whether we dialled.
        public_key: the peer's static key, if it was known.
        code, message: the error.
        ago_s: how long ago, in seconds.
    """

    address: tuple[str, int]
    initiator: bool
    public_key: bytes | None
    code: str
    message: str
    ago_s: float


@dataclass(frozen=True, slots=True)
class DhtStatus:
    """Our part in the DHT.

    Attributes:
        nodes: how many we know.
        public_address: host and port as others see us; port 0 if they see different ones; None
            while we have not heard enough.
        ephemeral: whether we only ask, and keep nothing for others.
    """

    nodes: int
    public_address: tuple[str, int] | None
    ephemeral: bool


@dataclass(frozen=True, slots=True)
class LanStatus:
    """Our part in the local network.

    Attributes:
        interfaces: names of those in use.
    """

    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """Everything at one moment.

    Attributes:
        public_key: our own static Noise key, 32 bytes.
        addresses: where we listen, host and port each.
        topics: in the order they were joined.
        peers: in the order they came.
        dialling: dials and handshakes of ours that are under way.
        failures: the latest failed connections, oldest first.
        dht, lan: None where they are off.
        bytes_received, bytes_sent: with all peers, also those that have left.
    """

    public_key: bytes
    addresses: tuple[tuple[str, int], ...]
    topics: tuple[TopicStatus, ...]
    peers: tuple[PeerStatus, ...]
    dialling: int
    failures: tuple[FailedConnection, ...]
    dht: DhtStatus | None
    lan: LanStatus | None
    bytes_received: int
    bytes_sent: int


class FailureLog:
    """The latest failed connections of a networker."""

    def __init__(self) -> None:
        self._failures: deque[tuple[float, FailedConnection]] = deque(maxlen=FAILURES_KEPT)

    def note(
        self,
        error: Exception,
        address: tuple[str, int],
        *,
        initiator: bool,
        public_key: bytes | None = None,
    ) -> None:
        """A connection has failed now."""
        code = error.code if isinstance(error, HypermultifeedError) else type(error).__name__
        failed = FailedConnection(address, initiator, public_key, code, str(error), ago_s=0.0)
        self._failures.append((asyncio.get_running_loop().time(), failed))

    def report(self, now: float) -> tuple[FailedConnection, ...]:
        """All of them, oldest first."""
        return tuple(replace(failed, ago_s=now - at) for at, failed in self._failures)
