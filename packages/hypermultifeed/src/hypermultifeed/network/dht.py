"""A node of the DHT on a UDP socket: the asyncio face of `discovery.node.Dht`.

    async with await DhtNode.listen(bootstrap=["10.0.0.1:49737"]) as node:
        await node.bootstrapped()
        with node.lookup(topic) as found:
            async for answer in found:
                print(answer.peers)

All rules of the protocol are in `discovery`; here are the socket, the clock and the resolver.
"""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

from hypermultifeed.discovery.addresses import ID_BYTES, Address, parse_address
from hypermultifeed.discovery.messages import DATAGRAM_BYTES_MAX
from hypermultifeed.discovery.node import Dht
from hypermultifeed.discovery.operations import PeersFound, immutable_key
from hypermultifeed.discovery.values import VALUE_BYTES_MAX, signable
from hypermultifeed.errors import BootstrapError, ClosedError, DiscoveryError
from hypermultifeed.keys import parse_key
from hypermultifeed.network.datagrams import Datagrams
from hypermultifeed.network.dht_lookup import Lookup
from hypermultifeed.network.resolver import is_ipv4, resolve, resolve_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from hypermultifeed.discovery.addresses import Contact
    from hypermultifeed.discovery.query import Query
    from hypermultifeed.discovery.values import Mutable
    from hypermultifeed.keys import KeyPair

T = TypeVar("T")

DEFAULT_BOOTSTRAP: Final = (
    "bootstrap1.hyperdht.org:49737",
    "bootstrap2.hyperdht.org:49737",
    "bootstrap3.hyperdht.org:49737",
)
"""The nodes that the old public network began with; nobody promises that they still answer."""

RESOLVE_AGAIN_S: Final = 30.0
"""How often names are resolved again while no node is known."""

UTP_VERSION: Final = 1
"""The low four bits of the first byte of a uTP packet. In a protobuf message they would be a
field of a fixed eight bytes, of which a DHT message has none."""


@dataclass(frozen=True, slots=True)
class DhtNodeStats:
    """What a node has done so far, and what it holds.

    Attributes:
        received, sent: datagrams of the DHT.
        answered: requests of others that got an answer.
        relayed: messages passed on for others who are behind a NAT.
        ignored: datagrams that were no messages, or answers nobody had asked for.
        foreign: datagrams of another protocol on the same socket.
        lost: datagrams that could not be sent.
        failures: errors of the socket while receiving.
        nodes: in the routing table.
        records: of others, held here: announced peers and stored values.
    """

    received: int
    sent: int
    answered: int
    relayed: int
    ignored: int
    foreign: int
    lost: int
    failures: int
    nodes: int
    records: int


