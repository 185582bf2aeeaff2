"""Search for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pkgstats.plain import search_as_json
from pkgstats.web import bounds
from pkgstats.web.respond import lasting

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.web.site import Site


async def search(site: Site, request: Request) -> Response:
    """``{"results": [{"name": …}, …]}``; ``explain`` tells why each stands where it stands."""
    asked = request.query_params
    size = bounds.whole_number(asked, "size", bounds.SIZE, bounds.SIZE_MAX)
    number = bounds.whole_number(asked, "page", 1, bounds.PAGE_MAX)
    found = await site.find(asked.get("q", "").strip(), size=size, page=number)
    told = search_as_json(found, explain="explain" in asked)
    text = json.dumps(told | {"size": size, "page": number}, ensure_ascii=False)
    return lasting(request, text.encode(), "application/json")
