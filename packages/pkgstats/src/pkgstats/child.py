"""Processes of our own: started, heard and ended in order, and never left behind.

What a child has to say it writes to its standard output, as lines of JSON; when its standard input
ends it ends too. A parent that dies closes that, however it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

END_TIMEOUT_S: Final = 10.0
"""How long a child may take to close what it has open before it is ended by force."""

LINE_BYTES_MAX: Final = 1 << 16

LAST_WORDS_BYTES_MAX: Final = 4096
"""Of what a child has written to its log, the end is looked at."""

STDIN: Final = 0

_NEW_PROCESS_GROUP: Final = 0x200 if sys.platform == "win32" else 0
"""Windows' way to keep Ctrl-C from a process."""

_OWN_GROUP: Final = None if sys.platform == "win32" else 0
"""Elsewhere it is a process group. A session of its own would do too, but Linux gives each session
its share of the processors, whatever is asked by `os.nice` within."""

_BELOW_NORMAL: Final = 0x4000 if sys.platform == "win32" else 0


class ChildError(Exception):
    """A process of ours ended before its time; the text is what it said last."""


class Child:
    """A process as its parent sees it.

    Attributes:
        name: what it is called in errors.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        """Take what was started."""
        self.name = name
        self._process = process
        self._log = log

    async def said(self) -> AsyncIterator[Any]:
        """What it says.

        Raises:
            ChildError: it has ended.
        """
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)
        raise ChildError(f"{self.name} ended early: {self._last_words()}")

    async def end(self) -> None:
        """Ask it to close, wait, and end it by force if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - LAST_WORDS_BYTES_MAX))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@asynccontextmanager
async def child_process(
    name: str, *words: str, log: Path, yields: bool = False
) -> AsyncIterator[Child]:
    """Start a verb in a process of its own; it has ended when the block ends.

    It is in a process group of its own: Ctrl-C reaches us alone, and we close it in order.

    Args:
        name: what it is called in errors.
        words: the verb and its options.
        log: where it writes what goes wrong.
        yields: whether others' work goes first; elsewhere than on Windows it sees to that itself.
    """
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "pkgstats", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LINE_BYTES_MAX,
            process_group=_OWN_GROUP,
            creationflags=_NEW_PROCESS_GROUP | (_BELOW_NORMAL if yields else 0),
        )
    started = Child(name, process, log)
    try:
        yield started
    finally:
        await asyncio.shield(started.end())


def say(what: Any) -> None:
    """Tell the parent."""
    print(json.dumps(what), flush=True)  # noqa: T201 - the parent reads it


def asked_to_end() -> asyncio.Event:
    """In a child: set when standard input ends. Needs a running event loop."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        with suppress(OSError):  # without a buffer, whose lock would hold up the end of Python
            while os.read(STDIN, LINE_BYTES_MAX):
                pass
        with suppress(RuntimeError):  # the loop is closed: we have ended by ourselves
            loop.call_soon_threadsafe(asked.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    return asked
