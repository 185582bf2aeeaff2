"""Nodes of the DHT on sockets of this machine; hours of waiting pass by a virtual clock."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.crypto import blake2b_256
from hypermultifeed.discovery.addresses import Address, parse_address
from hypermultifeed.discovery.node import Dht
from hypermultifeed.errors import BootstrapError, ClosedError, DiscoveryError
from hypermultifeed.keys import KeyPair
from hypermultifeed.network import dht as dht_module
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP, DhtNode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "127.0.0.1"
TOPIC = b"\x01" * 32
KEYS = KeyPair.from_seed(b"\x02" * 32)
HOUR_S = 3600.0


class Network:
    """Nodes that are closed at the end; the first is the bootstrap node of the others."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.nodes: list[DhtNode] = []
        self._stack = stack

    async def add(self, count: int = 1, **options: Any) -> list[DhtNode]:
        for _ in range(count):
            first = [str(node.address) for node in self.nodes[:1]]
            node = await DhtNode.listen(HOST, **{"bootstrap": first, **options})
            self.nodes.append(await self._stack.enter_async_context(node))
            await node.bootstrapped()
        return self.nodes[-count:]


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        yield Network(stack)


def dead_address() -> Address:
    """Where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        return Address(*sock.getsockname())


async def ports_found(node: DhtNode, **options: Any) -> set[int]:
    with node.lookup(TOPIC, **options) as found:
        return {peer.port async for answer in found for peer in answer.peers}


# --- operations


async def test_nodes_find_each_other(network: Network) -> None:
    await network.add(6)
    for node in network.nodes:
        others = {other.id for other in network.nodes} - {node.id}
        assert {contact.id for contact in node.nodes} == others
        assert node.stats.nodes == 5
        assert repr(node) == f"<DhtNode {node.address} nodes=5>"
    last = network.nodes[-1]
    assert last.public_address == last.address
    assert last.holepunchable


async def test_peers_are_announced_and_taken_back(network: Network) -> None:
    first, one, other = await network.add(3)
    await one.announce(TOPIC, port=4711).finished()
    assert first.stats.records == 1
    assert await ports_found(other) == {4711}
    assert await ports_found(one, port=4711) == set()  # who asks is not told of itself
    assert [answer async for answer in other.announce(TOPIC.hex())]
    assert await ports_found(one) == {4711, other.address.port}
    await one.unannounce(TOPIC, port=4711)
    await other.unannounce(TOPIC)
    assert await ports_found(first) == set()


async def test_neighbours(network: Network) -> None:
    _, one, other = await network.add(3)
    await one.announce(TOPIC, local_address=("192.168.1.2", 5)).finished()
    with other.lookup(TOPIC, local_address=("192.168.3.4", 6)) as found:
        answer = await anext(found)
    assert answer.local_peers == [Address("192.168.1.2", 5)]
    assert answer.peers == [one.address]
    assert answer.to == other.address
    assert answer.node in {node.address for node in network.nodes}


async def test_values(network: Network) -> None:
    _, one, other = await network.add(3)
    key = await one.put_immutable(b"value")
    assert key == blake2b_256(b"value")
    assert await other.get_immutable(key.hex()) == b"value"
    assert await other.get_immutable(TOPIC) is None
    for seq in (0, 1):
        await one.put_mutable(KEYS, b"value %d" % seq, seq=seq, salt=b"s")
    found = await other.get_mutable(KEYS.public_key.hex(), salt=b"s")
    assert found is not None
    assert (found.value, found.seq) == (b"value 1", 1)
    assert await other.get_mutable(KEYS.public_key) is None
    with pytest.raises(DiscoveryError, match="not newer"):
        await other.put_mutable(KEYS, b"value 0", seq=0, salt=b"s")


async def test_limits_of_values(network: Network) -> None:
    [node] = await network.add()
    with pytest.raises(ValueError, match="1000"):
        await node.put_immutable(bytes(1001))
    with pytest.raises(ValueError, match="1000"):
        await node.put_mutable(KEYS, bytes(1001), seq=0)
    with pytest.raises(ValueError, match="64"):
        await node.put_mutable(KEYS, b"", seq=0, salt=bytes(65))
    with pytest.raises(ValueError, match="64"):
        await node.get_mutable(TOPIC, salt=bytes(65))
    with pytest.raises(ValueError, match="32"):
        node.lookup(b"short")
    with pytest.raises(DiscoveryError, match="IPv4"):
        await node.announce(TOPIC, local_address=("::1", 5)).finished()


async def test_ping_and_holepunch(network: Network) -> None:
    first, one, other = await network.add(3, ephemeral=True)
    assert await one.ping("localhost", first.address.port) == one.address
    await one.holepunch(other.address, first.address)
    assert first.stats.relayed == 1
    assert first.nodes == []  # ephemeral nodes are in nobody's table


async def test_a_probe_is_answered_by_an_ephemeral_node(network: Network) -> None:
    one, other = await network.add(2, ephemeral=True)
    answered, silent = asyncio.Event(), asyncio.Event()
    one.probe(dead_address(), silent.set)
    one.probe(other.address, answered.set)
    await answered.wait()
    assert not silent.is_set()
    await one.close()
    one.probe(other.address, silent.set)  # nothing happens


async def test_a_lookup_that_is_left_asks_nobody_else(network: Network) -> None:
    await network.add(8)
    node = network.nodes[-1]
    before = node.stats.sent
    with node.lookup(TOPIC) as found:
        pass
    assert [answer async for answer in found] == []
    sent = node.stats.sent
    await node.ping(*network.nodes[0].address)  # by now the answers have come
    assert node.stats.sent == sent + 1
    assert before < sent


async def test_whoever_is_cancelled_takes_the_operation_back(network: Network) -> None:
    [node] = await network.add()
    ping = asyncio.ensure_future(node.ping(*dead_address()))
    await asyncio.sleep(0)
    ping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ping
    assert await node.ping(*node.address) == node.address


# --- beginning


def test_the_default_bootstrap_nodes_are_addresses() -> None:
    assert [parse_address(one)[1] for one in DEFAULT_BOOTSTRAP] == [49737] * 3


async def test_the_first_node_needs_no_other(network: Network) -> None:
    [node] = await network.add(bootstrap=())
    assert node.stats.sent == 0
    with pytest.raises(DiscoveryError):
        await node.lookup(TOPIC).finished()


async def test_the_port_is_taken(network: Network) -> None:
    [node] = await network.add()
    with pytest.raises(OSError, match="in use"):
        await DhtNode.listen(*node.address)


async def test_bootstrap_addresses_are_host_and_port() -> None:
    with pytest.raises(ValueError, match="host:port"):
        await DhtNode.listen(HOST, bootstrap=["nonsense"])


async def test_a_bound_socket_can_be_handed_over(network: Network) -> None:
    [first] = await network.add()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    address = sock.getsockname()
    async with DhtNode(sock, bootstrap=[str(first.address)], ephemeral=None) as node:
        assert node.address == address
        assert node.ephemeral
        await node.bootstrapped()
        assert len(node.nodes) == 1
    assert sock.fileno() == -1


async def test_randomness_can_be_given() -> None:
    async with await DhtNode.listen(HOST, randomness=random.Random(5)) as node:
        assert node.id == random.Random(5).randbytes(32)


async def test_operations_wait_for_the_names(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is begun before the names are resolved waits for that, and is not lost."""
    first, other = await network.add(2)
    known = asyncio.Event()

    async def resolve_all(_names: object) -> list[Address]:
        await known.wait()
        return [first.address]

    monkeypatch.setattr(dht_module, "resolve_all", resolve_all)
    async with await DhtNode.listen(HOST, bootstrap=["name:1"]) as node:
        announce, left = node.announce(TOPIC), node.lookup(TOPIC)
        put = asyncio.ensure_future(node.put_immutable(b"early"))
        await asyncio.sleep(0)
        left.close()
        assert node.stats.sent == 0
        known.set()
        await announce.finished()
        assert await other.get_immutable(await put) == b"early"
        assert await ports_found(other) == {node.address.port}


