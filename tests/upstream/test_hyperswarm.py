"""hyperswarm's tests of the swarm itself, over sockets and a DHT on loopback."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.swarms import LOOPBACK, OTHER, TOPIC, FakeDht, Greeter, greeters, private_dht, until

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.errors import BootstrapError, ClosedError
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.swarm import Swarm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypermultifeed.network.swarm_connection import SwarmConnection

    Swarms = Callable[..., Awaitable[Greeter]]


@pytest.fixture
async def names(stack: AsyncExitStack) -> list[str]:
    """Nodes of a DHT."""
    return await stack.enter_async_context(private_dht())


@pytest.fixture
async def greeter(stack: AsyncExitStack, names: list[str]) -> Swarms:
    """``await greeter(key)`` opens a swarm in that DHT."""

    async def greeter(key: int, **options: Any) -> Greeter:
        made = Greeter(key, **({"dht": True, "bootstrap": names} | options))
        await stack.enter_async_context(made.swarm)
        return made

    return greeter


# --- swarm.main


async def test_default_ephemerality() -> None:
    """hyperswarm/main: "default ephemerality"."""
    async with greeters(1, dht=True) as (one,):
        assert one.swarm.dht is not None
        assert one.swarm.dht.ephemeral


async def test_destroyed_property() -> None:
    """hyperswarm/main: "destroyed property"."""
    swarm = Greeter(1).swarm
    assert not swarm.closed
    await swarm.close()
    assert swarm.closed


async def test_ephemeral_option(greeter: Swarms, names: list[str]) -> None:
    """hyperswarm/main: "ephemeral option": a node of one's own is used as it is."""
    async with await DhtNode.listen("127.0.0.1", bootstrap=names, ephemeral=False) as node:
        one, other = await greeter(1, dht=node), await greeter(2)
        assert not node.ephemeral
        await one.swarm.join(TOPIC)
        await one.swarm.flushed(TOPIC)
        await other.swarm.join(TOPIC, announce=False)
        await until(lambda: one.kept)


async def test_bootstrap_option(greeter: Swarms) -> None:
    """hyperswarm/main: "bootstrap option"."""
    one = await greeter(1)
    assert one.swarm.dht is not None
    await one.swarm.dht.bootstrapped()
    assert one.swarm.dht.nodes


async def test_listening_and_closed() -> None:
    """hyperswarm/main: "emits listening event when bound", "emits close event when destroyed"."""
    swarm = Greeter(1).swarm
    await swarm.open()
    assert swarm.addresses
    await swarm.close()
    with socket.socket() as probe:
        assert probe.connect_ex(swarm.addresses[0]) != 0


@pytest.mark.parametrize("topic", [None, "not bytes but still 32 of them..", b"not 32 bytes"])
async def test_missing_key(topic: Any) -> None:
    """hyperswarm/main: "join - missing key", "leave - missing key"."""
    async with greeters(1) as (one,):
        with pytest.raises(ValueError, match="32 bytes"):
            await one.swarm.join(topic)
        assert not await one.swarm.leave(topic)


async def test_join_automatically_binds() -> None:
    """hyperswarm/main: "join automatically binds"."""
    swarm = Greeter(1).swarm
    await swarm.join(TOPIC)
    assert swarm.addresses
    await swarm.close()


