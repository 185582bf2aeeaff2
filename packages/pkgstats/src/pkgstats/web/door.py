"""The door of a running node: how its own user's other processes ask it.

`serve` writes its address and a secret into a file that only its user can read; who has read that
may ask. Pages of others cannot: a browser does not send them the header.
"""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import httpx

from pkgstats.past import BeingMadeError, PastError
from pkgstats.readmes import ReadmeError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

FILE: Final = "serve.json"

DOOR_BYTES_MAX: Final = 1024
"""Longest file that is read."""

CONNECT_S: Final = 2.0
"""How long a node, which is on this machine, may take to take the call, …"""

ANSWER_S: Final = 90.0
"""… and to answer: a package that is fetched waits for its turn at the registry."""

ACCEPTED: Final = 202
"""What was asked for is being done."""

AWAY: Final = "the node does not answer"


class FetchError(Exception):
    """A package cannot be fetched now; the text says why."""


class Door(NamedTuple):
    """How to ask a running node.

    Attributes:
        address: of its door.
        secret: to be sent with each request.
        pages: the address of its pages; empty while there are none yet.
        fetches: whether it looks up packages that are not held.
    """

    address: str
    secret: str
    pages: str = ""
    fetches: bool = False

    @classmethod
    def of(cls, folder: Path) -> Door | None:
        """The door that the folder's file tells of; None if nobody serves it, or did."""
        try:
            with (folder / FILE).open(encoding="ascii") as file:
                told = json.loads(file.read(DOOR_BYTES_MAX))
            address, secret = str(told["address"]), str(told["secret"])
            return cls(address, secret, str(told.get("pages", "")), told.get("fetches") is True)
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

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"authorization": f"Bearer {self.secret}"}


def new_secret() -> str:
    """A secret for one run."""
    return secrets.token_urlsafe(32)


class NodeDoor:
    """Asks the node of a folder; an async context manager.

    Attributes:
        fetches: whether it looks up packages that are not held.
    """

    def __init__(self, door: Door) -> None:
        """Take how to ask it."""
        self.fetches = door.fetches
        self._http = httpx.AsyncClient(
            base_url=f"{door.address}/control/",
            headers=door.headers,
            trust_env=False,  # no proxy stands between two processes of one machine
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up."""
        await self._http.aclose()

    async def readme(self, name: str) -> str:
        """The readme of a package.

        Raises:
            ReadmeError: there is none to show, or the node is away.
        """
        return str(await self._ask("GET", "readme", ReadmeError, name=name))

    async def past(self, day: int) -> None:
        """Have the view of a day made.

        Raises:
            PastError: there is nothing to see of that day, or the node is away.
            BeingMadeError: it is not made yet; ask again.
        """
        await self._ask("POST", "past", PastError, day=str(day))

    async def fetch(self, name: str) -> None:
        """Have a package looked at live; it is in the view then.

        Raises:
            FetchError: it cannot be had, or that is not wanted here, or the node is away.
        """
        await self._ask("POST", "fetch", FetchError, name=name)

    async def peers(self) -> dict[str, Any] | None:
        """With whom the node shares; None: it shares with nobody, or is away."""
        try:
            told = await self._ask("GET", "peers", LookupError)
        except LookupError:
            return None
        return told if isinstance(told, dict) else None

    async def _ask(self, method: str, what: str, refused: type[Exception], **asked: str) -> Any:
        try:
            answer = await self._http.request(method, what, params=asked)
            told = answer.json()
        except (httpx.HTTPError, ValueError):
            raise refused(AWAY) from None
        if answer.status_code == ACCEPTED:
            raise BeingMadeError(str(told.get("error", "")))
        if not answer.is_success:
            raise refused(str(told.get("error", answer.status_code)))
        return told
