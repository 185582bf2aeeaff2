"""A page as what was asked for: HTML, JSON, a feed or a table."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from pkgstats.plain import plain
from pkgstats.syndication import ATOM, JSON_FEED, as_atom, as_json_feed
from pkgstats.web import addresses
from pkgstats.web.pages.errors import not_found
from pkgstats.web.render import SITE, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from pkgstats.syndication import Feed
    from pkgstats.web.site import Page, Site, Table

FORMULA: Final = ("=", "+", "-", "\t", "\r")
"""What makes a spreadsheet take a text for something to compute. The `@` of a scope is left as it
is: only one program ever took it so, and only before the name of a function."""


class Twins(NamedTuple):
    """The addresses of a page's twins, whether or not there are all of them."""

    json: str
    csv: str
    atom: str
    feed: str


def respond(site: Site, request: Request, page: Page) -> Response:
    """The page in the format that the address asks for; 304 if the reader has it already."""
    form = request.scope.get("format", "html")
    made = _MAKERS[form](site, request, page)
    if made is None:
        if page.status == 200:
            page = not_found(request)  # there is such a page, but no such twin
        made = _json(site, request, page)
    body, media_type = made
    headers = dict(page.headers)
    if not page.listed or form != "html":
        headers["x-robots-tag"] = "noindex"
    if page.lasts and page.status == 200:
        return lasting(request, body, media_type, headers)
    return Response(body, page.status, {"cache-control": "no-cache", **headers}, media_type)


def lasting(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """What the same state of the view gives the same, the whole day; 304 if the reader has it.

    Its ``ETag`` says so to `pkgstats.web.pagecache`, which remembers it until the next state.
    """
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    said = {"etag": tag, "cache-control": "no-cache", **(headers or {})}
    if _has(request, tag):
        return Response(status_code=304, headers=said)
    return Response(body, 200, said, media_type)


def base_of(site: Site, request: Request) -> str:
    """How the reader reaches us, ``http://host:port``."""
    host = request.headers.get("host") or request.url.netloc
    return site.settings.base or f"{request.scope['scheme']}://{host}"


def _html(site: Site, request: Request, page: Page) -> tuple[bytes, str]:
    path = page.path or _path(request)
    text = render(
        page.template,
        page=page.data,
        title=page.title,
        description=page.description,
        query=page.query,
        path=path,
        canonical=base_of(site, request) + path,
        has_feed=page.feed is not None,
        has_table=page.table is not None,
        twin=_twins(path),
        structured=page.structured,
        listed=page.listed,
        settings=site.settings,
        full_title=page.title if page.title == SITE else f"{page.title} - {SITE}",
        **page.extra,
    )
    return text.encode(), "text/html"


def _json(_: Site, __: Request, page: Page) -> tuple[bytes, str]:
    return json.dumps(plain(page.data), ensure_ascii=False).encode(), "application/json"


def _atom(site: Site, request: Request, page: Page) -> tuple[bytes, str] | None:
    if page.feed is None:
        return None
    return as_atom(_at(page.feed(), site, request, page, ".atom")).encode(), ATOM


def _feed(site: Site, request: Request, page: Page) -> tuple[bytes, str] | None:
    if page.feed is None:
        return None
    feed = _at(page.feed(), site, request, page, ".feed.json")
    return as_json_feed(feed).encode(), JSON_FEED


def _at(feed: Feed, site: Site, request: Request, page: Page, suffix: str) -> Feed:
    """The feed with whole addresses; the handler knows paths only."""
    base, path = base_of(site, request), page.path or _path(request)
    items = tuple(replace(one, link=base + one.link if one.link else "") for one in feed.items)
    return replace(feed, home=base + path, itself=base + _twin(path, suffix), items=items)


def _csv(_: Site, __: Request, page: Page) -> tuple[bytes, str] | None:
    return None if page.table is None else (as_csv(page.table()).encode(), "text/csv")


_MAKERS: Final[dict[str, Callable[[Any, Any, Any], tuple[bytes, str] | None]]] = {
    "html": _html,
    "json": _json,
    "atom": _atom,
    "feed": _feed,
    "csv": _csv,
}


def as_csv(table: Table) -> str:
    """A table that spreadsheets read (RFC 4180); no text in it is taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.headers)
    for row in table.rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: str | float | None) -> str | float:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _path(request: Request) -> str:
    """The address that was asked for, without a suffix."""
    path: str = request.scope.get("page_path") or request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _twin(path: str, suffix: str) -> str:
    """The address of a twin of a page with parameters."""
    bare, mark, query = path.partition("?")
    return addresses.with_suffix(bare, suffix) + mark + query


def _twins(path: str) -> Twins:
    return Twins(*(_twin(path, suffix) for suffix in (".json", ".csv", ".atom", ".feed.json")))


def _has(request: Request, tag: str) -> bool:
    told = request.headers.get("if-none-match", "")
    return tag in (one.strip().removeprefix("W/") for one in told.split(","))