async def test_join_fails_to_bind() -> None:
    """hyperswarm/main: "join - emits error event when failing to bind"."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        swarm = Greeter(1, port=taken.getsockname()[1]).swarm
        with pytest.raises(OSError, match="in use"):
            await swarm.join(TOPIC)
        await swarm.close()


@virtual_time
async def test_join_options() -> None:
    """hyperswarm/main:
    "join - default options",
    "join - announce: false, lookup: true",
    "join - announce: true, lookup: true".
    """
    for options, word in [
        ({}, "announce"),  # the default of @corestore/networker, which is the usual user
        ({"announce": False, "lookup": True}, "lookup"),
        ({"announce": True, "lookup": True}, "announce"),
    ]:
        peer = Address("203.0.113.1", 1)
        dht = FakeDht(peer)
        async with greeters(1, dht=dht) as (one,):
            await one.swarm.join(TOPIC, **options)
            await asyncio.sleep(2.0)
            assert dht.words[0] == word
            assert one.swarm.status()[TOPIC].candidates == 1


async def test_join_neither() -> None:
    """hyperswarm/main: "join - announce: false, lookup: false"."""
    async with greeters(1) as (one,):
        with pytest.raises(ValueError, match="announce"):
            await one.swarm.join(TOPIC, announce=False, lookup=False)


@virtual_time
async def test_join_updates() -> None:
    """hyperswarm/main:
    "join - emits update event when topic updates",
    "join - emits peer event when topic recieves peer".
    """
    dht = FakeDht(Address("203.0.113.1", 8080))
    async with greeters(1, dht=dht) as (one,):
        await one.swarm.join(TOPIC)
        before = one.swarm.status()[TOPIC]
        await asyncio.sleep(2.0)
        after = one.swarm.status()[TOPIC]
        assert (before.rounds, before.candidates) == (0, 0)
        assert (after.rounds, after.candidates) == (1, 1)


@virtual_time
async def test_join_announce_only() -> None:
    """hyperswarm/main: "join - announce: true, lookup: false"."""
    dht = FakeDht(Address("203.0.113.1", 8080))
    async with greeters(1, dht=dht) as (one,):
        await one.swarm.join(TOPIC, announce=True, lookup=False)
        await asyncio.sleep(2.0)
        assert dht.words[0] == "announce"
        assert one.swarm.status()[TOPIC].candidates == 0


@virtual_time
async def test_leave() -> None:
    """hyperswarm/main:
    "leave destroys the topic for a given pre-existing key",
    "leave does not throw when a given key was never joined".
    """
    async with greeters(1, dht=FakeDht()) as (one,):
        await one.swarm.join(OTHER)
        await one.swarm.join(TOPIC)
        assert await one.swarm.leave(TOPIC)
        assert not one.swarm.joined(TOPIC)
        assert one.swarm.joined(OTHER)
        assert not await one.swarm.leave(TOPIC)


async def test_plain_tcp_client() -> None:
    """hyperswarm/main: "connect to a swarm with a plain TCP client"."""
    over: list[SwarmConnection] = []

    async def talk(connection: SwarmConnection) -> None:
        assert not connection.initiator
        assert await connection.reader.read(1) == b"a"
        over.append(connection)

    async with Swarm(talk, **LOOPBACK) as swarm:
        reader, writer = await asyncio.open_connection(*swarm.addresses[0])
        writer.write(b"a")
        assert await reader.read() == b""
        writer.close()
        await over[0].wait_closed()
        assert swarm.connections == []


async def test_connect_directly() -> None:
    """hyperswarm/main: "connect two peers directly"."""
    async with greeters(1, 2) as (one, other):
        one.dial(other)
        await until(lambda: one.kept and other.kept)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"lookup": False}, {"announce": False}),
        ({"lookup": False}, {}),
        ({}, {}),
    ],
)
async def test_connect_by_join(
    greeter: Swarms, first: dict[str, bool], second: dict[str, bool]
) -> None:
    """hyperswarm/main:
    "connect two peers using join (announcing peer and lookup peer)",
    "connect two peers using join (announcing peer and announcing + lookup peer)",
    "connect two peers using join (both announcing + lookup peers)",
    "emits connection event upon connecting to a peer",
    "emits connection event upon being connected to by a peer".
    """
    one, other = await greeter(1), await greeter(2)
    await one.swarm.join(TOPIC, **first)
    await one.swarm.flushed(TOPIC)
    await other.swarm.join(TOPIC, **second)
    await until(lambda: one.kept and other.kept)
    assert other.kept[0].initiator
    assert other.kept[0].address == one.address
    assert other.kept[0].topics == {TOPIC}
    assert not one.kept[0].initiator
    assert not one.kept[0].topics


async def test_disconnection(greeter: Swarms) -> None:
    """hyperswarm/main:
    "emits disconnection event upon disconnecting from a peer",
    "emits disconnection event upon being disconnected from by a peer",
    "connections tracks active connections count correctly".
    """
    one, other, third = [await greeter(key) for key in (1, 2, 3)]
    assert one.swarm.connections == []
    await one.swarm.join(TOPIC, lookup=False)
    await one.swarm.flushed(TOPIC)
    for peer in (other, third):
        await peer.swarm.join(TOPIC, announce=False)
    await until(lambda: len(one.swarm.connections) == 2)
    await until(lambda: other.kept and third.kept)
    to_one, to_other = other.kept[0], next(c for c in one.kept if c.remote_key == other.key)
    await other.swarm.close()
    assert to_one.closed
    await to_other.wait_closed()
    assert len(one.swarm.connections) == 1
    await one.swarm.close()
    await until(lambda: not third.swarm.connections)


async def test_a_hundred_topics(greeter: Swarms) -> None:
    """hyperswarm/main: "can multiplex 100 topics over the same connection"."""
    topics = {bytes([number]) * 32 for number in range(100)}
    one, other = await greeter(1), await greeter(2)
    for peer in (one, other):
        for topic in topics:
            await peer.swarm.join(topic, lookup=peer is other)
        for topic in topics:
            await peer.swarm.flushed(topic)
    await until(lambda: other.kept and other.kept[0].topics == topics)
    assert other.swarm.stats.dialled == 1
    assert len(one.seen) == len(other.seen) == 1


async def test_dedup_connections() -> None:
    """hyperswarm/main: "can dedup connections"."""
    async with greeters(1, 2) as (one, other):
        one.dial(other)
        other.dial(one)
        await until(lambda: other.swarm.stats.duplicates + one.swarm.stats.duplicates)
        await until(lambda: len(one.swarm.connections) == len(other.swarm.connections) == 1)
        assert one.kept[0].initiator
        assert not other.kept[0].initiator


# --- destroy


async def test_destroy() -> None:
    """hyperswarm/destroy:
    "listening and destroy",
    "listening and destroy twice",
    "destroy right away",
    "destroy right away after listen".
    """
    one, two, three = [Greeter(number).swarm for number in range(3)]
    await one.open()
    assert one.addresses[0][1] > 0
    await asyncio.gather(one.close(), one.close())
    await two.close()
    opening = asyncio.create_task(three.open())
    await asyncio.sleep(0)
    await three.close()
    with suppress(ClosedError):
        await opening
    assert one.closed
    assert two.closed
    assert three.closed


async def test_use_after_destroy() -> None:
    """hyperswarm/destroy: "listen after destroy", "join after destroy", "connect after destroy"."""
    swarm = Greeter(1).swarm
    await swarm.open()
    await swarm.close()
    with pytest.raises(ClosedError):
        await swarm.open()
    with pytest.raises(ClosedError):
        await swarm.join(TOPIC)
    with pytest.raises(ClosedError):
        swarm.add_peer("127.0.0.1", 8080)


# --- connectivity


async def test_unable_to_bind() -> None:
    """hyperswarm/connectivity: "when unable to bind"."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        swarm = Greeter(1, dht=True, port=taken.getsockname()[1]).swarm
        with pytest.raises(OSError, match="in use"):
            await swarm.open()
        assert swarm.dht is None


