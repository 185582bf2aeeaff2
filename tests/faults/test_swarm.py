"""Floods, lies and races around a swarm, on real sockets of this machine."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.swarms import NODE, TOPIC, FakeDht, greeters, private_dht, until

from hypermultifeed.discovery.addresses import Address, Contact, encode_addresses
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.discovery.values import PeersOutput
from hypermultifeed.peers.admission import HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS
from hypermultifeed.peers.dial_budget import DIALS_BURST, DIALS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_log = logging.getLogger(__name__)

MANY = 1000
BOGUS = 10_000
ANSWER = 128
"""Peers in one answer of the DHT."""


only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.1 alone is this machine"
)


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many may be open as a test with a thousand connections needs."""
    resource: Any = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("fewer than 4,096 files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- who knocks


@asynccontextmanager
async def silent(target: tuple[str, int], hosts: list[str]) -> AsyncIterator[list[Any]]:
    """Connections, one from each host, that say nothing."""
    readers, writers = [], []
    for host in hosts:
        reader, writer = await asyncio.open_connection(*target, local_addr=(host, 0))
        readers.append(reader)
        writers.append(writer)
    try:
        yield readers
    finally:
        for writer in writers:
            writer.close()


@only_linux
@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize(
    ("hosts", "left"),
    [
        (["127.0.0.9"] * MANY, HALF_OPEN_PER_ADDRESS),
        ([f"127.0.{n // 250}.{n % 250 + 1}" for n in range(MANY)], HALF_OPEN_MAX),
    ],
    ids=["one address", "many addresses"],
)
async def test_a_thousand_silent_connections_push_out_each_other_and_nobody_else(
    hosts: list[str], left: int
) -> None:
    async with greeters(1, 2, 3) as (one, early, late):
        early.dial(one)
        await until(lambda: one.kept)
        async with silent(one.address, hosts):
            await until(lambda: one.swarm.stats.dropped == MANY - left)
            await until(lambda: len(one.swarm.connections) == left + 1)
            late.dial(one)
            await until(lambda: one.remote_keys == [2, 3])
            assert early.kept
        await until(lambda: len(one.swarm.connections) == 2)
        assert (one.remote_keys, one.swarm.stats.accepted) == ([2, 3], MANY + 2)


@only_linux
async def test_honest_peers_get_in_while_the_flood_goes_on() -> None:
    async with greeters(1) as (one,), greeters(*range(10, 20), host="127.0.0.2") as honest:

        async def flood() -> None:
            for number in itertools.count():
                host = f"127.1.{number // 250 % 250}.{number % 250 + 1}"
                async with silent(one.address, [host]):
                    await asyncio.sleep(0.0)

        async with asyncio.TaskGroup() as group:
            flooding = group.create_task(flood())
            await until(lambda: one.swarm.stats.accepted > 2 * HALF_OPEN_MAX)
            for peer in honest:
                peer.dial(one)
            await until(lambda: one.remote_keys == list(range(10, 20)))
            flooding.cancel()


# --- who is who


async def test_all_dial_all_at_once_and_one_connection_of_each_pair_is_left() -> None:
    async with greeters(*range(1, 7)) as everybody:
        for one, other in itertools.permutations(everybody, 2):
            one.dial(other)
        await until(lambda: all(len(one.swarm.connections) == 5 for one in everybody))
        await until(lambda: all(len(one.kept) == 5 for one in everybody))
        for one in everybody:
            assert one.remote_keys == [key for key in range(1, 7) if key != one.key[0]]
            for connection in one.kept:
                assert connection.remote_key is not None
                assert connection.initiator == (one.key < connection.remote_key)


@virtual_time
async def test_all_connections_lost_at_once_come_back_as_one_per_pair() -> None:
    async with greeters(1, 2, 3) as everybody:
        for one, other in itertools.permutations(everybody, 2):
            one.dial(other)
        await until(lambda: all(len(one.swarm.connections) == 2 for one in everybody))
        for _ in range(5):
            await asyncio.sleep(30.0)
            for one in everybody:
                for connection in one.swarm.connections:
                    connection.abort()
            await until(lambda: not any(one.kept for one in everybody))
            await until(lambda: all(len(one.kept) == 2 for one in everybody))
            await asyncio.sleep(30.0)
            assert all(len(one.swarm.connections) == 2 for one in everybody)


@only_linux
async def test_a_peer_that_names_us_to_ourselves_gains_nothing() -> None:
    """By address: it is not dialled; by another address of ours: once, until the key is known."""
    dht = FakeDht(takes=0.0)
    async with greeters(1, dht=dht, host="0.0.0.0") as (one,):  # noqa: S104
        port = one.address[1]
        dht.peers = [Address("127.0.0.1", port), Address("127.0.0.77", port)]
        await one.swarm.join(TOPIC)
        await one.swarm.flushed(TOPIC)
        await one.swarm.join(TOPIC)
        await until(lambda: dht.words.count("end") == 2)
        await until(lambda: not one.swarm.connections)
        assert (one.swarm.stats.dialled, one.swarm.stats.ourselves) == (1, 2)


# --- who lies


def bogus(random: Random) -> list[Address]:
    """Addresses of this machine, each in a network of its own, where nobody listens."""
    return [
        Address(f"127.{number // 250 + 1}.{number % 250}.{random.randrange(1, 255)}", 1)
        for number in range(BOGUS)
    ]


class LyingDht(FakeDht):
    """Eighty nodes, of which one knows an honest peer and the others ten thousand bogus ones."""

    def __init__(self, honest: Address) -> None:
        super().__init__(takes=0.0)
        lies = bogus(Random(1))
        self.found = [
            PeersFound(
                Address(f"198.51.100.{n + 1}", NODE.port), lies[ANSWER * n :][:ANSWER], [], None
            )
            for n in range(79)
        ]
        self.found.append(PeersFound(NODE._replace(host="203.0.113.1"), [honest], [], None))

    def lookup(self, topic: bytes, **_: Any) -> Any:
        return _Lies(self.found)


class _Lies:
    def __init__(self, found: list[PeersFound]) -> None:
        self.found = found

    def __enter__(self) -> AsyncIterator[PeersFound]:
        return self.answers()

    def __exit__(self, *_: object) -> None:
        pass

    async def answers(self) -> AsyncIterator[PeersFound]:
        for found in self.found:
            yield found


@only_linux
async def test_one_honest_peer_among_ten_thousand_is_found_in_seconds() -> None:
    """The dials are real; `simulation/test_bogus_peers` has the minutes that are not."""
    loop = asyncio.get_running_loop()
    async with (
        greeters(2) as (honest,),
        greeters(1, dht=LyingDht(Address(*honest.address))) as (one,),
    ):
        start = loop.time()
        await one.swarm.join(TOPIC, announce=False)
        await until(lambda: one.kept, seconds=60.0)
        took = loop.time() - start
        _log.info("found after %.2f s and %d dials", took, one.swarm.stats.dialled)
        assert one.swarm.status()[TOPIC].candidates > BOGUS - 100
        assert one.swarm.stats.dialled <= DIALS_BURST + DIALS_PER_SECOND * (took + 1)
        await one.swarm.leave(TOPIC)
        await until(lambda: one.swarm.dialling == 0)
        assert len(one.swarm._queue) == 1, "only the connected one is still known"
        assert one.kept


class Liar(asyncio.DatagramProtocol):
    """A node of the DHT right beside the topic that names peers who are none."""

    def __init__(self, peers: list[Address], others: list[Contact], node_id: bytes) -> None:
        self.peers, self.others, self.id = peers, others, node_id

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, sender: Any) -> None:
        asked = decode(data)
        if asked.type is MessageType.RESPONSE:
            return
        answer = Message(MessageType.RESPONSE, asked.rid, to=Address(*sender), id=self.id)
        answer.closer_nodes = self.others
        answer.roundtrip_token = b"x" * 32
        answer.value = PeersOutput(encode_addresses(self.peers)).encode()
        self.transport.sendto(encode(answer), sender)


