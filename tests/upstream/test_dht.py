"""@hyperswarm/dht's tests of nodes that talk to each other, over UDP on loopback."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.crypto import blake2b_256, verify
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.node import Dht
from hypermultifeed.discovery.values import Mutable, signable
from hypermultifeed.errors import ClosedError, DiscoveryError
from hypermultifeed.keys import KeyPair
from hypermultifeed.network.dht import DhtNode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    Dhts = Callable[..., Awaitable[DhtNode]]

HOST = "127.0.0.1"
TOPIC = b"\x0c" * 32
PORT = 4001
HOME = Address("192.168.100.100", 20000)
NEIGHBOUR = Address("192.168.100.101", 20000)
ELSEWHERE = Address("192.169.100.100", 20000)
KEYS = KeyPair.from_seed(b"\x0d" * 32)
SALT = b"s" * 32


@pytest.fixture
async def dht(stack: AsyncExitStack) -> Dhts:
    """``await dht()`` opens a node, whose bootstrap node is the first one that was opened."""
    first: list[str] = []

    async def dht(**options: Any) -> DhtNode:
        options.setdefault("bootstrap", first)
        node = await stack.enter_async_context(await DhtNode.listen(HOST, **options))
        first[:] = first or [str(node.address)]
        await node.bootstrapped()
        return node

    return dht


@pytest.fixture
async def bootstrap(dht: Dhts) -> DhtNode:
    """The node that stores everything in these tests."""
    return await dht()


@pytest.fixture
async def peer(dht: Dhts, bootstrap: DhtNode) -> DhtNode:
    return await dht(ephemeral=True)


@pytest.fixture
async def peer2(dht: Dhts, peer: DhtNode) -> DhtNode:
    return await dht(ephemeral=True)


async def peers_at(node: DhtNode, asker: DhtNode, **options: Any) -> list[Address]:
    """What a node tells an asker; nobody else may have anything to tell."""
    found = [one async for one in asker.lookup(TOPIC, **options)]
    assert all(one.node == node.address for one in found)
    assert len(found) <= 1
    return [peer for one in found for peer in one.peers]


# --- nodes


async def test_ephemerality(dht: Dhts) -> None:
    """dht/index: "default ephemerality", "ephemeral option"."""
    assert not (await dht()).ephemeral
    assert not (await dht(ephemeral=False)).ephemeral
    assert (await dht(ephemeral=True)).ephemeral


async def test_destroyed_property(dht: Dhts) -> None:
    """dht/index: "destroyed property"."""
    node = await dht()
    before = node.closed
    await node.close()
    assert (before, node.closed) == (False, True)
    with pytest.raises(ClosedError):
        node.lookup(TOPIC)


async def test_bootstrap_option(dht: Dhts, bootstrap: DhtNode) -> None:
    """dht/index: "bootstrap option"."""
    node = await dht()
    assert [contact.address for contact in node.nodes] == [bootstrap.address]


async def test_bound_and_closed(dht: Dhts) -> None:
    """dht/index: "emits listening event when bound", "emits close event when destroyed"."""
    node = await dht()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(OSError, match="in use"):
            sock.bind(node.address)
        await node.close()
        sock.bind(node.address)


# --- peers


async def test_announce_and_lookup(bootstrap: DhtNode, peer: DhtNode) -> None:
    """dht/index: "announce & lookup", "announce & lookup stream"."""
    await peer.announce(TOPIC, port=PORT).finished()
    [found] = [one async for one in peer.lookup(TOPIC)]
    assert found.local_peers == []
    assert found.peers == [Address(HOST, PORT)]
    assert found.node == bootstrap.address


async def test_announce_and_lookup_port(bootstrap: DhtNode, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "announce & lookup port"."""
    await peer.announce(TOPIC, port=PORT).finished()
    await peer2.announce(TOPIC, port=PORT + 1).finished()
    assert await peers_at(bootstrap, peer2, port=PORT + 1) == [Address(HOST, PORT)]


