"""How often this writer may ask: its share of what the group allows itself. Pure.

Sharing exists to ask less in total, not to spread one crawl over many addresses. So the group's
list carries one budget; who is at work shares it, and when three of them were refused it is halved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pkgstats.crawler.plan import heard_of
from pkgstats.sources.limiter import GROUP_RATE, share_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pkgstats.records.model import GroupList
    from pkgstats.view.facts import WriterFacts

ALONE: Final = round(GROUP_RATE * 1000)
"""Requests in a thousand seconds where no list says anything."""


def share(writers: Collection[WriterFacts], me: bytes, listed: GroupList | None, now: int) -> float:
    """Requests a second that I may make.

    Args:
        writers: all that the view knows.
        me: the key of my ``meta`` feed.
        listed: the group's newest list.
        now: ms since 1970, UTC.
    """
    at_work = heard_of(writers, me, now)
    refused = sum(bool(one.heartbeat and one.heartbeat.refusals) for one in at_work)
    members = len({me, *(one.key for one in at_work)})
    return share_of(listed.rate if listed else ALONE, members, refused)