@only_linux
async def test_nodes_of_the_dht_that_lie_beside_one_that_does_not() -> None:
    loop = asyncio.get_running_loop()
    random = Random(1)
    lies = bogus(random)
    unreachable = [Address("255.255.255.255", 1), Address("224.0.0.1", 1), Address("0.0.0.1", 1)]
    contacts: list[Contact] = []
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(private_dht("127.0.0.1", "127.0.0.2"))
        for number in range(15):
            peers = [*unreachable, *random.sample(lies, ANSWER - len(unreachable))]
            node_id = TOPIC[:31] + bytes([number])
            transport, _ = await loop.create_datagram_endpoint(
                partial(Liar, peers, contacts, node_id), local_addr=(f"127.0.3.{number + 1}", 0)
            )
            stack.callback(transport.close)
            contacts.append(Contact(node_id, Address(*transport.get_extra_info("sockname"))))
        begin = [*names, *(str(contact.address) for contact in contacts[:3])]
        async with greeters(1, 2, dht=True, bootstrap=begin) as (one, honest):
            await honest.swarm.join(TOPIC, lookup=False)
            await honest.swarm.flushed(TOPIC)
            await one.swarm.join(TOPIC, announce=False)
            await until(lambda: one.kept, seconds=60.0)
            assert one.swarm.status()[TOPIC].candidates > 1000
            dialled = [candidate.address[0] for candidate in one.swarm._queue]
            assert not {host for host, _ in unreachable} & set(dialled)


@virtual_time
async def test_peers_that_accept_and_hang_up_are_dialled_less_and_less() -> None:
    accepted: list[float] = []
    loop = asyncio.get_running_loop()

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(loop.time())
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        dht = FakeDht(Address("127.0.0.1", port))
        async with greeters(1, dht=dht) as (one,):
            await one.swarm.join(TOPIC)
            await asyncio.sleep(3600.0)
            assert 4 <= len(accepted) <= 4 * 12, "four dials for each round of the DHT"
