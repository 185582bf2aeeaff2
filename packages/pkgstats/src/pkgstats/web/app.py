"""The application: pages for people, each with a twin for programs. `routes` lists them all.

It reads the view and the search index, never the feeds, and asks nobody else but the node's door.
A request passes through these layers, those that cost least first:

    Forwarded   says whose request it is     (public sites only)
    Watching    tells the log and the metrics how it went
    Guard       refuses what is not asked honestly, adds headers
    Failing     answers where the layers below fail, and logs why
    Limited     takes the price of any answer (public sites only)
    PageCache   answers what is remembered
    Limited     takes the price of making one (public sites only)
    Turns       lets it wait while many others are made
    Router      finds the handler
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from pkgstats.web.failing import Failing
from pkgstats.web.freshness import Freshness
from pkgstats.web.guard import READING, Guard
from pkgstats.web.limiting import Forwarded, Limited, answer_price, making_price
from pkgstats.web.limits import Limits
from pkgstats.web.machines import openapi
from pkgstats.web.metrics import Metrics
from pkgstats.web.pagecache import PageCache
from pkgstats.web.pages.errors import went_wrong
from pkgstats.web.respond import respond
from pkgstats.web.routes import OTHERS, PAGES, format_of, router
from pkgstats.web.site import Operation
from pkgstats.web.turns import Turns
from pkgstats.web.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.responses import Response
    from starlette.types import ASGIApp, Scope

    from pkgstats.web.site import Site
    from pkgstats.web.watching import Answered

APART: Final = ("/healthz", "/metrics")
"""What is asked for because it may have changed this very moment."""


def application(
    site: Site,
    *,
    hosts: Collection[str] | None = None,
    log: Callable[[Answered], None] | None = None,
) -> ASGIApp:
    """The application.

    Args:
        site: what it tells of; stays the caller's.
        hosts: the names by which it may be asked; None: any.
        log: is told of each answer.
    """

    def failed(scope: Scope) -> Response:
        return respond(site, Request({**scope, "format": format_of(scope)}), went_wrong())

    limits = Limits() if site.settings.public else None
    app: ASGIApp = Turns(router(site))
    if limits is not None:
        app = Limited(app, limits=limits, price=making_price)
    freshness = Freshness(site)
    app = cache = PageCache(
        app,
        state=freshness.state,
        parameters=openapi.parameters(),
        apart=APART,
        own_base=bool(site.settings.base),
    )
    if limits is not None:
        app = Limited(app, limits=limits, price=answer_price)
    app = Failing(app, failed)
    https = site.settings.base.startswith("https:")
    app = Guard(app, hosts, methods=READING, https=https)
    metrics = Metrics(path for path, _ in (*PAGES, *OTHERS))
    site.operation = Operation(metrics, cache, freshness)
    app = Watching(app, [metrics] if log is None else [metrics, log])
    return Forwarded(app, trusted=site.settings.trust_proxy) if site.settings.public else app
