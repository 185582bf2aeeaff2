"""Networkers that meet in awkward ways, over sockets of this machine, in virtual time."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.networks import LOOPBACK, OTHER, ROOT, Site, feeds_of, joined, left, sites, until

from hypermultifeed.corestore import Corestore
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.network.networker import Networker
from hypermultifeed.network.peer import NetworkPeer
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from hypermultifeed.multifeed import Multifeed

DAYS_S = 72 * 3600.0


@partial(virtual_time, hang_s=2 * DAYS_S)
async def test_peers_that_share_only_some_topics_stay_connected_for_days() -> None:
    async with sites(2) as (a, b):
        ours = await a.shared(ROOT, writer="a")
        await a.shared(OTHER, writer="a")
        copy = await b.shared(ROOT)
        await b.shared(b"\x09" * 32, writer="b")
        with a.network.events() as events:
            peer = await a.meet(b)
            await feeds_of(copy, 1)
            await asyncio.sleep(DAYS_S)
            assert len(events.fetch()) == 1
        assert a.network.peers == [peer]
        assert a.network.report().peers[0].connected_s >= DAYS_S
        await ours.feeds()[0].append("still here")
        assert await copy.feeds()[0].get(1) == "still here"


@pytest.mark.parametrize("round_", range(6))
@virtual_time
async def test_both_dial_at_once_and_one_connection_stays(round_: int) -> None:
    async with sites(2) as (a, b):
        multis = [await site.shared(writer=str(round_)) for site in (a, b)]
        dials = [(a, b), (b, a)][:: 1 if round_ % 2 else -1]
        for site, other in dials:
            site.network.add_peer("127.0.0.1", other.port)
        for multi in multis:
            await feeds_of(multi, 2)
        await asyncio.sleep(60)
        (ours,), (theirs,) = a.network.peers, b.network.peers
        assert ours.initiator is not theirs.initiator
        smaller = a.network.public_key < b.network.public_key
        assert ours.initiator is smaller
        with a.network.events() as events:  # and it stays for good
            await asyncio.sleep(3600)
            assert events.fetch() == []
        assert a.network.report().failures == b.network.report().failures == ()


@virtual_time
async def test_a_second_connection_changes_nothing_for_what_is_under_way() -> None:
    async with sites(2) as (a, b):
        ours, theirs = await a.shared(writer="a"), await b.shared()
        writer = await ours.writer("a")
        await a.meet(b)
        copy = (await feeds_of(theirs, 1))[0]
        b.network.add_peer("127.0.0.1", a.port)
        for number in range(200):
            await writer.append(number)
            assert await copy.get(number + 1) == number
        await asyncio.sleep(60)
        assert len(a.network.peers) == len(b.network.peers) == 1


@virtual_time
async def test_two_devices_with_one_key_are_both_served() -> None:
    pair = NoiseKeyPair.generate()
    async with sites(1) as (a,), sites(2, key_pair=pair) as devices:
        await a.shared(writer="a")
        copies: list[Multifeed] = []
        for device in devices:
            copies.append(await device.shared())
            a.network.add_peer("127.0.0.1", device.port)
        for copy in copies:
            await feeds_of(copy, 1)
        await asyncio.sleep(3600)
        assert [peer.remote_public_key for peer in a.network.peers] == [pair.public_key] * 2


@virtual_time
async def test_peer_that_ends_a_useful_connection_again_and_again() -> None:
    """As a JavaScript peer does every 10 s that misses one of its multifeeds here."""
    async with sites(2) as (a, b):
        writer = await (await a.shared(writer="a")).writer("a")
        copy = await b.shared()
        await a.meet(b)
        feed = (await feeds_of(copy, 1))[0]
        loop = asyncio.get_running_loop()
        gaps = []
        for number in range(50):
            await asyncio.sleep(10)
            with a.network.events() as events:
                b.network.peers[0].stream.destroy()
                await left(events)
                before = loop.time()
                await joined(events, b.network.public_key)
                gaps.append(loop.time() - before)
            await writer.append(number)
            assert await feed.get(number + 1) == number
        assert max(gaps) < 0.5  # JavaScript's own retry comes after 0.66 s at the earliest


@virtual_time
async def test_peer_with_which_nothing_is_shared_is_not_dialled_for_ever() -> None:
    dialled: list[Any] = []
    async with sites(2) as (a, b):
        await a.shared(ROOT)
        await b.shared(OTHER)
        topic = discovery_key(ROOT)
        a.network._swarm._queue.add(("127.0.0.1", b.port), 0.0, topic=topic, source="liar")
        a.network._swarm._pump()
        for _ in range(10):  # as a JavaScript peer does whose multifeed we do not have
            await asyncio.sleep(60)
            for peer in b.network.peers:
                dialled.append(peer)
                peer.stream.destroy()
        assert 1 <= len(dialled) <= 5


@virtual_time
async def test_joining_again_after_javascript_forgot_comes_back_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JavaScript opens a multifeed's channel once per stream, and closes it when asked again."""
    async with sites(2) as (a, b):
        ours, theirs = await a.shared(writer="a"), await b.shared()
        await a.meet(b)
        await feeds_of(theirs, 1)
        await a.network.leave(ROOT)
        await until(lambda: discovery_key(ROOT) not in _open(b.network.peers[0]))
        mux = theirs._muxes[b.network.peers[0].stream]
        with monkeypatch.context() as patch:
            patch.setattr(type(mux), "on_remote_open", lambda *_: False)
            patch.setattr(NetworkPeer, "on_remote_open", lambda *_: False)
            await (await ours.writer("late")).append("x")
            with a.network.events() as events:
                before = asyncio.get_running_loop().time()
                await a.network.swarm(ours)
                await left(events)
        await feeds_of(theirs, 2)
        assert asyncio.get_running_loop().time() - before < 0.5


@virtual_time
async def test_three_of_which_two_never_meet_share_all_through_the_third() -> None:
    async with sites(3) as (a, b, c):  # nobody tells one end of the other
        multis = [await site.shared(writer=name) for site, name in ((a, "a"), (b, "b"), (c, "c"))]
        await b.meet(a)
        await b.meet(c)
        for multi in multis:
            assert len(await feeds_of(multi, 3)) == 3
        late = await multis[0].writer("late")
        await late.append("from one end to the other")
        copies = await feeds_of(multis[2], 4)
        assert await copies[3].get(0) == "from one end to the other"
        assert {peer.remote_public_key for peer in a.network.peers} == {b.network.public_key}
        assert {peer.remote_public_key for peer in c.network.peers} == {b.network.public_key}


@virtual_time
async def test_suspended_machine_is_back_when_it_wakes() -> None:
    async with sites(1) as (a,), Corestore(memory()) as store:
        multi = await a.shared()
        async with Networker(store, **LOOPBACK) as network:
            b = Site(store, network)
            writer = await (await b.shared(writer="b")).writer("b")
            await a.meet(b)
            copy = (await feeds_of(multi, 1))[0]
            loop: Any = asyncio.get_running_loop()
            loop.now += 8 * 3600.0
            await writer.append("good morning")
            assert await copy.get(1) == "good morning"


def _open(peer: NetworkPeer) -> set[bytes]:
    return {channel.discovery_key for channel in peer.stream.session.channels}
