"""A network of DHT nodes in virtual time: latency, loss, duplicates, reordering, churn."""

from __future__ import annotations

import hashlib
import heapq
import random
from typing import TYPE_CHECKING, Any

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.node import Dht
from hypermultifeed.encoding import protobuf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.discovery.query import Query


class DhtNetwork:
    """Nodes at addresses of their own, which send each other datagrams.

    Args:
        loss, duplicates: the part of all datagrams that this happens to.
        latency: seconds on the way, drawn for each datagram, so that they overtake each other.
    """

    def __init__(
        self,
        seed: int,
        *,
        loss: float = 0.0,
        duplicates: float = 0.0,
        latency: tuple[float, float] = (0.01, 0.15),
    ) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.duplicates = duplicates
        self.latency = latency
        self.now = 1000.0
        self.nodes: dict[Address, Dht] = {}
        self.delivered = 0
        self.trace = hashlib.sha256()
        self.listening: dict[Address, Callable[[bytes, Address], None]] = {}
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = iter(range(1, 10**9))
        self._armed: dict[Address, float] = {}

    # --- nodes

    def address(self) -> Address:
        """A public address that nobody has."""
        while True:
            octets = (self.random.randrange(11, 120), *(self.random.randrange(256) for _ in "123"))
            address = Address(".".join(map(str, octets)), self.random.randrange(1024, 65536))
            if address not in self.nodes:
                return address

    def add(
        self,
        *,
        bootstrap: Sequence[Address] = (),
        ephemeral: bool | None = False,
        address: Address | None = None,
        node_id: bytes | None = None,
    ) -> Address:
        """A new node, which is not started yet."""
        address = address or self.address()
        self.nodes[address] = Dht(
            node_id=node_id or self.random.randbytes(32),
            randomness=random.Random(self.random.random()),
            now=self.now,
            bootstrap=bootstrap,
            ephemeral=ephemeral,
        )
        return address

    def boot(self, count: int, *, known: int = 60, near: int = 12) -> list[Address]:
        """Nodes that have known each other for long: their neighbours, and some at random."""
        addresses = [self.add() for _ in range(count)]
        contacts = sorted(Contact(self.nodes[one].id, one) for one in addresses)
        for index, contact in enumerate(contacts):
            around = contacts[max(0, index - near) : index + near + 1]
            others = around + self.random.sample(contacts, min(known, count))
            self.nodes[contact.address].add_contacts(others, self.now)
            self.run_on(contact.address, lambda node: node.start(self.now))
        return addresses

    def kill(self, address: Address) -> None:
        """The node is gone and says nothing."""
        del self.nodes[address]

    def run_on(self, address: Address, call: Callable[[Dht], Any]) -> Any:
        """Call a node and send what it has to send."""
        result = call(self.nodes[address])
        self.flush(address)
        return result

    # --- time

    def at(self, when: float, call: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), call, arguments))

    def run(self, until: Callable[[], bool], limit: float) -> None:
        """Let things happen until ``until()``; fails after ``limit`` virtual seconds."""
        end = self.now + limit
        while not until():
            assert self._events, "nothing will happen any more"
            assert self._events[0][0] <= end, f"not within {limit} virtual seconds"
            self._step()

    def run_for(self, seconds: float) -> None:
        """Let everything happen that happens in the next seconds."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self._step()
        self.now = end

    def finish(self, *queries: Query[Any], limit: float = 120.0) -> None:
        """Let operations end."""
        self.run(lambda: all(query.done for query in queries), limit)

    def _step(self) -> None:
        when, _, call, arguments = heapq.heappop(self._events)
        self.now = max(self.now, when)
        call(*arguments)

    # --- the network

    def flush(self, address: Address) -> None:
        node = self.nodes[address]
        for data, to in node.datagrams_to_send():
            self.send(data, address, to)
        timer = max(node.get_timer(), self.now)
        if timer < self._armed.get(address, float("inf")):
            self._armed[address] = timer
            self.at(timer, self._timer, address, node, timer)

    def send(self, data: bytes, sender: Address, to: Address) -> None:
        """Put a datagram on its way."""
        self.trace.update(b"%r %b %r" % (sender.port, data, to.port))
        copies = 1 + (self.random.random() < self.duplicates)
        for _ in range(copies):
            if self.random.random() >= self.loss:
                self.at(
                    self.now + self.random.uniform(*self.latency), self._arrive, data, sender, to
                )

    def _arrive(self, data: bytes, sender: Address, to: Address) -> None:
        self.delivered += 1
        if to in self.listening:
            self.listening[to](data, sender)
        elif to in self.nodes:
            self.nodes[to].receive_datagram(data, sender, self.now)
            self.flush(to)

    def _timer(self, address: Address, node: Dht, when: float) -> None:
        if self.nodes.get(address) is not node:
            return
        if self._armed.get(address) == when:
            del self._armed[address]
        if node.get_timer() <= self.now:
            node.handle_timer(self.now)
        self.flush(address)


class Liar:
    """A node that answers whatever it is asked with contacts of its own making, and no peers."""

    def __init__(
        self, network: DhtNetwork, address: Address, node_id: bytes, lies: Callable[[bytes], bytes]
    ) -> None:
        self.network = network
        self.address = address
        self.id = node_id
        self.lies = lies
        self.asked = 0
        network.listening[address] = self.receive

    def receive(self, data: bytes, sender: Address) -> None:
        message = decode(data)
        if message.type is MessageType.RESPONSE or message.target is None:
            return
        self.asked += 1
        answer = encode(
            Message(
                MessageType.RESPONSE,
                message.rid,
                to=sender,
                id=self.id,
                roundtrip_token=bytes(32),
                value=b"",
            )
        )
        self.network.send(
            answer + protobuf.encode(((5, self.lies(message.target)),)), self.address, sender
        )
