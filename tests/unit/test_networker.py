"""Networkers over real sockets of this machine, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.networks import (
    LOOPBACK,
    OTHER,
    ROOT,
    Site,
    channels,
    feeds_of,
    joined,
    left,
    sites,
    until,
)

from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import ClosedError
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.network.networker import Networker, PeerLeft
from hypermultifeed.network.report import FAILURES_KEPT
from hypermultifeed.network.swarm import Swarm
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from pathlib import Path

THIRD = b"\x09" * 32


@virtual_time
async def test_multifeeds_share_one_connection() -> None:
    async with sites(2) as (a, b):
        for key in (ROOT, OTHER):
            await a.shared(key, writer="a")
        theirs = [await b.shared(key, writer="b") for key in (ROOT, OTHER)]
        peer = await a.meet(b)
        for multi in theirs:
            await feeds_of(multi, 2)
        assert a.network.peers == [peer]
        assert peer.topics == {discovery_key(ROOT), discovery_key(OTHER)}
        assert (peer.initiator, peer.address) == (True, ("127.0.0.1", b.port))
        assert "127.0.0.1" in repr(peer)


@pytest.mark.parametrize("dialler", [0, 1])
@virtual_time
async def test_late_join_syncs_at_once_on_the_live_connection(dialler: int) -> None:
    async with sites(2) as both:
        a, b = both
        for site in both:
            await site.shared(ROOT, writer="x")
        peer = await both[dialler].meet(both[1 - dialler])
        loop = asyncio.get_running_loop()
        for waited in (0.0, 3600.0):  # an hour later nothing is parked any more
            await asyncio.sleep(waited)
            before = loop.time()
            first = await a.shared(OTHER, writer="a")
            second = await b.shared(OTHER, writer="b")
            for multi in (first, second):
                await feeds_of(multi, 2)
            assert loop.time() - before < 1.0
            for site in both:
                assert await site.network.leave(OTHER)
            await first.close()
            await second.close()
        assert both[dialler].network.peers == [peer]


@virtual_time
async def test_leaving_stops_both_directions_and_joining_again_works() -> None:
    async with sites(2) as (a, b):
        ours, theirs = await a.shared(writer="a"), await b.shared(writer="b")
        others = [await site.shared(OTHER, writer="x") for site in (a, b)]
        peer = await a.meet(b)
        for multi in (ours, theirs, *others):
            await feeds_of(multi, 2)
        assert await a.network.leave(ROOT)
        assert not await a.network.leave(ROOT)
        gone = {discovery_key(ROOT), *(feed.discovery_key for feed in ours.feeds())}
        await until(lambda: not gone & (channels(peer) | channels(b.network.peers[0])))
        mine, yours = await ours.writer("a"), await theirs.writer("b")
        await mine.append("unseen")
        await yours.append("unseen")
        await asyncio.sleep(3600)
        assert [feed.length for feed in ours.feeds() + theirs.feeds()] == [2, 1, 2, 1]
        await (await others[0].writer("x")).append("what else is shared goes on")
        await others[1].feeds()[1].get(1)

        await a.network.swarm(ours)
        copies = theirs.feed(mine.key), ours.feed(yours.key)
        for copy in copies:
            assert copy is not None
            assert await copy.get(1) == "unseen"
        assert a.network.peers == [peer]


@virtual_time
async def test_feeds_that_were_left_are_not_given_to_those_who_ask() -> None:
    """A JavaScript store opens every core it has, on every new connection."""
    async with sites(2) as (a, b):
        ours = await a.shared(writer="a")
        await a.network.leave(ROOT)
        copy = await b.store.get(ours.feeds()[0].key)
        peer = await a.meet(b)
        await asyncio.sleep(60)
        assert copy.length == 0
        assert peer.stream.stats.refused == 1
        await a.network.swarm(ours)
        await b.shared()
        assert await copy.get(0) == b'"a"\n'


@virtual_time
async def test_feed_of_two_multifeeds_stays_when_one_is_left() -> None:
    async with sites(2) as (a, b):
        first, second = await a.shared(ROOT, writer="a"), await a.shared(OTHER)
        feed = first.feeds()[0]
        await second.add_remote([feed.key])
        copies = await b.shared(ROOT), await b.shared(OTHER)
        await a.meet(b)
        for multi in copies:
            await feeds_of(multi, 1)
        await a.network.leave(ROOT)
        await feed.append("more")
        assert await copies[1].feeds()[0].get(1) == "more"


@virtual_time
async def test_cores_join_leave_and_join_again() -> None:
    async with sites(2) as (a, b):
        core = await a.store.get(name="x")
        copy = await b.store.get(core.key)
        await a.network.join(core.key)
        await b.network.join(core.key.hex())
        peer = await a.meet(b)
        await core.append(b"1")
        assert await copy.get(0) == b"1"
        assert peer.topics == {core.discovery_key}
        assert await a.network.leave(core.key)
        await core.append(b"2")
        await asyncio.sleep(60)
        assert copy.length == 1
        await a.network.join(core.key)
        assert await copy.get(1) == b"2"


@virtual_time
async def test_flushed_comes_true_and_is_cleared_by_leaving() -> None:
    async with sites(1) as (a,):
        topic = discovery_key(ROOT)
        assert not await a.network.flushed(topic)
        assert a.network.status(topic) is None
        multi = await a.shared()
        assert await a.network.flushed(topic)
        status = a.network.status(topic.hex())
        assert status is not None
        assert (status.flushed, status.key, status.feeds, status.peers) == (True, ROOT, 0, 0)
        assert await a.network.leave(ROOT)
        assert not a.network.joined(topic)
        assert not await a.network.flushed(topic)
        await multi.close()


@virtual_time
async def test_flushed_waits_for_handshakes_and_for_nobody_for_ever() -> None:
    held: list[Any] = []
    server = await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0)
    async with server, sites(1) as (a,):
        a.network.add_peer("127.0.0.1", server.sockets[0].getsockname()[1])
        await until(lambda: a.network._connections)
        before = asyncio.get_running_loop().time()
        await a.shared()
        assert await a.network.flushed(discovery_key(ROOT))
        assert asyncio.get_running_loop().time() - before == pytest.approx(10, abs=1)
        (failure, *_) = a.network.report().failures
        assert failure.code == "ERR_TIMEOUT"
        assert failure.public_key is None
        for _, writer in held:
            writer.close()


@virtual_time
async def test_leaving_ends_the_wait_for_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sites(1) as (a,):
        monkeypatch.setattr(a.network._swarm, "flushed", lambda _: asyncio.sleep(1e6))
        await a.shared()
        waiting = asyncio.create_task(a.network.flushed(discovery_key(ROOT)))
        await asyncio.sleep(0)
        await a.network.leave(ROOT)
        assert not await waiting


@virtual_time
async def test_configuring_changes_a_topic_and_leaves_it() -> None:
    async with sites(1) as (a,):
        topic = b"\x01" * 32
        await a.network.configure(topic, lookup=False)
        await a.network.configure(topic, announce=False)
        (status,) = a.network.statuses()
        assert (status.announce, status.lookup, status.key) == (False, True, None)
        await a.network.configure(topic, announce=False, lookup=False)
        assert a.network.statuses() == []
        await a.network.configure(topic, announce=False, lookup=False)
        for call in (
            a.network.join(ROOT, announce=False, lookup=False),
            a.network.join("zz"),
            a.network.leave(b"short"),
            a.network.configure(b"short"),
        ):
            with pytest.raises(ValueError, match=r"."):
                await call
        assert not a.network.joined(discovery_key(ROOT))


@virtual_time
async def test_events_tell_who_comes_and_goes() -> None:
    async with sites(3) as (a, b, c):
        with a.network.events() as events:
            await a.meet(b)
            await c.meet(a)
            assert len(a.network.peers) == 2
            await b.network.close()
            assert (await left(events)).peer.remote_public_key == b.network.public_key
            assert [peer.remote_public_key for peer in a.network.peers] == [c.network.public_key]
        with a.network.events() as events:
            await a.network.close()
            assert [type(event) for event in events.fetch()] == [PeerLeft]
            with pytest.raises(StopAsyncIteration):
                await anext(events)


@virtual_time
async def test_dialling_ourselves_ends_at_once() -> None:
    async with sites(1) as (a,):
        a.network.add_peer("127.0.0.1", a.port)
        await asyncio.sleep(60)
        assert a.network.peers == []
        assert a.network._swarm.stats.ourselves > 0
        assert a.network.report().failures == ()


@virtual_time
async def test_identity_stays_with_the_store(tmp_path: Path) -> None:
    keys = set()
    for _ in range(2):
        async with Corestore(tmp_path) as store, Networker(store, **LOOPBACK) as network:
            keys.add(network.public_key)
    assert len(keys) == 1
    pair = NoiseKeyPair.generate()
    async with (
        Corestore(tmp_path) as store,
        Networker(store, key_pair=pair, **LOOPBACK) as network,
    ):
        assert network.public_key == pair.public_key


@virtual_time
async def test_private_list_of_feeds_is_never_offered() -> None:
    async with sites(2) as (a, b):
        ours = await a.shared(writer="a")
        await b.shared()
        asked = await b.store.get(ours._list.key)
        peer = await a.meet(b)
        await feeds_of(ours, 1)
        await asyncio.sleep(60)
        assert not peer.stream.session.opened(ours._list.discovery_key)
        assert asked.length == 0


@virtual_time
async def test_closed_connections_are_forgotten() -> None:
    async with sites(2) as (a, b):
        multi = await a.shared(writer="a")
        await b.shared()
        peer = await a.meet(b)
        seen = weakref.ref(peer)
        with a.network.events() as events:
            await b.network.close()
            await left(events)
            events.fetch()
        assert multi._muxes == {}
        assert a.store.cores._streams == {}
        assert a.network._connections == {}
        assert a.network._extensions._on_peers == {}
        del peer
        await asyncio.sleep(0)
        gc.collect()
        assert seen() is None


@virtual_time
async def test_report_is_plain_and_complete() -> None:
    async with sites(2) as (a, b):
        await a.shared(writer="a")
        multi = await b.shared()
        await a.meet(b)
        await feeds_of(multi, 1)
        await asyncio.sleep(5)
        report = a.network.report()
        (peer,) = report.peers
        assert report.public_key == a.network.public_key
        assert report.addresses == (("127.0.0.1", a.port),)
        assert (report.dht, report.lan) == (None, None)
        assert (peer.public_key, peer.topics) == (b.network.public_key, (multi.discovery_key,))
        assert peer.connected_s == pytest.approx(5, abs=0.1)
        assert peer.received_per_s == pytest.approx(peer.bytes_received / 5, rel=0.05)
        (topic,) = report.topics
        assert (topic.topic, topic.feeds, topic.peers) == (multi.discovery_key, 1, 1)
        await asyncio.sleep(5)
        assert a.network.report().peers[0].sent_per_s < 5
        total = a.network.report().bytes_sent
        for _ in range(4):
            _, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(b"\xff" * 200)
            await until(lambda: a.network._swarm.connections)
            await until(lambda: len(a.network._swarm.connections) == 1)
            writer.close()
        failures = a.network.report().failures
        assert 0 < len(failures) <= 4
        assert {failure.code for failure in failures} <= {"ERR_HANDSHAKE", "ERR_REMOTE_PROTOCOL"}
        with a.network.events() as events:
            await b.network.close()
            await left(events)
        assert a.network.report().bytes_sent >= total


@virtual_time
async def test_report_tells_of_dials_in_vain() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with sites(1) as (a,):
        a.network.add_peer("127.0.0.1", port)
        await until(lambda: a.network.report().failures)
        failure = a.network.report().failures[0]
        assert (failure.address, failure.initiator) == (("127.0.0.1", port), True)
        assert (failure.code, failure.public_key) == ("ConnectionRefusedError", None)
        await asyncio.sleep(3600)
        failures = a.network.report().failures
        assert len(failures) == FAILURES_KEPT
        assert failures[0].ago_s > failures[-1].ago_s


@virtual_time
async def test_peers_can_be_refused_by_their_key() -> None:
    refused: list[bytes] = []

    def refuse(key: bytes) -> None:
        refused.append(key)
        raise PermissionError("not you")

    async with sites(1) as (a,), sites(1, on_authenticate=refuse) as (b,):
        a.network.add_peer("127.0.0.1", b.port)
        await until(lambda: b.network.report().failures)
        assert set(refused) == {a.network.public_key}
        assert b.network.peers == []


@virtual_time
async def test_closing_in_any_order() -> None:
    async with sites(2) as (a, b):
        multi = await a.shared(writer="a")
        await b.shared()
        await a.meet(b)
        await multi.close()  # without leaving it
        with a.network.events() as events:
            await b.network.close()
            await left(events)
        await a.store.close()
        async with sites(1) as (c,):
            c.network.add_peer("127.0.0.1", a.port)
            await until(lambda: a.network.report().failures)
            assert a.network.peers == []
        await asyncio.gather(a.network.close(), a.network.close())
        assert a.network.closed
        for call in (a.network.open(), a.network.swarm(multi), a.network.join(ROOT)):
            with pytest.raises(ClosedError):
                await call
        with pytest.raises(ClosedError):
            a.network.add_peer("127.0.0.1", 1)


@virtual_time
async def test_multifeed_on_a_store_of_its_own() -> None:
    async with sites(2) as (a, b), Multifeed(memory(), key=ROOT, value_encoding="json") as multi:
        await (await multi.writer("x")).append("elsewhere")
        await a.network.swarm(multi)
        copy = await b.shared()
        await a.meet(b)
        assert await (await feeds_of(copy, 1))[0].get(0) == "elsewhere"


@virtual_time
async def test_policy_sees_who_offers() -> None:
    seen: list[Any] = []

    def accept(_key: bytes, peer: Any, _hints: Any) -> bool:
        seen.append(peer)
        return True

    async with sites(2) as (a, b):
        ours = await a.multifeed(writer="a")
        await a.network.swarm(ours, user_data={"name": "a"})
        theirs = Multifeed(b.store, key=ROOT, value_encoding="json", accept=accept)
        await b.network.swarm(theirs)
        await a.meet(b)
        await feeds_of(theirs, 1)
        assert seen == [(a.network.public_key, {"name": "a"})]


@virtual_time
async def test_many_multifeeds_of_which_few_are_shared() -> None:
    async with sites(2) as (a, b):
        for number in range(40):
            await a.shared(bytes([number]) * 32)
        await a.shared(ROOT, writer="a")
        multi = await b.shared(ROOT)
        for number in range(100, 140):
            await b.shared(bytes([number]) * 32)
        peer = await a.meet(b)
        await feeds_of(multi, 1)
        await asyncio.sleep(3600)
        assert a.network.peers == [peer]
        assert peer.topics == {discovery_key(ROOT)}


@virtual_time
async def test_a_peer_that_restarts_is_found_again() -> None:
    async with sites(1) as (a,), Corestore(memory()) as store:
        multi = await a.shared()
        options = LOOPBACK | {"key_pair": NoiseKeyPair.generate()}
        async with Networker(store, **options) as network:
            site = Site(store, network)
            copy = await site.shared(writer="b")
            await a.meet(site)
            await feeds_of(multi, 1)
            options["port"] = site.port
        await (await copy.writer("c")).append("meanwhile")
        with a.network.events() as events:
            async with Networker(store, **options) as network:
                await network.swarm(copy)
                await joined(events, network.public_key)
                await feeds_of(multi, 2)


@pytest.mark.parametrize("kind", ["store", "multifeed", "core", "swarm", "networker"])
@pytest.mark.parametrize("turns", range(6))
async def test_a_block_that_is_cancelled_while_it_opens_leaves_nothing_open(
    kind: str, turns: int, tmp_path: Path
) -> None:
    async def talk(_connection: object) -> None:
        raise AssertionError("nobody is there")

    options: dict[str, Any] = {"host": LOOPBACK, "dht": False, "mdns": False}
    store = Corestore(tmp_path / "store")
    opening: Any = {
        "store": store,
        "multifeed": Multifeed(tmp_path / "multi", key=ROOT),
        "core": Hypercore(tmp_path / "core"),
        "swarm": Swarm(talk, **options),
        "networker": Networker(store, **options),
    }[kind]

    async def use() -> None:
        async with opening:
            await asyncio.Event().wait()

    task = asyncio.ensure_future(use())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert opening.closed or not turns
    await store.close()  # pytest fails on exceptions that nobody took
    gc.collect()
