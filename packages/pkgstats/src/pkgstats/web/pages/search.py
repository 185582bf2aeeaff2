"""What a search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from pkgstats.web import bounds
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site


async def search(site: Site, request: Request) -> Page | Response:
    """Results; without a query, the first page."""
    text = request.query_params.get("q", "").strip()
    if not text:
        return Response(status_code=303, headers={"location": "/"})
    number = bounds.whole_number(request.query_params, "page", 1, bounds.PAGE_MAX)
    found = await site.find(text, size=bounds.SIZE, page=number)
    return Page(template="search.html", title=text, data=found, query=text, listed=False)
