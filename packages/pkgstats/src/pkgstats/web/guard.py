"""What holds for every answer: headers that keep browsers from doing more than is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse

from pkgstats.web.bounds import PATH_BYTES_MAX, QUERY_STRING_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    b"default-src 'none'",
    b"style-src 'self'",
    b"script-src 'self'",
    b"connect-src 'self'",
    b"img-src 'self' data:",
    b"form-action 'self'",
    b"base-uri 'none'",
    b"frame-ancestors 'none'",
)
"""What a page may do (Content-Security-Policy)."""

WITH_IMAGES: Final = "; ".join(one.decode() for one in POLICY).replace(
    "img-src 'self'", "img-src https: 'self'"
)
"""The same for a page whose reader has asked for its images from elsewhere."""

HEADERS: Final = (
    (
        b"content-security-policy",
        b"; ".join(POLICY),
    ),
    (
        b"x-frame-options",
        b"DENY",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Nothing is loaded from elsewhere, no script runs but our one, and nobody is told where a reader
comes from."""

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names by which a browser on this machine reaches us. Any other one points here by somebody's
trick (DNS rebinding), who then could read what we answer."""


READING: Final = ("GET", "HEAD")
"""Methods of what only tells."""

TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
"""Where there is HTTPS browsers shall use nothing else; no other host of the domain is bound."""


class Guard:
    """Refuses what no honest browser asks, and adds those `HEADERS` that an answer does not set."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] | None = None,
        *,
        methods: Collection[str] = (),
        https: bool = False,
    ) -> None:
        """Take the application.

        Args:
            app: the application.
            hosts: names it may be asked by; None: any.
            methods: of HTTP that there are; none: the application says so itself.
            https: readers reach it by HTTPS.
        """
        self._app = app
        self._hosts = hosts
        self._methods = methods
        self._headers = (*HEADERS, TRANSPORT) if https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                more = [one for one in self._headers if one[0] not in said]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        if len(scope["query_string"]) > QUERY_STRING_BYTES_MAX:
            return PlainTextResponse("the address is too long\n", 414)
        if len(scope.get("raw_path") or scope["path"]) > PATH_BYTES_MAX:
            return PlainTextResponse("the address is too long\n", 414)
        if self._hosts is not None and _host(scope) not in self._hosts:
            return PlainTextResponse("this is not the host you asked for\n", 421)
        if self._methods and scope["method"] not in self._methods:
            allowed = {"allow": ", ".join(self._methods)}
            return PlainTextResponse("here one can only read\n", 405, allowed)
        return None


def names_of(base: str, *, public: bool) -> frozenset[str] | None:
    """The names by which a site may be asked for; None: any.

    Args:
        base: how others reach it, ``https://host:port``; empty: by any name that leads here.
        public: others may ask at all.
    """
    if not public:
        return LOOPBACK_NAMES
    name = urlsplit(base).hostname if base else None
    return LOOPBACK_NAMES | {name} if name else None


def _host(scope: Scope) -> str:
    """The name by which we are asked, without the port."""
    found: bytes = next((value for name, value in scope["headers"] if name == b"host"), b"")
    text = found.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]
