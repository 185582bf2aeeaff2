"""What cannot be answered, said so that it helps."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from pkgstats.past import BeingMadeError, PastError
from pkgstats.search.engine import NoIndexError
from pkgstats.search.parse import parse
from pkgstats.search.query import Query, QueryError
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.site import Page

if TYPE_CHECKING:
    from starlette.requests import Request

    from pkgstats.web.site import Site

HANDLED: Final[tuple[type[Exception], ...]] = (
    QueryError,
    BadRequestError,
    PastError,
    BeingMadeError,
    NoIndexError,
    sqlite3.OperationalError,
)
"""What handlers may raise for a page of this module."""

LATER: Final = {"retry-after": "2"}

NAME_CHARACTERS_MAX: Final = 214
"""Characters of an address that are taken for a name."""

NEAR: Final = 6
"""Names that are shown where one was not found."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what may help.

    Attributes:
        error: a sentence.
        did_you_mean: names of packages that may have been meant.
        unheld: a package of which nobody here has told, and which is not looked up either.
        later: asking again in a moment may help.
    """

    error: str
    did_you_mean: tuple[str, ...] = ()
    unheld: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True)
class WrongQuery:
    """A query that makes no sense, and where.

    Attributes:
        query: as it was typed.
        error: a sentence.
        offset, length: of the place in the query, in characters.
        suggestion: what may stand there instead.
        better: the whole query with it; empty if there is none.
    """

    query: str
    error: str
    offset: int
    length: int
    suggestion: str
    better: str


def page_of(request: Request, error: Exception) -> Page:
    """The page for what a handler has raised."""
    if isinstance(error, QueryError):
        return wrong_query(request.query_params.get("q", "").strip(), error)
    if isinstance(error, BeingMadeError):
        return trouble("Being made", f"{error}.", 202, later=True)
    if isinstance(error, (BadRequestError, PastError)):
        return trouble("Not understood", f"{error}.", 400)
    return trouble(
        "Not ready", "Nothing has been indexed yet; try again in a moment.", 503, later=True
    )


def not_found(_: Request) -> Page:
    """There is no such address."""
    return trouble("Not found", "There is nothing at this address.", 404)


def went_wrong() -> Page:
    """The page could not be made; why is nobody's business but the owner's."""
    sentence = "This page could not be made. What went wrong stands in pages.log."
    return trouble("Something went wrong", sentence, 500)


async def nowhere(site: Site, request: Request) -> Page | Response:
    """There is no such address; packages are shown whose name is like its end.

    One that ends with a slash may be there without.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    if raw.endswith(b"/") and (path := _within(raw)):
        query = request.scope["query_string"].decode("latin-1")
        return Response(status_code=308, headers={"location": f"{path}?{query}".rstrip("?")})
    end = request.url.path.rstrip("/").removeprefix("/")[-NAME_CHARACTERS_MAX:]
    name = end if end.startswith("@") else end.rpartition("/")[2]
    sentence = "There is nothing at this address."
    return trouble("Not found", sentence, 404, similar=await near(site, name), query=name)


def _within(raw: bytes) -> str:
    """A path of this site without slashes at its ends; empty: there is nothing else in it.

    Two slashes at its beginning, or what browsers take for that, would lead to another host.
    """
    inside = raw.strip(b"/\\").decode("latin-1")
    return f"/{inside}" if inside else ""


async def unknown_package(site: Site, name: str, sentence: str = "") -> Page:
    """Nobody has told of a package: near names, and how it can be had.

    Args:
        site: whose search knows the names.
        name: that was asked for.
        sentence: what else is to be said of it; then it has been looked up in vain.
    """
    return trouble(
        name,
        sentence or f"Nobody here has told of {name}.",
        404,
        similar=await near(site, name),
        query=name,
        unheld="" if sentence else name,
    )


async def near(site: Site, name: str) -> tuple[str, ...]:
    """Names of packages that are like this one, typos and all; none while there is no index."""
    try:
        words = Query(text=parse(name).text)
        found = await site.search.search(words, size=NEAR)
    except (NoIndexError, QueryError, sqlite3.OperationalError):
        return ()
    return tuple(one.name for one in found.hits)


def trouble(
    title: str,
    sentence: str,
    status: int,
    *,
    similar: tuple[str, ...] = (),
    query: str = "",
    unheld: str = "",
    later: bool = False,
) -> Page:
    """A page that says one thing, with near names if there are any."""
    return Page(
        template="trouble.html",
        title=title,
        data=Trouble(sentence, similar, unheld, later),
        query=query,
        status=status,
        headers=LATER if later else {},
        listed=False,
        lasts=False,
    )


def wrong_query(text: str, error: QueryError) -> Page:
    """A query that cannot be answered, with the place where the trouble lies."""
    better = ""
    if error.suggestion:
        better = text[: error.offset] + error.suggestion + text[error.offset + error.length :]
    data = WrongQuery(
        query=text,
        error=error.sentence,
        offset=error.offset,
        length=error.length,
        suggestion=error.suggestion or "",
        better=better,
    )
    return Page(
        template="wrong_query.html",
        title="Not understood",
        data=data,
        query=text,
        status=400,
        listed=False,
        lasts=False,
    )
