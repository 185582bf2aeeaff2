"""What other processes of its user ask a running node, which alone has its feeds open.

See `pkgstats.web.door` for how they ask.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hypermultifeed import HypermultifeedError, parse_key
from pkgstats.group import GroupError
from pkgstats.past import BeingMadeError
from pkgstats.plain import plain
from pkgstats.readmes import ReadmeError
from pkgstats.records.model import ROLES
from pkgstats.records.names import NAME_BYTES_MAX
from pkgstats.web.door import ACCEPTED
from pkgstats.web.guard import LOOPBACK_NAMES, Guard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from pkgstats.node import Node
    from pkgstats.past_making import PastMaker

    Answer = Callable[[Request], Awaitable[Any]]

DAY_DIGITS_MAX: Final = 8
"""Digits of a day's number that are read."""


def door_of(node: Node, secret: str, pasts: PastMaker) -> Starlette:
    """The application behind a node's door."""
    guard = Middleware(Guard, hosts=LOOPBACK_NAMES)
    return Starlette(routes=control_routes(node, secret, pasts), middleware=[guard])


def control_routes(node: Node, secret: str, pasts: PastMaker | None = None) -> list[Route]:
    """What can be asked of a node by who knows the secret."""
    control = _Control(node, pasts)
    asked: dict[str, tuple[str, Answer]] = {
        "peers": ("GET", control.peers),
        "admit": ("POST", control.admit),
        "revoke": ("POST", control.revoke),
        "rebuild": ("POST", control.rebuild),
        "past": ("POST", control.past),
        "readme": ("GET", control.readme),
    }
    return [
        Route(f"/control/{name}", _guarded(answer, secret), methods=[method])
        for name, (method, answer) in asked.items()
    ]


class _Control:
    def __init__(self, node: Node, pasts: PastMaker | None) -> None:
        self._node = node
        self._pasts = pasts

    async def peers(self, _: Request) -> Any:
        network = self._node.network
        return None if network is None else network.report()

    async def admit(self, request: Request) -> Any:
        role = request.query_params.get("role", ROLES[0])
        if role not in ROLES:
            raise ValueError(f"no role: {role[:20]!r}")
        return await self._node.admit(_key(request), role)

    async def revoke(self, request: Request) -> Any:
        until: dict[str, int] | None = {} if "all" in request.query_params else None
        return await self._node.revoke(_key(request), until)

    async def rebuild(self, _: Request) -> Any:
        await self._node.rebuild()
        return {}

    async def readme(self, request: Request) -> Any:
        return await self._node.readme(request.query_params.get("name", "")[:NAME_BYTES_MAX])

    async def past(self, request: Request) -> Any:
        if self._pasts is None:
            raise ValueError("only the present can be looked at here")
        day = int(request.query_params.get("day", "")[:DAY_DIGITS_MAX])
        await (self._pasts.make(day) if "wait" in request.query_params else self._pasts.get(day))
        return {}


def _key(request: Request) -> bytes:
    return parse_key(request.query_params.get("key", ""))


def _guarded(answer: Answer, secret: str) -> Callable[[Request], Awaitable[Response]]:
    wanted = f"Bearer {secret}".encode()

    async def respond(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, wanted):
            return JSONResponse({"error": "not for you"}, 403)
        try:
            return JSONResponse(plain(await answer(request)))
        except BeingMadeError as error:
            return JSONResponse({"error": str(error)}, ACCEPTED)
        except (GroupError, HypermultifeedError, ReadmeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond
