"""The demo that ``run.py serve`` shows: two writers, one reader, three processes, real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hypermultifeed import Hypercore, KeyPair, Multifeed
from pkgstats.dataset import shipped, shipped_digest
from pkgstats.reader import catalogue, check, fetched, replicating
from pkgstats.writer import HOST, part_of, writer_name
from pkgstats.writer import Progress as Said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rich.console import Console
    from rich.progress import TaskID

    from pkgstats.lookup import Catalogue

WRITERS: Final = 2

END_TIMEOUT_S: Final = 10.0
"""How long a writer may take to close its feed before it is ended by force."""

LINE_BYTES_MAX: Final = 1 << 16

NEW_PROCESS_GROUP: Final = 0x200 if sys.platform == "win32" else 0
"""Windows' way to keep Ctrl-C from a process; elsewhere a new session does it."""


class WriterError(Exception):
    """A writer's process ended before its time; the text is what it said last."""


class Result(NamedTuple):
    """What the demo comes to.

    Attributes:
        catalogue: all facts, each with its writer.
        blocks: how many blocks were checked.
    """

    catalogue: Catalogue
    blocks: int


class WriterProcess:
    """A writer's process as its parent sees it."""

    def __init__(self, part: int, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = writer_name(part)
        self.part = part
        self._process = process
        self._log = log

    async def said(self) -> AsyncIterator[Said]:
        """What it says, until everything is appended.

        Raises:
            WriterError: it ended before that.
        """
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said: Said = json.loads(line)
            yield said
            if said["length"] >= said["total"]:
                return
        raise WriterError(f"{self.name} ended early: {self._last_words()}")

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
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@asynccontextmanager
async def writer_process(folder: Path, root_key: bytes, part: int) -> AsyncIterator[WriterProcess]:
    """Start a writer; it has ended when the block ends.

    It is in a process group of its own: Ctrl-C reaches us alone, and we close it in order.
    """
    log = folder / f"{writer_name(part)}.log"
    options = [
        "--data",
        str(folder / writer_name(part)),
        "--part",
        str(part),
        "--parts",
        str(WRITERS),
    ]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "pkgstats", "writer", *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LINE_BYTES_MAX,
            start_new_session=True,
            creationflags=NEW_PROCESS_GROUP,
        )
    started = WriterProcess(part, process, log)
    try:
        assert process.stdin is not None
        process.stdin.write(root_key.hex().encode() + b"\n")
        yield started
    finally:
        await asyncio.shield(started.end())


def root_key_in(folder: Path) -> bytes:
    """The key that the demo's three peers share, made in its first run."""
    file = folder / "root-key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(file.read_text().strip())
    with os.fdopen(descriptor, "w") as opened:
        opened.write(KeyPair.generate().public_key.hex() + "\n")
    return bytes.fromhex(file.read_text())


def edition_folder(data: Path) -> Path:
    """Where this edition of the facts lives: feeds only grow, so another edition gets others."""
    folder = data / f"demo-{shipped_digest()[:12]}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


async def demonstrate(data: Path, console: Console) -> Result:
    """Run all of it and show it; the writers have ended when this returns."""
    folder = edition_folder(data)
    root_key = root_key_in(folder)
    began = time.monotonic()
    console.print(
        f"Two writers each append half of {len(shipped()):,} facts about npm packages to a signed"
        f" feed of their own;\na third peer fetches both over TCP on {HOST} and checks every block."
        f"\nThree processes, three folders in {folder}\n",
        highlight=False,
        soft_wrap=True,
    )
    async with AsyncExitStack() as stack:
        bars = stack.enter_context(Bars(console))
        reader = Multifeed(folder / "reader", key=root_key, value_encoding="json")
        await stack.enter_async_context(reader)
        async with asyncio.TaskGroup() as group:
            halves = [
                group.create_task(one_half(reader, folder, root_key, part, bars))
                for part in range(WRITERS)
            ]
        feeds = [(writer_name(part), half.result()) for part, half in enumerate(halves)]
        found = await catalogue(feeds)
        blocks = sum(feed.length for _, feed in feeds)
    console.print(
        f"{blocks:,} blocks of {WRITERS} writers fetched and verified in"
        f" {time.monotonic() - began:.1f} s. The writers have ended; what follows comes from the"
        " reader's copy.",
        highlight=False,
        soft_wrap=True,
    )
    return Result(found, blocks)


async def one_half(
    reader: Multifeed, folder: Path, root_key: bytes, part: int, bars: Bars
) -> Hypercore:
    """One writer from its start to its end, and the reader's side of it."""
    facts = part_of(part, WRITERS)
    name = writer_name(part)
    appending, fetching = (
        bars.add(f"{name} appends", len(facts)),
        bars.add("  reader fetches", len(facts)),
    )
    checking = bars.add("  reader checks", len(facts))
    async with writer_process(folder, root_key, part) as writer, AsyncExitStack() as stack:
        said = writer.said()
        first = await anext(said)
        bars.show(appending, first["length"])
        await stack.enter_async_context(replicating(reader, HOST, first["port"]))
        async with asyncio.TaskGroup() as group:
            download = group.create_task(
                fetched(
                    reader,
                    bytes.fromhex(first["feed"]),
                    len(facts),
                    lambda count: bars.show(fetching, count),
                )
            )
            async for progress in said:
                bars.show(appending, progress["length"])
        feed = download.result()
        await check(feed, facts)
        bars.show(checking, len(facts))
    return feed


class Bars:
    """Progress bars on a terminal; nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("blocks"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, title: str, total: int) -> TaskID:
        """Add a bar."""
        return self._progress.add_task(title, total=total)

    def show(self, bar: TaskID, completed: int) -> None:
        """Set a bar."""
        self._progress.update(bar, completed=completed)
