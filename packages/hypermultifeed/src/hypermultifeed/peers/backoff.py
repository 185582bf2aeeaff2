"""When a candidate is dialled again, how long it is tried in vain, and when it is given up.

After hyperswarm's lib/peer-info.js: the same waits and limits of retries. Unlike there, a few are
not given up, since nobody may be left to name them again.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from hypermultifeed.peers.candidate import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.peers.candidate import Candidate
    from hypermultifeed.peers.turns import Randomness

RETRY_WAITS_S: Final = (1.0, 5.0, 15.0)
"""Waits before the first, second and third dial after one that failed; then most are given up."""

RECONNECT_WAIT_S: Final = 0.25
"""Wait after a connection that was stable: whatever ended it, we want to be back at once."""

PATIENT_WAIT_S: Final = 15.0
"""Wait before each further dial of a peer that is not given up: a network that fell apart, for
however long, is to be one again within half a minute of its healing."""

USEFUL_S: Final = 3600.0
"""How long a peer that was useful is not given up: the DHT may not be there to name it again."""

NAMED_S: Final = 960.0
"""How long one that was named, and where nothing answers at all, is not given up: as long as
the DHT would name it. It may be on the other side of a network that has fallen apart."""

KEPT_MAX: Final = 64
"""Peers that are not given up; a useful one takes the place of the one that has it for longest,
one that was only named a free one."""

JITTER: Final = (0.66, 1.32)
"""Each wait is multiplied by a number from here, so that many peers do not move in step."""

FORGET_S: Final = 7.5
"""A peer that was given up is remembered for so long: being told of it again changes nothing."""


class Backoff:
    """The candidates of one queue that rest, and those that are not given up."""

    __slots__ = ("_kept", "_numbers", "_randomness", "_resting")

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._kept: dict[Candidate, float] = {}  # until when
        self._resting: list[tuple[float, int, Candidate]] = []
        self._numbers = count()  # of two whose time is the same the first comes first

    @property
    def next_time(self) -> float | None:
        """When to look for who has rested; None if nobody rests."""
        return self._resting[0][0] if self._resting else None

    def keep_named(self, candidate: Candidate, now: float) -> None:
        """It is new; there is patience with it as long as nothing answers."""
        if len(self._kept) < KEPT_MAX:
            self._kept[candidate] = now + NAMED_S

    def keep_useful(self, candidate: Candidate, now: float) -> None:
        """A connection to it was useful."""
        self._kept.pop(candidate, None)
        self._kept[candidate] = now + USEFUL_S
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def keep_no_longer(self, candidate: Candidate) -> None:
        """It is given up like most."""
        self._kept.pop(candidate, None)

    def gives_up(self, candidate: Candidate, now: float) -> bool:
        """Whether one that has rested was tried often enough."""
        return candidate.failures > len(RETRY_WAITS_S) and not self._is_kept(candidate, now)

    def rest(self, candidate: Candidate, now: float) -> None:
        """Let it rest after a failure, for longer after each."""
        if candidate.failures < len(RETRY_WAITS_S):
            wait = RETRY_WAITS_S[candidate.failures]
        else:
            wait = PATIENT_WAIT_S if self._is_kept(candidate, now) else FORGET_S
        candidate.failures += 1
        self._rest_for(candidate, wait, now)

    def rest_shortly(self, candidate: Candidate, now: float) -> None:
        """Let it rest after a connection that was no failure; failures count anew."""
        candidate.failures = 1
        self._rest_for(candidate, RECONNECT_WAIT_S, now)

    def rested(self, now: float) -> Iterator[Candidate]:
        """Take those whose time has come."""
        resting = self._resting
        while resting and resting[0][0] <= now:
            due, _, candidate = heappop(resting)
            if candidate.state is State.RESTING and candidate.since == due:
                yield candidate  # else something has happened to it since

    def _is_kept(self, candidate: Candidate, now: float) -> bool:
        return candidate.pinned or self._kept.get(candidate, 0.0) > now

    def _rest_for(self, candidate: Candidate, wait: float, now: float) -> None:
        low, high = JITTER
        candidate.state = State.RESTING
        candidate.since = now + wait * (low + (high - low) * self._randomness.random())
        heappush(self._resting, (candidate.since, next(self._numbers), candidate))
