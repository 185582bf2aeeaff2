"""Verbs that print blocks: cat, tail."""

from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network import dialled, parsed_address
from hypermultifeed.cli.running import (
    Opened,
    counted,
    opened,
    opened_in,
    printable,
    run,
    say,
    say_json,
)
from hypermultifeed.errors import StorageLockedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.hypercore import Hypercore

LOOK_EVERY_S: Final = 0.5
"""How often `tail -f` looks whether another process has written."""

label_option = click.option("-l", "--label", is_flag=True, help="Put FEED:INDEX before each block.")


def printer(*, as_json: bool, label: bool) -> Callable[[str, Hypercore, int, bytes], None]:
    """How blocks are shown: raw lines, labelled lines, or JSON."""
    out = sys.stdout.buffer
    on_terminal = sys.stdout.isatty()

    def show_json(name: str, feed: Hypercore, index: int, block: bytes) -> None:
        fact: dict[str, object] = {"feed": feed.key.hex(), "name": name, "index": index}
        try:
            fact["text"] = block.decode()
        except UnicodeDecodeError:
            fact["base64"] = base64.b64encode(block).decode()
        say_json(fact)

    def show_line(name: str, _feed: Hypercore, index: int, block: bytes) -> None:
        prefix = f"{printable(name)}:{index}\t".encode() if label else b""
        if on_terminal:  # what a peer wrote must not steer the terminal
            text = block.decode("utf-8", "backslashreplace")
            block = "\n".join(map(printable, text.split("\n"))).encode()
        out.write(prefix + block + (b"" if block.endswith(b"\n") else b"\n"))

    return show_json if as_json else show_line


async def print_blocks(
    show: Callable[[str, Hypercore, int, bytes], None],
    name: str,
    feed: Hypercore,
    start: int,
    stop: int,
) -> int:
    """Print what is here of blocks ``[start, stop)``; returns how many are not here."""
    missing = 0
    for index in range(start, stop):
        if feed.has(index):
            show(name, feed, index, await feed.get(index))
        else:
            missing += 1
    sys.stdout.buffer.flush()
    return missing


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
        show = printer(as_json=as_json, label=label)
        async with opened(context) as here:
            for name, one in here.selected(feed):
                end = one.length if stop is None else min(stop, one.length)
                missing = await print_blocks(show, name, one, min(start, end), end)
                if missing:
                    say(f"{printable(name)}: {counted(missing, 'block')} missing: try sync")

    run(work())


class Tail:
    """What of which feed was printed, while feeds grow and new ones come.

    Feeds are remembered by key, so that this goes on over closing and opening the folder.
    """

    def __init__(
        self, show: Callable[[str, Hypercore, int, bytes], None], feed: str | None, last: int
    ) -> None:
        self._show = show
        self._feed = feed
        self._last = last
        self._printed: dict[bytes, int] = {}
        self._began = False

    async def print_new(self, here: Opened) -> None:
        """Print what was not printed yet; the first time only the last blocks of each feed."""
        for name, feed in here.selected(self._feed):
            first = max(0, feed.length - self._last) if not self._began else 0
            start = self._printed.get(feed.key, first)
            await print_blocks(self._show, name, feed, start, feed.length)
            self._printed[feed.key] = feed.length
        self._began = True

    async def watch(self, folder: Path, root_key: str | None) -> None:
        """Look again and again whether another process has changed the folder."""
        seen = fingerprint(folder)
        waiting = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if (now := fingerprint(folder)) == seen:
                continue
            try:
                async with opened_in(folder, root_key) as here:
                    await self.print_new(here)
                seen, waiting = fingerprint(folder), False
            except StorageLockedError as error:
                seen = now
                if not waiting:
                    say(f"waiting for {error.holder} to let go of {folder}")
                waiting = True

    async def follow(self, here: Opened) -> None:
        """Print what comes over the network, in order within each feed, for ever."""
        await self.print_new(here)
        async with asyncio.TaskGroup() as group:
            with here.multi.events() as added:
                for name, feed in here.selected(self._feed):
                    group.create_task(self._follow_feed(name, feed))
                async for event in added:
                    if self._feed is None:
                        group.create_task(self._follow_feed(event.name, event.feed))

    async def _follow_feed(self, name: str, feed: Hypercore) -> None:
        index = self._printed.get(feed.key, 0)
        async for block in feed.read(index, live=True):
            self._show(name, feed, index, block)
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
    "--connect",
    "address",
    metavar="HOST:PORT",
    callback=parsed_address,
    help="With --follow: get what is new from this peer.",
)
@label_option
@json_option
@click.pass_context
def tail(
    context: click.Context,
    feed: str | None,
    last: int,
    follow: bool,
    address: tuple[str, int] | None,
    label: bool,
    as_json: bool,
) -> None:
    """Print the last blocks of FEED, or of each feed.

    With --follow it looks for what other processes append to the folder; it has the folder open
    for moments only. With --connect it keeps the folder open and follows a peer.
    """
    if address and not follow:
        raise click.UsageError("--connect needs --follow")
    tailed = Tail(printer(as_json=as_json, label=label), feed, last)

    async def work() -> None:
        if address:
            async with opened(context) as here, dialled(here.multi, address, live=True):
                await tailed.follow(here)
            return
        async with opened(context) as here:
            await tailed.print_new(here)
        if follow:
            await tailed.watch(Path(context.obj[0]), context.obj[1])

    run(work())
