"""A peer that can be dialled, and how promising that is."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from hypermultifeed.discovery.addresses import network_block

if TYPE_CHECKING:
    from collections.abc import Hashable

    PeerAddress = tuple[str, int]


class State(Enum):
    """What is going on with a candidate."""

    WAITING = auto()
    """It may be dialled as soon as it is its turn."""
    RESTING = auto()
    """It failed or was disconnected, and waits for its time."""
    DIALLING = auto()
    """It is being dialled, or connected and not authenticated yet."""
    CONNECTED = auto()
    PARKED = auto()
    """Connected in another way, which leads to the same peer."""
    FORGOTTEN = auto()


class Candidate:
    """A peer that can be dialled.

    Attributes:
        address: host and port. The host may be a name if the user gave it.
        topics: those it was found for.
        local: a neighbour told of it.
        pinned: the user named it; it is retried for ever.
        hairpin: it seems to be behind the same public address as we are; dialled late.
        failures: dials in a row that failed, and connections that ended soon.
        proven: it was connected once. tried: a dial has ended, well or not.
        is_over: its latest dial, and what came of it, is over.
        is_released: the connection that it was parked for is over.
        since: when its state began (connecting and handshake each count).
        asked: it was asked by a datagram whether anybody is there; see `asking`.
        level, path: among whom it waits, or did before its dial: its priority then, and topic,
            source and network, each None where that does not limit it.
        useful: what came of its connection, if somebody judged it; see `PeerQueue.ended`.
    """

    __slots__ = (
        "address",
        "asked",
        "block",
        "failures",
        "hairpin",
        "is_over",
        "is_released",
        "level",
        "local",
        "path",
        "pinned",
        "proven",
        "since",
        "source",
        "state",
        "topics",
        "tried",
        "useful",
    )

    def __init__(self, address: PeerAddress, *, source: Hashable, local: bool) -> None:
        self.address = address
        self.source = source
        self.local = local
        self.block = None if source is None else network_block(address[0])
        self.pinned = self.hairpin = self.proven = self.tried = self.asked = False
        self.topics: set[bytes] = set()
        self.level = 0
        self.path: tuple[Hashable, Hashable, str | None] = (None, None, None)
        self.failures = 0
        self.state = State.FORGOTTEN
        self.is_over = True
        self.is_released = False
        self.since = 0.0
        self.useful: bool | None = None

    @property
    def charged(self) -> tuple[Hashable, str | None]:
        """Topic and network whose budget its dial is taken from."""
        topic, _, block = self.path
        return topic, block

    @property
    def is_wanted(self) -> bool:
        """Whether anybody wants a connection to it."""
        return self.pinned or bool(self.topics)

    @property
    def priority(self) -> int:
        """0 to 5, as hyperswarm has it: peers that were connected first, hopeless ones last."""
        if self.tried and not self.proven:
            return 3 if self.pinned else 0
        if self.failures:
            return {1: 5, 2: 4}.get(self.failures, 1)
        return 3 if self.local or self.pinned else 1 if self.hairpin else 2
