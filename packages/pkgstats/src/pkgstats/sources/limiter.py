"""How often a source may be asked. Pure: the time and chance are arguments.

A request takes one token from three buckets: that of its lane (a role at a host), that of the host,
and one for everything, whose rate is this member's share of the group's budget. Times are seconds
since 1970, UTC: ``retry-after`` may be a date, and the requests of a day are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pkgstats.sources.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second in the long run, and how many may go at once after a rest."""

    per_s: float
    burst: int


RATES: Final[Mapping[str, Rate]] = MappingProxyType(
    {
        "registry": Rate(1.0, 4),
        "search": Rate(1 / 12, 5),
        "downloads": Rate(0.5, 2),
        "changes": Rate(0.1, 2),
    }
)
"""By role. Registries take 5 million requests a month (1.9/s) as acceptable and ask crawlers of
their website for at most 1/s; the downloads have refused 1/s since November 2025; a search refuses
after about ten requests; a page of changes holds 10,000, so few are needed."""

HOST_RATE: Final = Rate(1.0, 4)
"""For all roles at one host together."""

BURST: Final = 8
"""What one look at a package needs at once: manifest, tarball, downloads, versions, and again."""

GROUP_RATE: Final = 0.5
"""Requests a second of a whole group, where its list says nothing else."""

GROUP_RATE_MAX: Final = 1.5
"""No group asks more, whatever its list says: 4 million requests a month."""

GROUP_REFUSED: Final = 3
"""So many members with a 429 in the last day halve the rate of the whole group."""

DAY_REQUESTS_MAX: Final = 40_000
"""Requests of one member in one day (UTC)."""

JITTER: Final = 0.2
"""A request costs up to this much more than one token, so that members do not ask in step."""

SHORTEST_S: Final = 0.001
"""Shorter waits are none: below a clock's resolution they would never end."""

PAUSE_S: Final = 60.0
"""After a 429 without ``retry-after``, or with 0, which says nothing; doubled for each in a row."""

FAILURE_PAUSE_S: Final = 2.0
"""After no answer, or a 5xx; doubled for each in a row."""

PAUSE_MAX_S: Final = 3600.0
"""No answer can keep us away longer."""

PENALTY_S: Final = 3600.0
"""How long a 429 halves the rate."""

HALVINGS_MAX: Final = 4
"""Further refusals within that time halve it again, so often at most."""


def share_of(group_rate: int, members: int, refused: int = 0) -> float:
    """One member's share of the group's budget, in requests a second.

    Args:
        group_rate: of the group's list, in requests a thousand seconds.
        members: those that have been heard of lately, this one included.
        refused: how many of them had a 429.
    """
    whole = min(group_rate / 1000, GROUP_RATE_MAX)
    return whole / (2 if refused >= GROUP_REFUSED else 1) / max(1, members)


def read_retry_after(text: str | None, now: float) -> float | None:
    """Seconds that a ``retry-after`` asks for, at least 0; None if it is missing or unreadable."""
    if text is None or len(text) > 64:
        return None
    if text.strip().isdecimal() and text.isascii():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(slots=True)
class Bucket:
    """Tokens that come at a rate up to a number; a request needs one."""

    rate: Rate
    at: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = float(self.rate.burst)

    def wait(self, now: float, factor: float = 1.0) -> float:
        """Seconds until a token is there; ``factor`` times the rate."""
        passed = max(
            0.0, now - self.at
        )  # a clock that was set back gives nothing and takes nothing
        self.at = now
        self.tokens = min(self.rate.burst, self.tokens + passed * self.rate.per_s * factor)
        if self.tokens >= 1:
            return 0.0
        if self.rate.per_s <= 0:
            return PAUSE_MAX_S
        return (1 - self.tokens) / (self.rate.per_s * factor)


@dataclass(slots=True)
class Lane:
    """One role at one host: its bucket, its pauses, and what has happened to it."""

    bucket: Bucket
    asked: int = 0
    refused: int = 0
    failed: int = 0
    paused_until: float = 0.0
    halved_until: float = 0.0
    halvings: int = 0
    pauses: int = 0
    unreported: int = 0

    def factor(self, now: float) -> float:
        """What part of its rate it may use."""
        return 0.5**self.halvings if now < self.halved_until else 1.0

    def pause(self, now: float, seconds: float) -> float:
        """Be silent for so long, doubled for each time in a row; the seconds."""
        self.pauses = min(self.pauses + 1, 16)
        seconds = min(seconds * 2 ** (self.pauses - 1), PAUSE_MAX_S)
        self.paused_until = max(self.paused_until, now + seconds)
        return seconds

    def halve(self, now: float) -> None:
        """Halve the rate for an hour; those that were on their way already count once."""
        if now < self.paused_until:
            return
        self.halvings = min(self.halvings + 1, HALVINGS_MAX) if now < self.halved_until else 1
        self.halved_until = now + PENALTY_S


