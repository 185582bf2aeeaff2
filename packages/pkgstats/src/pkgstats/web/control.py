"""What other processes of its user ask a running node, which alone has its feeds open.

See `pkgstats.web.door` for how they ask.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hypermultifeed import HypermultifeedError, parse_key
from pkgstats import runs, transfer
from pkgstats.crawler.asked import Asked
from pkgstats.crawler.crawling import NotFetchedError
from pkgstats.group import GroupError
from pkgstats.past import BeingMadeError
from pkgstats.plain import plain
from pkgstats.readmes import ReadmeError
from pkgstats.records.model import ROLES
from pkgstats.records.names import NAME_BYTES_MAX
from pkgstats.sources.addresses import Addresses
from pkgstats.sources.errors import SourceError
from pkgstats.transfer import TransferError
from pkgstats.web.door import ACCEPTED
from pkgstats.web.guard import LOOPBACK_NAMES, Guard
from pkgstats.web.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from pkgstats.node import Node
    from pkgstats.past_making import PastMaker
    from pkgstats.runs import Tell
    from pkgstats.transfer import Listed

    Answer = Callable[[Request], Awaitable[Any]]

REFUSALS: Final = (
    *(GroupError, HypermultifeedError, NotFetchedError, ReadmeError, SourceError),
    *(KeyError, TypeError, ValueError),
)
"""What is answered as a sentence."""

BODY_BYTES_MAX: Final = 1 << 20
"""Of what a crawl is asked for: its names, above all."""

DAY_DIGITS_MAX: Final = 8
"""Digits of a day's number that are read."""


def door_of(
    node: Node, secret: str, pasts: PastMaker, fetches: Addresses | None = None
) -> Starlette:
    """The application behind a node's door.

    Args:
        node: open, and longer than this is asked.
        secret: who knows it may ask.
        pasts: makes days that are gone.
        fetches: who is asked about packages that are not held; None: nobody.
    """
    control = _Control(node, pasts, fetches)
    asked: dict[str, tuple[str, Answer]] = {
        "peers": ("GET", control.peers),
        "admit": ("POST", control.admit),
        "revoke": ("POST", control.revoke),
        "rebuild": ("POST", control.rebuild),
        "past": ("POST", control.past),
        "readme": ("GET", control.readme),
        "fetch": ("POST", control.fetch),
        "forgive": ("POST", control.forgive),
        "crawl": ("POST", control.crawl),
        "import": ("POST", control.import_),
    }
    routes = [
        Route(f"/control/{name}", _guarded(answer, secret), methods=[method])
        for name, (method, answer) in asked.items()
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=LOOPBACK_NAMES)])


class _Control:
    def __init__(self, node: Node, pasts: PastMaker, fetches: Addresses | None) -> None:
        self._node = node
        self._pasts = pasts
        self._fetches = fetches
        self._running = False

    async def peers(self, _: Request) -> Any:
        """The network's report; with it kinds by the topics' keys, and feeds' lengths by theirs."""
        network, multis = self._node.network, self._node.multis
        if network is None:
            return None
        lengths = {feed.key: feed.length for multi in multis.values() for feed in multi.feeds()}
        kinds = {multi.key: kind for kind, multi in multis.items()}
        return {**plain(network.report()), "kinds": kinds, "lengths": lengths}

    async def admit(self, request: Request) -> Any:
        role = request.query_params.get("role", ROLES[0])
        if role not in ROLES:
            raise ValueError(f"no role: {role[:20]!r}")
        return await self._node.membership.admit(_key(request), role)

    async def revoke(self, request: Request) -> Any:
        until: dict[str, int] | None = {} if "all" in request.query_params else None
        return await self._node.membership.revoke(_key(request), until)

    async def rebuild(self, _: Request) -> Any:
        await self._node.rebuild()
        return {}

    async def readme(self, request: Request) -> Any:
        return await self._node.readme(request.query_params.get("name", "")[:NAME_BYTES_MAX])

    async def past(self, request: Request) -> Any:
        day = int(request.query_params.get("day", "")[:DAY_DIGITS_MAX])
        await (self._pasts.make(day) if "wait" in request.query_params else self._pasts.get(day))
        return {}

    async def fetch(self, request: Request) -> Any:
        if self._fetches is None:
            raise ValueError("packages are looked up only by `pkgstats serve --fetch`")
        name = request.query_params.get("name", "")[: NAME_BYTES_MAX + 1]
        crawling = await self._node.crawling()
        await crawling.fetch(name, self._fetches, self._node.index)
        return {}

    async def forgive(self, request: Request) -> Any:
        await self._node.forgive(_key(request))
        return {}

    async def crawl(self, request: Request) -> Response:
        told = await _body(request)
        asked, addresses = _asked(told["asked"]), _addresses(told["addresses"])
        return self._lines(lambda tell: runs.crawl(self._node, asked, addresses, tell))

    async def import_(self, request: Request) -> Response:
        told = await _body(request)
        file, form, at = Path(str(told["file"])), told["format"], int(told["observed_at"])

        def read() -> Listed:
            if not file.is_file():  # a pipe, say, whose other end is that of the verb alone
                raise TransferError(f"{file} is no file that `serve` could read")
            with file.open("rb") as opened:
                return transfer.read_list(opened, form)

        async def work(tell: Tell) -> None:
            listed = await asyncio.to_thread(read)
            await runs.import_rows(self._node, listed.rows, at, tell)

        return self._lines(work)

    def _lines(self, work: Callable[[Tell], Awaitable[None]]) -> Response:
        """What a run tells; one at a time, since it is long and of one user."""
        if self._running:
            raise ValueError("it crawls or imports for another verb; wait for that, or end it")
        self._running = True

        async def run(tell: Tell) -> None:
            try:
                await work(tell)
            finally:
                self._running = False

        return Lines(run)


async def _body(request: Request) -> dict[str, Any]:
    """What was sent, an object."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > BODY_BYTES_MAX:
            raise ValueError("too much at once")
    told = json.loads(found)
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - of who asks, not of ours
    return told


def _asked(told: dict[str, Any]) -> Asked:
    """What is to be crawled; following is what `serve` does by itself."""
    names = tuple(str(name) for name in told.pop("names"))
    found = Asked(names=names, **{**told, "follow": False})
    found.check()
    return found


def _addresses(told: dict[str, Any]) -> Addresses:
    scopes = {str(scope): str(address) for scope, address in told.pop("scopes").items()}
    return Addresses(scopes=scopes, **told)


def _key(request: Request) -> bytes:
    return parse_key(request.query_params.get("key", ""))


def _guarded(answer: Answer, secret: str) -> Callable[[Request], Awaitable[Response]]:
    wanted = f"Bearer {secret}".encode()

    async def respond(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, wanted):
            return JSONResponse({"error": "not for you"}, 403)
        try:
            told = await answer(request)
            return told if isinstance(told, Response) else JSONResponse(plain(told))
        except BeingMadeError as error:
            return JSONResponse({"error": str(error)}, ACCEPTED)
        except REFUSALS as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond
