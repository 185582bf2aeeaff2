"""The application: a search page, a page for each package, and the same as JSON.

    GET /                      what is here, and how to ask
    GET /search?q=&page=       results as a page
    GET /package/NAME          a package as a page; NAME may have a scope
    GET /api/search?q=&size=&page=&explain
    GET /api/package/NAME
    GET /healthz

It reads the view and the search index, never the feeds, and talks to nobody else.
"""

from __future__ import annotations

import asyncio
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pkgstats.past import BeingMadeError, PastError
from pkgstats.plain import everything, plain, search_as_json
from pkgstats.records.names import is_package_name
from pkgstats.search.engine import NoIndexError
from pkgstats.search.parse import parse
from pkgstats.search.query import QueryError
from pkgstats.view.reading import View
from pkgstats.web import bounds, pages
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from pkgstats.past import Pasts
    from pkgstats.search.engine import Search
    from pkgstats.search.results import SearchResult

T = TypeVar("T")

DEPENDENTS_SHOWN = 20

NOT_READY = "Nothing has been indexed yet; try again in a moment"


def application(
    view: Path,
    search: Search,
    *,
    pasts: Pasts | None = None,
    hosts: Collection[str] | None = None,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application for one view and one search.

    Args:
        view: the view's file.
        search: stays the caller's.
        pasts: answers what ``at:`` asks; stays the caller's.
        hosts: the names by which it may be asked; None: any.
        more: routes beside these.
    """
    site = _Site(view, search, pasts)
    return Starlette(
        routes=[
            Route("/", site.home),
            Route("/search", site.search_page),
            Route("/package/{name:path}", site.package_page),
            Route("/api/search", site.search_api),
            Route("/api/package/{name:path}", site.package_api),
            Route("/healthz", site.health),
            Route("/style.css", _style),
            *more,
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={
            404: _not_found,
            QueryError: _wrong_query,
            BadRequestError: _bad_request,
            PastError: _bad_request,
            BeingMadeError: _being_made,
            NoIndexError: _not_ready,
            sqlite3.OperationalError: _not_ready,
        },
    )


class _Site:
    """What the routes answer."""

    def __init__(self, view: Path, search: Search, pasts: Pasts | None) -> None:
        self._view = view
        self._search = search
        self._pasts = pasts

    async def home(self, _: Request) -> Response:
        counts = await self._ask(lambda view: view.counts())
        return HTMLResponse(pages.home(counts.packages, counts.writers))

    async def search_page(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        if not text:
            return Response(status_code=303, headers={"location": "/"})
        number = bounds.whole_number(request.query_params, "page", 1, bounds.PAGE_MAX)
        found = await self._found(text, bounds.SIZE, number)
        return HTMLResponse(pages.results(text, found, number=number, size=bounds.SIZE))

    async def search_api(self, request: Request) -> Response:
        asked = request.query_params
        size = bounds.whole_number(asked, "size", bounds.SIZE, bounds.SIZE_MAX)
        number = bounds.whole_number(asked, "page", 1, bounds.PAGE_MAX)
        text = asked.get("q", "").strip()
        found = await self._found(text, size, number)
        told = search_as_json(found, explain="explain" in asked)
        return JSONResponse(told | {"size": size, "page": number})

    async def package_page(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = await self._package(name)
        if found is None:
            return HTMLResponse(pages.not_known(name, await self._similar(name)), 404)
        dependents = found["dependents"][:DEPENDENTS_SHOWN]
        return HTMLResponse(pages.package(found["package"], found["versions"], dependents))

    async def package_api(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = await self._package(name)
        if found is None:
            similar = await self._similar(name)
            return JSONResponse({"error": "not known", "did_you_mean": similar}, 404)
        return JSONResponse(plain(found))

    async def health(self, _: Request) -> Response:
        counts, generation = await self._ask(lambda view: (view.counts(), view.generation))
        return JSONResponse({"status": "ok", "packages": counts.packages, "generation": generation})

    async def _found(self, text: str, size: int, page: int) -> SearchResult:
        query = parse(text)
        if query.at is None:
            return await self._search.search(query, size=size, page=page)
        if self._pasts is None:
            raise PastError("here only the present can be searched")
        return await self._pasts.search(query, query.at, size=size, page=page)

    async def _package(self, name: str) -> dict[str, Any] | None:
        if not is_package_name(name):
            return None
        return await self._ask(lambda view: everything(view, name))

    async def _similar(self, name: str) -> list[str]:
        if not is_package_name(name):
            return []
        return [one.name for one in await self._search.suggest(name)]

    async def _ask(self, question: Callable[[View], T]) -> T:
        """What the view answers, in a thread; one state of it."""

        def ask() -> T:
            with View.open(self._view) as view, view.state():
                return question(view)

        return await asyncio.to_thread(ask)


async def _style(_: Request) -> Response:
    text = resources.files("pkgstats.web").joinpath("style.css").read_bytes()
    return Response(text, media_type="text/css", headers={"cache-control": "max-age=3600"})


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


async def _not_found(request: Request, _: Exception) -> Response:
    if _is_api(request):
        return JSONResponse({"error": "there is nothing at this address"}, 404)
    return HTMLResponse(pages.sentence("Not found", "There is nothing at this address."), 404)


async def _wrong_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, QueryError)
    if _is_api(request):
        told = {"offset": error.offset, "length": error.length, "suggestion": error.suggestion}
        return JSONResponse({"error": error.sentence, **told}, 400)
    text = request.query_params.get("q", "").strip()
    return HTMLResponse(pages.wrong_query(text, error), 400)


async def _bad_request(request: Request, error: Exception) -> Response:
    if _is_api(request):
        return JSONResponse({"error": str(error)}, 400)
    return HTMLResponse(pages.sentence("Not understood", str(error)), 400)


async def _being_made(request: Request, error: Exception) -> Response:
    headers = {"retry-after": "2"}
    if _is_api(request):
        return JSONResponse({"status": "being made", "error": str(error)}, 202, headers=headers)
    return HTMLResponse(pages.sentence("Being made", f"{error}."), 202, headers=headers)


async def _not_ready(request: Request, _: Exception) -> Response:
    headers = {"retry-after": "2"}
    if _is_api(request) or request.url.path == "/healthz":
        return JSONResponse({"error": NOT_READY}, 503, headers=headers)
    return HTMLResponse(pages.sentence("Not ready", f"{NOT_READY}."), 503, headers=headers)