@dataclass(frozen=True, slots=True)
class Counters:
    """What has gone to a role, whatever its host."""

    asked: int = 0
    refused: int = 0
    failed: int = 0


class Limiter:
    """When each request may go.

    Args:
        now: the time.
        share: requests a second that this member may make, everywhere together (`share_of`).
        day_max: requests a day.
        spent: what ``spent`` said before a restart.
        rates: by role.
    """

    def __init__(
        self,
        now: float,
        *,
        share: float = GROUP_RATE,
        day_max: int = DAY_REQUESTS_MAX,
        spent: tuple[int, int] = (0, 0),
        rates: Mapping[str, Rate] = RATES,
    ) -> None:
        self._everything = Bucket(Rate(share, BURST), now)
        self._rates = rates
        self._hosts: dict[str, Bucket] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._day_max = day_max
        self._spent = spent

    @property
    def spent(self) -> tuple[int, int]:
        """The day that was last asked on (counted from 1970), and its requests."""
        return self._spent

    def set_share(self, share: float) -> None:
        """Another share, since the group or its members have changed."""
        self._everything.rate = Rate(share, BURST)

    def wait(self, role: str, host: str, now: float) -> float:
        """Seconds until a request may go; 0: now, and then `take` it.

        Raises:
            BudgetError: the requests of this day are used up.
        """
        day = int(now // DAY_S)
        if self._spent[0] == day and self._spent[1] >= self._day_max:
            raise BudgetError(f"{self._day_max} requests were made today", (day + 1) * DAY_S)
        lane = self._lane(role, host, now)
        pause = min(lane.paused_until - now, PAUSE_MAX_S)  # however the clock was set meanwhile
        wait = max(
            pause,
            lane.bucket.wait(now, lane.factor(now)),
            self._host(host, now).wait(now),
            self._everything.wait(now, self._factor(now)),
        )
        return wait if wait >= SHORTEST_S else 0.0

    def take(self, role: str, host: str, now: float, chance: float) -> None:
        """Count a request that goes now; ``chance`` from 0 up to 1."""
        lane = self._lane(role, host, now)
        lane.asked += 1
        for bucket in (lane.bucket, self._host(host, now), self._everything):
            bucket.tokens -= 1 + JITTER * chance
        day = int(now // DAY_S)
        self._spent = (day, self._spent[1] + 1 if self._spent[0] == day else 1)

    def answered(self, role: str, host: str, now: float) -> None:
        """An answer came: pauses begin from the shortest again."""
        self._lane(role, host, now).pauses = 0

    def refused(
        self, role: str, host: str, now: float, retry_after: str | None, chance: float
    ) -> float:
        """A 429 came: pause, and halve the rate for an hour; the seconds of the pause."""
        lane = self._lane(role, host, now)
        lane.refused += 1
        lane.unreported += 1
        lane.halve(now)
        asked_for = read_retry_after(retry_after, now)
        if not asked_for:
            return lane.pause(now, PAUSE_S * (1 + JITTER * chance))
        lane.pauses = 0
        return lane.pause(now, asked_for * (1 + JITTER * chance))

    def failed(
        self, role: str, host: str, now: float, chance: float, retry_after: str | None = None
    ) -> float:
        """No answer came, or a 5xx: pause a little, or as long as it says; the seconds."""
        lane = self._lane(role, host, now)
        lane.failed += 1
        pause = max(FAILURE_PAUSE_S, read_retry_after(retry_after, now) or 0.0)
        return lane.pause(now, pause * (1 + JITTER * chance))

    def rate(self, now: float) -> int:
        """What this member allows itself now, in requests a thousand seconds; for a heartbeat."""
        return round(self._everything.rate.per_s * self._factor(now) * 1000)

    def counters(self) -> dict[str, Counters]:
        """What has gone to each role."""
        found: dict[str, Counters] = {}
        for (role, _), lane in self._lanes.items():
            old = found.get(role, Counters())
            found[role] = Counters(
                old.asked + lane.asked, old.refused + lane.refused, old.failed + lane.failed
            )
        return found

    def take_refusals(self) -> dict[str, int]:
        """Refusals by role since the last call; for a heartbeat, which tells no host's name."""
        found: dict[str, int] = {}
        for (role, _), lane in self._lanes.items():
            if lane.unreported:
                found[role] = found.get(role, 0) + lane.unreported
            lane.unreported = 0
        return found

    def _factor(self, now: float) -> float:
        """A refusal anywhere halves everything for an hour."""
        return 0.5 if any(now < lane.halved_until for lane in self._lanes.values()) else 1.0

    def _host(self, host: str, now: float) -> Bucket:
        if host not in self._hosts:
            self._hosts[host] = Bucket(HOST_RATE, now)
        return self._hosts[host]

    def _lane(self, role: str, host: str, now: float) -> Lane:
        if (role, host) not in self._lanes:
            self._lanes[role, host] = Lane(Bucket(self._rates[role], now))
        return self._lanes[role, host]
