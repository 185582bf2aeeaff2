"""A storage of one's own: here one that counts commits on their way to another storage.

Run it: .venv/bin/python examples/own_storage.py

A storage may keep its bytes anywhere, if it keeps the promise of `commit`: all writes or none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypermultifeed import Durability, Hypercore, Storage, StorageFile, Write, memory

if TYPE_CHECKING:
    from collections.abc import Sequence


class CountingStorage:
    """Hands everything on; `commits` says how often something was committed."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.commits = 0

    def commit(self, writes: Sequence[Write]) -> None:
        """Do all of the writes, or none."""
        self._inner.commit(writes)
        self.commits += 1

    def remove(self, prefix: str) -> None:
        """Remove files as one commit."""
        self._inner.remove(prefix)
        self.commits += 1

    def file(self, name: str) -> StorageFile:
        """A handle to a file."""
        return self._inner.file(name)

    def exists(self, file: str) -> bool:
        """Whether the file is there."""
        return self._inner.exists(file)

    def size(self, file: str) -> int:
        """Its bytes; 0 if it is not there."""
        return self._inner.size(file)

    def read(self, file: str, offset: int, size: int) -> bytes:
        """Some of them, fewer at the end."""
        return self._inner.read(file, offset, size)

    async def sync(self) -> None:
        """Wait until what was committed is as durable as promised."""
        await self._inner.sync()

    def list_files(self, prefix: str = "") -> list[str]:
        """Names, sorted."""
        return self._inner.list_files(prefix)

    async def close(self) -> None:
        """Let go of everything."""
        await self._inner.close()


class Counted:
    """A factory: what a core, a store or a multifeed takes as its `storage`."""

    def __init__(self) -> None:
        self._inner = memory()
        self.opened: CountingStorage | None = None

    def __call__(self, durability: Durability) -> CountingStorage:
        """Open."""
        self.opened = CountingStorage(self._inner(durability))
        return self.opened

    def said(self) -> str:
        """How many commits there were since the last question."""
        assert self.opened is not None
        count, self.opened.commits = self.opened.commits, 0
        return f"{count} commit{'' if count == 1 else 's'}"


async def main() -> None:
    """See what a core commits."""
    counted = Counted()
    async with Hypercore(counted, value_encoding="json") as core:
        counted.said()  # the commit that made its files
        await core.append("one")
        print("append:", counted.said())
        await core.extend(range(100))
        print("extend of 100 values:", counted.said())
        values = [value async for value in core.read()]
        print("read back:", len(values), "values")


asyncio.run(main())
