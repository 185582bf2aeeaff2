"""The verb that lets peers come: share."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hypermultifeed.cli.local import json_option
from hypermultifeed.cli.network_options import network_options, written
from hypermultifeed.cli.network_view import announced_line, distinct
from hypermultifeed.cli.running import describe, opened, printable, run, say_json
from hypermultifeed.cli.session import connected
from hypermultifeed.network.networker import PeerJoined

if TYPE_CHECKING:
    from hypermultifeed.cli.network_options import NetworkOptions
    from hypermultifeed.cli.session import Session
    from hypermultifeed.events import Subscription
    from hypermultifeed.multifeed import FeedAdded
    from hypermultifeed.network.networker import PeerLeft
    from hypermultifeed.network.peer import NetworkPeer


@click.command()
@network_options
@json_option
@click.pass_context
def share(context: click.Context, network: NetworkOptions, as_json: bool) -> None:
    """Let peers fetch and bring feeds, until Ctrl-C or `hypermultifeed stop`.

    Peers need the key (`hypermultifeed key`) and nothing else: they find this command in the DHT
    and in the local network. Only who knows the key gets anything; connections are encrypted.
    Other verbs can be used on the folder meanwhile, and what `append` adds goes out at once.
    """
    folder = Path(context.obj[0])

    async def work() -> None:
        async with opened(context) as here, connected("share", here, folder, network) as session:
            await Sharing(session, as_json=as_json).run()

    run(work())


class Sharing:
    """What happens to one `share`, said as it happens."""

    def __init__(self, session: Session, *, as_json: bool) -> None:
        self._session = session
        self._as_json = as_json
        self._feeds = session.here.multi.events()
        self._peers = session.networker.events()

    async def run(self) -> None:
        """Go on until somebody stops it."""
        addresses = self._session.networker.addresses
        if self._as_json:
            for host, port in addresses:
                self.tell("listening", "", host=host, port=port)
        else:
            self.tell("listening", ", ".join(distinct([written(one) for one in addresses])))
        async with asyncio.TaskGroup() as group:
            watching = [
                group.create_task(self._watch_feeds(self._feeds)),
                group.create_task(self._watch_peers(self._peers)),
                group.create_task(self._watch_search()),
            ]
            await self._session.stopped.wait()
            for task in watching:
                task.cancel()

    async def _watch_search(self) -> None:
        await self._session.wait_announced()
        facts = self._session.facts()
        self.tell("announced", announced_line(facts), dht=facts["dht"], lan=facts["lan"])

    async def _watch_feeds(self, feeds: Subscription[FeedAdded]) -> None:
        async for event in feeds:
            self.tell("feed", event.feed.key.hex(), feed=event.feed.key.hex())

    async def _watch_peers(self, peers: Subscription[PeerJoined | PeerLeft]) -> None:
        async for event in peers:
            if isinstance(event, PeerJoined):
                self._tell_peer("connected", event.peer, "")
            elif event.error is None:
                stats = event.peer.stream.stats
                moved = {"sent": stats.bytes_sent, "received": stats.bytes_received}
                text = f", {stats.bytes_sent:,} bytes sent, {stats.bytes_received:,} received"
                self._tell_peer("left", event.peer, text, **moved)
            else:
                said = printable(describe(event.error))
                code = getattr(event.error, "code", type(event.error).__name__)
                self._tell_peer("failed", event.peer, f": {said}", error=said, code=code)

    def _tell_peer(self, event: str, peer: NetworkPeer, text: str, **facts: object) -> None:
        host, port = peer.address
        key = peer.remote_public_key.hex()
        self.tell(event, f"{written(peer.address)}{text}", host=host, port=port, key=key, **facts)

    def tell(self, event: str, text: str, **facts: object) -> None:
        """One thing that happened, for a person or a machine."""
        if self._as_json:
            say_json({"event": event, **facts})
        else:
            click.echo(f"{event:10} {text}")
