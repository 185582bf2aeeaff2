"""Verbs that talk to peers: share, sync, clone."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.progress import FeedProgress
from hypermultifeed.cli.running import (
    Opened,
    UnreachableError,
    counted,
    describe,
    opened,
    opened_as,
    parsed_key,
    patiently,
    root_keys,
    run,
    say,
    say_json,
)
from hypermultifeed.errors import HypermultifeedError, ReplicationError, StreamClosedError
from hypermultifeed.keys import discovery_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.stream import ReplicationStream

CONNECT_TIMEOUT_S: Final = 10.0

PEERS_MAX: Final = 64
"""Peers that `share` serves at once; others are turned away."""


def parsed_address(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[str, int] | None:
    """``host:port`` or ``[ipv6]:port``, for click."""
    if text is None:
        return None
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise click.BadParameter(f"{text!r} is not HOST:PORT, such as localhost:4711")
    return host, int(port)


@asynccontextmanager
async def connected(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection that is closed at the end.

    Raises:
        UnreachableError: nobody answered there.
    """
    host, port = address
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise UnreachableError(f"cannot connect to {host}:{port}: {reason(error)}") from error
    try:
        yield reader, writer
    finally:
        writer.close()


def reason(error: OSError) -> str:
    """Why a connection failed, without the numbers."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
    return error.strerror or str(error)


@asynccontextmanager
async def dialled(
    multi: Multifeed, address: tuple[str, int], *, live: bool
) -> AsyncIterator[tuple[ReplicationStream, asyncio.Task[None]]]:
    """Replicate with a peer in the background; the task ends with the replication.

    If the replication fails, so does the block.
    """
    async with connected(address) as (reader, writer), asyncio.TaskGroup() as group:
        stream = multi.replicate(initiator=True, live=live)
        task = group.create_task(stream.run(reader, writer))
        try:
            yield stream, task
        finally:
            await stream.close()


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 is all of this machine's.",
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option(
    "--live/--no-live",
    default=True,
    show_default=True,
    help="Keep connections open for what comes later, or end each when both sides have all.",
)
@json_option
@click.pass_context
def share(context: click.Context, host: str, port: int, live: bool, as_json: bool) -> None:
    """Let peers fetch and bring feeds, until Ctrl-C.

    Only peers that know the multifeed's key get anything. The connection is encrypted.
    """

    async def work() -> None:
        async with opened(context) as here:
            sharing = Sharing(here.multi, live=live, as_json=as_json)
            server = await asyncio.start_server(sharing.serve, host, port)
            async with server:
                for socket in server.sockets:
                    sharing.tell("listening", "{host}:{port}", socket.getsockname())
                await sharing.watch_feeds()

    run(work())


class Sharing:
    """The peers of one `share`, and what is said about them."""

    def __init__(self, multi: Multifeed, *, live: bool, as_json: bool) -> None:
        self._multi = multi
        self._live = live
        self._as_json = as_json
        self._streams: set[ReplicationStream] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Replicate with one peer. What it does wrong is said, and ends it alone."""
        peer = writer.get_extra_info("peername")
        if len(self._streams) >= PEERS_MAX:
            self.tell("refused", "{host}:{port}: too many peers", peer)
            writer.close()
            return
        stream = self._multi.replicate(initiator=False, live=self._live)
        self._streams.add(stream)
        self.tell("connected", "{host}:{port}", peer)
        try:
            await stream.run(reader, writer)
            stats = stream.stats
            moved = {"sent": stats.bytes_sent, "received": stats.bytes_received}
            text = "{host}:{port}, {sent:,} bytes sent, {received:,} received"
            self.tell("left", text, peer, **moved)
        except (HypermultifeedError, OSError) as error:
            code = getattr(error, "code", type(error).__name__)
            self.tell("failed", "{host}:{port}: {error}", peer, error=describe(error), code=code)
        finally:
            self._streams.discard(stream)

    async def watch_feeds(self) -> None:
        """Say which feeds come, for ever."""
        with self._multi.events() as added:
            async for event in added:
                self.tell("feed", "{feed}", None, feed=event.feed.key.hex())

    def tell(self, event: str, text: str, peer: tuple[str, int] | None, **facts: object) -> None:
        """One thing that happened, for a person or a machine."""
        if peer:
            facts = {"host": peer[0], "port": peer[1], **facts}
        if self._as_json:
            say_json({"event": event, **facts})
        else:
            click.echo(f"{event:10} {text.format(**facts)}")


@click.command()
@click.argument("address", metavar="HOST:PORT", callback=parsed_address)
@json_option
@click.pass_context
def sync(context: click.Context, address: tuple[str, int], as_json: bool) -> None:
    """Exchange feeds with a peer that shares the same multifeed; ends when both have all.

    Interrupted by Ctrl-C it keeps what has come, and goes on from there next time.
    """

    async def work() -> None:
        async with opened(context) as here:
            await synchronised(here, address, as_json=as_json)

    run(work())


async def need_common_multifeed(stream: ReplicationStream) -> None:
    """Fail if the replication came to its end without a word about this multifeed."""
    try:
        await stream.remote_feeds()
    except StreamClosedError as error:
        raise ReplicationError(
            "the peer does not share a multifeed of this key; compare what"
            " `hypermultifeed key` prints on both sides"
        ) from error.__cause__


async def synchronised(here: Opened, address: tuple[str, int], *, as_json: bool) -> None:
    """Replicate until both sides have everything, and say what came."""
    before = {feed.key: feed.downloaded() for feed in here.multi.feeds()}
    with FeedProgress(here) as progress:
        async with dialled(here.multi, address, live=False) as (stream, task):
            await progress.follow(task)
    await need_common_multifeed(stream)
    feeds = here.multi.feeds()
    new = sum(feed.downloaded() - before.get(feed.key, 0) for feed in feeds)
    missing = sum(feed.length - feed.downloaded() for feed in feeds)
    fact = {
        "feeds": len(feeds),
        "new_feeds": len(feeds) - len(before),
        "new_blocks": new,
        "missing_blocks": missing,
    }
    if as_json:
        say_json(fact)
        return
    new_feeds = fact["new_feeds"]
    say(f"{counted(len(feeds), 'feed')} ({new_feeds:,} new), {counted(new, 'new block')}")
    if missing:
        say(f"{counted(missing, 'block')} missing: this peer did not have them all")


@click.command()
@click.argument("address", metavar="HOST:PORT", callback=parsed_address)
@click.argument("key")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False))
@json_option
@click.pass_context
def clone(
    context: click.Context,
    address: tuple[str, int],
    key: str,
    folder: str | None,
    as_json: bool,
) -> None:
    """Make a folder that takes part in a peer's multifeed, and fetch all of it.

    KEY is what `hypermultifeed key` prints there; - reads it from standard input, where no other
    user of this machine can see it.
    """
    text = sys.stdin.readline() if key == "-" else key
    root_key = parsed_key(text)
    target = Path(folder or context.obj[0])

    async def work() -> None:
        if await patiently(lambda: root_keys(target)):
            raise click.ClickException(
                f"{target} holds a multifeed already; `hypermultifeed -d {target} sync` updates it"
            )
        is_new = not target.exists()  # noqa: ASYNC240 - nothing else runs
        got_nothing = True
        try:
            async with opened_as(target, root_key) as here:
                try:
                    await synchronised(here, address, as_json=as_json)
                finally:
                    got_nothing = not here.multi.feeds()
        except BaseException:
            if is_new and got_nothing:
                shutil.rmtree(target, ignore_errors=True)
            raise
        say(f"cloned into {target} (topic {discovery_key(root_key).hex()[:8]}…)")

    run(work())
