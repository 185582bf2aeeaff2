"""All addresses, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, Router

from pkgstats.web import addresses, assets
from pkgstats.web.machines import api, badges, openapi, opensearch, operation, sitemap
from pkgstats.web.pages import (
    about,
    compare,
    errors,
    home,
    lists,
    network,
    package,
    people,
    search,
    versions,
)
from pkgstats.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from pkgstats.web.site import Page, Site

    Handler = Callable[[Site, Request], Awaitable[Page | Response]]

PAGES: Final[tuple[tuple[str, Handler], ...]] = (
    ("/package/{name:npm}", package.package),
    ("/search", search.search),
    ("/", home.home),
    ("/package/{name:npm}/versions", versions.versions),
    *((f"/{kind.name}", lists.handler_of(kind)) for kind in lists.KINDS),
    ("/user/{name}", people.user),
    ("/scope/{name}", people.scope),
    ("/compare", compare.compare),
    ("/network", network.network),
    ("/about", about.about),
)
"""Pages, and with them their twins; what is asked for most comes first."""

OTHERS: Final[tuple[tuple[str, Handler], ...]] = (
    ("/api/search", api.search),
    ("/suggest", opensearch.suggest),
    ("/opensearch.xml", opensearch.description),
    ("/badge/{kind}/{name:npm}.svg", badges.draw),
    ("/robots.txt", sitemap.robots),
    ("/sitemap.xml", sitemap.index),
    ("/sitemap/{number}.xml", sitemap.part),
    ("/openapi.json", openapi.document),
    ("/healthz", operation.health),
    ("/metrics", operation.metrics),
)
"""What has one format only; what is wrong is said in JSON."""


class _PackageName(Convertor[str]):
    """A package's name within a path; that of a scoped one has a slash of its own."""

    regex = "@[^/]+/[^/]+|[^@/][^/]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("npm", _PackageName())


class _PageRoute(Route):
    """A route that takes a path with and without the suffix of a twin."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path, form = addresses.split(scope.get("raw_path") or scope["path"].encode())
        match, found = super().matches({**scope, "path": path})
        return match, {**found, "format": form, "page_path": path}


class _OtherRoute(Route):
    """A route of what is for programs."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "format": "json"}


def router(site: Site) -> Router:
    """The routes of a site."""
    pages = [_PageRoute(path, _Answering(site, handler)) for path, handler in PAGES]
    others = [_OtherRoute(path, _Answering(site, handler)) for path, handler in OTHERS]
    files = [Route(one.path, _serving(one)) for one in assets.assets().values()]
    return Router([*pages, *others, *files], default=_Answering(site, errors.nowhere))


def format_of(scope: Scope) -> str:
    """The format that an address asks for, whatever becomes of it."""
    if scope["path"] in (path for path, _ in OTHERS):
        return "json"
    return addresses.split(scope.get("raw_path") or scope["path"].encode())[1]


class _Answering:
    """A handler as an ASGI application."""

    def __init__(self, site: Site, handler: Handler) -> None:
        self._site = site
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            found = await self._handler(self._site, request)
        except tuple(errors.HANDLED) as error:
            found = errors.page_of(request, error)
        answer = found if isinstance(found, Response) else respond(self._site, request, found)
        await answer(scope, receive, send)


def _serving(file: assets.Asset) -> Callable[[Request], Awaitable[Response]]:
    headers: Mapping[str, Any] = {"cache-control": "public, max-age=31536000, immutable"}

    async def serve(_: Request) -> Response:
        return Response(file.body, headers=headers, media_type=file.type)

    return serve
