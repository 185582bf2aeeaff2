"""Answers that go on: a line of JSON each time there is something to tell.

Who hangs up stops what it has asked for.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from hypermultifeed import HypermultifeedError
from pkgstats.group import GroupError
from pkgstats.plain import plain
from pkgstats.records.kinds import RecordError
from pkgstats.sources.errors import SourceError
from pkgstats.transfer import TransferError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    Work = Callable[[Callable[[Any], None]], Awaitable[None]]

EXPECTED = (
    *(HypermultifeedError, GroupError, RecordError, SourceError, TransferError),
    *(sqlite3.Error, OSError),
)
"""What can go wrong in a run without being a bug of ours; it is told as ``error``."""


class Lines(Response):
    """Answers with what a piece of work tells, until it is done or nobody listens any more."""

    media_type = "application/x-ndjson"

    def __init__(self, work: Work) -> None:
        """Take the work, which gets the function by which it tells, from any thread."""
        super().__init__()
        del self.headers["content-length"]
        self._work = work
        self._told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work."""
        del scope
        headers = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(headers)
        working = asyncio.create_task(self._run())
        listening = asyncio.create_task(_gone(receive))
        listening.add_done_callback(lambda _: working.cancel())
        try:
            while (told := await self._told.get()) is not None:
                line = json.dumps(told).encode() + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
        finally:
            listening.cancel()
            working.cancel()
            await asyncio.wait({working, listening})
        await send({"type": "http.response.body", "body": b""})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()

        def put(told: dict[str, Any] | None) -> None:
            loop.call_soon_threadsafe(self._told.put_nowait, told)

        def tell(told: Any) -> None:
            put({"kind": type(told).__name__, "told": plain(told)})

        try:
            await self._work(tell)
        except EXPECTED as error:
            put({"kind": "error", "told": str(error) or type(error).__name__})
        except Exception as error:
            put({"kind": "error", "told": f"{type(error).__name__}: {error}"})
            raise
        finally:
            put(None)


async def _gone(receive: Receive) -> None:
    """Wait until who has asked hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass
