"""Our networker and JavaScript's: @corestore/networker with hypermultifeed's networker on it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.networks import LOOPBACK, OTHER, ROOT, Site, feeds_of, joined, left

from hypermultifeed.corestore import Corestore
from hypermultifeed.keys import discovery_key
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.networker import Networker
from hypermultifeed.storage import memory

from .js_peer import JsPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.network.peer import NetworkPeer

HOST = "127.0.0.1"
NAMES = {ROOT: "x", OTHER: "y"}
IMPATIENT_MS = 1100
"""What a JavaScript multifeed waits for its channel in these tests, instead of 10 s."""

either = pytest.mark.parametrize("dialler", ["ours", "javascript"])


class Javascript:
    """The other side: one networker, and a multifeed for each root key, each with one writer."""

    def __init__(self, process: JsPeer, started: dict[str, Any]) -> None:
        self.process = process
        self.port: int = started["port"]
        self.public_key = bytes.fromhex(started["publicKey"])

    async def open(self, key: bytes, **options: Any) -> None:
        await self.process.call("open", multifeed=NAMES[key], rootKey=key.hex(), **options)
        writer = await self.process.call("writer", multifeed=NAMES[key], name="js")
        await self.append(key, writer["key"], "js")

    async def append(self, key: bytes, feed: str, *values: str) -> None:
        await self.process.call("append", multifeed=NAMES[key], feed=feed, values=list(values))

    async def share(self, key: bytes) -> None:
        await self.process.call("swarm", multifeed=NAMES[key])

    async def has(self, key: bytes, feeds: int, blocks: int) -> None:
        await self.process.call("settle", multifeed=NAMES[key], feeds=feeds, blocks=blocks)

    async def channels(self) -> set[bytes]:
        peers = await self.process.call("peers")
        names = [one["discoveryKey"] for peer in peers for one in peer["channels"]]
        return {bytes.fromhex(name) for name in names}


@asynccontextmanager
async def javascript(*keys: bytes, **options: Any) -> AsyncIterator[Javascript]:
    async with JsPeer("networker") as process:
        side = Javascript(process, await process.call("start", **options))
        for key in keys:
            await side.open(key)
        yield side


@asynccontextmanager
async def site(folder: Path | None = None, **options: Any) -> AsyncIterator[Site]:
    async with (
        Corestore(memory() if folder is None else folder) as store,
        Networker(store, **LOOPBACK | options) as network,
    ):
        yield Site(store, network)


async def meet(ours: Site, js: Javascript, dialler: str) -> NetworkPeer:
    with ours.network.events() as events:
        if dialler == "ours":
            ours.network.add_peer(HOST, js.port)
        else:
            await js.process.call("dial", port=ours.port)
        return await joined(events, js.public_key)


async def synced(multi: Multifeed, js: Javascript) -> None:
    """One writer and one block each."""
    await feeds_of(multi, 2)
    await js.has(multi.key, 2, 2)


@either
async def test_meet_through_a_dht_and_share_everything(dialler: str) -> None:
    async with await DhtNode.listen(HOST) as node:
        bootstrap = [str(node.address)]
        async with (
            javascript(ROOT, options={"bootstrap": bootstrap}) as js,
            site(dht=True, bootstrap=bootstrap) as ours,
        ):
            multi = await ours.multifeed(writer="a")
            looks = dialler == "ours"
            with ours.network.events() as events:
                if looks:
                    await js.share(ROOT)
                    await js.process.call("flushed", topic=multi.discovery_key.hex())
                await ours.network.swarm(multi, announce=not looks, lookup=looks)
                assert await ours.network.flushed(multi.discovery_key)
                if not looks:
                    await js.share(ROOT)
                peer = await joined(events, js.public_key)
            assert peer.initiator is looks
            await synced(multi, js)
            (there,) = await js.process.call("peers")
            assert bytes.fromhex(there["remotePublicKey"]) == ours.network.public_key
            report = ours.network.report()
            assert report.dht is not None
            assert report.peers[0].topics == (multi.discovery_key,)


async def test_javascript_answers_a_ping_at_the_port_that_it_announces() -> None:
    """It is ephemeral, as a swarm is at first; so those who are there can be told from others."""
    async with (
        await DhtNode.listen(HOST) as node,
        await DhtNode.listen(HOST, bootstrap=[str(node.address)], ephemeral=True) as asker,
        javascript(ROOT, options={"bootstrap": [str(node.address)]}) as js,
    ):
        topic = discovery_key(ROOT)
        await js.share(ROOT)
        await js.process.call("flushed", topic=topic.hex())
        (announced,) = {peer async for one in asker.lookup(topic) for peer in one.peers}
        assert announced == (HOST, js.port)
        assert announced not in [contact.address for contact in node.nodes]
        answered = asyncio.Event()
        asker.probe(announced, answered.set)
        async with asyncio.timeout(5):
            await answered.wait()
        _, writer = await asyncio.open_connection(*announced)
        writer.close()


@either
async def test_connection_that_javascript_ends_for_a_topic_that_is_not_shared(dialler: str) -> None:
    async with javascript(ROOT) as js, site() as ours:
        multi = await ours.shared(writer="a")
        await js.open(OTHER, timeout=IMPATIENT_MS)
        for key in (ROOT, OTHER):
            await js.share(key)
        writer = await multi.writer("a")
        with ours.network.events() as events:
            await meet(ours, js, dialler)
            await synced(multi, js)
            theirs = next(feed for feed in multi.feeds() if feed is not writer)
            for number in (1, 2):
                await left(events)
                await writer.append("between")
                await js.append(ROOT, theirs.key.hex(), "between")
                await joined(events, js.public_key)
                await js.has(ROOT, 2, 2 + 2 * number)
                assert await theirs.get(number) == "between"


async def test_connection_stays_where_javascript_does_not_mind() -> None:
    async with javascript() as js, site() as ours:
        multi = await ours.shared(writer="a")
        await ours.shared(b"\x09" * 32, writer="a")
        await js.open(ROOT, timeout=IMPATIENT_MS)
        await js.open(OTHER, timeout=False)
        for key in (ROOT, OTHER):
            await js.share(key)
        with ours.network.events() as events:
            peer = await meet(ours, js, "ours")
            await synced(multi, js)
            await js.process.call("timePasses", ms=IMPATIENT_MS + 300)
            assert len(events.fetch()) == 1
        assert ours.network.peers == [peer]
        assert peer.topics == {multi.discovery_key}


@either
@pytest.mark.parametrize("last", ["ours", "javascript"])
async def test_late_join_syncs_on_the_live_connection(dialler: str, last: str) -> None:
    async with javascript(ROOT, OTHER) as js, site() as ours:
        multi = await ours.shared(writer="a")
        late = await ours.multifeed(OTHER, writer="a")
        await js.share(ROOT)
        if last == "ours":
            await js.share(OTHER)
        else:
            await ours.network.swarm(late)
        peer = await meet(ours, js, dialler)
        await synced(multi, js)  # so what was opened has been answered, or waits
        if last == "ours":
            await ours.network.swarm(late)
        else:
            await js.share(OTHER)
        await synced(late, js)
        assert ours.network.peers == [peer]
        assert not peer.stream.closed


@either
async def test_leave_stops_both_directions_and_joining_again_syncs(dialler: str) -> None:
    async with javascript(ROOT, OTHER) as js, site() as ours:
        multis = [await ours.shared(key, writer="a") for key in (ROOT, OTHER)]
        for key in (ROOT, OTHER):
            await js.share(key)
        peer = await meet(ours, js, dialler)
        for multi in multis:
            await synced(multi, js)
        stays, goes = multis
        assert await ours.network.leave(OTHER)
        gone = {goes.discovery_key, *(feed.discovery_key for feed in goes.feeds())}
        await js.process.call("closed", discoveryKeys=[one.hex() for one in gone])
        assert not gone & {one.discovery_key for one in peer.stream.session.channels}

        writer = await goes.writer("a")
        theirs = next(feed for feed in goes.feeds() if feed is not writer)
        await writer.append("unseen")
        await js.append(OTHER, theirs.key.hex(), "unseen")
        mine = await stays.writer("a")
        await mine.append("seen")
        await js.has(ROOT, 2, 3)  # the connection works on
        assert ours.network.peers == [peer]
        assert not gone & await js.channels()
        assert theirs.length == 1

        await (await goes.writer("late")).append("late")
        await ours.network.swarm(goes)
        await js.has(OTHER, 3, 5)
        assert await theirs.get(1) == "unseen"


async def test_feeds_that_were_left_stay_closed_on_the_next_connection() -> None:
    """JavaScript's store opens all its cores to every peer; ours does not answer for those."""
    async with javascript(ROOT, OTHER) as js, site() as ours:
        multis = [await ours.shared(key, writer="a") for key in (ROOT, OTHER)]
        for key in (ROOT, OTHER):
            await js.share(key)
        await meet(ours, js, "ours")
        for multi in multis:
            await synced(multi, js)
        await ours.network.leave(OTHER)
        with ours.network.events() as events:
            await js.process.call("disconnect")
            peer = await joined(events, js.public_key)
        await (await multis[0].writer("a")).append("more")
        await js.has(ROOT, 2, 3)
        gone = {multis[1].discovery_key, *(feed.discovery_key for feed in multis[1].feeds())}
        assert not [one for one in gone if peer.stream.session.opened(one)]


