"""Waiting until what changes many times in a row is quiet, so that once will do for all of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

QUIET_S: Final = 0.2
"""It is quiet when nothing has changed for so long, …"""

IMPATIENT_S: Final = 20.0
"""… or after so long at the latest: much comes in a row, and some of it is to be seen."""

REST: Final = 2.0
"""How many times as long as it took it is not done again: it takes a third of all time at most."""

T = TypeVar("T")


async def rested(work: Awaitable[T]) -> T:
    """Do it, and rest."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    done = await work
    await asyncio.sleep(REST * (loop.time() - began))
    return done


class Debounce:
    """Tells one task when to do something about changes: each time has its price."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def change(self) -> None:
        """Wait until something has changed since it was quiet last."""
        await self._changed.wait()

    async def quiet(self) -> None:
        """Wait until nothing has changed for `QUIET_S`, for `IMPATIENT_S` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IMPATIENT_S):
                await self._pause()
        self._changed.clear()

    async def _pause(self) -> None:
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._changed.wait()
            except TimeoutError:
                return
