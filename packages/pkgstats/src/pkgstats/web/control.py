"""What other verbs ask a running `serve`: it alone has the feeds of its folder open.

`serve` writes its address and a secret into a file that only its user can read; who has read that
may ask. Pages of others cannot: a browser does not send them the header.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hypermultifeed import HypermultifeedError, parse_key
from pkgstats.group import GroupError
from pkgstats.plain import plain
from pkgstats.readmes import ReadmeError
from pkgstats.records.model import ROLES
from pkgstats.records.names import NAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request

    from pkgstats.node import Node
    from pkgstats.past import Pasts

    Answer = Callable[[Request], Awaitable[Any]]

FILE: Final = "serve.json"

DAY_DIGITS_MAX: Final = 8
"""Digits of a day's number that are read."""

DOOR_BYTES_MAX: Final = 1024
"""Longest file that is read."""


class Door(NamedTuple):
    """How to ask a running `serve`.

    Attributes:
        address: of its pages.
        secret: to be sent with each request.
    """

    address: str
    secret: str

    @classmethod
    def of(cls, folder: Path) -> Door | None:
        """The door that the folder's file tells of; None if nobody serves it, or did."""
        try:
            with (folder / FILE).open(encoding="ascii") as file:
                told = json.loads(file.read(DOOR_BYTES_MAX))
            return cls(str(told["address"]), str(told["secret"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Tell of it, to this user alone."""
        partial = folder / f"{FILE}.partial"
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(self._asdict(), file)
        partial.replace(folder / FILE)

    @staticmethod
    def remove(folder: Path) -> None:
        """Tell of it no longer."""
        (folder / FILE).unlink(missing_ok=True)


def new_secret() -> str:
    """A secret for one run."""
    return secrets.token_urlsafe(32)


def control_routes(node: Node, secret: str, pasts: Pasts | None = None) -> list[Route]:
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
    def __init__(self, node: Node, pasts: Pasts | None) -> None:
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
        await self._pasts.make(int(request.query_params.get("day", "")[:DAY_DIGITS_MAX]))
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
        except (GroupError, HypermultifeedError, ReadmeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond
