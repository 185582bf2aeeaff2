"""Whole answers are remembered while what they were made from stands.

A page that lasts has an ``ETag`` (see `pkgstats.web.respond`): the same state of the view and of
the search index gives the same bytes, the whole day. So it is made once, however many ask for it,
also if they ask at the same time. This is an ASGI layer and not a function around handlers because
much of what a page costs lies between the two.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Key = tuple[bytes, bytes, bytes]
    Header = tuple[bytes, bytes]

BYTES_MAX: Final = 16 << 20
"""Bytes that are remembered of pages without parameters, and as many of those with: who asks for
one search after the other drives out searches only."""

ANSWER_BYTES_MAX: Final = 1 << 20
"""Largest answer that is remembered."""

OVERHEAD_BYTES: Final = 1024
"""What an answer takes beside its bytes, at most."""

NOT_KEPT: Final = frozenset({b"content-length", b"date"})

NO_CHANGE_HEADERS: Final = frozenset({b"content-type"})
"""What an answer without a body does not say."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    @property
    def tag(self) -> bytes:
        """Its ``ETag``; empty: it has none."""
        return next((value for name, value in self.headers if name == b"etag"), b"")

    @property
    def lasts(self) -> bool:
        """Whether it may be remembered."""
        return self.status == 200 and bool(self.tag) and len(self.body) <= ANSWER_BYTES_MAX


class Shelf:
    """Answers up to so many bytes; the one that was asked for least lately goes first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """Answers that are remembered."""
        return len(self._answers)

    def get(self, key: Key) -> Answer | None:
        """What was remembered for a key."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def put(self, key: Key, answer: Answer) -> None:
        """Remember an answer whose key is not remembered yet."""
        self._answers[key] = answer
        self.bytes += _cost(key, answer)
        while self.bytes > self._bytes_max:
            self.bytes -= _cost(*self._answers.popitem(last=False))

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()
        self.bytes = 0


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
        """
        self._app = app
        self._look = state
        self._parameters = frozenset(one.encode() for one in parameters)
        self._apart = frozenset(apart)
        self._own_base = own_base
        self._bare, self._asked = Shelf(bytes_max), Shelf(bytes_max)
        self._state: object | None = None
        self._being_made: dict[Key, asyncio.Future[Answer | None]] = {}
        """What is told to who asks meanwhile; None: who made it went away."""

        self.hits = 0
        self.misses = 0

    @property
    def bytes(self) -> int:
        """Bytes that are remembered."""
        return self._bare.bytes + self._asked.bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self._may_be_remembered(scope):
            await self._app(scope, receive, send)
            return
        key = self._key(scope)
        found = self._shelf(key).get(key)
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
        """Forget everything after a change; whether there is anything to answer from."""
        state = self._look()
        if state != self._state:
            self._state = state
            self._bare.clear()
            self._asked.clear()
            self._being_made.clear()
        return state is not None

    def _key(self, scope: Scope) -> Key:
        path = scope.get("raw_path") or scope["path"].encode()
        return (b"" if self._own_base else _host(scope), path, scope["query_string"])

    def _shelf(self, key: Key) -> Shelf:
        return self._asked if key[2] else self._bare

    async def _made(self, key: Key, scope: Scope) -> Answer:
        """The application's answer; one that lasts is made for all who ask meanwhile."""
        while (other := self._being_made.get(key)) is not None:
            found = await asyncio.shield(other)
            if found is not None:
                return found if found.lasts else await _collected(self._app, scope)
            if (kept := self._shelf(key).get(key)) is not None:
                return kept  # somebody else was quicker
        return await self._make(key, scope)

    async def _make(self, key: Key, scope: Scope) -> Answer:
        """No task of its own, which would take longer than some pages: who asks first makes it."""
        state, made = self._state, None
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
        if made.lasts and state == self._state:
            self._shelf(key).put(key, made)
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


def _cost(key: Key, answer: Answer) -> int:
    return sum(map(len, key)) + len(answer.body) + OVERHEAD_BYTES
