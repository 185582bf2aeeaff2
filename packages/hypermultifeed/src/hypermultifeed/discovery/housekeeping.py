"""What a node does unasked: ping nodes, look for more, become persistent (dht-rpc 4, index.js)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from hypermultifeed.discovery.kbucket import Node
    from hypermultifeed.discovery.requests import Randomness

PING_S: Final = 40.0
"""How often the nodes that were not heard from for longest are pinged."""

PING_COUNT: Final = 5
PING_COUNT_BUSY: Final = 3
BUSY: Final = 3
"""With so many operations running, fewer nodes are pinged."""

LOOK_AGAIN_EVERY: Final = 8
"""Every so many rounds of pings, that is each 320 s, a node that knows few looks for more."""

FEW: Final = 20
"""So many nodes are few."""

ADAPT_S: Final = (1200.0, 1800.0)
"""After 20 to 30 minutes an adaptive node that others can reach becomes persistent."""

LATE_S: Final = 60.0
"""A timer that is late by so much slept with the machine; being there for long starts anew."""


class Home(Protocol):
    """The node that is kept in order."""

    @property
    def running(self) -> int:
        """Operations that run."""

    @property
    def holepunchable(self) -> bool:
        """Whether others can reach this node."""

    def __len__(self) -> int:
        """How many nodes are known."""

    def oldest(self, count: int, now: float) -> list[Node]:
        """Nodes not heard from for longest."""

    def check(self, node: Node, now: float) -> None:
        """Ping a node and forget it if it is silent."""

    def bootstrap_again(self, now: float) -> None:
        """Look for nodes around the own id."""

    def become_persistent(self, now: float) -> None:
        """Tell the own id from now on."""


class Housekeeping:
    """The clock of a node's own work.

    Args:
        adaptive: become persistent when the time has come.
    """

    def __init__(self, home: Home, randomness: Randomness, now: float, *, adaptive: bool) -> None:
        self._home = home
        self._randomness = randomness
        self._next = now + PING_S
        self._round = 0
        self._adaptive = adaptive
        self._adapt_at: float | None = None

    def settled(self, now: float) -> None:
        """The first bootstrap is over."""
        if self._adaptive:
            self._adapt_at = now + self._randomness.uniform(*ADAPT_S)

    def get_timer(self) -> float:
        """When `handle_timer` is due."""
        return self._next if self._adapt_at is None else min(self._next, self._adapt_at)

    def handle_timer(self, now: float) -> None:
        """Do what is due; what was missed while the machine slept is done once."""
        if self._adapt_at is not None and self._adapt_at <= now:
            self._adapt(now, late=now - self._adapt_at)
        if self._next <= now:
            self._next += ((now - self._next) // PING_S + 1) * PING_S
            self._round += 1
            self._look_after(now)

    def _look_after(self, now: float) -> None:
        home = self._home
        known = len(home)
        if not known or (known < FEW and self._round % LOOK_AGAIN_EVERY == 0):
            home.bootstrap_again(now)
        count = PING_COUNT_BUSY if home.running >= BUSY else PING_COUNT
        for node in home.oldest(count, now):
            home.check(node, now)

    def _adapt(self, now: float, late: float) -> None:
        if late <= LATE_S and self._home.holepunchable:
            self._adapt_at = None
            self._home.become_persistent(now)
        else:
            self._adapt_at = now + self._randomness.uniform(*ADAPT_S)
