"""Whom to ask, by one datagram, whether anybody is there, before its turn to be dialled comes.

A dial of somebody who does not exist takes seconds, and few go on at once; a datagram costs
nothing but itself. Peers of this generation, JavaScript's too, serve TCP and the DHT's UDP at one
port (@hyperswarm/network), so an honest one answers a ping there. While many wait, they are asked,
and those who answer get every second dial. Who is silent is dialled all the same, in its turn: a
firewall may let nothing but TCP through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.peers.candidate import State
from hypermultifeed.peers.dial_budget import Allowance
from hypermultifeed.peers.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.peers.candidate import Candidate
    from hypermultifeed.peers.turns import Path, Randomness

ASKS_PER_SECOND: Final = 256.0
"""Ten thousand are asked in 40 s; a router at home remembers each for half a minute, and has room
for some thousands."""

ASKS_BURST: Final = 64.0
"""Asked without waiting after a quiet time."""

ASKS_PER_BLOCK: Final = 4.0
"""Asked per second in one network block (a /24): nobody can have us flood a network."""

ASKED_BLOCKS_MAX: Final = 1024
"""Blocks remembered before those that have recovered are forgotten."""

UNASKED_MAX: Final = 16_384
"""Candidates that may wait to be asked, those included whose dial came first; more are not."""


class Asking:
    """The candidates of one queue that may be asked, and those that have answered.

    Attributes:
        active: whether there are so many that asking is worth while.
    """

    __slots__ = ("_all", "_answered", "_blocks", "_randomness", "_unasked", "active")

    def __init__(self, randomness: Randomness, now: float) -> None:
        self.active = False
        self._randomness = randomness
        self._all = Allowance(ASKS_BURST, now)
        self._blocks: dict[str, Allowance] = {}
        self._unasked: Turns[Candidate] = Turns()
        self._answered: Turns[Candidate] = Turns()

    @property
    def unasked(self) -> int:
        """How many wait to be asked."""
        return len(self._unasked)

    def begin(self, waiting: Iterable[Candidate]) -> None:
        """There are many now; these, and those that are added from now on, may be asked."""
        self.active = True
        for candidate in waiting:
            self.add(candidate)

    def end(self) -> None:
        """There are few, which are dialled soon."""
        self.active = False
        self._unasked = Turns()

    def add(self, candidate: Candidate) -> None:
        """Take a candidate that has begun to wait, if it is one that strangers told of."""
        known = candidate.pinned or candidate.local or candidate.block is None
        if self.active and not known and _is_new(candidate) and self.unasked < UNASKED_MAX:
            self._unasked.add(candidate.path, candidate)

    def next(self, now: float) -> Candidate | None:
        """Take who is to be asked now; nobody is twice."""
        self._all.refill(ASKS_PER_SECOND, ASKS_BURST, now)
        while self._all.tokens >= 1:
            found = self._unasked.take(self._randomness, self._allows(now))
            if found is None:
                return None
            if _is_new(found):
                self._spend(found, now)
                found.asked = True
                return found
        return None

    def answered(self, candidate: Candidate) -> None:
        """Somebody is there; it may be dialled before its turn."""
        if _waits(candidate):
            self._answered.add(candidate.path, candidate)

    def take(self, may: Callable[[Path], bool]) -> Candidate | None:
        """Take one that has answered, and still waits to be dialled."""
        while (found := self._answered.take(self._randomness, may)) is not None:
            if _waits(found):
                return found
        return None

    # --- inside

    def _allows(self, now: float) -> Callable[[Path], bool]:
        def allows(path: Path) -> bool:
            known = self._blocks.get(path[2]) if len(path) == 3 else None  # type: ignore[call-overload]
            if known is None:
                return True
            known.refill(ASKS_PER_BLOCK, ASKS_PER_BLOCK, now)
            return bool(known.tokens >= 1)

        return allows

    def _spend(self, candidate: Candidate, now: float) -> None:
        block = candidate.block or ""
        known = self._blocks.get(block)
        if known is None:
            if len(self._blocks) >= ASKED_BLOCKS_MAX:
                self._forget_recovered(now)
            known = self._blocks[block] = Allowance(ASKS_PER_BLOCK, now)
        known.tokens -= 1
        self._all.tokens -= 1

    def _forget_recovered(self, now: float) -> None:
        for block, known in list(self._blocks.items()):
            known.refill(ASKS_PER_BLOCK, ASKS_PER_BLOCK, now)
            if known.tokens >= ASKS_PER_BLOCK:
                del self._blocks[block]


def _waits(candidate: Candidate) -> bool:
    """Whether it waits for its first dial."""
    return candidate.state is State.WAITING and not candidate.tried


def _is_new(candidate: Candidate) -> bool:
    return _waits(candidate) and not candidate.asked
