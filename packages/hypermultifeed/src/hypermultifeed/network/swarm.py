"""The swarm: finds peers for topics, dials them, lets others in, keeps one connection with each.

It moves raw bytes and knows nothing of feeds. Whom to dial and when, whom to let in, and which of
two connections stays is decided in `peers`; how peers are found, in `topic_search`. Towards others
it behaves as hyperswarm 2 does; docs/differences.md says where not, and why.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from hypermultifeed.discovery.addresses import PORT_MAX, Address
from hypermultifeed.errors import ClosedError
from hypermultifeed.network.address_policy import AddressPolicy
from hypermultifeed.network.connections import Connections, SwarmStats
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP, DhtNode
from hypermultifeed.network.dialling import Dialler
from hypermultifeed.network.joined_topics import JoinedTopics
from hypermultifeed.network.lan import LanDiscovery
from hypermultifeed.network.listening import bind, local_address
from hypermultifeed.network.topic_search import Means
from hypermultifeed.peers.peer_queue import PeerQueue
from hypermultifeed.stream import READ_SIZE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from hypermultifeed.discovery.operations import PeersFound
    from hypermultifeed.network.joined_topics import TopicStatus
    from hypermultifeed.network.listening import Sockets
    from hypermultifeed.network.swarm_connection import SwarmConnection
    from hypermultifeed.network.topic_search import Dht
    from hypermultifeed.peers.candidate import Candidate

CONNECTIONS_MAX: Final = 24
"""Authenticated connections, as in hyperswarm 2: so few hold a large swarm together."""

DIALS_BEYOND: Final = 8
"""Dials begun beyond the places that are free: most dials come to nothing."""

TOPIC_BYTES: Final = 32
"""Size of a topic: a discovery key."""


class Swarm:
    """Connections with the peers of some topics.

        async def talk(connection: SwarmConnection) -> None:
            ...                                # until it returns, the connection is open

        async with Swarm(talk) as swarm:
            await swarm.join(topic)

    Args:
        on_connection: called for each connection, ours and theirs alike. It tells the swarm who
            the peer is (`SwarmConnection.identify`) as soon as it knows. What it raises is logged.
        host, port: where to listen, TCP and UDP alike; 0: any free port.
        bootstrap: nodes of the DHT to begin with, ``host:port`` each; empty: none.
        dht: use the DHT: True, False, or a node that is running and stays the caller's.
        mdns: look for peers on the LAN.
        allow_loopback: take and dial connections of this machine; else only `add_peer` dials them.
        address_filter: gets host and port of each peer before it is dialled or let in; those it
            returns False for are left alone.
        connections_max: authenticated connections at most; then nobody is dialled or let in.
        randomness: the system's if None.

    Attributes:
        stats: counters.
        dht: the DHT node, while the swarm has one of its own.
        lan: the search on the LAN, while it is on.
        on_dial_failed: gets host and port that could not be reached, and why; set it before `open`.
    """

    def __init__(
        self,
        on_connection: Callable[[SwarmConnection], Awaitable[None]],
        *,
        host: str = "0.0.0.0",  # noqa: S104 - peers are to reach us
        port: int = 0,
        bootstrap: Sequence[str] = DEFAULT_BOOTSTRAP,
        dht: bool | Dht = True,
        mdns: bool = True,
        allow_loopback: bool = False,
        address_filter: Callable[[str, int], bool] | None = None,
        connections_max: int = CONNECTIONS_MAX,
        randomness: random.Random | None = None,
    ) -> None:
        self.stats = SwarmStats()
        self.dht: DhtNode | None = None
        self.lan: LanDiscovery | None = None
        self.on_dial_failed: Callable[[tuple[str, int], OSError], None] = lambda *_: None
        self._on_connection = on_connection
        self._listen_at = host, port
        self._bootstrap = bootstrap
        self._dht_wish = dht
        self._mdns_wish = mdns
        self._allow_loopback = allow_loopback
        self._policy = AddressPolicy(allow_loopback=allow_loopback, address_filter=address_filter)
        self._connections_max = connections_max
        self._randomness = randomness or random.SystemRandom()
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._addresses: list[tuple[str, int]] = []

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:  # __aexit__ is not called, and a cancelled opening goes on
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- opening and closing

    async def open(self) -> None:
        """Listen, and be ready to join. Idempotent; may be tried again if it failed.

        Raises:
            OSError: the port is taken, or the host is not this machine's.
            ValueError: a bootstrap address is not ``host:port``.
            ClosedError: after `close`.
        """
        if self.closed:
            raise ClosedError("the swarm is closed")
        if self._opening is None or (self._opening.done() and not self._addresses):
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._queue = PeerQueue(self._randomness, loop.time())
        self._connections = Connections(
            self._on_connection,
            self._queue,
            connections_max=self._connections_max,
            policy=self._policy,
            stats=self.stats,
            changed=self._pump,
        )
        self._dialler = Dialler(
            self._queue,
            self._connections.serve_dialled,
            places=self._places,
            ask=None if self._dht_wish is False else self._ask,
            stats=self.stats,
            on_failed=self.on_dial_failed,
        )
        sockets = await bind(*self._listen_at)
        try:
            await self._start(sockets)
        except BaseException:
            sockets.close()
            if self.dht is not None:
                await self.dht.close()
            raise
        self._addresses = sockets.addresses

    async def _start(self, sockets: Sockets) -> None:
        """Give each socket to the one who uses it; searches can begin."""
        if self._dht_wish is True:
            self.dht = DhtNode(sockets.udp, bootstrap=self._bootstrap, ephemeral=None)
        else:
            sockets.udp.close()
        if self._mdns_wish:
            self.lan = LanDiscovery(self._found_near, allow_loopback=self._allow_loopback)
            await self.lan.open()
        means = Means(
            dht=self._used_dht,
            lan=self.lan,
            port=sockets.port,
            announced_port=0 if self.dht is not None else sockets.port,
            local_address=local_address(*sockets.addresses[0]),
            randomness=self._randomness,
            on_found=self._found,
        )
        self._policy.listens([*sockets.addresses, means.local_address])
        self._topics = JoinedTopics(self._queue, means, lambda: self._connections.full)
        self._server = await asyncio.start_server(
            self._connections.accept, sock=sockets.tcp, limit=READ_SIZE
        )

    async def close(self) -> None:
        """Take back all announcements, in 2 s at most, and close everything. Idempotent."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._opening is None:
            return
        await asyncio.wait([self._opening])
        if self._opening.cancelled() or self._opening.exception() is not None:
            return
        self._server.close()
        await self._topics.close()
        if self.lan is not None:
            await self.lan.close()
        await self._connections.close()
        await self._dialler.close()
        if self.dht is not None:
            await self.dht.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing is not None

    # --- topics

    async def join(self, topic: bytes, *, announce: bool = True, lookup: bool = True) -> None:
        """Look for peers of a topic, let them find us, or both, until `leave`.

        Returns at once; `flushed` waits for what comes of it. Joining again changes the wishes,
        or begins another round of the DHT.

        Args:
            topic: 32 bytes.
            announce: let others find us. lookup: dial others.

        Raises:
            ValueError: another length, or neither is wanted.
            ClosedError: the swarm is closed.
            OSError: see `open`, which this does if need be.
        """
        _check_topic(topic)
        if not (announce or lookup):
            raise ValueError("join a topic to announce, to look up, or both")
        await self.open()
        if self.closed:
            raise ClosedError("the swarm is closed")
        self._topics.join(topic, announce=announce, lookup=lookup)

    async def leave(self, topic: bytes) -> bool:
        """Look no further for peers of a topic, and take the announcement back.

        Connections stay: they may serve other topics. Waits until the DHT has been told, for 15 s
        at most, and never fails.

        Returns:
            Whether it was joined.
        """
        return await self._topics.leave(topic) if self._addresses else False

    async def flushed(self, topic: bytes) -> None:
        """Wait until everybody was asked for peers once, and each of these was dialled once.

        A dial counts when its peer has authenticated, or has failed. Returns early when the
        topic is left, the swarm closes or is full, and after 60 s of dialling in any case.
        """
        if self._addresses:
            await self._topics.flushed(topic)

    # --- peers

    def add_peer(self, host: str, port: int, topic: bytes | None = None) -> bool:
        """Dial a peer, and go on until it is reached, again and again for as long as we live.

        Args:
            host: an address, IPv4 or IPv6, or a name.
            port: its TCP port.
            topic: what it is dialled for, if that is joined.

        Returns:
            Whether this was news.

        Raises:
            ValueError: the port is not 1 to 65535.
            ClosedError: the swarm is not open.
        """
        if not 0 < port <= PORT_MAX:
            raise ValueError(f"port {port} is not 1 to {PORT_MAX}")
        if self.closed or not self._addresses:
            raise ClosedError("the swarm is not open")
        now = asyncio.get_running_loop().time()
        news = self._queue.add((host, port), now, topic=topic, pinned=True)
        self._pump()
        return news

    def _found(self, topic: bytes, found: PeersFound) -> None:
        """Peers that a node of the DHT told of."""
        source, to = found.node.host, found.to
        if self.dht is not None:
            self._policy.public = self.dht.public_address
        for address in found.peers:
            hairpin = to is not None and to.host == address.host
            self._take(topic, address, source=source, local=False, hairpin=hairpin)
        for address in found.local_peers:
            self._take(topic, address, source=source, local=True)
        self._pump()

    def _found_near(self, topic: bytes, address: Address) -> None:
        """A peer that is on the LAN."""
        self._take(topic, address, source=None, local=True)
        self._pump()

    def _take(
        self,
        topic: bytes,
        address: Address,
        *,
        source: str | None,
        local: bool,
        hairpin: bool = False,
    ) -> None:
        if self._policy.allows_dial(address, local=local):
            now = asyncio.get_running_loop().time()
            self._queue.add(address, now, topic=topic, source=source, local=local, hairpin=hairpin)

    def _places(self) -> int:
        room = self._connections.room
        return room + DIALS_BEYOND if room > 0 else 0

    @property
    def _used_dht(self) -> Dht | None:
        return self.dht if isinstance(self._dht_wish, bool) else self._dht_wish

    def _ask(self, candidate: Candidate) -> None:
        if self._used_dht is not None:
            self._used_dht.probe(Address(*candidate.address), partial(self._replied, candidate))

    def _replied(self, candidate: Candidate) -> None:
        self._queue.replied(candidate)
        self._pump()

    def _pump(self) -> None:
        self._dialler.pump()
        self._topics.look()

    # --- what is going on

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where we listen."""
        return list(self._addresses)

    @property
    def connections(self) -> list[SwarmConnection]:
        """Those that are open."""
        return self._connections.all if self._addresses else []

    @property
    def dialling(self) -> int:
        """Peers that are being dialled now, up to the end of the handshake."""
        return self._queue.dialling if self._addresses else 0

    def joined(self, topic: bytes) -> bool:
        """Whether a topic is joined."""
        return bool(self._addresses) and topic in self._topics

    def status(self) -> dict[bytes, TopicStatus]:
        """What is known about each topic that is joined."""
        return self._topics.status() if self._addresses else {}


def _check_topic(topic: bytes) -> None:
    if not isinstance(topic, bytes | bytearray) or len(topic) != TOPIC_BYTES:
        raise ValueError(f"a topic is {TOPIC_BYTES} bytes")
