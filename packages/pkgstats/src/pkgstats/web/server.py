"""The application on a port of this machine, within the event loop of the node."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import uvicorn

from pkgstats.web.guard import LOOPBACK_NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"

PORT: Final = 8642
"""Where the pages are unless said otherwise."""

CONNECTIONS_MAX: Final = 4096
"""Connections that are open at once, most of which ask nothing; more are told to come back later.
How many requests are worked on is said by `pkgstats.web.turns`."""

CLOSE_S: Final = 2
"""How long answers that are under way may take when the server ends."""

BACKLOG: Final = 1024


class _Server(uvicorn.Server):
    """Leaves Ctrl-C to the program it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(host: str = HOST, port: int = PORT) -> socket.socket:
    """A socket that listens; connections wait in it until somebody serves them.

    Args:
        host: address or name of this machine.
        port: 0: any free one.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except BaseException:
        found.close()
        raise
    return found


def address_of(listener: socket.socket) -> str:
    """What to type into a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def refuse_public(host: str, *, public: bool) -> None:
    """Make sure that others read the pages only if that was asked for.

    Args:
        host: where to listen.
        public: it was.

    Raises:
        ValueError: others would reach it; the text says what ``--public`` does.
    """
    if not public and not _is_loopback(host):
        raise ValueError(
            f"others than this machine would reach {host}: say --public if they are to. Then pages "
            "may be asked for by any name (or only by that of --base), clients from elsewhere are "
            "limited in how much they ask, and search engines stay shut out unless --indexed"
        )


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name may lead anywhere


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[str]:
    """Serve the application as long as the block lasts; gives its address. Closes the socket."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=CLOSE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        await task
        listener.close()
