"""What programs ask that is no page's twin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from pkgstats.plain import search_as_json
from pkgstats.web import bounds

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site


async def search(site: Site, request: Request) -> Response:
    """``{"results": [{"name": …}, …]}``; ``explain`` tells why each stands where it stands."""
    asked = request.query_params
    size = bounds.whole_number(asked, "size", bounds.SIZE, bounds.SIZE_MAX)
    number = bounds.whole_number(asked, "page", 1, bounds.PAGE_MAX)
    found = await site.find(asked.get("q", "").strip(), size=size, page=number)
    told = search_as_json(found, explain="explain" in asked)
    text = json.dumps(told | {"size": size, "page": number}, ensure_ascii=False)
    return Response(text, media_type="application/json")


async def health(site: Site, _: Request) -> Response:
    """Whether it works."""
    counts, generation = await site.ask(lambda view: (view.counts(), view.generation))
    return JSONResponse({"status": "ok", "packages": counts.packages, "generation": generation})
