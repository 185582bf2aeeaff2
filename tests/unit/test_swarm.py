"""The swarm as a whole: joining, leaving, flushing, finding each other, closing."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from unittest.mock import patch

import pytest
from tests.faults.virtual_time import virtual_time
from tests.swarms import (
    OTHER,
    TOPIC,
    FakeDht,
    Greeter,
    greeters,
    private_dht,
    until,
)

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.errors import ClosedError
from hypermultifeed.network import dialling
from hypermultifeed.network import swarm as swarm_module
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.joined_topics import CLOSE_S, FLUSH_S
from hypermultifeed.network.swarm import DIALS_BEYOND
from hypermultifeed.network.topic_search import LEAVE_S
from hypermultifeed.peers.peer_queue import CROWDED_S


def now() -> float:
    return asyncio.get_running_loop().time()


async def refuse(host: str, port: int) -> Any:
    raise ConnectionRefusedError(f"{host}:{port}")


async def never(host: str, port: int) -> Any:
    await asyncio.Event().wait()


# --- opening and closing


async def test_it_listens_for_tcp_and_udp_on_one_port() -> None:
    async with Greeter(1, dht=True).swarm as swarm:
        [(host, port)] = swarm.addresses
        assert host == "127.0.0.1"
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        assert swarm.dht is not None
        assert swarm.dht.address == (host, port)


async def test_a_given_port_is_used_or_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        swarm = Greeter(1, port=port).swarm
        with pytest.raises(OSError, match="in use"):
            await swarm.open()
        assert not swarm.addresses
        assert not swarm.connections
    await swarm.open()
    assert swarm.addresses == [("127.0.0.1", port)]
    await swarm.close()


async def test_a_bootstrap_address_that_is_none_is_an_error() -> None:
    swarm = Greeter(1, dht=True, bootstrap=["nonsense"]).swarm
    with pytest.raises(ValueError, match="nonsense"):
        await swarm.open()
    await swarm.close()


async def test_without_a_dht_there_is_no_udp_socket() -> None:
    async with Greeter(1).swarm as swarm:
        assert swarm.dht is None
        assert swarm.lan is None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(swarm.addresses[0])


async def test_opening_and_closing_may_be_repeated() -> None:
    swarm = Greeter(1).swarm
    await asyncio.gather(swarm.open(), swarm.open())
    await swarm.open()
    await asyncio.gather(swarm.close(), swarm.close())
    await swarm.close()
    assert swarm.closed
    assert swarm.connections == []


async def test_what_is_closed_stays_closed() -> None:
    swarm = Greeter(1).swarm
    with pytest.raises(ClosedError):
        swarm.add_peer("127.0.0.1", 1)
    await swarm.close()
    for call in (swarm.open, lambda: swarm.join(TOPIC)):
        with pytest.raises(ClosedError):
            await call()
    with pytest.raises(ClosedError):
        swarm.add_peer("127.0.0.1", 1)
    assert not await swarm.leave(TOPIC)
    await swarm.flushed(TOPIC)
    assert (swarm.addresses, swarm.dialling, swarm.status()) == ([], 0, {})


@virtual_time
async def test_closing_takes_back_announcements_within_two_seconds() -> None:
    slow = FakeDht(takes=3600.0)
    quick = FakeDht(takes=0.1)
    for dht in (slow, quick):
        greeter = Greeter(1, dht=dht)
        async with greeter.swarm as swarm:
            await swarm.join(TOPIC)
            await swarm.join(OTHER)
            await asyncio.sleep(1.0)
            start = now()
        assert now() - start <= CLOSE_S + 0.1
        assert dht.words.count("unannounce") == 2
    assert quick.words.count("unannounced") == 2


# --- joining and leaving


@pytest.mark.parametrize("topic", [b"", b"t" * 31, b"t" * 33, "t" * 32])
async def test_a_topic_has_32_bytes(topic: Any) -> None:
    async with greeters(1) as (one,):
        with pytest.raises(ValueError, match="32 bytes"):
            await one.swarm.join(topic)


async def test_one_of_announce_and_lookup_is_needed() -> None:
    async with greeters(1) as (one,):
        with pytest.raises(ValueError, match="to announce, to look up"):
            await one.swarm.join(TOPIC, announce=False, lookup=False)
        assert not one.swarm.joined(TOPIC)


@virtual_time
async def test_joining_opens_and_leaving_takes_back() -> None:
    dht = FakeDht()
    swarm = Greeter(1, dht=dht).swarm
    await swarm.join(TOPIC)
    await swarm.flushed(TOPIC)
    assert swarm.joined(TOPIC)
    status = swarm.status()[TOPIC]
    assert (status.announce, status.lookup, status.rounds, status.error) == (True, True, 1, None)
    assert await swarm.leave(TOPIC)
    assert dht.words == ["announce", "end", "unannounce", "unannounced"]
    assert not swarm.joined(TOPIC)
    assert not await swarm.leave(TOPIC)
    await swarm.close()


@virtual_time
async def test_leaving_resolves_whoever_answers() -> None:
    async with Greeter(1, dht=FakeDht(takes=3600.0)).swarm as swarm:
        await swarm.join(TOPIC)
        start = now()
        assert await swarm.leave(TOPIC)
        assert now() - start <= LEAVE_S
        await swarm.join(TOPIC)
        await asyncio.sleep(1.0)


@virtual_time
async def test_joining_while_leaving_announces_after_the_end() -> None:
    dht = FakeDht()
    async with Greeter(1, dht=dht).swarm as swarm:
        await swarm.join(TOPIC)
        await swarm.flushed(TOPIC)
        leaving = asyncio.create_task(swarm.leave(TOPIC))
        await asyncio.sleep(0.0)
        await swarm.join(TOPIC)
        await swarm.flushed(TOPIC)
        assert await leaving
        assert dht.words == [
            "announce", "end", "unannounce", "unannounced", "announce", "end",
        ]  # fmt: skip
        assert swarm.joined(TOPIC)


@virtual_time
async def test_joining_again_does_not_take_back() -> None:
    dht = FakeDht()
    async with Greeter(1, dht=dht).swarm as swarm:
        for _ in range(2):
            await swarm.join(TOPIC)
            await asyncio.sleep(1.5)
        await swarm.join(TOPIC, announce=False)
        await asyncio.sleep(3.0)
        await swarm.join(TOPIC, lookup=False)
        await asyncio.sleep(1.5)
    words = [word for word in dht.words if word != "end"]
    assert words == [
        "announce", "announce", "unannounce", "unannounced", "lookup", "announce", "unannounce",
        "unannounced",
    ]  # fmt: skip


# --- flushing


@virtual_time
async def test_flushed_waits_for_a_dial_of_each_peer_that_was_found() -> None:
    peers = [Address(f"203.0.113.{n}", 4711) for n in range(1, 6)]
    with patch.object(dialling, "TRANSPORTS", (refuse,)):
        async with Greeter(1, dht=FakeDht(*peers)).swarm as swarm:
            await swarm.join(TOPIC)
            await swarm.flushed(TOPIC)
            assert (swarm.stats.dialled, swarm.stats.failed) == (5, 5)
            assert swarm.status()[TOPIC].candidates == 5
            await swarm.flushed(TOPIC)


@virtual_time
async def test_flushed_does_not_wait_for_ever() -> None:
    peers = [Address(f"203.0.{n}.1", 4711) for n in range(250)]
    with patch.object(dialling, "TRANSPORTS", (never,)):
        async with Greeter(1, dht=FakeDht(*peers)).swarm as swarm:
            await swarm.join(TOPIC)
            start = now()
            await swarm.flushed(TOPIC)
            assert now() - start <= FLUSH_S + 1.0


@pytest.mark.parametrize("end", ["leave", "close"])
@virtual_time
async def test_flushed_ends_with_its_topic(end: str) -> None:
    with patch.object(dialling, "TRANSPORTS", (never,)):
        async with Greeter(1, dht=FakeDht(Address("203.0.113.1", 1))).swarm as swarm:
            await swarm.join(TOPIC)
            flushing = asyncio.create_task(swarm.flushed(TOPIC))
            await asyncio.sleep(2.0)
            assert not flushing.done()
            start = now()
            await (swarm.leave(TOPIC) if end == "leave" else swarm.close())
            await flushing
            assert now() - start < 3.0


async def test_flushed_of_a_topic_that_is_not_joined_returns() -> None:
    async with greeters(1) as (one,):
        await one.swarm.flushed(TOPIC)


# --- what is dialled


@virtual_time
async def test_what_the_dht_says_is_dialled_only_where_peers_can_be() -> None:
    dialled: list[tuple[str, int]] = []

    async def note(host: str, port: int) -> Any:
        dialled.append((host, port))
        raise ConnectionRefusedError

    hosts = ["127.0.0.1", "127.1.1.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1"]  # noqa: S104
    bad = [Address(host, 4711) for host in hosts]
    good = [Address("203.0.113.1", 4711), Address("10.0.0.1", 1)]
    unwanted = Address("203.0.113.66", 4711)
    dht = FakeDht(*bad, *good, unwanted)
    with patch.object(dialling, "TRANSPORTS", (note,)):
        greeter = Greeter(
            1,
            dht=dht,
            allow_loopback=False,
            address_filter=lambda host, port: (host, port) != unwanted,
        )
        async with greeter.swarm as swarm:
            await swarm.join(TOPIC)
            await swarm.flushed(TOPIC)
    assert set(dialled) == set(good)


@virtual_time
async def test_we_do_not_dial_what_we_announced() -> None:
    dht = FakeDht()
    async with Greeter(1, dht=dht).swarm as swarm:
        dht.peers.append(Address(*swarm.addresses[0]))
        await swarm.join(TOPIC)
        await swarm.flushed(TOPIC)
        assert swarm.stats.dialled == 0


@virtual_time
async def test_peers_with_our_own_public_address_come_last() -> None:
    order: list[str] = []

    async def note(host: str, port: int) -> Any:
        order.append(host)
        raise ConnectionRefusedError

    neighbour, other = Address("203.0.113.1", 1), Address("203.0.113.2", 1)
    dht = FakeDht(neighbour, other)
    dht.to = Address("203.0.113.1", 4711)
    with patch.object(dialling, "TRANSPORTS", (note,)):
        async with Greeter(1, dht=dht).swarm as swarm:
            await swarm.join(TOPIC)
            await swarm.flushed(TOPIC)
    assert order[:2] == [other.host, neighbour.host]


@virtual_time
async def test_who_answers_a_datagram_is_dialled_before_those_who_do_not() -> None:
    dialled: list[str] = []

    async def note(host: str, port: int) -> Any:
        dialled.append(host)
        await asyncio.Event().wait()

    peers = [Address(f"203.{n >> 8}.{n & 255}.1", 4711) for n in range(250)]
    dht = FakeDht(*peers)
    dht.there = {peers[240]}
    with patch.object(dialling, "TRANSPORTS", (note,)):
        async with Greeter(1, dht=dht).swarm as swarm:
            await swarm.join(TOPIC)
            await until(lambda: peers[240].host in dialled)
            assert len(dialled) < 100
            assert swarm.stats.asked == len(dht.probed) == len(set(dht.probed))
            assert peers[240] in dht.probed


@pytest.mark.parametrize("connections", [2, 24])
@virtual_time
async def test_black_holes_lose_their_places_to_those_who_wait(connections: int) -> None:
    dht = FakeDht(*(Address(f"203.0.{n}.1", 4711) for n in range(200)))
    with patch.object(dialling, "TRANSPORTS", (never,)):
        async with Greeter(1, dht=dht, connections_max=connections).swarm as swarm:
            await swarm.join(TOPIC)
            await asyncio.sleep(1.1 + 3 * CROWDED_S)
            places = connections + DIALS_BEYOND
            assert 3 * places <= swarm.stats.dialled <= 4 * places
            assert swarm.dialling <= places


@virtual_time
async def test_few_peers_are_dialled_without_being_asked() -> None:
    dht = FakeDht(*(Address(f"203.0.{n}.1", 4711) for n in range(90)))
    with patch.object(dialling, "TRANSPORTS", (refuse,)):
        async with Greeter(1, dht=dht).swarm as swarm:
            await swarm.join(TOPIC)
            await swarm.flushed(TOPIC)
            assert swarm.stats.failed >= 90
            assert dht.probed == []


async def test_a_peer_that_is_named_is_dialled_for_its_topic() -> None:
    async with greeters(1, 2) as (one, other):
        await one.swarm.join(TOPIC)
        assert one.swarm.add_peer(*other.address, TOPIC)
        assert not one.swarm.add_peer(*other.address, TOPIC)
        await until(lambda: one.kept and other.kept)
        assert one.kept[0].topics == {TOPIC}
        assert other.kept[0].topics == set()
        assert one.swarm.status()[TOPIC].connections == 1


@pytest.mark.parametrize("port", [0, -1, 65536])
async def test_a_port_that_is_none(port: int) -> None:
    async with greeters(1) as (one,):
        with pytest.raises(ValueError, match="port"):
            one.swarm.add_peer("127.0.0.1", port)


@pytest.mark.parametrize("host", ["localhost", "::1"])
@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_names_and_ipv6_can_be_dialled(host: str) -> None:
    async with greeters(1, 2, host="::") as (one, other):
        one.swarm.add_peer(host, other.address[1])
        await until(lambda: one.kept and other.kept)


async def test_loopback_is_closed_unless_it_is_allowed() -> None:
    async with greeters(1, allow_loopback=False) as (closed,), greeters(2) as (other,):
        reader, writer = await asyncio.open_connection(*closed.address)
        assert await reader.read() == b""
        writer.close()
        closed.dial(other)
        await until(lambda: closed.kept)  # what the user names is dialled all the same


async def test_the_filter_turns_away_who_dials_us() -> None:
    def nobody(host: str, port: int) -> bool:
        return False

    async with greeters(1, address_filter=nobody) as (closed,), greeters(2) as (other,):
        other.dial(closed)
        closed.dial(other)
        await until(lambda: closed.swarm.stats.refused >= 2)
        assert closed.seen == []


# --- finding each other


async def test_peers_find_each_other_through_the_dht() -> None:
    async with (
        private_dht() as names,
        greeters(1, 2, 3, dht=True, bootstrap=names) as everybody,
    ):
        for one in everybody:
            await one.swarm.join(TOPIC)
            await one.swarm.flushed(TOPIC)
        await until(lambda: [one.remote_keys for one in everybody] == [[2, 3], [1, 3], [1, 2]])


async def test_a_running_node_can_be_shared() -> None:
    """Its port is not ours, so that ours is announced."""
    async with private_dht() as names, await DhtNode.listen("127.0.0.1", bootstrap=names) as node:
        async with (
            greeters(1, dht=node) as (one,),
            greeters(2, dht=True, bootstrap=names) as (other,),
        ):
            assert one.swarm.dht is None
            await one.swarm.join(TOPIC, lookup=False)
            await one.swarm.flushed(TOPIC)
            await other.swarm.join(TOPIC)
            await until(lambda: one.kept and other.kept)
            assert other.kept[0].address == one.address
        assert await node.ping("127.0.0.1", int(names[0].split(":")[1]))


async def test_after_leaving_nobody_finds_us() -> None:
    async with (
        private_dht() as names,
        greeters(1, 2, dht=True, bootstrap=names) as (one, late),
    ):
        await one.swarm.join(TOPIC)
        await one.swarm.flushed(TOPIC)
        await one.swarm.leave(TOPIC)
        await late.swarm.join(TOPIC)
        await late.swarm.flushed(TOPIC)
        assert (late.swarm.stats.dialled, late.kept) == (0, [])


async def test_neighbours_on_the_lan_are_dialled() -> None:
    class Lan:
        def __init__(self, on_peer: Any, *, allow_loopback: bool) -> None:
            assert allow_loopback
            self.on_peer = on_peer
            self.log: list[Any] = []

        async def open(self) -> None:
            self.log.append("open")

        async def close(self) -> None:
            self.log.append("close")

        def join(self, *call: Any, **how: Any) -> None:
            self.log.append((*call, how))

        def leave(self, topic: bytes) -> None:
            self.log.append(topic)

    with patch.object(swarm_module, "LanDiscovery", Lan):
        async with greeters(2) as (other,), greeters(1, mdns=True) as (one,):
            lan: Any = one.swarm.lan
            lan.on_peer(TOPIC, Address(*other.address))
            await one.swarm.join(TOPIC)
            lan.on_peer(TOPIC, Address("203.0.113.1", 1))
            lan.on_peer(TOPIC, Address(*one.address))
            assert one.swarm.stats.dialled == 0
            lan.on_peer(TOPIC, Address(*other.address))
            await until(lambda: one.kept)
            assert one.kept[0].local
            assert one.swarm.stats.dialled == 1
            port = one.address[1]
            await one.swarm.leave(TOPIC)
    assert lan.log == [
        "open", (TOPIC, port, {"announce": True, "lookup": True}), TOPIC, "close",
    ]  # fmt: skip


@virtual_time
async def test_who_comes_later_is_found_within_seconds() -> None:
    """The first rounds of both find nobody; nobody waits for five minutes."""
    dht = FakeDht(takes=0.1)
    async with greeters(1, dht=dht) as (one,), greeters(2) as (other,):
        await one.swarm.join(TOPIC)
        await one.swarm.flushed(TOPIC)
        start = now()
        dht.peers.append(Address(*other.address))
        await until(lambda: one.kept, seconds=60.0)
        assert now() - start < 6.0
