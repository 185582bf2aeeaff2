"""Readmes rendered in a process of their own, which is ended when one takes too long.

A thread could not be ended, and would keep the event loop waiting for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING, Final

from pkgstats.markup.cache import FILE_BYTES_MAX, key_of
from pkgstats.markup.rendered import HEADER_BYTES, Rendered, RenderError, bounded, framed, unpack

if TYPE_CHECKING:
    from asyncio import StreamReader

    from pkgstats.markup.cache import Cache
    from pkgstats.markup.links import Base

SECONDS_MAX: Final = 2.0
"""How long a readme may take."""

START_SECONDS_MAX: Final = 30.0
"""How long the process may take to start, on a machine with much else to do."""

WAITING_MAX: Final = 16
"""Readmes that wait for their turn; those beyond are refused."""

FAILED_MAX: Final = 256
"""Texts that are remembered as ones that cannot be rendered, so that none is tried for ever."""

COMMAND: Final = (sys.executable, "-P", "-m", "pkgstats.markup.worker")


class Renderer:
    """Renders readmes one at a time; belongs to one event loop.

    The process starts with the first readme and ends with this one, at the latest.
    """

    def __init__(self, cache: Cache | None = None, *, seconds_max: float = SECONDS_MAX) -> None:
        self._cache = cache
        self._seconds_max = seconds_max
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._failed: dict[str, str] = {}

    async def render(self, text: str, base: Base, *, images: bool) -> Rendered:
        """A readme as HTML, from the cache if it was rendered before; see `render.render`.

        Raises:
            RenderError: it takes longer than it may, or cannot be done; `rendered.as_plain` can.
        """
        text, cut = bounded(text)
        key = await asyncio.to_thread(key_of, text, base, images=images)
        found = await self._kept(key) or await self._in_turn(key, text, base, images=images)
        return Rendered(found.html, found.images, found.cut or cut, found.headings)

    async def close(self) -> None:
        """End the process; the next readme would start another."""
        async with self._turn:
            await self._end()

    async def _kept(self, key: str) -> Rendered | None:
        if key in self._failed:
            raise RenderError(self._failed[key])
        return await asyncio.to_thread(self._cache.get, key) if self._cache else None

    async def _in_turn(self, key: str, text: str, base: Base, *, images: bool) -> Rendered:
        if self._waiting >= WAITING_MAX:
            raise RenderError("too many readmes are being rendered")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._kept(key) or await self._make(key, text, base, images=images)
        finally:
            self._waiting -= 1

    async def _make(self, key: str, text: str, base: Base, *, images: bool) -> Rendered:
        process = await self._running()
        question = json.dumps([text, base.repository, base.directory, images]).encode()
        try:
            rendered = await self._ask(process, question)
        except RenderError as error:
            self._failed[key] = str(error)
            if len(self._failed) > FAILED_MAX:
                del self._failed[next(iter(self._failed))]
            raise
        if self._cache:
            await asyncio.to_thread(self._cache.put, key, rendered)
        return rendered

    async def _ask(self, process: Process, question: bytes) -> Rendered:
        """One question and its answer; a process that was left between them is ended."""
        answered = False
        try:
            async with asyncio.timeout(self._seconds_max):
                answer = await _exchange(process, question)
            answered = True
            return unpack(answer)
        except TimeoutError:
            raise RenderError(
                f"this readme takes longer than {self._seconds_max:g} s to render"
            ) from None
        except (OSError, EOFError, ValueError):
            raise RenderError("this readme cannot be rendered") from None
        finally:
            if not answered:
                await self._end()

    async def _running(self) -> Process:
        """The process, started if there is none.

        Raises:
            RenderError: the system does not let it start.
        """
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._end()
        ready = False
        try:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
            async with asyncio.timeout(START_SECONDS_MAX):
                await _receive(self._process)
            ready = True
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise RenderError(f"readmes cannot be rendered here: {error}") from None
        finally:
            if not ready:
                await self._end()
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate(b"")  # reads what is left, or its pipes would stay open


async def _exchange(process: Process, question: bytes) -> bytes:
    assert process.stdin is not None
    process.stdin.write(framed(question))
    await process.stdin.drain()
    return await _receive(process)


async def _receive(process: Process) -> bytes:
    reader: StreamReader | None = process.stdout
    assert reader is not None
    size = int.from_bytes(await reader.readexactly(HEADER_BYTES), "big")
    if size > FILE_BYTES_MAX:
        raise ValueError("an answer that is too long")
    return await reader.readexactly(size)
