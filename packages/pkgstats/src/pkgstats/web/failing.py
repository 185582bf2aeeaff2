"""Where the application fails, its reader gets a page and its owner the whole story, in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG: Final = logging.getLogger(__name__)
"""Nobody else handles it, so it ends up on standard error, which is ``pages.log``."""

SENTENCE: Final = "something went wrong\n"


class Failing:
    """Answers what the application raised on. Half an answer is broken off by the server."""

    def __init__(self, app: ASGIApp, page: Callable[[Scope], ASGIApp]) -> None:
        """Take the application, and what makes the page that says so."""
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            LOG.exception("no answer to %s %a", scope["method"], scope["path"])
            await self._said(scope)(scope, receive, send)

    def _said(self, scope: Scope) -> ASGIApp:
        """The page, or a line if it is pages that fail."""
        try:
            return self._page(scope)
        except Exception:
            LOG.exception("no page about it either")
            return PlainTextResponse(SENTENCE, 500, {"cache-control": "no-store"})
