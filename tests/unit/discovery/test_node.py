"""A whole node among others, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.simulation.dht_network import DhtNetwork

from hypermultifeed.discovery.node import QUERIES_MAX, Dht
from hypermultifeed.discovery.operations import immutable_key
from hypermultifeed.errors import DiscoveryError
from hypermultifeed.keys import KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.query import Query

TOPIC = b"t" * 32
PAIR = KeyPair.from_seed(b"p" * 32)


class World:
    """Some nodes that know each other, and one of ours."""

    def __init__(self, *, ephemeral: bool | None = True) -> None:
        self.network = DhtNetwork(1)
        self.others = self.network.boot(30)
        self.us = self.network.add(bootstrap=self.others[:2], ephemeral=ephemeral)

    @property
    def dht(self) -> Dht:
        return self.network.nodes[self.us]

    def do(
        self, begin: Callable[[Dht, float], Query[Any]], on: Address | None = None
    ) -> tuple[list[Any], DiscoveryError | None]:
        """Run an operation; its results and its error."""
        query = self.network.run_on(on or self.us, lambda dht: begin(dht, self.network.now))
        results: list[Any] = []
        query.on_reply = results.append
        self.network.finish(query)
        return results, query.error


@pytest.fixture
def world() -> World:
    return World()


def test_bootstrapping_fills_the_table(world: World) -> None:
    _, error = world.do(lambda dht, now: dht.start(now))
    assert error is None
    assert len(world.dht) >= 20
    assert world.dht.public_address == world.us
    assert world.dht.running == 0
    assert world.dht.in_flight == 0


def test_without_bootstrap_addresses_a_node_is_ready_at_once() -> None:
    network = DhtNetwork(1)
    node = network.add()
    query = network.run_on(node, lambda dht: dht.start(network.now))
    assert not query.done  # so that whoever began it can watch it
    network.finish(query, limit=0.0)
    assert query.error is None


def test_bootstrap_addresses_where_nobody_is_are_an_error() -> None:
    network = DhtNetwork(1)
    node = network.add(bootstrap=[network.address()])
    query = network.run_on(node, lambda dht: dht.start(network.now))
    network.finish(query)
    assert isinstance(query.error, DiscoveryError)


def test_a_node_that_found_nobody_tries_again(world: World) -> None:
    network = world.network
    later = network.address()
    node = network.add(bootstrap=[later], ephemeral=True)
    network.finish(network.run_on(node, lambda dht: dht.start(network.now)))
    network.add(address=later)
    network.run_for(60.0)
    assert [contact.address for contact in network.nodes[node].contacts()] == [later]


def test_announced_found_and_taken_back(world: World) -> None:
    world.do(lambda dht, now: dht.announce(TOPIC, now, port=7))
    other = world.others[-1]
    found, _ = world.do(lambda dht, now: dht.lookup(TOPIC, now), on=other)
    assert {peer for one in found for peer in one.peers} == {(world.us.host, 7)}
    world.do(lambda dht, now: dht.unannounce(TOPIC, now, port=7))
    assert world.do(lambda dht, now: dht.lookup(TOPIC, now), on=other) == ([], None)


def test_immutable_values(world: World) -> None:
    replies, error = world.do(lambda dht, now: dht.put_immutable(b"value", now))
    assert error is None
    assert len(replies) == 20
    key = immutable_key(b"value")
    assert world.do(lambda dht, now: dht.get_immutable(key, now)) == ([b"value"], None)
    assert world.dht.running == 0  # it had the value itself
    other = world.network.add(bootstrap=world.others[:1], ephemeral=True)
    found = world.do(lambda dht, now: dht.get_immutable(key, now), on=other)
    assert found == ([b"value"], None)


def test_mutable_values(world: World) -> None:
    put = world.do(lambda dht, now: dht.put_mutable(PAIR, b"one", now, seq=1))
    assert put[1] is None
    _, error = world.do(lambda dht, now: dht.put_mutable(PAIR, b"two", now, seq=1))
    assert "seq 1 is not newer than the stored 1" in str(error)
    world.do(lambda dht, now: dht.put_mutable(PAIR, b"two", now, seq=2))
    found, _ = world.do(lambda dht, now: dht.get_mutable(PAIR.public_key, now))
    assert {value.value for value in found} == {b"two"}
    assert world.do(lambda dht, now: dht.get_mutable(PAIR.public_key, now, seq=3)) == ([], None)
    salted = world.do(lambda dht, now: dht.get_mutable(PAIR.public_key, now, salt=b"salt"))
    assert salted == ([], None)


def test_pings(world: World) -> None:
    peer = world.others[0]
    assert world.do(lambda dht, now: dht.ping(peer, now)) == ([world.us], None)
    peer_id = world.network.nodes[peer].id
    right = world.do(lambda dht, now: dht.ping(peer, now, expected_id=peer_id))
    assert right == ([world.us], None)
    _, error = world.do(lambda dht, now: dht.ping(peer, now, expected_id=bytes(32)))
    assert str(error) == f"{peer} did not answer"


def test_a_peer_is_reached_through_a_relay(world: World) -> None:
    replies, error = world.do(lambda dht, now: dht.holepunch(world.others[0], world.others[1], now))
    assert error is None
    assert [reply.node for reply in replies] == [world.others[0]]


def test_an_adaptive_node_becomes_persistent() -> None:
    world = World(ephemeral=None)
    told: list[bool] = []
    world.dht.on_persistent = lambda: told.append(world.dht.ephemeral)
    world.do(lambda dht, now: dht.start(now))
    assert world.dht.ephemeral
    known_by = [one for one in world.others if knows(world, one)]
    assert known_by == []
    world.network.run_for(1900.0)
    assert told == [False]
    assert len([one for one in world.others if knows(world, one)]) >= 20


def knows(world: World, other: Address) -> bool:
    return world.us in [contact.address for contact in world.network.nodes[other].contacts()]


def test_closing_ends_what_runs(world: World) -> None:
    queries: list[Query[Any]] = [
        world.dht.lookup(TOPIC, 1000.0),
        world.dht.ping(world.others[0], 1000.0),
    ]
    ended: list[Any] = []
    for query in queries:
        query.on_end = ended.append
    world.dht.close()
    assert ended == queries
    assert all(query.error is not None for query in queries)
    assert world.dht.in_flight == 0


def test_operations_are_bounded(world: World) -> None:
    for _ in range(QUERIES_MAX):
        world.dht.ping(world.others[0], 1000.0)
    with pytest.raises(DiscoveryError):
        world.dht.ping(world.others[0], 1000.0)
    with pytest.raises(DiscoveryError):
        world.dht.lookup(TOPIC, 1000.0)
    assert world.dht.running == QUERIES_MAX