async def test_events(bootstrap: DhtNode, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "lookup event", "announce event", "unannounce event".

    There are no events; what a node was asked and what it keeps can be seen in its counts.
    """
    answered = bootstrap.stats.answered
    assert await peers_at(bootstrap, peer2) == []
    assert bootstrap.stats.answered > answered
    await peer.announce(TOPIC).finished()
    assert bootstrap.stats.records == 1
    assert await peers_at(bootstrap, peer2) == [peer.address]
    await peer.unannounce(TOPIC)
    assert bootstrap.stats.records == 0
    assert await peers_at(bootstrap, peer2) == []


async def test_announce_own_port(bootstrap: DhtNode, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "announce own port"."""
    await peer.announce(TOPIC).finished()
    assert await peers_at(bootstrap, peer2) == [peer.address]


async def test_unannounce(bootstrap: DhtNode, peer: DhtNode) -> None:
    """dht/index: "unannounce"."""
    await peer.announce(TOPIC, port=PORT).finished()
    assert await peers_at(bootstrap, peer) == [Address(HOST, PORT)]
    await peer.unannounce(TOPIC, port=PORT)
    assert await peers_at(bootstrap, peer) == []


async def test_unannounce_own_port(bootstrap: DhtNode, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "unannounce own port"."""
    await peer.announce(TOPIC).finished()
    assert await peers_at(bootstrap, peer2) == [peer.address]
    await peer.unannounce(TOPIC)
    assert await peers_at(bootstrap, peer2) == []


async def test_local_address(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "announce & lookup localAddress"."""
    await peer.announce(TOPIC, local_address=HOME).finished()
    [found] = [one async for one in peer2.lookup(TOPIC, local_address=NEIGHBOUR)]
    assert (found.local_peers, found.peers) == ([HOME], [peer.address])
    [found] = [one async for one in peer2.lookup(TOPIC, local_address=ELSEWHERE)]
    assert (found.local_peers, found.peers) == ([], [peer.address])


async def test_unannounce_local_address(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "unnanounce localAddress"."""
    await peer.announce(TOPIC, local_address=HOME).finished()
    [found] = [one async for one in peer2.lookup(TOPIC, local_address=NEIGHBOUR)]
    assert found.local_peers == [HOME]
    await peer.unannounce(TOPIC, local_address=HOME)
    assert [one async for one in peer2.lookup(TOPIC, local_address=NEIGHBOUR)] == []


async def test_unannounce_local_address_on_same_peer(peer: DhtNode) -> None:
    """dht/index: "unnanounce localAddress on same peer"."""
    await peer.announce(TOPIC, local_address=HOME).finished()
    [found] = [one async for one in peer.lookup(TOPIC, local_address=NEIGHBOUR)]
    assert found.local_peers == [HOME]
    await peer.unannounce(TOPIC, local_address=HOME)
    assert [one async for one in peer.lookup(TOPIC, local_address=NEIGHBOUR)] == []


async def test_double_announce(bootstrap: DhtNode, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/index: "double announce"."""
    for _ in range(2):
        await peer.announce(TOPIC).finished()
    assert await peers_at(bootstrap, peer2) == [peer.address]


# --- adaptive nodes


@virtual_time
async def test_adaptive_ephemerality() -> None:
    """dht/index: "adaptive ephemerality"."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Dht, "holepunchable", property(lambda _: True))
        async with await DhtNode.listen(HOST, ephemeral=True) as first:
            options: dict[str, Any] = {"bootstrap": [str(first.address)]}
            async with (
                await DhtNode.listen(HOST, ephemeral=None, **options) as adaptive,
                await DhtNode.listen(HOST, ephemeral=True, **options) as peer,
            ):
                with pytest.raises(DiscoveryError, match="no node took it"):
                    await peer.announce(TOPIC, port=PORT).finished()
                await asyncio.sleep(1200)
                assert (adaptive.ephemeral, first.nodes) == (True, [])
                await asyncio.sleep(601)
                assert [one.address for one in first.nodes] == [adaptive.address]
                await peer.announce(TOPIC, port=PORT).finished()
                [found] = [one async for one in peer.lookup(TOPIC)]
                assert found.node == adaptive.address


@virtual_time
async def test_adaptive_ephemerality_timeout_clears_on_destroy() -> None:
    """dht/index: "adaptive ephemerality - timeout clears on destroy"."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Dht, "holepunchable", property(lambda _: True))
        async with await DhtNode.listen(HOST, ephemeral=None) as adaptive:
            await adaptive.bootstrapped()
        await asyncio.sleep(3600)
        assert adaptive.ephemeral


# --- immutable values


async def test_immutable_get_key_must_be_buffer(peer: DhtNode) -> None:
    """dht/put-get: "immutable get - key must be buffer"."""
    with pytest.raises(ValueError, match="64 hex digits"):
        await peer.get_immutable("test")


async def test_immutable_put_value_must_be_buffer(peer: DhtNode) -> None:
    """dht/put-get: "immutable put - value must be buffer"."""
    text: Any = "test"
    with pytest.raises(TypeError):
        await peer.put_immutable(text)


async def test_immutable_put_value_size(peer: DhtNode) -> None:
    """dht/put-get: "immutable put - value size must be <= 1000 bytes"."""
    with pytest.raises(ValueError, match="1000"):
        await peer.put_immutable(bytes(1001))
    assert await peer.put_immutable(bytes(1000)) == blake2b_256(bytes(1000))


async def test_immutable_put_get(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "immutable put/get", "immutable put, get stream"."""
    key = await peer.put_immutable(b"test")
    assert await peer2.get_immutable(key) == b"test"


async def test_immutable_put_get_same_peer(peer: DhtNode) -> None:
    """dht/put-get: "immutable put/get - same peer", "immutable put, get stream - same peer",
    "immutable put, get stream - same peer, w/ get cb".
    """
    key = await peer.put_immutable(b"test")
    sent = peer.stats.sent
    assert await peer.get_immutable(key) == b"test"
    assert peer.stats.sent == sent


async def test_immutable_get_non_existant(peer: DhtNode) -> None:
    """dht/put-get: "immutable get non-existant"."""
    assert await peer.get_immutable(secrets.token_bytes(32)) is None


@pytest.mark.parametrize("operation", ["get", "put"])
async def test_immutable_propagates_errors(peer: DhtNode, operation: str) -> None:
    """dht/put-get: "immutable get propagates query stream error",
    "immutable put propagates query stream error",
    "immutable put, get stream - same peer, w/ get cb, stream destroy".
    """
    work = peer.get_immutable(TOPIC) if operation == "get" else peer.put_immutable(b"test")
    waiting = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    await peer.close()
    with pytest.raises(DiscoveryError, match="closed"):
        await waiting


class Liar(asyncio.DatagramProtocol):
    """A node that gives everybody the same value, whatever was asked."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        answer = Message(
            MessageType.RESPONSE,
            decode(data).rid,
            to=Address(*sender),
            id=b"\x11" * 32,
            closer_nodes=[],
            roundtrip_token=bytes(32),
            value=self._value,
        )
        self._transport.sendto(encode(answer), sender)


@pytest.fixture
async def lied_to(stack: AsyncExitStack) -> Callable[[bytes], Awaitable[DhtNode]]:
    """``await lied_to(value)`` opens a node that knows a liar alone."""

    async def lied_to(value: bytes) -> DhtNode:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Liar(value), local_addr=(HOST, 0)
        )
        stack.callback(transport.close)
        address = Address(*transport.get_extra_info("sockname"))
        node = await DhtNode.listen(HOST, bootstrap=[str(address)])
        return await stack.enter_async_context(node)

    return lied_to


async def test_immutable_get_corrupt_values(
    lied_to: Callable[[bytes], Awaitable[DhtNode]],
) -> None:
    """dht/put-get: "immutable get corrupt hashes/values are filtered out"."""
    node = await lied_to(b"fake")
    assert await node.get_immutable(blake2b_256(b"test")) is None
    assert await node.get_immutable(blake2b_256(b"fake")) == b"fake"


# --- mutable values


def test_mutable_keypair() -> None:
    """dht/put-get: "mutable.keypair"."""
    pair = KeyPair.generate()
    assert (len(pair.public_key), len(pair.secret_key)) == (32, 64)


TEXT: Any = "no"


@pytest.mark.parametrize("arguments", [(b"test", 0, TEXT), (TEXT, 0, None)])
def test_mutable_signable_types(arguments: tuple[Any, ...]) -> None:
    """dht/put-get: "mutable signable - salt must be a buffer",
    "mutable signable - value must be buffer".
    """
    with pytest.raises(TypeError):
        signable(*arguments)


@pytest.mark.parametrize("arguments", [(b"test", 0, TEXT), (TEXT, 0, None)])
def test_mutable_sign_types(arguments: tuple[Any, ...]) -> None:
    """dht/put-get: "mutable sign - salt must be a buffer",
    "mutable sign - value must be buffer".
    """
    with pytest.raises(TypeError):
        Mutable.signed(KEYS, *arguments)


def test_mutable_sign_salt_size() -> None:
    """dht/put-get: "mutable sign - salt size must be >= 16 bytes and <= 64 bytes".

    A short one is no danger: two values of one key only have to differ in it.
    """
    with pytest.raises(ValueError, match="64"):
        Mutable.signed(KEYS, b"test", 0, bytes(65))
    assert Mutable.signed(KEYS, b"test", 0, b"1").verify(KEYS.public_key, b"1")


async def test_mutable_get_arguments(peer: DhtNode) -> None:
    """dht/put-get: "mutable get - key must be buffer", "mutable get - seq must be number",
    "mutable get - salt must be a buffer",
    "mutable get - salt size must be no greater than 64 bytes".
    """
    with pytest.raises(ValueError, match="64 hex digits"):
        await peer.get_mutable("test")
    with pytest.raises(TypeError):
        await peer.get_mutable(TOPIC, seq=TEXT)
    with pytest.raises(TypeError):
        await peer.get_mutable(TOPIC, salt=TEXT)
    with pytest.raises(ValueError, match="64 bytes"):
        await peer.get_mutable(TOPIC, salt=bytes(65))


async def test_mutable_put_arguments(peer: DhtNode) -> None:
    """dht/put-get: "mutable put - value must be buffer", "mutable put - seq must be number",
    "mutable put - value size must be <= 1000 bytes", "mutable put - salt must be a buffer",
    "mutable put - salt size must be >= 16 bytes and <= 64 bytes".
    """
    with pytest.raises(TypeError):
        await peer.put_mutable(KEYS, TEXT, seq=0)
    with pytest.raises(TypeError):
        await peer.put_mutable(KEYS, b"test", seq=TEXT)
    with pytest.raises(ValueError, match="1000"):
        await peer.put_mutable(KEYS, bytes(1001), seq=0)
    with pytest.raises(TypeError):
        await peer.put_mutable(KEYS, b"test", seq=0, salt=TEXT)
    with pytest.raises(ValueError, match="64"):
        await peer.put_mutable(KEYS, b"test", seq=0, salt=bytes(65))


async def test_mutable_put_secret_key(peer: DhtNode) -> None:
    """dht/put-get: "mutable put - keypair must have secretKey which must be a buffer"."""
    with pytest.raises(ValueError, match="secret key"):
        await peer.put_mutable(KeyPair(KEYS.public_key, b""), b"test", seq=0)


async def test_mutable_put_get(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "mutable put/get", "mutable put, get stream"."""
    await peer.put_mutable(KEYS, b"test", seq=0)
    found = await peer2.get_mutable(KEYS.public_key)
    assert found is not None
    assert (found.value, found.seq, found.salt) == (b"test", 0, None)
    assert found.signature is not None
    assert verify(signable(b"test", 0), found.signature, KEYS.public_key)


async def test_mutable_put_get_same_peer(peer: DhtNode) -> None:
    """dht/put-get: "mutable put/get - same peer", "mutable put, get stream - same peer"."""
    await peer.put_mutable(KEYS, b"test", seq=0)
    assert await value_of(peer) == b"test"


async def value_of(node: DhtNode, **options: Any) -> bytes | None:
    found = await node.get_mutable(KEYS.public_key, **options)
    return None if found is None else found.value


async def test_mutable_latest_seq(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "mutable put/get latest seq"."""
    await peer.put_mutable(KEYS, b"test", seq=1)
    assert await value_of(peer2, seq=0) == b"test"
    assert await value_of(peer2, seq=2) is None


async def test_mutable_update(dht: Dhts, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "mutable put/get update"."""
    await peer.put_mutable(KEYS, b"test", seq=0)
    assert await value_of(peer2) == b"test"
    await (await dht()).put_mutable(KEYS, b"test2", seq=1)
    assert await value_of(peer, seq=1) == b"test2"
    assert await value_of(peer2) == b"test2"


async def test_mutable_salt_and_updates(dht: Dhts, peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "mutable put/get w/ salt + updates"."""
    await peer.put_mutable(KEYS, b"test", seq=0, salt=SALT)
    assert await value_of(peer2, salt=SALT) == b"test"
    await (await dht()).put_mutable(KEYS, b"test2", seq=0, salt=SALT[1:])
    assert await value_of(peer, salt=SALT[1:]) == b"test2"
    assert await value_of(peer2, salt=SALT) == b"test"


async def test_mutable_put_immutable_get(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "mutable put, immutable get"."""
    await peer.put_mutable(KEYS, b"test", seq=0)
    assert await peer2.get_immutable(KEYS.public_key) is None


async def test_immutable_put_mutable_get(peer: DhtNode, peer2: DhtNode) -> None:
    """dht/put-get: "immutable put, mutable get"."""
    key = await peer.put_immutable(b"test")
    assert await peer2.get_mutable(key) is None


async def test_mutable_get_non_existant(peer: DhtNode) -> None:
    """dht/put-get: "mutable get non-existant"."""
    assert await value_of(peer) is None


@pytest.mark.parametrize("operation", ["get", "put"])
async def test_mutable_propagates_errors(peer: DhtNode, operation: str) -> None:
    """dht/put-get: "mutable get propagates query stream error",
    "mutable put propagates query stream error".
    """
    get, put = peer.get_mutable(TOPIC), peer.put_mutable(KEYS, b"test", seq=0)
    work, other = (get, put) if operation == "get" else (put, get)
    other.close()
    waiting = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    await peer.close()
    with pytest.raises(DiscoveryError, match="closed"):
        await waiting