async def test_javascript_leaves_and_joins_again() -> None:
    """It forgets to say anything; its next connection repairs that, and we are there for it."""
    async with javascript() as js, site() as ours:
        multi = await ours.shared(writer="a")
        await js.open(ROOT, timeout=IMPATIENT_MS)
        await js.share(ROOT)
        with ours.network.events() as events:
            await meet(ours, js, "ours")
            await synced(multi, js)
            assert await js.process.call("leave", multifeed="x")
            late = await js.process.call("writer", multifeed="x", name="late")
            await js.append(ROOT, late["key"], "late")
            await js.share(ROOT)
            await left(events)
            await joined(events, js.public_key)
        await feeds_of(multi, 3)


@pytest.mark.parametrize("who", ["ours", "javascript"])
async def test_restart_with_the_same_identity(who: str, tmp_path: Path) -> None:
    seed = "0c" * 32
    folder = tmp_path / "ours"
    async with site() as other:
        stays = await other.shared(writer="other") if who == "javascript" else None
        keys = set()
        port = 0
        for number in (1, 2):
            options = {"folder": str(tmp_path / "js"), "secretSeed": seed, "port": port}
            async with javascript(**options) as js:
                await js.process.call("open", multifeed="x", rootKey=ROOT.hex())
                name = f"js{number}"
                writer = await js.process.call("writer", multifeed="x", name=name)
                await js.append(ROOT, writer["key"], name)
                await js.share(ROOT)
                keys.add(js.public_key)
                if stays is not None:
                    with other.network.events() as events:
                        if number == 1:
                            other.network.add_peer(HOST, js.port)
                        await joined(events, js.public_key)
                    await feeds_of(stays, number + 1)
                    port = js.port
                    continue
                for run in (1, 2):
                    async with site(folder) as ours:
                        multi = await ours.shared(writer=f"a{number}{run}")
                        await meet(ours, js, "ours")
                        await js.has(ROOT, len(multi.feeds()), len(multi.feeds()))
                        keys.add(ours.network.public_key)
                        await multi.close()
        assert len(keys) == (1 if who == "javascript" else 2)


