"""The application: pages for people, each with a twin for programs. `routes` lists them all.

It reads the view and the search index, never the feeds, and asks nobody else but the node's door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from pkgstats.web.guard import Guard
from pkgstats.web.pages.errors import not_found
from pkgstats.web.respond import respond
from pkgstats.web.routes import routes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from pkgstats.web.site import Site


def application(
    site: Site, *, hosts: Collection[str] | None = None, more: Sequence[BaseRoute] = ()
) -> Starlette:
    """The application.

    Args:
        site: what it tells of; stays the caller's.
        hosts: the names by which it may be asked; None: any.
        more: routes beside its own.
    """

    async def nothing_there(request: Request, _: Exception) -> Response:
        return respond(site, request, not_found(request))

    return Starlette(
        routes=[*more, *routes_of(site)],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={404: nothing_there},
    )
