"""Posts to a server with Mastodon's status API: ``POST /api/v1/statuses`` with a bearer token.

The token goes to the named address alone: no redirect is followed and no proxy asked, and over
plain HTTP it goes to this machine only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import TYPE_CHECKING, Final

import httpx

from pkgstats.posting.pace import wait_after_refusal
from pkgstats.posting.poster import BusyError, LostError, PostError, RefusedError, UnfitError
from pkgstats.sources.answers import read_object
from pkgstats.sources.errors import SourceError
from pkgstats.syndication import line

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/api/v1/statuses"

VISIBILITIES: Final = ("public", "unlisted", "private", "direct")
"""Who may see a post, in Mastodon's words."""

KNOWS_AGAIN_S: Final = 3000.0
"""Mastodon knows an ``Idempotency-Key`` again for an hour; some of it is left for the clocks."""

DEADLINE_S: Final = 30.0
"""How long an answer may take, all of it."""

ANSWER_MAX: Final = 1 << 18
"""Bytes of an answer: a status with its account has some 5 kB."""

REASON_MAX: Final = 200
"""Characters that are shown of what a server says."""

TOKEN_MAX: Final = 4096
"""Characters of a token."""

ADDRESS_MAX: Final = 2048
"""Characters of a server's address."""


class MastodonPoster:
    """Posts to a server.

    Args:
        base: the server's address, ``https://…``; ``http://`` of this machine only.
        token: of an application with the right ``write:statuses``.
        visibility: one of `VISIBILITIES`.
        deadline_s: see `DEADLINE_S`.
        clock: seconds since 1970.

    Raises:
        PostError: the address or the token is none.
    """

    social = True
    knows_again_s = KNOWS_AGAIN_S

    def __init__(
        self,
        base: str,
        token: str,
        *,
        visibility: str = "public",
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.place = checked_base(base)
        self._token = checked_token(token)
        self._visibility = visibility
        self._deadline_s = deadline_s
        self._clock = clock

    async def send(self, text: str, key: str) -> None:
        """Post a status.

        Raises:
            PostError: see `poster`.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                status, headers, body = await self._exchange(text, key)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise RefusedError(f"{self.place} is not reached: {_reason(error)}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise LostError(f"{self.place} gave no answer: {_reason(error)}") from None
        self._judge(status, headers, body)

    async def _exchange(self, text: str, key: str) -> tuple[int, httpx.Headers, bytes]:
        headers = {
            "authorization": f"Bearer {self._token}",
            "idempotency-key": key,
            "user-agent": "pkgstats",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        said = {"status": text, "visibility": self._visibility}
        async with (
            httpx.AsyncClient(
                trust_env=False,
                timeout=httpx.Timeout(self._deadline_s, connect=self._deadline_s / 2),
            ) as client,
            client.stream("POST", self.place + PATH, json=said, headers=headers) as answer,
        ):
            return answer.status_code, answer.headers, await _body(answer)

    def _judge(self, status: int, headers: httpx.Headers, body: bytes) -> None:
        if status == 429:
            wait = wait_after_refusal(headers, self._clock())
            raise BusyError(f"{self.place} takes no more posts for {wait:,.0f} s", wait)
        said = _said(body)
        if status in {401, 403}:
            raise RefusedError(
                f"{self.place} does not take the token (status {status}{said}): it needs the"
                " right write:statuses, and an account that may post"
            )
        if 300 <= status < 400:
            raise RefusedError(f"{self.place} is elsewhere (status {status}): name that address")
        if status == 422:
            raise UnfitError(f"{self.place} does not take this text (status 422{said})")
        if 400 <= status < 500:
            raise RefusedError(f"{self.place} does not take posts (status {status}{said})")
        if status >= 500 or not _tells_a_status(body):
            raise LostError(f"{self.place} does not say that it was posted (status {status}{said})")


def checked_base(text: str) -> str:
    """A server's address without a slash at its end.

    Raises:
        PostError: it is none to which a token may go.
    """
    try:
        url = httpx.URL(text if len(text) <= ADDRESS_MAX else "")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"https", "http"} or not url.host or url.query or url.fragment:
        raise PostError("the server's address looks like https://social.example")
    if url.userinfo:
        raise PostError("a password does not belong into an address; a token is asked for")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise PostError("https is needed: over http everybody on the way could read the token")
    return str(url).rstrip("/")


def checked_token(text: str) -> str:
    """A token without the space around it.

    Raises:
        PostError: it is none.
    """
    token = text.strip()
    if not token or len(token) > TOKEN_MAX or not token.isascii() or not token.isprintable():
        raise PostError("the token is empty, or is none")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for data in answer.aiter_raw():
        body += data
        if len(body) > ANSWER_MAX:
            return b""  # whatever it is, it is not what was asked for
    return bytes(body)


def _said(body: bytes) -> str:
    """What a server says is wrong, for people; empty if it says nothing."""
    try:
        told = read_object(body).get("error")
    except SourceError:
        return ""
    return f": {line(told, REASON_MAX)}" if isinstance(told, str) and told else ""


def _tells_a_status(body: bytes) -> bool:
    try:
        return bool(read_object(body).get("id"))
    except SourceError:
        return False


def _reason(error: Exception) -> str:
    return line(f"{type(error).__name__} {error}".strip(), REASON_MAX)
