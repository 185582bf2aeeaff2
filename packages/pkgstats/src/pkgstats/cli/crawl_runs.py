"""A dry run of ``pkgstats crawl``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pkgstats.crawler import plan
from pkgstats.crawler.asked import known_of, top_names
from pkgstats.crawler.crawl import Outcome
from pkgstats.crawler.plan import Ask
from pkgstats.sources.limiter import GROUP_RATE, RATES

if TYPE_CHECKING:
    from pkgstats.crawler.asked import Asked
    from pkgstats.crawler.notes import Notes
    from pkgstats.sources.addresses import Addresses
    from pkgstats.view.reading import View


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run: its requests, how long they take at least, and what cannot be told before."""

    asks: tuple[Ask, ...]
    seconds: float
    notes: tuple[str, ...]


def planned(
    asked: Asked, view: View, memory: Notes, now: int, addresses: Addresses | None = None
) -> Plan:
    """What would be asked now; without addresses nothing is known to be private."""
    asks: list[Ask] = []
    notes = []
    names = [*asked.packages, *top_names(view, asked.top)]
    refused = Outcome()
    for user in asked.users:
        if addresses is not None and addresses.is_private(scope := f"@{user}/*"):
            names.append(scope)
            continue
        asks += [Ask("registry", f"/-/{kind}/{user}/package") for kind in ("user", "org")]
        names += known_of(view, user)
        notes.append(f"of @{user} those packages that are known here; there may be more")
    if asked.follow:
        notes.append("then --follow goes on for ever with what changes and what is due")
    if addresses is not None:
        refused.refuse([name for name in dict.fromkeys(names) if addresses.is_private(name)])
        names, notes = addresses.shared(names), [*notes, *refused.remarks]
    work = asked.work(names, memory, now)
    last = now // plan.DAY_MS - 1
    tails = ((name, memory.tail(name)) for name in work.names)
    ends = {name: tail.end for name, tail in tails if tail is not None}
    asks += plan.asks(work, ends, last)
    slowest = max(
        (sum(ask.role == role for ask in asks) / rate.per_s for role, rate in RATES.items())
    )
    return Plan(tuple(asks), max(slowest, len(asks) / GROUP_RATE), tuple(notes))
