"""One node of the DHT as a state machine: datagrams and the time in, datagrams out.

It speaks the protocol of dht-rpc 4 and @hyperswarm/dht 4. Operations are started by methods that
return a `Query`, which tells its results and its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from hypermultifeed.discovery import operations
from hypermultifeed.discovery.endpoint import PING, Endpoint
from hypermultifeed.discovery.housekeeping import Housekeeping
from hypermultifeed.discovery.query import Query, Question, ReadyQuery, Reply, SingleQuery, T
from hypermultifeed.discovery.requests import HOLEPUNCH
from hypermultifeed.discovery.values import Mutable, PeersInput
from hypermultifeed.discovery.walk import FIND_NODE, Walk
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.operations import PeersFound
    from hypermultifeed.discovery.requests import Randomness
    from hypermultifeed.keys import KeyPair

Q = TypeVar("Q", bound=Query[Any])

QUERIES_MAX: Final = 1024
"""Operations that run at a time; more are refused."""

OURSELVES: Final = ""
"""The host of what we store ourselves."""


class Dht(Endpoint):
    """A node.

    Args:
        node_id: 32 random bytes.
        now: seconds on a clock that never goes back, as in every other method.
        bootstrap: nodes that are asked while few are known.
        ephemeral: never tell the id, so that nobody relies on this node. None: start so, and
            become persistent after 20 to 30 minutes if others can reach us.

    Attributes:
        bootstrap: as given.
        on_persistent: called when an adaptive node has become persistent.
    """

    def __init__(
        self,
        *,
        node_id: bytes,
        randomness: Randomness,
        now: float,
        bootstrap: Sequence[Address] = (),
        ephemeral: bool | None = False,
    ) -> None:
        super().__init__(
            node_id=node_id, randomness=randomness, now=now, ephemeral=ephemeral is not False
        )
        self.bootstrap = tuple(bootstrap)
        self.on_persistent: Callable[[], None] = _nothing
        self._soon: list[Callable[[float], None]] = []
        self._queries: dict[Query[Any], None] = {}
        self._housekeeping = Housekeeping(self, randomness, now, adaptive=ephemeral is None)
        self._bootstrapping: Query[Reply] | None = None

    @property
    def running(self) -> int:
        """Operations that run."""
        return len(self._queries)

    # --- time

    def get_timer(self) -> float:
        """When `handle_timer` is to be called; it may be a time that has passed."""
        if self._soon:
            return 0.0
        requests = self._requests.get_timer()
        housekeeping = self._housekeeping.get_timer()
        return housekeeping if requests is None else min(requests, housekeeping)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        soon, self._soon = self._soon, []
        for call in soon:
            call(now)
        self._requests.handle_timer(now)
        self._housekeeping.handle_timer(now)

    def start(self, now: float) -> Query[Reply]:
        """Look for the nodes around the own id; without bootstrap addresses nothing is asked.

        Its end means that the node is ready; an error, that no bootstrap node answered.
        """
        query: Query[Reply]
        if self.bootstrap:
            question = Question(FIND_NODE, self._id)
            query = self._walk(question, now, read=operations.read_any, background=True)
        else:
            query = self._add(ReadyQuery(self))
        self._bootstrapping = query
        return query

    def close(self) -> None:
        """End every operation with an error."""
        for query in list(self._queries):
            query.fail(DiscoveryError("the node was closed"))

    # --- operations

    def find_node(self, target: bytes, now: float) -> Query[Reply]:
        """Ask the nodes around a target; each answer is a result."""
        return self._walk(Question(FIND_NODE, target), now, read=operations.read_any)

    def lookup(
        self,
        topic: bytes,
        now: float,
        *,
        port: int | None = None,
        local_address: Address | None = None,
    ) -> Query[PeersFound]:
        """Ask for the peers of a topic.

        Args:
            port: at which we announce ourselves, so that we are not told of it.
            local_address: ask for peers in our local network too.
        """
        question = operations.peers_question(topic, PeersInput(port, local_address))
        return self._walk(question, now, read=operations.read_peers(local_address))

    def announce(
        self,
        topic: bytes,
        now: float,
        *,
        port: int = 0,
        local_address: Address | None = None,
    ) -> Query[PeersFound]:
        """Ask for the peers of a topic, and then be one of them for 8 to 16 minutes.

        Args:
            port: where connections are taken; 0 means the port that our datagrams come from.
            local_address: tell it to peers whose own begins with the same two octets.
        """
        question = operations.peers_question(topic, PeersInput(port, local_address))
        read = operations.read_peers(local_address)
        return self._walk(question, now, read=read, updates=True)

    def unannounce(
        self,
        topic: bytes,
        now: float,
        *,
        port: int = 0,
        local_address: Address | None = None,
    ) -> Query[Reply]:
        """Take back what `announce` told with the same arguments."""
        sent = PeersInput(port, local_address, unannounce=True)
        return self._put(operations.peers_question(topic, sent), now)

    def put_immutable(self, value: bytes, now: float) -> Query[Reply]:
        """Store at most 1,000 bytes under their hash, `operations.immutable_key(value)`."""
        key = operations.immutable_key(value)
        self._responder.immutables.put(key, value, OURSELVES)
        return self._put(Question(operations.IMMUTABLE, key, value), now)

    def get_immutable(self, key: bytes, now: float) -> Query[bytes]:
        """Find the value that hashes to a key; the one result is right, whoever gave it."""
        value = self._responder.immutables.get(key)
        if value is not None:
            return self._add(ReadyQuery(self, value))
        question = Question(operations.IMMUTABLE, key)
        return self._walk(question, now, read=operations.read_immutable(key), first=True)

    def put_mutable(
        self, key_pair: KeyPair, value: bytes, now: float, *, seq: int, salt: bytes | None = None
    ) -> Query[Reply]:
        """Store at most 1,000 bytes under a public key; ``seq`` has to grow with each change."""
        sent = Mutable.signed(key_pair, value, seq, salt)
        return self._put(
            Question(operations.MUTABLE, key_pair.public_key, sent.encode()),
            now,
            refusal=operations.refuse_stale(key_pair.public_key, sent),
        )

    def get_mutable(
        self, public_key: bytes, now: float, *, seq: int = 0, salt: bytes | None = None
    ) -> Query[Mutable]:
        """Find values signed by a key and not older than ``seq``; the greatest is the newest."""
        asked = Mutable(seq=seq, salt=salt)
        return self._walk(
            Question(operations.MUTABLE, public_key, asked.encode()),
            now,
            read=operations.read_mutable(public_key, seq, salt),
        )

    def ping(
        self, address: Address, now: float, *, expected_id: bytes | None = None
    ) -> Query[Address]:
        """Ask a node whether it is there; the result is our own address as it sees it."""
        question = Question(PING, value=expected_id)
        query = self._add(SingleQuery(self, operations.read_pong))
        query.ask(question, address, now)
        return query

    def holepunch(self, peer: Address, referrer: Address, now: float) -> Query[Reply]:
        """Open the NATs between us and a peer with the help of a node that knows it."""
        query = self._add(SingleQuery(self, operations.read_any))
        query.ask(Question(HOLEPUNCH), peer, now, referrer)
        return query

    # --- for operations and housekeeping

    def soon(self, call: Callable[[float], None]) -> None:
        """Call something when timers are handled next, which is at once."""
        self._soon.append(call)

    def ended(self, query: Query[Any]) -> None:
        """An operation is over."""
        self._queries.pop(query, None)
        if query is self._bootstrapping:
            self._bootstrapping = None
            if not self._contacts.settled:
                self._contacts.settled = True
                self.soon(self._housekeeping.settled)

    def bootstrap_again(self, now: float) -> None:
        """Look for nodes around the own id."""
        if self.bootstrap and self._bootstrapping is None:
            self.start(now)

    def become_persistent(self, now: float) -> None:
        """Tell the own id from now on."""
        self._responder.ephemeral = False
        self.bootstrap_again(now)
        self.on_persistent()

    # --- inside

    def _put(
        self,
        question: Question,
        now: float,
        refusal: Callable[[Reply], DiscoveryError | None] = operations.no_refusal,
    ) -> Query[Reply]:
        return self._walk(
            question,
            now,
            read=operations.read_any,
            reads=False,
            updates=True,
            refusal=refusal,
        )

    def _walk(
        self, question: Question, now: float, *, read: Callable[[Reply], T | None], **named: Any
    ) -> Walk[T]:
        walk = self._add(Walk(self, question, read=read, **named))
        walk.start(now)
        return walk

    def _add(self, query: Q) -> Q:
        if len(self._queries) >= QUERIES_MAX:
            raise DiscoveryError(f"{QUERIES_MAX} operations are running already")
        self._queries[query] = None
        return query


def _nothing() -> None:
    """What is done when nobody asked to be told."""
