"""Drives a JavaScript peer program of ``interop/``: JSON lines over its standard streams."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

INTEROP = Path(__file__).resolve().parents[2] / "interop"
REPLY_TIMEOUT_S = 30.0
LINE_BYTES_MAX = 64 * 1024 * 1024


def why_not() -> str | None:
    """Say why no JavaScript peer can be started here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (INTEROP / "node_modules" / "hypermultifeed").is_dir():
        return "interop/node_modules is missing: run `npm ci` in interop/"
    return None


class JsError(Exception):
    """The JavaScript side answered a command with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.details = error


class JsPeer:
    """One process; ``call`` sends a command and waits for its reply, within a deadline."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._next_id = 1
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            str(INTEROP / f"{self.program}-peer.js"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
        )
        self._reader = asyncio.create_task(self._read())
        await self.event("started")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the program ends at the end of its input
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._reader
        crash = self._events["crash"]
        if exc_info[0] is None and not crash.empty():
            raise AssertionError(f"the JavaScript peer crashed: {crash.get_nowait()}")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "event" in message:
                self._events[message["event"]].put_nowait(message)
                continue
            reply = self._replies.pop(message["id"], None)
            if reply is None or reply.done():
                continue
            if "error" in message:
                reply.set_exception(JsError(message["error"]))
            else:
                reply.set_result(message["result"])
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(JsError({"message": f"the {self.program} peer is gone"}))

    def send(self, command: str, **arguments: Any) -> asyncio.Future[Any]:
        """Send a command; the future of its reply may be awaited later."""
        assert self._process.stdin is not None
        number, self._next_id = self._next_id, self._next_id + 1
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "do": command, **arguments}
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        return reply

    async def call(
        self, command: str, *, timeout_s: float = REPLY_TIMEOUT_S, **arguments: Any
    ) -> Any:
        """Send a command and return its result; raises JsError or TimeoutError."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.send(command, **arguments)
        except TimeoutError:
            raise TimeoutError(f"{self.program} peer: no reply to {command} {arguments}") from None

    async def event(self, name: str, timeout_s: float = REPLY_TIMEOUT_S) -> dict[str, Any]:
        """Wait for the next event of that name."""
        async with asyncio.timeout(timeout_s):
            return await self._events[name].get()

    async def append(self, feed: str, values: Iterable[bytes], **arguments: Any) -> int:
        """Append binary values as one batch; returns the index of the first."""
        packed = [{"base64": base64.b64encode(value).decode()} for value in values]
        index = await self.call("append", feed=feed, values=packed, **arguments)
        return int(index)

    async def read(self, feed: str, **arguments: Any) -> list[Any]:
        """Return all values of a feed (``start``, ``end`` narrow it)."""
        return [unpack(v) for v in await self.call("read", feed=feed, **arguments)]

    async def get(self, feed: str, index: int, **arguments: Any) -> Any:
        """Return one value, waiting for it as JavaScript's ``get`` does."""
        return unpack(await self.call("get", feed=feed, index=index, **arguments))


def unpack(value: dict[str, Any]) -> Any:
    """Return a value as sent by the peer program: bytes, or what JSON can carry."""
    if "base64" in value:
        return base64.b64decode(value["base64"])
    return value["value"]