@either
async def test_messages_to_all_peers(dialler: str) -> None:
    async with javascript() as js, site() as ours:
        received: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()

        def on_message(message: Any, peer: NetworkPeer) -> None:
            received.put_nowait((message, peer.remote_public_key))

        for name, encoding in (("text", "utf8"), ("json", "json")):
            await js.process.call("networkExtension", name=name, encoding=encoding)
        text = ours.network.register_extension("text", encoding="utf-8", on_message=on_message)
        ours.network.register_extension("before", encoding="binary")
        await meet(ours, js, dialler)
        json = ours.network.register_extension("json", encoding="json", on_message=on_message)
        key = ours.network.public_key.hex()
        for extension, message in ((text, "hello"), (json, {"a": 1})):
            extension.broadcast(message)
            event = await js.process.event("network-extension")
            assert event["message"]["value"] == message
            assert event["remotePublicKey"] == key
            await js.process.call("networkBroadcast", name=extension.name, message=message)
            assert await received.get() == (message, js.public_key)


@either
async def test_cores_found_by_their_own_topic(dialler: str) -> None:
    async with javascript() as js, site() as ours:
        core = await ours.store.get(name="x", value_encoding="utf-8")
        await core.append("ours")
        theirs = await js.process.call("core", name="y")
        await js.process.append(theirs["key"], [b"theirs"])
        copy = await ours.store.get(theirs["key"])
        await js.process.call("core", key=core.key.hex())
        for key in (core.key, copy.key):
            await ours.network.join(key)
        peer = await meet(ours, js, dialler)
        assert await js.process.get(core.key.hex(), 0) == b"ours"
        assert await copy.get(0) == b"theirs"
        assert peer.topics == {core.discovery_key, copy.discovery_key}
        assert await ours.network.leave(core.key)
        await js.process.call("closed", discoveryKeys=[core.discovery_key.hex()])
        await core.append("again")
        await ours.network.join(core.key)
        assert await js.process.get(core.key.hex(), 1) == b"again"


async def test_private_lists_of_feeds_stay_private() -> None:
    async with javascript(ROOT) as js, site() as ours:
        multi = await ours.shared(writer="a")
        await js.share(ROOT)
        await meet(ours, js, "ours")
        await synced(multi, js)
        assert multi._list.discovery_key not in await js.channels()


async def test_both_dial_at_once_and_one_connection_stays() -> None:
    for _ in range(4):
        async with javascript(ROOT) as js, site() as ours:
            multi = await ours.shared(writer="a")
            await js.share(ROOT)
            dialling = js.process.send("dial", port=ours.port)
            ours.network.add_peer(HOST, js.port)
            await dialling
            await synced(multi, js)
            smaller = ours.network.public_key < js.public_key
            while len(ours.network.peers) != 1 or len(await js.process.call("peers")) != 1:  # noqa: ASYNC110
                await asyncio.sleep(0)
            (peer,) = ours.network.peers
            assert peer.initiator is smaller
            await (await multi.writer("a")).append("one")
            await js.has(ROOT, 2, 3)
