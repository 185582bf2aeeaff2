"""Searches, and where a query leads that names one thing alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from pkgstats.search.query import ANY, Filter, Query
from pkgstats.web import addresses, bounds, refining
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.pages.errors import near
from pkgstats.web.pages.found import feed_of, table_of, told, unknown
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.search.results import SearchResult
    from pkgstats.web.pages.found import Found
    from pkgstats.web.site import Site


async def search(site: Site, request: Request) -> Page | Response:
    """Results; without a query, the first page; of a name alone, the page of that.

    ``with`` is what a button beside results says: the query with that term is at another address.
    """
    asked = request.query_params
    text = asked.get("q", "").strip()
    size = bounds.whole_number(asked, "size", bounds.SIZE, bounds.SIZE_MAX)
    number = bounds.whole_number(asked, "page", 1, bounds.PAGE_MAX)
    html = request.scope.get("format") == "html"
    if html and (term := asked.get("with")):
        refined = _refined(text, term)
        return _see(addresses.search(refined, size=size) if refined else "/")
    if not text:
        return _see("/")
    found = await site.find(text, size=size, page=number)
    if html and (path := page_of(found)):
        return _see(path)
    names = [one.name for one in found.hits]
    details = await site.ask_at(lambda view: view.details_of(names), found.query.at)
    similar = await near(site, name) if (name := unknown(found)) else ()
    data = told(text, found, details, similar, size=size, page=number)
    lasts = found.query.age == ANY and found.query.at is None
    fetches = site.door is not None and site.door.fetches
    return _page(data, lasts=lasts, now=site.clock(), fetches=fetches)


def page_of(found: SearchResult) -> str:
    """The page that a query asks for which is ``pkg:NAME`` or ``@USER`` alone; empty: it is none.

    A name of which nobody has told leads nowhere. Of a scope and a user of one name the scope is
    shown, which has a link to the user.
    """
    query = found.query
    if query.package is not None and query == Query(package=query.package):
        return "" if found.exact is None else addresses.package(found.exact.name)
    if query.person is None or query != Query(filters=(Filter("person", (query.person,)),)):
        return ""
    known = {one.meaning for one in found.readings if one.packages}
    page = addresses.scope if "scope" in known else addresses.user
    return page(query.person)


def _refined(text: str, term: str) -> str:
    if term not in refining.TERMS:
        raise BadRequestError("with is what one of the buttons beside the results says")
    return refining.refined(text, term)


def _page(data: Found, *, lasts: bool, now: int, fetches: bool) -> Page:
    terms = refining.terms_of(data.typed)
    return Page(
        template="search.html",
        title=data.typed,
        data=data,
        path=addresses.search(data.typed, data.page, data.size),
        query=data.typed,
        feed=partial(feed_of, data, now),
        table=partial(table_of, data),
        listed=False,
        lasts=lasts,
        extra={
            "terms": terms,
            "narrowed": refining.narrows(terms),
            "present": refining.without(data.typed, "at"),
            "fetches": fetches,
        },
    )


def _see(path: str) -> Response:
    return Response(status_code=303, headers={"location": path})