async def test_closed_before_the_names_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve_all(_names: object) -> list[Address]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    monkeypatch.setattr(dht_module, "resolve_all", resolve_all)
    node = await DhtNode.listen(HOST, bootstrap=["name:1"])
    lookup, ready = node.lookup(TOPIC), asyncio.ensure_future(node.bootstrapped())
    put = asyncio.ensure_future(node.put_immutable(b"early"))
    await asyncio.sleep(0)
    await node.close()
    for wait in (lookup.finished(), ready, put):
        with pytest.raises(ClosedError):
            await wait


@virtual_time
async def test_nobody_answers_and_later_somebody_does() -> None:
    """The node says so and keeps trying, on its own."""
    where = dead_address()
    async with await DhtNode.listen(HOST, bootstrap=[str(where)]) as node:
        with pytest.raises(BootstrapError, match=str(where)):
            await node.bootstrapped()
        async with await DhtNode.listen(*where) as late:
            await asyncio.sleep(120)
            await node.bootstrapped()
            assert [contact.id for contact in node.nodes] == [late.id]


@virtual_time
async def test_names_are_resolved_again_while_nobody_answers() -> None:
    """The address of a name may change, and a name server may be away."""
    async with await DhtNode.listen(HOST) as first:
        answers = [[], [dead_address()], [first.address]]

        async def resolve_all(_names: object) -> list[Address]:
            return answers.pop(0)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(dht_module, "resolve_all", resolve_all)
            async with await DhtNode.listen(HOST, bootstrap=["name:1"]) as node:
                with pytest.raises(BootstrapError, match="name:1"):
                    await node.bootstrapped()
                await asyncio.sleep(300)
                await node.bootstrapped()
                assert len(node.nodes) == 1
                await asyncio.sleep(HOUR_S)
                assert answers == []  # and not again as long as somebody is known


