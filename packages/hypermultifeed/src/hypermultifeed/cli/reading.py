"""Verbs that print blocks: cat, tail."""

from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed.cli.asking import reached
from hypermultifeed.cli.control import is_answered
from hypermultifeed.cli.folder import LocalFolder, selected
from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network_options import only_these_peers, parsed_addresses
from hypermultifeed.cli.running import (
    counted,
    opened,
    printable,
    run,
    say,
    say_json,
)
from hypermultifeed.cli.session import connected
from hypermultifeed.errors import StorageLockedError

if TYPE_CHECKING:
    from hypermultifeed.cli.folder import FeedFacts, Folder
    from hypermultifeed.cli.running import Opened
    from hypermultifeed.hypercore import Hypercore

LOOK_EVERY_S: Final = 0.5
"""How often `tail -f` looks whether another process has written."""

label_option = click.option("-l", "--label", is_flag=True, help="Put FEED:INDEX before each block.")


class Printer:
    """How blocks are shown: raw lines, labelled lines, or JSON."""

    def __init__(self, *, as_json: bool, label: bool) -> None:
        self._as_json = as_json
        self._label = label
        self._on_terminal = sys.stdout.isatty()

    def show(self, name: str, feed: str, index: int, block: bytes) -> None:
        """One block of the feed with that key in hex."""
        if self._as_json:
            say_json({"feed": feed, "name": name, "index": index, **as_text(block)})
            return
        prefix = f"{printable(name)}:{index}\t".encode() if self._label else b""
        if self._on_terminal:  # what a peer wrote must not steer the terminal
            text = block.decode("utf-8", "backslashreplace")
            block = "\n".join(map(printable, text.split("\n"))).encode()
        sys.stdout.buffer.write(prefix + block + (b"" if block.endswith(b"\n") else b"\n"))

    async def show_range(self, folder: Folder, fact: FeedFacts, start: int, stop: int) -> int:
        """What is here of blocks ``[start, stop)``; returns how many are not here."""
        missing = max(0, stop - start)
        async for index, block in folder.blocks(fact["key"], start, stop):
            self.show(fact["name"], fact["key"], index, block)
            missing -= 1
        sys.stdout.buffer.flush()
        return missing


def as_text(block: bytes) -> dict[str, str]:
    """A block for JSON."""
    try:
        return {"text": block.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(block).decode()}


@click.command()
@click.argument("feed", required=False)
@click.option("--start", type=click.IntRange(0), default=0, help="The first block's index.")
@click.option("--stop", type=click.IntRange(0), help="The index before which to stop.")
@label_option
@json_option
@click.pass_context
def cat(
    context: click.Context,
    feed: str | None,
    start: int,
    stop: int | None,
    label: bool,
    as_json: bool,
) -> None:
    """Print the blocks of FEED (its name, or how its key begins), or of all feeds.

    Each block ends with a newline, added where it has none of its own.
    """

    async def work() -> None:
        printer = Printer(as_json=as_json, label=label)
        async with reached(context) as folder:
            for fact in selected(await folder.feeds(), feed):
                end = fact["length"] if stop is None else min(stop, fact["length"])
                missing = await printer.show_range(folder, fact, min(start, end), end)
                if missing:
                    name = printable(fact["name"])
                    say(f"{name}: {counted(missing, 'block')} missing: try sync")

    run(work())


class Tail:
    """What of which feed was printed, while feeds grow and new ones come.

    Feeds are remembered by key, so that this goes on over closing and opening the folder.
    """

    def __init__(self, printer: Printer, feed: str | None, last: int) -> None:
        self._printer = printer
        self._feed = feed
        self._last = last
        self._printed: dict[str, int] = {}
        self._began = False

    async def print_new(self, folder: Folder) -> None:
        """Print what was not printed yet; the first time only the last blocks of each feed."""
        for fact in selected(await folder.feeds(), self._feed):
            key, length = fact["key"], fact["length"]
            first = max(0, length - self._last) if not self._began else 0
            start = self._printed.get(key, first)
            if start < length:
                await self._printer.show_range(folder, fact, start, length)
            self._printed[key] = length
        self._began = True

    async def watch(self, context: click.Context) -> None:
        """Look again and again whether another process has changed the folder."""
        path = Path(context.obj[0])
        seen = fingerprint(path)
        waiting = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            # What a running command brings does not show in the files at once; it is asked.
            if (now := fingerprint(path)) == seen and not is_answered(path):
                continue
            try:
                async with reached(context) as folder:
                    await self.print_new(folder)
                seen, waiting = fingerprint(path), False
            except StorageLockedError as error:
                seen = now
                if not waiting:
                    say(f"waiting for {error.holder} to let go of {path}")
                waiting = True

    async def follow(self, here: Opened) -> None:
        """Print what comes over the network, in order within each feed, for ever."""
        folder = LocalFolder(here)
        await self.print_new(folder)
        async with asyncio.TaskGroup() as group:
            with here.multi.events() as added:
                for fact in selected(await folder.feeds(), self._feed):
                    feed = here.multi.feed(fact["key"])
                    assert feed is not None
                    group.create_task(self._follow_feed(fact["name"], feed))
                async for event in added:
                    if self._feed is None:
                        group.create_task(self._follow_feed(event.name, event.feed))

    async def _follow_feed(self, name: str, feed: Hypercore) -> None:
        key = feed.key.hex()
        index = self._printed.get(key, 0)
        async for block in feed.read(index, live=True):
            self._printer.show(name, key, index, block)
            sys.stdout.buffer.flush()
            index += 1


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Something that differs after another process has written."""
    found = []
    for file in folder.rglob("*"):
        with suppress(OSError):  # it may just have been removed
            state = file.stat()
            if not file.name.startswith("."):
                found.append((str(file), state.st_size, state.st_mtime_ns))
    return tuple(sorted(found))


@click.command()
@click.argument("feed", required=False)
@click.option(
    "-n",
    "--blocks",
    "last",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many blocks of each feed to begin with.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is appended, until Ctrl-C.")
@click.option(
    "-p",
    "--peer",
    "addresses",
    metavar="HOST:PORT",
    multiple=True,
    callback=parsed_addresses,
    help="With --follow: get what is new from this peer; may be repeated.",
)
@label_option
@json_option
@click.pass_context
def tail(
    context: click.Context,
    feed: str | None,
    last: int,
    follow: bool,
    addresses: list[tuple[str, int]],
    label: bool,
    as_json: bool,
) -> None:
    """Print the last blocks of FEED, or of each feed.

    With --follow it looks for what other processes append to the folder, and what a `share` on
    it brings; it has the folder open for moments only. With --peer it keeps the folder open and
    follows that peer.
    """
    if addresses and not follow:
        raise click.UsageError("--peer needs --follow")
    network = only_these_peers(addresses)
    tailed = Tail(Printer(as_json=as_json, label=label), feed, last)

    async def work() -> None:
        if addresses:
            folder_path = Path(context.obj[0])
            async with (
                opened(context) as here,
                connected("tail", here, folder_path, network) as session,
                asyncio.TaskGroup() as group,
            ):
                following = group.create_task(tailed.follow(here))
                group.create_task(session.check_named())
                await session.stopped.wait()
                following.cancel()
            return
        async with reached(context) as folder:
            await tailed.print_new(folder)
        if follow:
            await tailed.watch(context)

    run(work())
