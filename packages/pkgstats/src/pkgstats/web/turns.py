"""Requests of a burst wait for their turn instead of being refused or all being worked on at once.

The server's own limit counts connections, which browsers keep open while they ask nothing: it
would refuse people while the machine idles.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

RUNNING_MAX: Final = 64
"""Answers that are made at once; threads make fewer, but some wait for others."""

WAITING_MAX: Final = 2048
"""Requests that wait for their turn; each costs some kilobytes."""

WAIT_S: Final = 10.0
"""Longest wait: who asked has given up by then."""

SENTENCE: Final = "too busy: try again in a moment\n"


class Turns:
    """Lets some requests through at once, the others in the order in which they came.

    What comes while too many wait, or has waited too long, is told to come back (503).
    """

    def __init__(
        self,
        app: ASGIApp,
        running_max: int = RUNNING_MAX,
        waiting_max: int = WAITING_MAX,
        wait_s: float = WAIT_S,
    ) -> None:
        """Take the application."""
        self._app = app
        self._free = asyncio.Semaphore(running_max)
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not await self._turn():
            headers = {"retry-after": "2", "cache-control": "no-store"}
            await PlainTextResponse(SENTENCE, 503, headers)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._free.release()

    async def _turn(self) -> bool:
        if not self._free.locked():
            return await self._free.acquire()  # at once
        if self._waiting >= self._waiting_max:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