# --- time


@virtual_time
async def test_a_dead_node_is_given_up() -> None:
    """It is asked three times within about seven seconds; a refusal by ICMP changes nothing."""
    async with await DhtNode.listen(HOST) as node:
        start = asyncio.get_running_loop().time()
        with pytest.raises(DiscoveryError, match="did not answer"):
            await node.ping(*dead_address())
        assert 6.7 < asyncio.get_running_loop().time() - start < 7.6
        assert node.stats.sent == 3
        assert await node.ping(*node.address) == node.address


@virtual_time
async def test_a_node_lives_for_days() -> None:
    """Others are pinged, one that is gone is forgotten, and announcements expire."""
    async with await DhtNode.listen(HOST) as first:
        bootstrap = [str(first.address)]
        async with await DhtNode.listen(HOST, bootstrap=bootstrap) as other:
            gone = await DhtNode.listen(HOST, bootstrap=bootstrap)
            await gone.announce(TOPIC).finished()
            assert await ports_found(other) == {gone.address.port}
            await gone.close()
            await asyncio.sleep(24 * 900)
            assert await ports_found(other) == set()
            assert [contact.id for contact in first.nodes] == [other.id]
            assert [contact.id for contact in other.nodes] == [first.id]


@virtual_time
async def test_an_adaptive_node_becomes_persistent() -> None:
    async with AsyncExitStack() as stack:
        network = Network(stack)
        await network.add(4)
        [node] = await network.add(ephemeral=None)
        assert node.ephemeral
        assert node.holepunchable
        await asyncio.sleep(1100)
        assert node.ephemeral
        await asyncio.sleep(800)
        persistent = not node.ephemeral
        assert persistent
        assert node.id in {contact.id for contact in network.nodes[0].nodes}


# --- the end, and what is not the protocol


@virtual_time
async def test_closing_ends_everything() -> None:
    node = await DhtNode.listen(HOST, bootstrap=[str(dead_address())])
    lookup, ping = node.lookup(TOPIC), asyncio.ensure_future(node.ping(*dead_address()))
    await asyncio.sleep(0.1)
    await node.close()
    await node.close()
    assert node.closed
    for wait in (lookup.finished(), ping):
        with pytest.raises(DiscoveryError, match="closed"):
            await wait
    with pytest.raises(ClosedError):
        node.lookup(TOPIC)
    for operation in (node.bootstrapped(), node.put_immutable(b""), node.ping(*node.address)):
        with pytest.raises(ClosedError):
            await operation
    sent = node.stats.sent
    await asyncio.sleep(HOUR_S)
    assert node.stats.sent == sent


async def test_packets_of_utp_go_elsewhere(network: Network) -> None:
    one, other = await network.add(2)
    packets: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
    syn = bytes.fromhex("4100456f000003e80000000000100000") + bytes(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.sendto(syn, one.address)
        await other.ping(*one.address)
        one.on_foreign_datagram = lambda data, sender: packets.put_nowait((data, sender))
        sock.sendto(syn, one.address)
        assert await packets.get() == (syn, sock.getsockname())
    assert one.stats.foreign == 2
    assert one.stats.ignored == 0


async def test_a_bug_in_the_core_is_not_the_end(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = await network.add(2)
    answer = Dht.receive_datagram
    met = asyncio.Event()

    def receive(node: Dht, data: bytes, sender: Address, now: float) -> None:
        if data == b"X":
            met.set()
            raise RuntimeError("a bug")
        answer(node, data, sender, now)

    monkeypatch.setattr(Dht, "receive_datagram", receive)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"X", one.address)
        await met.wait()
    assert await other.ping(*one.address) == other.address
    assert "could not be handled" in caplog.text
