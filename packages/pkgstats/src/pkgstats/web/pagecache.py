"""Whole answers are remembered while what they were made from stands.

A page that lasts has an ``ETag`` (see `pkgstats.web.respond`): the same state of the view and of
the search index gives the same bytes, the whole day. So it is made once, however many ask for it,
also if they ask at the same time. This is an ASGI layer and not a function around handlers because
much of what a page costs lies between the two.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from pkgstats.web.shelves import BYTES_MAX, Answer, Shelves

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pkgstats.web.shelves import Key

OUTDATED_S: Final = 10.0
"""For so long after a change an answer from before it may be given, …"""

AT_ONCE_S: Final = 0.3
"""… once to make answers anew has taken more than so much time, …"""

REMAKING: Final = 0.3
"""… and this share of the time since the change. So people who are few see a change at once, and
those who are many do not wait until all that was remembered has been made anew."""

NOT_KEPT: Final = frozenset({b"content-length", b"date"})

NO_CHANGE_HEADERS: Final = frozenset({b"content-type"})
"""What an answer without a body does not say."""


class PageCache:
    """Answers from memory what it can, and remembers what the application answers.

    Attributes:
        hits, misses: how many of the requests that may be remembered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: Callable[[], object | None],
        parameters: Collection[str],
        apart: Collection[str] = (),
        own_base: bool = False,
        bytes_max: int = BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        """Take the application.

        Args:
            app: the application.
            state: of what answers are made from; None: nothing is remembered.
            parameters: names that pages know. With any other one nothing is remembered, or a
                stranger could have the same page remembered again and again.
            apart: paths that are never remembered.
            own_base: answers do not depend on the host that was asked for.
            bytes_max: of each of the two shelves.
            clock: tells seconds.
            work: tells the seconds that this thread has worked.
        """
        self._app = app
        self._look = state
        self._parameters = frozenset(one.encode() for one in parameters)
        self._apart = frozenset(apart)
        self._own_base = own_base
        self._clock = clock
        self._work = work
        self._answers, self._before = Shelves(bytes_max), Shelves(bytes_max)
        self._state: object | None = None
        self._changed = self._spent = 0.0
        self._being_made: dict[Key, asyncio.Future[Answer | None]] = {}
        """What is told to who asks meanwhile; None: who made it went away."""

        self.hits = 0
        self.misses = 0

    @property
    def bytes(self) -> int:
        """Bytes that are remembered."""
        return self._answers.bytes + self._before.bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self._may_be_remembered(scope):
            await self._app(scope, receive, send)
            return
        key = self._key(scope)
        found = self._answers.get(key) or self._outdated(key)
        if found is None:
            self.misses += 1
            found = await self._made(key, scope)
        else:
            self.hits += 1
        await _send(found, scope, send)

    def _may_be_remembered(self, scope: Scope) -> bool:
        query: bytes = scope["query_string"]
        if query and not {one.partition(b"=")[0] for one in query.split(b"&")} <= self._parameters:
            return False
        return self._stands() and scope["path"] not in self._apart

    def _stands(self) -> bool:
        """Begin anew after a change; whether there is anything to answer from."""
        state = self._look()
        if state != self._state:
            self._state = state
            self._answers, self._before = self._before, self._answers
            self._answers.clear()
            self._being_made.clear()
            self._changed, self._spent = self._clock(), 0.0
        return state is not None

    def _outdated(self, key: Key) -> Answer | None:
        """The answer from before the last change, if there is too much to be made anew."""
        passed = self._clock() - self._changed
        if passed > OUTDATED_S:
            self._before.clear()
        return self._before.get(key) if self._spent > AT_ONCE_S + REMAKING * passed else None

    def _key(self, scope: Scope) -> Key:
        path = scope.get("raw_path") or scope["path"].encode()
        return (b"" if self._own_base else _host(scope), path, scope["query_string"])

    async def _made(self, key: Key, scope: Scope) -> Answer:
        """The application's answer; one that lasts is made for all who ask meanwhile."""
        while (other := self._being_made.get(key)) is not None:
            found = await asyncio.shield(other)
            if found is not None:
                return found if found.lasts else await _collected(self._app, scope)
            if (kept := self._answers.get(key)) is not None:
                return kept  # somebody else was quicker
        return await self._make(key, scope)

    async def _make(self, key: Key, scope: Scope) -> Answer:
        """No task of its own, which would take longer than some pages: who asks first makes it."""
        state, made, began = self._state, None, self._work()
        told = self._being_made[key] = asyncio.get_running_loop().create_future()
        try:
            made = await _collected(self._app, scope)
        except Exception as error:
            told.set_exception(error)
            told.exception()  # seen, even if nobody else has asked
            raise
        finally:
            if self._being_made.get(key) is told:
                del self._being_made[key]
            if not told.done():
                told.set_result(made)
            self._spent += self._work() - began
        if made.lasts and state == self._state:
            self._answers.put(key, made)
        return made


async def _collected(app: ASGIApp, scope: Scope) -> Answer:
    """The whole answer to a request, whatever the client has of it already."""
    start: Message = {}
    body: list[bytes] = []

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.append(message.get("body", b""))

    headers = [one for one in scope["headers"] if one[0] != b"if-none-match"]
    await app({**scope, "method": "GET", "headers": headers}, _nothing, collect)
    kept = tuple((name, value) for name, value in start["headers"] if name not in NOT_KEPT)
    return Answer(start["status"], kept, b"".join(body))


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    """Send an answer, or only as much of it as was asked for."""
    status, headers, body = answer
    if status == 200 and answer.tag and _has(scope, answer.tag):
        kept = [one for one in headers if one[0] not in NO_CHANGE_HEADERS]
        await send({"type": "http.response.start", "status": 304, "headers": kept})
        await send({"type": "http.response.body", "body": b""})
        return
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _has(scope: Scope, tag: bytes) -> bool:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            told: bytes = value
            return tag in [one.strip().removeprefix(b"W/") for one in told.split(b",")]
    return False


def _host(scope: Scope) -> bytes:
    scheme: str = scope["scheme"]
    host: bytes = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return scheme.encode() + b"://" + host
