"""A polite HTTP client: asks as often as the `Limiter` lets it, reads no more than it must.

It says who it is, keeps no cookies, knows no passwords, uses no proxy but a given one, follows
redirects only on the same host, and gives up on what is too large, too slow or malformed.
"""

from __future__ import annotations

import asyncio
import functools
import math
import random
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Self

import httpx

from pkgstats.sources.answers import (
    ETAG_MAX,
    Answer,
    Document,
    Unpacker,
    read_http_date,
    read_object,
)
from pkgstats.sources.errors import (
    AnswerError,
    BusyError,
    MissingError,
    SourceError,
    StatusError,
    UnreachableError,
)
from pkgstats.sources.limiter import Limiter

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

USER_AGENT: Final = f"pkgstats/{version('pkgstats')} (package statistics; hypermultifeed)"

JSON_TYPE: Final = "application/json"

DOCUMENT_BYTES_MAX: Final = 16 << 20
"""Of a packument; the largest known are above 10 MB."""

SMALL_BYTES_MAX: Final = 2 << 20
"""Of a body that is read in the event loop; larger ones are read in a thread."""

REDIRECTS_MAX: Final = 3

ATTEMPTS_MAX: Final = 3
"""How often one request is made if it is refused or fails."""

SILENCE_S: Final = 20.0
"""Longest wait for a connection, or for the next bytes."""

DEADLINE_S: Final = 120.0
"""Longest time for one answer, however steadily its bytes drip in."""


class Client:
    """Asks sources over HTTP/1.1.

    Args:
        limiter: by default one for a single member without a group.
        patience_s: how long a request may wait for its turn before it fails with a `BusyError`;
            a crawler has no end of it, someone before a screen has.
        silence_s, deadline_s: see the constants.
        proxy: address of a proxy, if one must be used.
        clock, sleep, chance: seconds since 1970; wait for seconds; a number from 0 up to 1.
    """

    def __init__(
        self,
        limiter: Limiter | None = None,
        *,
        patience_s: float = math.inf,
        silence_s: float = SILENCE_S,
        deadline_s: float = DEADLINE_S,
        proxy: str | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limiter = limiter or Limiter(clock())
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._deadline_s = deadline_s
        self._proxy = proxy
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(
            headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(self._silence_s, pool=None),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
            trust_env=False,  # neither proxies nor a .netrc of someone else's making
            proxy=self._proxy,
            verify=_trusted(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    async def document(
        self, role: str, url: str, *, accept: str = JSON_TYPE, etag: str = ""
    ) -> Document:
        """A JSON object.

        Args:
            role: one of `limiter.RATES`.
            url: absolute; what it names is percent-encoded.
            accept: media types.
            etag: of an earlier answer; if it still holds, the document is empty.

        Raises:
            SourceError: see `errors`.
        """
        answer = await self.get(role, url, DOCUMENT_BYTES_MAX, accept=accept, etag=etag)
        unchanged = answer.status == 304
        if unchanged or len(answer.body) <= SMALL_BYTES_MAX:
            value = {} if unchanged else read_object(answer.body)
        else:
            value = await asyncio.to_thread(read_object, answer.body)
        return Document(
            value,
            answer.observed_at,
            answer.evidence,
            changed=not unchanged,
            modified=answer.modified,
        )

    async def get(
        self, role: str, url: str, bytes_max: int, *, accept: str = "*/*", etag: str = ""
    ) -> Answer:
        """A body of at most ``bytes_max`` bytes.

        Raises:
            SourceError: see `errors`.
        """
        deadline = self._clock() + self._patience_s
        for _ in range(ATTEMPTS_MAX):
            try:
                return await self._follow(role, url, bytes_max, accept, etag, deadline)
            except (UnreachableError, StatusError) as error:
                if isinstance(error, StatusError) and not may_pass(error.status):
                    raise
                last = error
        raise last

    async def _follow(
        self, role: str, url: str, bytes_max: int, accept: str, etag: str, deadline: float
    ) -> Answer:
        headers = {"accept": accept, **({"if-none-match": etag} if etag else {})}
        for _ in range(REDIRECTS_MAX + 1):
            target = _parse(url)
            await self._turn(role, target.host, deadline)
            found = await self._ask(role, target, bytes_max, headers)
            if isinstance(found, Answer):
                return found
            url = found
        raise AnswerError(f"more than {REDIRECTS_MAX} redirects")

    async def _turn(self, role: str, host: str, deadline: float) -> None:
        """Wait until a request may go, in the order of asking, and count it."""
        async with self._turns.setdefault((role, host), asyncio.Lock()):
            while wait := self.limiter.wait(role, host, self._clock()):
                if self._clock() + wait > deadline:
                    raise BusyError(f"{role}: the next request may go in {wait:.0f} s", wait)
                await self._sleep(wait)
            self.limiter.take(role, host, self._clock(), self._chance())

    async def _ask(
        self, role: str, url: httpx.URL, bytes_max: int, headers: dict[str, str]
    ) -> Answer | str:
        """One request: its answer, or where it is instead."""
        if self._http is None:
            raise RuntimeError("the client is used before `async with`")
        try:
            async with asyncio.timeout(self._deadline_s):
                request = self._http.build_request("GET", url, headers=headers)
                response = await self._http.send(request, stream=True)
                try:
                    return await self._read(role, response, bytes_max)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            self.limiter.failed(role, url.host, self._clock(), self._chance())
            name = type(error).__name__
            raise UnreachableError(f"{role}: no answer ({name} {str(error)[:200]})") from None

    async def _read(self, role: str, response: httpx.Response, bytes_max: int) -> Answer | str:
        now, host = self._clock(), response.request.url.host
        if response.next_request is not None:
            return _same_host(response)
        retry_after = response.headers.get("retry-after")
        if response.status_code == 429:
            wait = self.limiter.refused(role, host, now, retry_after, self._chance())
            raise StatusError(f"{role}: too many requests; silent for {wait:.0f} s", 429)
        if response.status_code >= 500:
            self.limiter.failed(role, host, now, self._chance(), retry_after)
        else:
            self.limiter.answered(role, host, now)
        if response.status_code not in {200, 304}:
            raise _status_error(role, response.status_code)
        unpacker = Unpacker(response.headers.get("content-encoding", ""), bytes_max)
        async for data in response.aiter_raw():
            unpacker.add(data)
        etag = response.headers.get("etag", "")
        keep = len(etag) <= ETAG_MAX and etag.isascii() and etag.isprintable()
        at = int(self._clock() * 1000)
        modified = read_http_date(response.headers.get("last-modified", ""))
        body = unpacker.finish()
        return Answer(response.status_code, body, at, etag if keep else "", modified)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed: httpx's list, and the system's (a company's registry)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def may_pass(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in {408, 429} or status >= 500


def _parse(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise SourceError(f"no address: {error}") from None


def _same_host(response: httpx.Response) -> str:
    """Where a redirect leads, unless it leads away."""
    assert response.next_request is not None
    here, there = response.request.url, response.next_request.url
    if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
        raise AnswerError("a redirect leads to another host")
    return str(there)


def _status_error(role: str, status: int) -> StatusError:
    if status in {404, 410}:
        return MissingError(f"{role}: not there (status {status})", status)
    if status in {401, 403}:
        return StatusError(f"{role}: not allowed (status {status}); no password is sent", status)
    return StatusError(f"{role}: status {status}", status)
