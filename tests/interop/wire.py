"""TCP on loopback between a stream of ours and a JavaScript peer, whoever dials."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hypermultifeed.stream import ReplicationStream

    from .js_peer import JsPeer

Dialler = Literal["python", "javascript"]
DIALLERS: tuple[Dialler, ...] = ("python", "javascript")
END_TIMEOUT_S = 20.0


@dataclass
class Wire:
    """One connection.

    Attributes:
        stream: our end.
        run: the task of its ``run``.
        js: the JavaScript peer.
        connection: what the peer calls its end.
    """

    stream: ReplicationStream
    run: asyncio.Task[None]
    js: JsPeer
    connection: int

    async def both_end(self) -> None:
        """Wait until both ends came to a clean end by themselves."""
        async with asyncio.timeout(END_TIMEOUT_S):
            await asyncio.shield(self.run)
        assert await self.js_end() == {"error": None, "ended": True}

    async def js_end(self) -> dict[str, Any]:
        """Wait until the JavaScript end is closed; says ``error`` and ``ended``."""
        result: dict[str, Any] = await self.js.call("ended", connection=self.connection)
        return result

    async def our_error(self) -> BaseException | None:
        """Wait until our end is closed; return what ``run`` raised."""
        async with asyncio.timeout(END_TIMEOUT_S):
            await asyncio.wait([self.run])
        return self.run.exception()


@asynccontextmanager
async def wire(
    js: JsPeer,
    make_stream: Callable[[bool], ReplicationStream],
    *,
    dialler: Dialler = "python",
    **js_arguments: Any,
) -> AsyncIterator[Wire]:
    """Connect; at the end close our side, and fail if it had failed unnoticed.

    Args:
        js: the peer; ``js_arguments`` are those of its ``listen`` and ``connect``.
        make_stream: called with whether we are the initiator.
        dialler: who connects; the other listens.
    """
    initiator = dialler == "python"
    if initiator:
        port = await js.call("listen", **js_arguments)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stream = make_stream(initiator)
        run = asyncio.create_task(stream.run(reader, writer))
        connection = await js.call("accepted")
    else:
        accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        accepted = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            lambda reader, writer: accepted.set_result((reader, writer)), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        connecting = js.send("connect", port=port, **js_arguments)
        reader, writer = await accepted
        server.close()
        stream = make_stream(initiator)
        run = asyncio.create_task(stream.run(reader, writer))
        connection = await connecting
    link = Wire(stream, run, js, connection)
    try:
        yield link
    finally:
        failed = run.done() and run.exception() is not None
        await stream.close()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(END_TIMEOUT_S):
                await asyncio.shield(run)
        writer.close()
        with contextlib.suppress(Exception):
            await writer.wait_closed()
        if not failed:
            assert run.done(), "run() did not return after close()"
