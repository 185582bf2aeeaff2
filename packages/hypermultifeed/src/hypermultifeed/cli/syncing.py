"""Verbs that fetch all there is and end: sync, clone."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed.cli.completion import Completion, Verdict, situation_of
from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network_options import network_options
from hypermultifeed.cli.network_view import nobody_text, search_line
from hypermultifeed.cli.progress import SyncProgress
from hypermultifeed.cli.running import (
    counted,
    opened,
    opened_as,
    parsed_key,
    patiently,
    root_keys,
    run,
    say,
    say_json,
)
from hypermultifeed.cli.session import connected
from hypermultifeed.errors import DiscoveryError, ReplicationTimeoutError
from hypermultifeed.keys import discovery_key

if TYPE_CHECKING:
    from hypermultifeed.cli.network_options import NetworkOptions
    from hypermultifeed.cli.session import Session

WAIT_S: Final = 30.0
"""Long enough for a DHT's first answers where some of its nodes are dead, which takes 10 s."""

LOOK_EVERY_S: Final = 0.1
"""How often feeds and peers are looked at: what they say decides, this only when it is seen."""

REMARK_AFTER_S: Final = 5.0
"""When somebody without a progress bar is told that peers are still being looked for."""

wait_option = click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    default=WAIT_S,
    show_default=True,
    type=click.FloatRange(0, 86400),
    help="How long to wait for a first peer, and later for anything to come.",
)


@click.command()
@network_options
@wait_option
@json_option
@click.pass_context
def sync(context: click.Context, network: NetworkOptions, wait_s: float, as_json: bool) -> None:
    """Exchange feeds with the peers that share this multifeed; ends when all is exchanged.

    Peers are found by the multifeed's key alone, or named with --peer. Interrupted by Ctrl-C it
    keeps what has come, and goes on from there next time.
    """
    folder = Path(context.obj[0])

    async def work() -> None:
        async with opened(context) as here, connected("sync", here, folder, network) as session:
            await Syncing(session, wait_s).run(as_json=as_json)

    run(work())


@click.command()
@click.argument("key")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False))
@network_options
@wait_option
@json_option
@click.pass_context
def clone(
    context: click.Context,
    key: str,
    folder: str | None,
    network: NetworkOptions,
    wait_s: float,
    as_json: bool,
) -> None:
    """Make a folder that takes part in a multifeed, and fetch all of it.

    KEY is what `hypermultifeed key` prints at a peer; - reads it from standard input, where no
    other user of this machine can see it. Peers are found by the key alone, or named with --peer.
    Interrupted by Ctrl-C it keeps what has come; `sync` goes on from there.
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
        empty = True
        try:
            async with opened_as(target, root_key) as here:
                try:
                    async with connected("clone", here, target, network) as session:
                        await Syncing(session, wait_s).run(as_json=as_json)
                finally:
                    empty = not here.multi.feeds()
        except BaseException:
            if not empty:
                say(f"what has come is kept; `hypermultifeed -d {target} sync` goes on")
            elif is_new:
                shutil.rmtree(target, ignore_errors=True)
            raise
        say(f"cloned into {target} (topic {discovery_key(root_key).hex()[:8]}…)")

    run(work())


class Syncing:
    """One exchange with all peers that are found, until there is nothing more to exchange."""

    def __init__(self, session: Session, wait_s: float) -> None:
        self._session = session
        self._wait_s = wait_s
        self._multi = session.here.multi
        self._before = {feed.key: feed.downloaded() for feed in self._multi.feeds()}
        self._peers: set[bytes] = set()

    async def run(self, *, as_json: bool) -> None:
        """Exchange, and say what came.

        Raises:
            DiscoveryError: nobody was found in time.
            ConnectionError: a peer that was named cannot be reached.
            ReplicationTimeoutError: nothing more came, though there should have.
        """
        verdict = await self._follow()
        if verdict is Verdict.NOBODY:
            await self._explain()
        if verdict is Verdict.STALLED:
            missing = self._facts()["missing_blocks"]
            raise ReplicationTimeoutError(
                f"nothing came for {self._wait_s:g} s; {counted(missing, 'block')} missing, as far"
                " as is known: try `hypermultifeed sync` again later"
            )
        self._report(as_json=as_json)

    async def _follow(self) -> Verdict:
        """Watch until it is clear how this ends."""
        session = self._session
        loop = asyncio.get_running_loop()
        began = loop.time()
        completion = Completion(began, self._wait_s)
        stopped = asyncio.ensure_future(session.stopped.wait())
        with SyncProgress(session.here, REMARK_AFTER_S) as progress:
            while not stopped.done():
                situation = situation_of(self._multi, loop.time(), searched=session.searched)
                self._peers.update(one.remote_public_key for one in session.networker.peers)
                verdict = completion.judge(situation, loop.time())
                if verdict is not Verdict.GO_ON or self._session.is_hopeless:
                    stopped.cancel()
                    return verdict if verdict is not Verdict.GO_ON else Verdict.NOBODY
                looking = None if situation.greeted else search_line(session.facts())
                progress.update(looking, loop.time() - began)
                await asyncio.wait([stopped], timeout=LOOK_EVERY_S)
        raise click.ClickException("stopped by `hypermultifeed stop`; what has come is kept")

    async def _explain(self) -> None:
        """Say why there was nobody, and what to do."""
        if not self._peers:
            await self._session.probe()
        raise DiscoveryError(nobody_text(self._session.facts(), self._wait_s))

    def _facts(self) -> dict[str, int]:
        feeds = self._multi.feeds()
        before = self._before
        return {
            "peers": len(self._peers),
            "feeds": len(feeds),
            "new_feeds": len(feeds) - len(before),
            "new_blocks": sum(feed.downloaded() - before.get(feed.key, 0) for feed in feeds),
            "missing_blocks": sum(feed.length - feed.downloaded() for feed in feeds),
        }

    def _report(self, *, as_json: bool) -> None:
        fact = self._facts()
        if as_json:
            say_json(fact)
            return
        new_feeds, missing = fact["new_feeds"], fact["missing_blocks"]
        said = f"{counted(fact['feeds'], 'feed')} ({new_feeds:,} new)"
        said += f", {counted(fact['new_blocks'], 'new block')}, {counted(fact['peers'], 'peer')}"
        say(said)
        if missing:
            say(f"{counted(missing, 'block')} missing: no peer here has them all")
