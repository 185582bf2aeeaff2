"""One topic of LAN discovery: when there is something to say about it, and whom it has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.discovery.addresses import Address

QUERY_INTERVAL_S: Final = (30.0, 60.0)
"""Seconds between two questions about a topic, drawn anew each time."""

REPEAT_AFTER_S: Final = (0.25, 0.5)
"""Pauses after the first question and announcement of a topic; each ends in a repetition."""

ANSWER_INTERVAL_S: Final = 0.2
"""Least time between two answers about a topic. All hear each answer, so one serves many."""

REPORT_WINDOW_S: Final = 10.0
"""A peer is reported once in this time, however often it is named."""

REPORTS_MAX: Final = 64
"""Most peers of one topic that are reported in `REPORT_WINDOW_S`. Each may cause a dial."""

REPORTS_PER_HOST_MAX: Final = 16
"""Most of them at one address: as many processes on one machine."""


class Randomness(Protocol):
    """What is used of :class:`random.Random`: seeded in tests, the system's at the edge."""

    def randbytes(self, n: int) -> bytes:
        """``n`` bytes."""

    def uniform(self, a: float, b: float) -> float:
        """A number between the two."""


class Reports:
    """The peers of a topic that were reported lately, so that none is reported twice or too many.

    An honest peer that is left out because others are too many is named again when we ask again.
    """

    __slots__ = ("_count", "_ends_at", "_ports")

    def __init__(self) -> None:
        self._ends_at = -inf
        self._count = 0
        self._ports: dict[str, set[int]] = {}

    def is_new(self, address: Address, now: float) -> bool:
        """Whether to report this peer; if so, it counts as reported."""
        if now >= self._ends_at:
            self._ends_at = now + REPORT_WINDOW_S
            self._count = 0
            self._ports.clear()
        ports = self._ports.get(address.host, set())
        if self._count >= REPORTS_MAX or len(ports) >= REPORTS_PER_HOST_MAX:
            return False
        if address.port in ports:
            return False
        self._count += 1
        self._ports[address.host] = ports | {address.port}
        return True


@dataclass(slots=True, eq=False)
class Topic:
    """One topic: what is wanted, and when there is something to say about it (inf: never)."""

    key: bytes
    label: bytes
    port: int
    announce: bool
    lookup: bool
    reports: Reports = field(default_factory=Reports)
    query_at: float = inf
    query_pauses: Iterator[float] = field(default_factory=lambda: iter(()))
    answer_at: float = inf
    answer_pauses: Iterator[float] = field(default_factory=lambda: iter(()))
    answered_at: float = -inf
    asker: str | None = None

    def start(self, now: float) -> None:
        """Ask and announce now, and again soon."""
        if self.lookup:
            self.query_at, self.query_pauses = now, iter(REPEAT_AFTER_S)
        if self.announce:
            self.answer_at, self.answer_pauses = now, iter(REPEAT_AFTER_S)

    def queried(self, now: float, randomness: Randomness) -> None:
        """The question has been asked."""
        pause = next(self.query_pauses, None)
        self.query_at = now + (randomness.uniform(*QUERY_INTERVAL_S) if pause is None else pause)

    def ask(self, asker: str, now: float) -> None:
        """Answer ``asker``, but not sooner than `ANSWER_INTERVAL_S` after the last answer."""
        if not self.announce:
            return
        self.answer_at = min(self.answer_at, max(now, self.answered_at + ANSWER_INTERVAL_S))
        self.asker = self.asker or asker

    def answered(self, now: float) -> None:
        """The answer, or announcement, has been given."""
        self.answered_at, self.asker = now, None
        self.answer_at = now + next(self.answer_pauses, inf)
