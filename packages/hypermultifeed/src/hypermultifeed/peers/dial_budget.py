"""How many peers are dialled: at once, per topic, per network block, and per second.

Whoever announces addresses chooses whom we dial. The budget keeps us from being the tool of an
attack (thousands of connections to one network), and one flooded topic from holding up others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hypermultifeed.peers.turns import Path

DIALS_AT_ONCE: Final = 40
"""Dials under way, from connecting to the end of the handshake: each holds a descriptor."""

DIALS_PER_TOPIC: Final = 32
"""Dials under way for one topic; the rest is left for others."""

DIALS_PER_BLOCK: Final = 8
"""Dials under way into one network block (a /24)."""

FAILURES_PER_BLOCK: Final = 8
"""Dials in vain into one network block at any time; what succeeds is not counted."""

BLOCK_RECOVERY_S: Final = 5.0
"""After so long one more dial in vain is allowed into a block."""

DIALS_PER_SECOND: Final = 32.0
"""Dials begun per second in the long run, also where each is refused at once."""

DIALS_BURST: Final = 64.0
"""Dials begun without waiting after a quiet time."""

BLOCKS_MAX: Final = 1024
"""Blocks remembered before those that have recovered are looked for and forgotten."""


class Allowance:
    """A token bucket.

    Attributes:
        tokens: what may be spent. at: when they were counted. at_once: what is under way.
    """

    __slots__ = ("at", "at_once", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.at = now
        self.at_once = 0

    def refill(self, per_second: float, most: float, now: float) -> None:
        """Add what has come since the last time."""
        self.tokens = min(most, self.tokens + (now - self.at) * per_second)
        self.at = now


class DialBudget:
    """Counts dials; ask before each, tell when it begins and ends.

    A block of None stands for peers that are not limited by their network: neighbours, and those
    the user named. A topic of None stands for the latter.
    """

    __slots__ = ("_all", "_blocks", "_topics")

    def __init__(self, now: float) -> None:
        self._all = Allowance(DIALS_BURST, now)
        self._topics: dict[Hashable, int] = {}
        self._blocks: dict[str, Allowance] = {}

    @property
    def at_once(self) -> int:
        """Dials under way."""
        return self._all.at_once

    @property
    def is_full(self) -> bool:
        """Whether another dial has to end before one may begin."""
        return self._all.at_once >= DIALS_AT_ONCE

    def allows(self, now: float) -> bool:
        """Whether any dial may begin."""
        self._all.refill(DIALS_PER_SECOND, DIALS_BURST, now)
        return not self.is_full and self._all.tokens >= 1

    def allows_topic(self, topic: Hashable) -> bool:
        """Whether a dial for ``topic`` may begin."""
        return topic is None or self._topics.get(topic, 0) < DIALS_PER_TOPIC

    def allows_block(self, block: str | None, now: float) -> bool:
        """Whether a dial into ``block`` may begin."""
        known = self._blocks.get(block) if block is not None else None
        if known is None:
            return True
        known.refill(1 / BLOCK_RECOVERY_S, FAILURES_PER_BLOCK, now)
        return known.tokens >= 1 and known.at_once < DIALS_PER_BLOCK

    def allows_path(self, path: Path, now: float) -> bool:
        """Whether a dial may begin of somebody below a path of topic, who told and block."""
        if len(path) == 1:
            return self.allows_topic(path[0])
        block = path[2] if len(path) == 3 else None
        return self.allows_block(block, now)  # type: ignore[arg-type]

    def begin(self, topic: Hashable, block: str | None, now: float) -> None:
        """A dial begins."""
        self._all.tokens -= 1
        self._all.at_once += 1
        if topic is not None:
            self._topics[topic] = self._topics.get(topic, 0) + 1
        if block is not None:
            self._begin_in(block, now)

    def end(self, topic: Hashable, block: str | None, *, succeeded: bool) -> None:
        """A dial that was begun so has ended; one that succeeded counts no longer."""
        self._all.at_once -= 1
        if topic is not None:
            self._topics[topic] -= 1
            if not self._topics[topic]:
                del self._topics[topic]
        if block is not None:
            known = self._blocks[block]
            known.at_once -= 1
            known.tokens += succeeded

    def _begin_in(self, block: str, now: float) -> None:
        known = self._blocks.get(block)
        if known is None:
            if len(self._blocks) >= BLOCKS_MAX:
                self._forget_recovered(now)
            known = self._blocks[block] = Allowance(FAILURES_PER_BLOCK, now)
        known.tokens -= 1
        known.at_once += 1

    def _forget_recovered(self, now: float) -> None:
        for block, known in list(self._blocks.items()):
            known.refill(1 / BLOCK_RECOVERY_S, FAILURES_PER_BLOCK, now)
            if not known.at_once and known.tokens >= FAILURES_PER_BLOCK:
                del self._blocks[block]
