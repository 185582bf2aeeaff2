"""Tells others of each answer: who asked for what, and how it went. The outermost ASGI layer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Answered(NamedTuple):
    """An answer that was sent.

    Attributes:
        client: the address of who asked; empty if it is not known.
        method, path, query, version: of the request; path and query as they came.
        status: of the answer; 500 if there was none.
        bytes: of its body.
        seconds: from the request's head to the answer's last byte.
    """

    client: str
    method: str
    path: bytes
    query: bytes
    version: str
    status: int
    bytes: int
    seconds: float


class Watching:
    """Calls the observers after each answer, in turn."""

    def __init__(
        self,
        app: ASGIApp,
        observers: Sequence[Callable[[Answered], None]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Take the application, and whom to tell."""
        self._app = app
        self._observers = observers
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()
        status, length = 500, 0

        async def send_watched(message: Message) -> None:
            nonlocal status, length
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                length += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        finally:
            answered = Answered(
                client=(scope.get("client") or ("", 0))[0],
                method=scope["method"],
                path=scope.get("raw_path") or scope["path"].encode(),
                query=scope["query_string"],
                version=scope.get("http_version", "1.1"),
                status=status,
                bytes=0 if scope["method"] == "HEAD" else length,
                seconds=self._clock() - started,
            )
            for tell in self._observers:
                tell(answered)
