"""Pings that only ask whether anybody is there: sent once, and forgotten if nothing comes back.

Many of them may be under way, so they stand apart from the requests of `discovery.requests`, whose
pace and repetitions are made for nodes that are known to exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.messages import RID_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.requests import Randomness

PROBE_S: Final = 5.0
"""How long an answer is waited for; it comes at once, or not at all."""

PROBES_MAX: Final = 4096
"""Probes under way; then the oldest is given up."""


class Probes:
    """The probes of one node that were not answered yet, oldest first."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._open: dict[Address, tuple[int, float, Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, address: Address, on_answer: Callable[[], None], now: float) -> int:
        """Note a probe; returns its rid.

        That is drawn anew each time: who gets one probe cannot answer another in the name of
        somebody who does not exist.
        """
        self._open.pop(address, None)
        self._forget(now)
        rid = self._randomness.randrange(RID_MAX + 1)
        self._open[address] = rid, now, on_answer
        return rid

    def match(self, rid: int, sender: Address, now: float) -> Callable[[], None] | None:
        """What is to be called for an answer, if it is one; the probe is over then."""
        expected, since, on_answer = self._open.get(sender, (None, 0.0, None))
        if rid != expected or now >= since + PROBE_S:
            return None
        del self._open[sender]
        return on_answer

    def _forget(self, now: float) -> None:
        while self._open:
            oldest, (_, since, _) = next(iter(self._open.items()))
            if len(self._open) < PROBES_MAX and now < since + PROBE_S:
                return
            del self._open[oldest]
