"""What stands in for the node's process where a page asks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pkgstats.readmes import ReadmeError
from pkgstats.web.door import FetchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class StubDoor:
    """Answers as it was told, and notes what it was asked.

    Attributes:
        texts: readmes by package; None: they never come.
        lookup: what a look-up does.
        report: of the network.
    """

    def __init__(
        self,
        *,
        texts: dict[str, str] | None = None,
        lookup: Callable[[str], Awaitable[None]] | None = None,
        report: dict[str, Any] | None = None,
    ) -> None:
        self.texts = texts
        self.fetches = lookup is not None
        self.asked: list[str] = []
        self._lookup = lookup
        self._report = report

    async def readme(self, name: str) -> str:
        self.asked.append(f"readme {name}")
        if self.texts is None:
            await asyncio.Event().wait()
        elif name in self.texts:
            return self.texts[name]
        raise ReadmeError("nobody who has it is connected")

    async def fetch(self, name: str) -> None:
        self.asked.append(f"fetch {name}")
        if self._lookup is None:
            raise FetchError("it is not looked up here")
        await self._lookup(name)

    async def peers(self) -> dict[str, Any] | None:
        return self._report
