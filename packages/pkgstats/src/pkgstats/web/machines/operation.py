"""Whether it works, and how well: for whoever looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, PlainTextResponse

from pkgstats.web.limiting import client
from pkgstats.web.metrics import MEDIA_TYPE, Gauge
from pkgstats.web.pages.errors import not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.view.reading import View
    from pkgstats.web.freshness import State
    from pkgstats.web.site import Page, Site

LATER: Final = {"cache-control": "no-store", "retry-after": "2"}
NOW: Final = {"cache-control": "no-store"}

META: Final = "meta"
"""The kind of feed that the group's own lists are in, too."""


async def health(site: Site, _: Request) -> Response:
    """Whether there is anything to answer from: 200, or 503 as long as there is not.

    ``lag``: changes of the view that search does not know yet.
    """
    state: State | None = site.operation.freshness.state()
    if state is None:
        return JSONResponse({"status": "empty", "generation": 0, "lag": 0}, 503, LATER)
    lag = max(0, state.generation - state.indexed)
    told = {"status": "ok", "generation": state.generation, "lag": lag}
    return JSONResponse(told, headers=NOW)


async def metrics(site: Site, request: Request) -> Page | Response:
    """All that is measured, for Prometheus; others than this machine are told only if asked."""
    if client(request.scope) and not site.settings.open_metrics:
        return not_found(request)
    state: State | None = site.operation.freshness.state()
    cache = site.operation.cache
    gauges = [
        Gauge("pkgstats_cache_hits_total", "Answers from memory.", cache.hits, "counter"),
        Gauge("pkgstats_cache_misses_total", "Answers made anew.", cache.misses, "counter"),
        Gauge("pkgstats_cache_bytes", "Bytes that are remembered.", cache.bytes),
    ]
    if state is not None:
        newest, writers = await site.ask(_of_feeds)
        age = max(0, site.clock() - newest) / 1000
        gauges += [
            Gauge("pkgstats_view_generation", "Changes of the view.", state.generation),
            Gauge("pkgstats_index_generation", "Of them, in the index.", state.indexed),
            Gauge("pkgstats_packages", "Packages, ranked.", await site.search.last_rank()),
            Gauge("pkgstats_writers", "Accepted writers with facts.", writers),
            Gauge("pkgstats_feed_age_seconds", "Since a writer's last sign of life.", age),
        ]
    text = site.operation.metrics.text(gauges)
    return PlainTextResponse(text, headers=NOW, media_type=MEDIA_TYPE)


def _of_feeds(view: View) -> tuple[int, int]:
    """The time (ms) of the latest sign of life, and how many writers tell of packages."""
    writers = [one for one in view.writers() if one.role and one.cores.keys() - {META}]
    beats = [one.heartbeat.observed_at for one in writers if one.heartbeat is not None]
    cards = [one.card.observed_at for one in writers if one.card is not None]
    return max(beats + cards, default=0), len(writers)
