"""The tests of dht-rpc 4.9.6 on the state machine, in virtual time.

There a user adds commands of his own; here the commands are those of the DHT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.dht_network import DhtNetwork, Liar

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.messages import MessageType, decode
from hypermultifeed.discovery.operations import immutable_key, read_any
from hypermultifeed.discovery.query import Question, Reply
from hypermultifeed.discovery.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.node import Dht
    from hypermultifeed.discovery.query import Query

VALUE = b"Hello, World!"
KEY = immutable_key(VALUE)


class Small(DhtNetwork):
    """An ephemeral node that others bootstrap from, `node`, and two of those."""

    def __init__(self, *, ephemeral_a: bool = False) -> None:
        super().__init__(1)
        self.node = self.add(ephemeral=True)
        self.start(self.node)
        self.a = self.add(bootstrap=[self.node], ephemeral=ephemeral_a)
        self.b = self.add(bootstrap=[self.node])
        self.start(self.a)
        self.start(self.b)

    def start(self, address: Address) -> None:
        self.finish(self.run_on(address, lambda dht: dht.start(self.now)))

    def results(self, address: Address, begin: Callable[[Dht], Query[Any]]) -> list[Any]:
        """Let an operation end without an error."""
        query = self.run_on(address, begin)
        results: list[Any] = []
        query.on_reply = results.append
        self.finish(query)
        assert query.error is None
        return results

    def contact(self, address: Address) -> Contact:
        return Contact(self.nodes[address].id, address)

    def stored(self, address: Address) -> bytes | None:
        return self.nodes[address]._responder.immutables.get(KEY)


def test_simple_update() -> None:
    """dht-rpc "simple update"."""
    small = Small()
    replies = small.results(small.b, lambda dht: dht.put_immutable(VALUE, small.now))
    assert [(reply.type, reply.node) for reply in replies] == [(MessageType.UPDATE, small.a)]
    assert small.stored(small.a) == VALUE


def test_simple_query() -> None:
    """dht-rpc "simple query"."""
    small = Small()
    small.results(small.b, lambda dht: dht.put_immutable(VALUE, small.now))
    c = small.add(bootstrap=[small.node], ephemeral=True)
    small.start(c)
    assert small.results(c, lambda dht: dht.get_immutable(KEY, small.now)) == [VALUE]


def test_query_and_update() -> None:
    """dht-rpc "query and update"."""
    small = Small()
    question = Question("immutable-store", KEY, VALUE)

    def both(dht: Dht) -> Query[Reply]:
        walk = Walk(dht, question, read=read_any, updates=True)
        walk.start(small.now)
        return walk

    replies = small.results(small.b, both)
    assert [reply.type for reply in replies] == [MessageType.QUERY, MessageType.UPDATE]
    assert small.stored(small.a) == VALUE


def test_swarm_query() -> None:
    """dht-rpc "swarm query"."""
    network = DhtNetwork(2)
    nodes = network.boot(256)
    me = network.add(bootstrap=nodes[:1], ephemeral=True)
    put = network.run_on(me, lambda dht: dht.put_immutable(VALUE, network.now))
    network.finish(put)
    assert put.stored == 20
    holders = [one for one in nodes if network.nodes[one]._responder.immutables.get(KEY)]
    assert len(holders) == 20
    other = network.add(bootstrap=nodes[-1:], ephemeral=True)
    get = network.run_on(other, lambda dht: dht.get_immutable(KEY, network.now))
    found: list[bytes] = []
    get.on_reply = found.append
    network.finish(get)
    assert found == [VALUE]


def test_holepunch_api() -> None:
    """dht-rpc "holepunch api"."""
    small = Small()
    replies = small.results(small.a, lambda dht: dht.holepunch(small.b, small.node, small.now))
    assert [reply.node for reply in replies] == [small.b]
    assert small.nodes[small.node].stats.relayed == 1


def test_timeouts() -> None:
    """dht-rpc "timeouts"."""
    small = Small(ephemeral_a=True)
    updates = []
    b = small.contact(small.b)
    small.kill(small.b)
    liar = Liar(small, b.address, b.id, lambda _target: b"")
    answer = liar.receive

    def ignore_updates(data: bytes, sender: Address) -> None:
        if decode(data).type is MessageType.UPDATE:
            updates.append(data)
        else:
            answer(data, sender)

    small.listening[b.address] = ignore_updates
    query = small.run_on(small.a, lambda dht: dht.put_immutable(VALUE, small.now))
    small.finish(query)
    assert query.error is not None
    assert len(updates) == 3


def test_persistent() -> None:
    """dht-rpc "persistent"."""
    small = Small(ephemeral_a=True)
    target = bytes(32)
    replies = small.results(small.b, lambda dht: dht.find_node(target, small.now))
    assert small.a not in [reply.node for reply in replies]
    small.run_on(small.a, lambda dht: dht.become_persistent(small.now))
    small.run_for(1.0)
    replies = small.results(small.b, lambda dht: dht.find_node(target, small.now))
    assert small.contact(small.a) in [(reply.id, reply.node) for reply in replies]


def test_get_nodes() -> None:
    """dht-rpc "getNodes"."""
    small = Small()
    assert small.nodes[small.a].contacts() == [small.contact(small.b)]
    assert small.nodes[small.b].contacts() == [small.contact(small.a)]


def test_add_nodes() -> None:
    """dht-rpc "addNodes"."""
    small = Small()
    c = small.add()
    small.nodes[c].add_contacts([small.contact(small.a)], small.now)
    small.start(c)
    assert small.nodes[c].contacts() == [small.contact(small.a)]
    replies = small.results(c, lambda dht: dht.find_node(small.nodes[small.a].id, small.now))
    assert small.a in [reply.node for reply in replies]
    assert small.contact(c) in small.nodes[small.a].contacts()
