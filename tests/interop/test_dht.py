"""Nodes of ours and of @hyperswarm/dht in one DHT: each operation in both directions."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.crypto import blake2b_256
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.errors import DiscoveryError
from hypermultifeed.keys import KeyPair
from hypermultifeed.network.dht import DhtNode

from .js_peer import JsError, JsPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

HOST = "127.0.0.1"
TOPIC = b"\x0a" * 32
KEYS = KeyPair.from_seed(b"\x0b" * 32)
JS_NODES, OUR_NODES = 3, 5
either = pytest.mark.parametrize("first", ["javascript", "ours"])


@pytest.fixture
async def js() -> AsyncIterator[JsPeer]:
    async with JsPeer("dht") as peer:
        yield peer


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Mixed:
    """Three nodes of JavaScript, called n0 to n2, and five of ours; the first is a bootstrap."""

    def __init__(self, js: JsPeer, stack: AsyncExitStack) -> None:
        self.js = js
        self.ours: list[DhtNode] = []
        self.theirs: list[dict[str, Any]] = []
        self.bootstrap: list[str] = []
        self._stack = stack

    async def add_ours(self, **options: Any) -> DhtNode:
        opening = DhtNode.listen(HOST, bootstrap=self.bootstrap, **options)
        node = await self._stack.enter_async_context(await opening)
        await node.bootstrapped()
        self.bootstrap = self.bootstrap or [str(node.address)]
        self.ours.append(node)
        return node

    async def add_theirs(self, **options: Any) -> dict[str, Any]:
        name = f"n{len(self.theirs)}"
        node: dict[str, Any] = await self.js.call(
            "node", node=name, bootstrap=self.bootstrap, **options
        )
        self.bootstrap = self.bootstrap or [f"{HOST}:{node['port']}"]
        self.theirs.append(node)
        return node

    async def fill(self, first: str) -> None:
        add = [self.add_theirs] * JS_NODES
        mixed = [self.add_ours] * OUR_NODES
        for step in add + mixed if first == "javascript" else mixed + add:
            await step()

    def where(self, number: int) -> Address:
        """The address of a JavaScript node."""
        return Address(HOST, self.theirs[number]["port"])

    async def announce(self, by: str, **options: Any) -> None:
        """Announce TOPIC by the last node of a kind."""
        if by == "ours":
            async for _ in self.ours[-1].announce(TOPIC, **options):
                pass
        else:
            await self.js.call(
                "announce", node=f"n{JS_NODES - 1}", topic=TOPIC.hex(), **js_options(options)
            )

    async def unannounce(self, by: str, **options: Any) -> None:
        if by == "ours":
            await self.ours[-1].unannounce(TOPIC, **options)
        else:
            await self.js.call(
                "unannounce", node=f"n{JS_NODES - 1}", topic=TOPIC.hex(), **js_options(options)
            )

    async def lookup(self, by: str, **options: Any) -> tuple[set[Address], set[Address]]:
        """All peers and all neighbours that the first node of a kind is told of."""
        if by == "ours":
            found = [one async for one in self.ours[0].lookup(TOPIC, **options)]
            assert all(one.to == self.ours[0].address for one in found)
            return (
                {peer for one in found for peer in one.peers},
                {peer for one in found for peer in one.local_peers},
            )
        answers = await self.js.call("lookup", node="n0", topic=TOPIC.hex(), **js_options(options))
        assert all(one["to"] == {"host": HOST, "port": self.where(0).port} for one in answers)
        return from_js(answers, "peers"), from_js(answers, "localPeers")


def js_options(options: dict[str, Any]) -> dict[str, Any]:
    local = options.get("local_address")
    address = {} if local is None else {"localAddress": {"host": local.host, "port": local.port}}
    return {key: value for key, value in options.items() if key == "port"} | address


def from_js(answers: Sequence[dict[str, Any]], field: str) -> set[Address]:
    return {Address(peer["host"], peer["port"]) for one in answers for peer in one[field] or ()}


@pytest.fixture
async def mixed(js: JsPeer, stack: AsyncExitStack) -> Mixed:
    return Mixed(js, stack)


@either
async def test_all_nodes_know_each_other(mixed: Mixed, first: str) -> None:
    await mixed.fill(first)
    ids = {node.id for node in mixed.ours} | {bytes.fromhex(n["id"]) for n in mixed.theirs}
    for node in mixed.ours:
        assert {contact.id for contact in node.nodes} == ids - {node.id}
    for number, described in enumerate(mixed.theirs):
        table = await mixed.js.call("table", node=f"n{number}")
        known = {bytes.fromhex(one["id"]) for one in table["nodes"]}
        assert known == ids - {bytes.fromhex(described["id"])}
        assert table["holepunchable"]
        assert table["remoteAddress"] == {"host": HOST, "port": described["port"]}
        assert table["warnings"] == 0
    assert mixed.ours[-1].public_address == mixed.ours[-1].address
    assert mixed.ours[-1].holepunchable


@either
@pytest.mark.parametrize("announcer", ["javascript", "ours"])
@pytest.mark.parametrize("asker", ["javascript", "ours"])
async def test_peers_are_announced_found_and_taken_back(
    mixed: Mixed, first: str, announcer: str, asker: str
) -> None:
    await mixed.fill(first)
    await mixed.announce(announcer, port=4711)
    assert await mixed.lookup(asker) == ({Address(HOST, 4711)}, set())
    await mixed.unannounce(announcer, port=4711)
    assert await mixed.lookup(asker) == (set(), set())


@pytest.mark.parametrize("announcer", ["javascript", "ours"])
@pytest.mark.parametrize("asker", ["javascript", "ours"])
async def test_neighbours_are_told_to_neighbours(mixed: Mixed, announcer: str, asker: str) -> None:
    await mixed.fill("javascript")
    near, far = Address("192.168.7.1", 5000), Address("10.1.7.1", 5000)
    announced = Address("192.168.100.2", 6000)
    await mixed.announce(announcer, local_address=announced)
    own = mixed.ours[-1].address if announcer == "ours" else mixed.where(JS_NODES - 1)
    assert await mixed.lookup(asker, local_address=near) == ({own}, {announced})
    assert await mixed.lookup(asker, local_address=far) == ({own}, set())
    await mixed.unannounce(announcer, local_address=announced)
    assert await mixed.lookup(asker, local_address=near) == (set(), set())


@either
async def test_immutable_values_both_ways(mixed: Mixed, first: str) -> None:
    await mixed.fill(first)
    key = await mixed.ours[-1].put_immutable(b"by ours")
    assert await mixed.js.call("getImmutable", node="n0", key=key.hex()) == b"by ours".hex()
    theirs = await mixed.js.call("putImmutable", node="n1", value=b"by js".hex())
    assert bytes.fromhex(theirs) == blake2b_256(b"by js")
    assert await mixed.ours[0].get_immutable(bytes.fromhex(theirs)) == b"by js"
    missing = blake2b_256(b"nobody has it")
    assert await mixed.ours[0].get_immutable(missing) is None
    assert await mixed.js.call("getImmutable", node="n0", key=missing.hex()) is None


@either
@pytest.mark.parametrize("salt", [None, b"salt of sixteen.."], ids=["plain", "salted"])
async def test_mutable_values_both_ways(mixed: Mixed, first: str, salt: bytes | None) -> None:
    await mixed.fill(first)
    js, secret = mixed.js, KEYS.secret_key.hex()
    arguments: dict[str, Any] = {} if salt is None else {"salt": salt.hex()}
    await mixed.ours[-1].put_mutable(KEYS, b"one", seq=1, salt=salt)
    found = await js.call("getMutable", node="n0", key=KEYS.public_key.hex(), **arguments)
    assert (found["value"], found["seq"]) == (b"one".hex(), 1)
    await js.call("putMutable", node="n1", secretKey=secret, value=b"two".hex(), seq=2, **arguments)
    ours = await mixed.ours[0].get_mutable(KEYS.public_key, salt=salt)
    assert ours is not None
    assert (ours.value, ours.seq) == (b"two", 2)
    assert await mixed.ours[0].get_mutable(KEYS.public_key, seq=3, salt=salt) is None


async def test_ours_refuses_an_older_value_of_javascript(mixed: Mixed) -> None:
    await mixed.add_ours()
    await mixed.add_theirs()
    putter = await mixed.add_ours(ephemeral=True)
    await putter.put_mutable(KEYS, b"new", seq=5)
    for seq, reason in ((4, "ERR_SEQ_MUST_EXCEED_CURRENT"), (5, "ERR_INVALID_SEQ")):
        with pytest.raises(JsError, match=reason):
            await mixed.js.call(
                "putMutable", node="n0", secretKey=KEYS.secret_key.hex(), value="00", seq=seq
            )
    found = await mixed.js.call("getMutable", node="n0", key=KEYS.public_key.hex())
    assert found["value"] == b"new".hex()


async def test_javascript_answers_an_older_value_twice(mixed: Mixed) -> None:
    """It says the error, and success under the same number; the second answer changes nothing."""
    await mixed.add_theirs()
    ours = await mixed.add_ours()
    await mixed.js.call(
        "putMutable", node="n0", secretKey=KEYS.secret_key.hex(), value=b"new".hex(), seq=5
    )
    await ours.put_mutable(KEYS, b"newer", seq=6)
    with pytest.raises(DiscoveryError):
        await ours.put_mutable(KEYS, b"older", seq=4)
    assert await ours.ping(*mixed.where(0)) == ours.address
    assert ours.stats.ignored > 0
    assert [contact.address for contact in ours.nodes] == [mixed.where(0)]


async def test_ping_both_ways(mixed: Mixed) -> None:
    theirs, ours = await mixed.add_theirs(), await mixed.add_ours()
    assert await ours.ping(*mixed.where(0)) == ours.address
    answer = await mixed.js.call("ping", node="n0", host=HOST, port=ours.address.port)
    assert answer == {"host": HOST, "port": theirs["port"]}
    answer = await mixed.js.call(
        "ping", node="n0", host=HOST, port=ours.address.port, nodeId=ours.id.hex()
    )
    assert answer == {"host": HOST, "port": theirs["port"]}


async def test_ours_relays_a_holepunch_between_two_of_javascript(mixed: Mixed) -> None:
    relay = await mixed.add_ours()
    await mixed.add_theirs(ephemeral=True)
    await mixed.add_theirs(ephemeral=True)
    await mixed.js.call(
        "holepunch", node="n0", peer=as_json(mixed.where(1)), referrer=as_json(relay.address)
    )


async def test_javascript_relays_a_holepunch_between_two_of_ours(mixed: Mixed) -> None:
    await mixed.add_theirs()
    left, right = await mixed.add_ours(ephemeral=True), await mixed.add_ours(ephemeral=True)
    await left.holepunch(right.address, mixed.where(0))
    relayed = await mixed.js.event("holepunch")
    assert (relayed["from"], relayed["to"]) == (as_json(left.address), as_json(right.address))


@either
async def test_holepunch_to_the_other_kind(mixed: Mixed, first: str) -> None:
    ours, _ = await mixed.add_ours(ephemeral=True), await mixed.add_theirs(ephemeral=True)
    relay = mixed.where(0) if first == "ours" else ours.address
    if first == "ours":  # the JavaScript node relays to another of its kind
        await mixed.add_theirs(ephemeral=True)
        await ours.holepunch(mixed.where(1), relay)
    else:
        await mixed.add_ours(ephemeral=True)
        peer = as_json(mixed.ours[1].address)
        await mixed.js.call("holepunch", node="n0", peer=peer, referrer=as_json(relay))


def as_json(address: Address) -> dict[str, Any]:
    return {"host": address.host, "port": address.port}


class Lossy(asyncio.DatagramProtocol):
    """Stands between two nodes and loses the first datagrams to the second."""

    def __init__(self, to: Address, lost: int) -> None:
        self.seen: list[bytes] = []
        self._to = tuple(to)
        self._lost = lost
        self._asker: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, sender: Any) -> None:
        if sender == self._to:
            self._transport.sendto(data, self._asker)
            return
        self._asker = sender
        self.seen.append(data)
        if len(self.seen) > self._lost:
            self._transport.sendto(data, self._to)


@asynccontextmanager
async def lossy(to: Address, lost: int) -> AsyncIterator[tuple[Lossy, Address]]:
    """The relay, and where it is."""
    loop = asyncio.get_running_loop()
    transport, relay = await loop.create_datagram_endpoint(
        lambda: Lossy(to, lost), local_addr=(HOST, 0), family=socket.AF_INET
    )
    try:
        yield relay, Address(*transport.get_extra_info("sockname"))
    finally:
        transport.close()


@either
async def test_what_was_lost_is_sent_again(mixed: Mixed, first: str) -> None:
    """Both kinds repeat the same datagram, and take the answer to the second one."""
    await mixed.add_ours()
    await mixed.add_theirs()
    asked = mixed.where(0) if first == "ours" else mixed.ours[0].address
    async with lossy(asked, 1) as (relay, where):
        if first == "ours":
            assert await mixed.ours[0].ping(*where) == where
        else:
            await mixed.js.call("ping", node="n0", host=HOST, port=where.port)
    assert len(relay.seen) == 2
    assert relay.seen[0] == relay.seen[1]


async def test_a_node_of_javascript_becomes_persistent(mixed: Mixed) -> None:
    ours = await mixed.add_ours()
    theirs = await mixed.add_theirs(ephemeral=True)
    assert not ours.nodes
    await mixed.js.call("persistent", node="n0")
    assert [contact.id.hex() for contact in ours.nodes] == [theirs["id"]]


async def test_ours_answers_what_is_wrong_with_errors(mixed: Mixed) -> None:
    await mixed.add_ours()
    await mixed.add_theirs()

    async def warnings(name: str, value: bytes | None, **arguments: Any) -> Any:
        answer = await mixed.js.call(
            "command",
            node="n0",
            name=name,
            target=TOPIC.hex(),
            value=None if value is None else value.hex(),
            **arguments,
        )
        return answer["warnings"]

    assert await warnings("no such command", b"") == ["Unsupported command"]
    assert await warnings("immutable-store", b"x", update=True) == ["ERR_INVALID_INPUT"]
    assert await warnings("peers", None)
    assert await warnings("mutable-store", None)
    assert await warnings("peers", b"\x08\x80\x80\x04") == ["Invalid port"]


async def test_javascript_survives_all_that_ours_asks(mixed: Mixed) -> None:
    """Its responder throws on some requests without a value; none of ours is such."""
    await mixed.add_theirs()
    ours = await mixed.add_ours()
    assert [one async for one in ours.lookup(TOPIC)] == []
    assert [one async for one in ours.announce(TOPIC)] == []
    await ours.unannounce(TOPIC)
    assert await ours.get_immutable(TOPIC) is None
    assert await ours.get_mutable(TOPIC) is None
    await ours.put_immutable(b"")
    await ours.put_mutable(KEYS, b"", seq=0)
    assert await mixed.js.call("table", node="n0")