@virtual_time
async def test_unable_to_bootstrap() -> None:
    """hyperswarm/connectivity: "when able to bind but unable to bootstrap"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{mute.getsockname()[1]}"
        async with greeters(1, dht=True, bootstrap=[name]) as (one,):
            assert one.swarm.dht is not None
            with pytest.raises(BootstrapError):
                await one.swarm.dht.bootstrapped()


@pytest.mark.parametrize(("nodes", "holepunchable"), [(1, False), (4, True)])
async def test_holepunchable(nodes: int, holepunchable: bool) -> None:
    """hyperswarm/connectivity:
    "when able to bind and bootstrap but unable to holepunch",
    "when able to bind, bootstrap and holepunch".
    """
    async with (
        private_dht(*["127.0.0.1"] * nodes) as names,
        greeters(1, dht=True, bootstrap=names) as (one,),
    ):
        node = one.swarm.dht
        assert node is not None
        await node.bootstrapped()
        assert node.holepunchable is holepunchable
        assert (node.public_address == one.address) is holepunchable


# --- validate-peer


@pytest.mark.parametrize("wanted", [None, True, False])
async def test_validate_peer(greeter: Swarms, wanted: bool | None) -> None:
    """hyperswarm/validate-peer:
    "validatePeer default",
    "validatePeer host + peer-rejected event",
    "validatePeer disallow remote".
    """
    asked: list[tuple[str, int]] = []

    def rule(host: str, port: int) -> bool:
        asked.append((host, port))
        return bool(wanted)

    one = await greeter(1)
    other = await greeter(2, address_filter=None if wanted is None else rule)
    await one.swarm.join(TOPIC, lookup=False)
    await one.swarm.flushed(TOPIC)
    await other.swarm.join(TOPIC, announce=False)
    await other.swarm.flushed(TOPIC)
    assert other.swarm.stats.dialled == (wanted is not False)
    assert set(asked) == (set() if wanted is None else {one.address})


# --- limits


@pytest.fixture
async def crowd(greeter: Swarms) -> list[Greeter]:
    """Eight that announce the topic."""
    made = [await greeter(10 + number) for number in range(8)]
    for one in made:
        await one.swarm.join(TOPIC, lookup=False)
        await one.swarm.flushed(TOPIC)
    return made


async def test_max_peers_default() -> None:
    """hyperswarm/limits: "maxPeers defaults to 24"."""
    async with greeters(1) as (one,), greeters(*range(10, 35)) as others:
        for other in others:
            other.dial(one)
        await until(lambda: one.swarm.stats.refused)
        assert len(one.kept) == 24


async def test_max_peers_dialled(greeter: Swarms, crowd: list[Greeter]) -> None:
    """hyperswarm/limits: "allows a maximum amount of peers (maxPeers option - client sockets)"."""
    one = await greeter(1, connections_max=5)
    await one.swarm.join(TOPIC)
    await one.swarm.flushed(TOPIC)
    await until(lambda: len(one.swarm.connections) == len(one.kept) == 5)
    assert len(one.seen) == 5
    assert sum(len(other.kept) for other in crowd) <= len(crowd)
    assert all(connection.initiator for connection in one.kept)


async def test_max_peers_accepted(greeter: Swarms) -> None:
    """hyperswarm/limits: "allows a maximum amount of peers (maxPeers option - server sockets)"."""
    one = await greeter(1, connections_max=5)
    await one.swarm.join(TOPIC, lookup=False)
    await one.swarm.flushed(TOPIC)
    others = [await greeter(10 + number) for number in range(8)]
    for other in others:
        await other.swarm.join(TOPIC, announce=False)
    await until(lambda: one.swarm.stats.refused >= 3)
    assert len(one.kept) == 5
    assert not any(connection.initiator for connection in one.kept)


async def test_max_peers_both_ways(greeter: Swarms, crowd: list[Greeter]) -> None:
    """hyperswarm/limits:
    "allows a maximum amount of peers (maxPeers option - client sockets and server sockets)",
    "maxPeers option sets the maximum amount of peers that a swarm can connect to be or be connected to",
    "after maxPeers is exceeded, new peers can connect once existing peers have disconnected and peer count is below threshhold again".
    """  # noqa: E501 - their titles
    one = await greeter(1, connections_max=10)
    await one.swarm.join(TOPIC)
    await until(lambda: len(one.kept) == 8)
    late = [await greeter(30 + number) for number in range(4)]
    for other in late[:3]:
        await other.swarm.join(TOPIC, announce=False)
    await until(lambda: one.swarm.stats.refused and len(one.kept) == 10)
    await crowd[0].swarm.close()
    await until(lambda: len(one.kept) == 9)
    await late[3].swarm.join(TOPIC, announce=False)
    await until(lambda: len(one.kept) == 10)
