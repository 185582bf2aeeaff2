"""Limits for clients from elsewhere, and who they are behind a proxy. ASGI layers.

`Forwarded` says whose request it is, `Limited` takes its price. This machine itself is not limited.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

from pkgstats.web.limits import ANSWER_PRICE, PAGE_PRICE, SEARCH_PRICE, UNKNOWN, client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from pkgstats.web.limits import Limits

FORWARDED: Final = b"x-forwarded-for"

SEARCHES: Final = ("/search", "/api/search", "/suggest", "/compare")
"""Paths (and those that go on from them) of what takes a search, or as much work as one."""

FREE: Final = "/static/"
"""Files that lie ready in memory."""

SENTENCE: Final = "too many requests: go on a little later\n"


def client(scope: Scope) -> str:
    """Who asks, as `client_of` has it; empty: this machine."""
    found = scope.get("client")
    return client_of(found[0]) if found else UNKNOWN


def answer_price(scope: Scope) -> float:
    """Of an answer that may be remembered."""
    return 0.0 if scope["path"].startswith(FREE) else ANSWER_PRICE


def making_price(scope: Scope) -> float:
    """Of one that has to be made, on top of it."""
    path: str = scope["path"]
    if path.startswith(FREE):
        return 0.0
    return SEARCH_PRICE if path.startswith(SEARCHES) else PAGE_PRICE


class Forwarded:
    """Tells apart the clients of a proxy, if we are told to trust it.

    A proxy adds the address of who asked it to the end of ``X-Forwarded-For``; what stands before
    that was said by the client, and proves nothing. With a proxy that is not trusted its clients
    count as one, and never as this machine itself, although it may run here.
    """

    def __init__(self, app: ASGIApp, *, trusted: bool) -> None:
        """Take the application, and whether all requests come from our own proxy."""
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on with the address of its client."""
        told = [value for name, value in scope.get("headers", ()) if name == FORWARDED]
        if told and self._trusted:
            address = told[-1].rpartition(b",")[2].strip().decode("latin-1")
            scope = {**scope, "client": (address, 0)}
        elif told and client(scope) == "":
            scope = {**scope, "client": (UNKNOWN, 0)}
        await self._app(scope, receive, send)


class Limited:
    """Takes the price of each request out of its client's bucket; 429 if it is not in there."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        price: Callable[[Scope], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the application; ``limits`` may be shared by several."""
        self._app = app
        self._limits = limits
        self._price = price
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        who = client(scope) if scope["type"] == "http" else ""
        wait = self._limits.take(who, self._price(scope), self._clock()) if who else 0.0
        if not wait:
            await self._app(scope, receive, send)
            return
        headers = {"retry-after": str(math.ceil(wait)), "cache-control": "no-store"}
        await PlainTextResponse(SENTENCE, 429, headers)(scope, receive, send)
