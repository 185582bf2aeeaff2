"""A package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.plain import everything
from pkgstats.records.names import is_package_name
from pkgstats.web import addresses
from pkgstats.web.pages.errors import trouble
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site


async def package(site: Site, request: Request) -> Page:
    """All that is known of a package."""
    name = request.path_params["name"]
    if not is_package_name(name):
        return trouble("Not found", "No package can have this name.", 404)
    found = await site.ask(lambda view: everything(view, name))
    if found is None:
        similar = tuple(one.name for one in await site.search.suggest(name))
        return trouble(
            name, f"Nobody has told of {name}.", 404, similar=similar, query=f"pkg:{name}"
        )
    return Page(
        template="package.html", title=name, data=found, path=addresses.package(name), query=""
    )
