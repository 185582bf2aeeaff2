"""How often is posted, and how long to wait when too often. Pure; times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pkgstats.sources.limiter import read_retry_after

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DAY_S: Final = 86_400.0

GAP_S: Final = 60.0
"""Seconds between two posts to an address, unless something else is asked for."""

DAY_POSTS: Final = 24
"""Posts in 24 hours, unless something else is asked for: readers have other things to read."""

DAY_POSTS_MAX: Final = 300
"""Posts in 24 hours, whatever is asked for: so many Mastodon takes in three hours."""

REFUSED_S: Final = 60.0
"""How long is waited after a 429 that does not say how long."""

REFUSED_MAX_S: Final = 900.0
"""The longest that is waited after a 429; who wants more is asked in the next run."""

HEADER_MAX: Final = 64
"""Characters of a header that tells a time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is posted.

    Attributes:
        gap_s: seconds between two posts.
        day_max: posts in 24 hours.
    """

    gap_s: float = GAP_S
    day_max: int = DAY_POSTS

    def wait(self, sent: Collection[float], now: float) -> float | None:
        """Seconds until the next post may go; None: not in this run, there were enough.

        Args:
            sent: when the posts of the last 24 hours went.
            now: the time.
        """
        if len(sent) >= self.day_max:
            return None
        passed = now - max(sent, default=now - self.gap_s)
        return min(max(0.0, self.gap_s - passed), self.gap_s)  # however the clock was set meanwhile


def wait_after_refusal(headers: Mapping[str, str], now: float) -> float:
    """Seconds that an answer 429 asks to wait, at least 1.

    By ``Retry-After`` (RFC 9110, 10.2.3), or Mastodon's ``X-RateLimit-Reset``: a time as in RFC
    3339.
    """
    asked = read_retry_after(headers.get("retry-after"), now)
    if asked is None:
        asked = _until(headers.get("x-ratelimit-reset", ""), now)
    return max(1.0, REFUSED_S if asked is None else asked)


def _until(text: str, now: float) -> float | None:
    if len(text) > HEADER_MAX:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