class DhtNode:
    """A node of the DHT. Make it with `listen`; leaving its ``async with`` block closes it.

    Operations that are begun before the names of bootstrap nodes are resolved wait for that.
    Topics and keys are 32 bytes, or their hex. IPv4 only, as the protocol is.

    Attributes:
        on_foreign_datagram: gets what is no DHT message but a packet of uTP, and who sent it;
            without it these packets are dropped.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        bootstrap: Iterable[str] = (),
        ephemeral: bool | None = False,
        randomness: random.Random | None = None,
    ) -> None:
        """Take a bound UDP socket, which the node will close; see `listen` for the rest."""
        randomness = random.SystemRandom() if randomness is None else randomness
        self.on_foreign_datagram: Callable[[bytes, Address], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._names = [parse_address(text) for text in bootstrap]
        self._dht = Dht(
            node_id=randomness.randbytes(ID_BYTES),
            randomness=randomness,
            now=self._loop.time(),
            bootstrap=[Address(*name) for name in self._names if is_ipv4(name[0])],
            ephemeral=ephemeral,
        )
        self._datagrams = Datagrams(sock, DATAGRAM_BYTES_MAX, self._on_datagram, self._pump)
        self._address = Address(*self._datagrams.address)
        self._foreign = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._early: list[Lookup] = []
        self._resolved = asyncio.Event()
        self._tried = asyncio.Event()
        self._reached = False
        self._bootstrapping = self._loop.create_task(self._bootstrap())

    @classmethod
    async def listen(
        cls,
        host: str = "0.0.0.0",  # noqa: S104 - others have to reach a node
        port: int = 0,
        *,
        bootstrap: Iterable[str] = (),
        ephemeral: bool | None = False,
        randomness: random.Random | None = None,
    ) -> Self:
        """Open a socket and begin to look for other nodes.

        Args:
            host: where to listen, an address or a name.
            port: 0 means any free one.
            bootstrap: ``host:port`` of nodes to begin with; none for the first of a network.
            ephemeral: never tell the id, so that nobody relies on this node. None: begin so, and
                become persistent after 20 to 30 minutes if others can reach us.
            randomness: for tests.

        Raises:
            OSError: the host or the port cannot be had.
            ValueError: a bootstrap address is not ``host:port``.
        """
        [address, *_] = await resolve(host, port)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(address)
            return cls(sock, bootstrap=bootstrap, ephemeral=ephemeral, randomness=randomness)
        except BaseException:
            sock.close()
            raise

    def __repr__(self) -> str:
        return f"<DhtNode {self._address} nodes={len(self._dht)}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- what is known

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def id(self) -> bytes:
        """The own id, 32 bytes, whether others are told it or not."""
        return self._dht.id

    @property
    def ephemeral(self) -> bool:
        """Whether the id is kept from others."""
        return self._dht.ephemeral

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        return self._address

    @property
    def public_address(self) -> Address | None:
        """Our address as others see it; with port 0 if they see different ports."""
        return self._dht.public_address

    @property
    def holepunchable(self) -> bool:
        """Whether others see us at one address, so that a NAT can be opened for them."""
        return self._dht.holepunchable

    @property
    def nodes(self) -> list[Contact]:
        """The routing table, longest unheard first."""
        return self._dht.contacts()

    @property
    def stats(self) -> DhtNodeStats:
        """Counts so far."""
        inner = self._dht.stats
        return DhtNodeStats(
            received=inner.received,
            sent=inner.sent,
            answered=inner.answered,
            relayed=inner.relayed,
            ignored=inner.malformed + inner.unexpected,
            foreign=self._foreign,
            lost=inner.lost + self._datagrams.lost,
            failures=self._datagrams.failures,
            nodes=len(self._dht),
            records=self._dht.records,
        )

    async def bootstrapped(self) -> None:
        """Wait until the bootstrap nodes were asked for the first time.

        Raises:
            BootstrapError: there are some, and up to now nobody answered; the node keeps trying.
            ClosedError: the node is closed.
        """
        await self._tried.wait()
        self._check_open()
        if self._names and not self._reached and not len(self._dht):
            names = ", ".join(f"{host}:{port}" for host, port in self._names)
            raise BootstrapError(f"no bootstrap node answered ({names})")

    # --- peers

    def lookup(
        self,
        topic: bytes | str,
        *,
        port: int | None = None,
        local_address: tuple[str, int] | None = None,
    ) -> Lookup:
        """Ask for the peers of a topic.

        Args:
            port: at which we announce ourselves, so that we are not told of it.
            local_address: ask also for peers whose local address begins with the same two octets.
        """
        key, local = parse_key(topic), given(local_address)
        return self._start(lambda now: self._dht.lookup(key, now, port=port, local_address=local))

    def announce(
        self,
        topic: bytes | str,
        *,
        port: int = 0,
        local_address: tuple[str, int] | None = None,
    ) -> Lookup:
        """Ask for the peers of a topic, then become one of them for 8 to 16 minutes.

        The lookup ends when the announcement is stored, and fails if nobody took it.

        Args:
            port: where we take connections; 0 means the port of this node.
            local_address: tell it to peers whose own begins with the same two octets.
        """
        key, local = parse_key(topic), given(local_address)
        return self._start(lambda now: self._dht.announce(key, now, port=port, local_address=local))

    async def unannounce(
        self,
        topic: bytes | str,
        *,
        port: int = 0,
        local_address: tuple[str, int] | None = None,
    ) -> None:
        """Take back what was announced with the same arguments.

        Raises:
            DiscoveryError: no node answered.
        """
        key, local = parse_key(topic), given(local_address)
        await self._run(lambda now: self._dht.unannounce(key, now, port=port, local_address=local))

    # --- values

    async def put_immutable(self, value: bytes) -> bytes:
        """Store at most 1,000 bytes; returns the key under which everybody finds them.

        Raises:
            DiscoveryError: no node took it.
            ValueError: the value is too large.
        """
        if len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes")
        await self._run(lambda now: self._dht.put_immutable(value, now))
        return immutable_key(value)

    async def get_immutable(self, key: bytes | str) -> bytes | None:
        """Find the value of a key; None if nobody has it.

        Raises:
            DiscoveryError: no node answered.
        """
        wanted = parse_key(key)
        found = await self._run(lambda now: self._dht.get_immutable(wanted, now))
        return found[0] if found else None

    async def put_mutable(
        self, key_pair: KeyPair, value: bytes, *, seq: int, salt: bytes | None = None
    ) -> None:
        """Store at most 1,000 bytes under a public key.

        Args:
            seq: counts the changes; nodes refuse what is not above what they hold.
            salt: at most 64 bytes; tells several values of one key apart.

        Raises:
            DiscoveryError: no node took it, or a newer value exists.
            ValueError: something is too large.
        """
        await self._run(lambda now: self._dht.put_mutable(key_pair, value, now, seq=seq, salt=salt))

    async def get_mutable(
        self, public_key: bytes | str, *, seq: int = 0, salt: bytes | None = None
    ) -> Mutable | None:
        """Find the newest value of a public key, not older than ``seq``; None if there is none.

        Raises:
            DiscoveryError: no node answered.
            ValueError: the salt is too large, or ``seq`` is negative.
        """
        wanted = parse_key(public_key)
        signable(b"", seq, salt)  # nothing else can be found
        found = await self._run(lambda now: self._dht.get_mutable(wanted, now, seq=seq, salt=salt))
        return max(found, key=lambda one: one.seq, default=None)

    # --- single nodes

    async def ping(self, host: str, port: int) -> Address:
        """Ask a node whether it is there; returns our own address as it sees it.

        Raises:
            DiscoveryError: no answer within about 7 seconds.
            OSError: the host cannot be resolved.
        """
        [address, *_] = await resolve(host, port)
        [own] = await self._run(lambda now: self._dht.ping(address, now))
        return own

    def probe(self, address: Address, on_answer: Callable[[], None]) -> None:
        """Ask by one datagram whether anybody is there; ``on_answer`` is called if so.

        Nothing happens if the node is closed.

        Raises:
            DiscoveryError: the address is not one of IPv4 with a port.
        """
        if not self._closed:
            self._dht.probe(address, on_answer, self._loop.time())
            self._pump()

    async def holepunch(self, peer: tuple[str, int], referrer: tuple[str, int]) -> None:
        """Open the NATs between us and a peer, with the help of the node that named it.

        Raises:
            DiscoveryError: no answer within about 7 seconds.
        """
        to, relay = Address(*peer), Address(*referrer)
        await self._run(lambda now: self._dht.holepunch(to, relay, now))

    async def close(self) -> None:
        """End all operations with an error and close the socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._dht.close()
        for lookup in self._early:
            lookup.end(ClosedError("the node is closed"))
        self._resolved.set()
        self._tried.set()
        if self._timer is not None:
            self._timer.cancel()
        self._bootstrapping.cancel()
        await asyncio.gather(self._bootstrapping, return_exceptions=True)
        await self._datagrams.close()

    # --- inside

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the node is closed")

    def _start(self, begin: Callable[[float], Query[PeersFound]]) -> Lookup:
        """A lookup, which begins as soon as it is known whom to ask."""
        self._check_open()
        lookup = Lookup(lambda: begin(self._loop.time()))
        if self._resolved.is_set():
            lookup.begin()
            self._pump()
        else:
            self._early.append(lookup)
        return lookup

    async def _run(self, begin: Callable[[float], Query[T]]) -> list[T]:
        """The results of an operation; whoever is cancelled meanwhile takes it back."""
        await self._resolved.wait()
        self._check_open()
        query = begin(self._loop.time())
        results: list[T] = []
        ended = asyncio.Event()
        query.on_reply = results.append
        query.on_end = lambda _query: ended.set()
        self._pump()
        try:
            await ended.wait()
        finally:
            query.cancel()
        if query.error is not None:
            raise query.error
        return results

    async def _bootstrap(self) -> None:
        """Look for nodes. The core looks again as long as there are none; names may change."""
        named = not all(is_ipv4(host) for host, _ in self._names)
        if named:
            self._dht.bootstrap = tuple(await resolve_all(self._names))
        self._begin_early()
        with suppress(DiscoveryError):
            await self._run(self._dht.start)
            self._reached = bool(self._dht.bootstrap)
        self._tried.set()
        while named:
            await asyncio.sleep(RESOLVE_AGAIN_S)
            if not len(self._dht):
                addresses = await resolve_all(self._names)
                self._dht.bootstrap = tuple(addresses) or self._dht.bootstrap

    def _begin_early(self) -> None:
        """Begin what was asked for before it was known whom to ask."""
        self._resolved.set()
        for lookup in self._early:
            lookup.begin()
        self._early.clear()

    def _on_datagram(self, data: bytes, sender: tuple[str, int]) -> None:
        address = Address(*sender)
        if data and data[0] & 15 == UTP_VERSION:
            self._foreign += 1
            if self.on_foreign_datagram is not None:
                self.on_foreign_datagram(data, address)
            return
        self._dht.receive_datagram(data, address, self._loop.time())

    def _pump(self) -> None:
        """Send what there is to send, and see when there is more to do."""
        for data, address in self._dht.datagrams_to_send():
            self._datagrams.send(data, address)
        when = self._dht.get_timer()
        if self._timer is not None:
            if self._timer.when() <= when:
                return  # it looks again when it fires
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self._dht.handle_timer(self._loop.time())
        finally:
            self._pump()


def given(address: tuple[str, int] | None) -> Address | None:
    """An optional argument as an address."""
    return None if address is None else Address(*address)
