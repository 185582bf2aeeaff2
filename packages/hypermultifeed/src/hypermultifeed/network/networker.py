"""The networker: finds the peers of multifeeds and cores, and replicates with them.

    async with Corestore("./store") as store, Networker(store) as network:
        async with Multifeed(store, key=root_key) as multi:
            await network.swarm(multi)

One connection to each peer carries all that is shared with it. On the wire it is
@corestore/networker 1 with hypermultifeed 1's networker; docs/differences.md says what is better.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from hypermultifeed.errors import ClosedError, HypermultifeedError
from hypermultifeed.events import Publisher, Subscription
from hypermultifeed.keys import NoiseKeyPair, discovery_key, parse_key
from hypermultifeed.network.dht import DEFAULT_BOOTSTRAP
from hypermultifeed.network.extensions import NetworkExtension, NetworkExtensions
from hypermultifeed.network.peer import NetworkPeer
from hypermultifeed.network.report import (
    DhtStatus,
    FailureLog,
    LanStatus,
    NetworkReport,
    TopicStatus,
)
from hypermultifeed.network.swarm import CONNECTIONS_MAX, Swarm
from hypermultifeed.network.topics import Topic, Topics
from hypermultifeed.stream import ReplicationStream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from types import TracebackType

    from hypermultifeed.codecs import Codec
    from hypermultifeed.corestore import Corestore
    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.network.swarm_connection import SwarmConnection

STREAM_TIMEOUT_S: Final = 20.0
"""How long a peer may be silent; each side says something every half of it."""

_log = logging.getLogger("hypermultifeed.networker")


class PeerJoined(NamedTuple):
    """A peer is connected, and replication with it begins."""

    peer: NetworkPeer


class PeerLeft(NamedTuple):
    """A connection is over.

    Attributes:
        peer: with whom.
        error: why, if it failed.
    """

    peer: NetworkPeer
    error: Exception | None


class Networker:
    """Connects a corestore, and multifeeds, with their peers. The constructor does no I/O.

    Args:
        corestore: whose cores are replicated with every peer; it stays the caller's.
        bootstrap: nodes of the DHT to begin with, ``host:port`` each.
        dht, mdns: look for peers in the DHT, and on the local network.
        key_pair: the static Noise keys that peers know us by. Without it, those in the storage's
            ``noise_seed`` file, made when there are none.
        host, port: where to listen, TCP and UDP alike; 0: any free port.
        allow_loopback: take and dial connections of this machine.
        address_filter: gets host and port of each peer before it is dialled or let in; those it
            returns False for are left alone.
        connections_max: connections at most.
        on_authenticate: gets each peer's static key during the handshake; raise to refuse it.
    """

    def __init__(
        self,
        corestore: Corestore,
        *,
        bootstrap: Sequence[str] = DEFAULT_BOOTSTRAP,
        dht: bool = True,
        mdns: bool = True,
        key_pair: NoiseKeyPair | None = None,
        host: str = "0.0.0.0",  # noqa: S104 - peers are to reach us
        port: int = 0,
        allow_loopback: bool = False,
        address_filter: Callable[[str, int], bool] | None = None,
        connections_max: int = CONNECTIONS_MAX,
        on_authenticate: Callable[[bytes], None] | None = None,
    ) -> None:
        self._corestore = corestore
        self._key_pair = key_pair
        self._on_authenticate = on_authenticate
        self._swarm = Swarm(
            self._on_connection,
            host=host,
            port=port,
            bootstrap=bootstrap,
            dht=dht,
            mdns=mdns,
            allow_loopback=allow_loopback,
            address_filter=address_filter,
            connections_max=connections_max,
        )
        self._swarm.on_dial_failed = self._dial_failed
        self._topics = Topics()
        self._connections: dict[NetworkPeer, None] = {}
        self._failures = FailureLog()
        self._extensions = NetworkExtensions()
        self._events = Publisher[PeerJoined | PeerLeft]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._received = self._sent = 0
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Networker topics={len(self._topics)} peers={len(self.peers)}>"

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
        """Open the store if need be, and listen. Idempotent.

        Raises:
            OSError: the port is taken, or the host is not this machine's.
            StorageError: as the store says.
            ClosedError: closed already.
        """
        self._check_not_closed()
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self._corestore.ready()
        if self._key_pair is None:
            self._key_pair = await self._corestore.cores.noise_key_pair()
        await self._swarm.open()

    async def close(self) -> None:
        """Leave all topics and end all connections; store and multifeeds stay open. Idempotent."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        self._topics.close()
        streams = [peer.stream.close() for peer in self._connections]
        await asyncio.gather(*streams, return_exceptions=True)
        await self._swarm.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._events.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing is not None

    def _check_not_closed(self) -> None:
        if self._closing is not None:
            raise ClosedError("the networker is closed")

    # --- joining and leaving

    async def swarm(
        self,
        multifeed: Multifeed,
        *,
        announce: bool = True,
        lookup: bool = True,
        upload: bool = True,
        download: bool = True,
        user_data: object = None,
    ) -> None:
        """Find the peers of a multifeed and replicate with them, those here now included.

        Leave it before you close it.

        Args:
            multifeed: it is opened if need be.
            announce: let others find us. lookup: look for others. At least one.
            upload, download, user_data: as in `Multifeed.replicate`.

        Raises:
            ValueError: neither announce nor lookup.
            ClosedError: this networker, or the multifeed, is closed.
        """
        _check_wishes(announce, lookup)
        await multifeed.ready()
        await self.open()
        state = self._topics.join(multifeed.discovery_key)
        state.key, state.multi = multifeed.key, multifeed
        state.options = {"upload": upload, "download": download, "user_data": user_data}
        await self._configure(state, announce=announce, lookup=lookup)
        for peer in self.peers:
            self._replicate(state, peer)

    async def join(self, key: bytes | str, *, announce: bool = True, lookup: bool = True) -> None:
        """Find the peers of a core; what is replicated with them is the store's open cores.

        For a multifeed's key, too, where only connections are wanted; else use `swarm`.

        Args:
            key: of a core or a multifeed, 32 bytes or hex.
            announce: let others find us. lookup: look for others. At least one.

        Raises:
            ValueError: a malformed key, or neither of both.
            ClosedError: this networker is closed.
        """
        raw = parse_key(key)
        _check_wishes(announce, lookup)
        await self.open()
        state = self._topics.join(discovery_key(raw))
        state.key = raw
        await self._configure(state, announce=announce, lookup=lookup)

    async def configure(
        self, topic: bytes | str, *, announce: bool = True, lookup: bool = True, flush: bool = True
    ) -> None:
        """Join by discovery key alone, or change what is done for a topic that is joined.

        Args:
            topic: 32 bytes or hex.
            announce, lookup: both False means to leave.
            flush: wait for `flushed`.

        Raises:
            ValueError: a malformed topic.
            ClosedError: this networker is closed.
        """
        raw = parse_key(topic)
        await self.open()
        if not (announce or lookup):
            await self._leave(raw)
            return
        await self._configure(self._topics.join(raw), announce=announce, lookup=lookup)
        if flush:
            await self.flushed(raw)

    async def leave(self, key: bytes | str) -> bool:
        """Stop at once what `swarm` or `join` began, towards every peer; False: it was not joined.

        Connections stay for what else is shared. Feeds of a multifeed that was left are not
        given to peers any more, unless they are in another one that is joined.

        Args:
            key: of the multifeed or core, 32 bytes or hex.

        Raises:
            ValueError: a malformed key.
        """
        return await self._leave(discovery_key(parse_key(key)))

    def joined(self, topic: bytes | str) -> bool:
        """Whether a topic (a discovery key) is joined."""
        return parse_key(topic) in self._topics

    async def flushed(self, topic: bytes | str) -> bool:
        """Wait until everybody found for a topic at first was tried, handshakes included.

        Returns:
            False if the topic is not joined, or is left before.
        """
        state = self._topics.get(parse_key(topic))
        return state is not None and await asyncio.shield(state.flushed)

    def status(self, topic: bytes | str) -> TopicStatus | None:
        """What is known about a joined topic; None for any other."""
        state = self._topics.get(parse_key(topic))
        return None if state is None else self._statuses([state])[0]

    def statuses(self) -> list[TopicStatus]:
        """The same for all topics, in the order they were joined."""
        return self._statuses(self._topics)

    def add_peer(self, host: str, port: int) -> None:
        """Dial a peer, and again whenever the connection is lost; no discovery is needed.

        Raises:
            ClosedError: this networker is closed.
            NotReadyError: it is not open yet.
        """
        self._check_not_closed()
        self._swarm.add_peer(host, port)

    # --- who is there

    @property
    def public_key(self) -> bytes:
        """Our static Noise key, 32 bytes; empty before `open` unless it was given."""
        return b"" if self._key_pair is None else self._key_pair.public_key

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where we listen, host and port each."""
        return self._swarm.addresses

    @property
    def peers(self) -> list[NetworkPeer]:
        """Connected peers, in the order they came; several may have one key (see `Swarm`)."""
        return [peer for peer in self._connections if peer.present]

    @property
    def dialling(self) -> int:
        """Peers that are being dialled now, up to the end of the handshake."""
        return self._swarm.dialling

    def events(self) -> Subscription[PeerJoined | PeerLeft]:
        """Return a subscription to peers that come and go from now on."""
        return self._events.subscribe()

    def register_extension(
        self,
        name: str,
        *,
        encoding: str | Codec = "binary",
        on_message: Callable[[Any, NetworkPeer], None] | None = None,
        on_error: Callable[[Exception, NetworkPeer], None] | None = None,
    ) -> NetworkExtension:
        """Register an extension on every connection, now and later; several may have one name.

        Args:
            name: what the two sides match by.
            encoding: of its messages.
            on_message: ``on_message(message, peer)`` gets what arrives.
            on_error: ``on_error(error, peer)`` gets what cannot be decoded.

        Raises:
            ValueError: somebody registered that name on a peer's stream itself.
        """
        return self._extensions.register(name, encoding, on_message, on_error)

    def report(self) -> NetworkReport:
        """Everything at this moment, as plain values."""
        now = asyncio.get_running_loop().time()
        stats = [peer.stream.stats for peer in self._connections]
        return NetworkReport(
            public_key=self.public_key,
            addresses=tuple(self.addresses),
            topics=tuple(self.statuses()),
            peers=tuple(peer.status(now) for peer in self.peers),
            dialling=self._swarm.dialling,
            failures=self._failures.report(now),
            dht=self._dht_status(),
            lan=self._lan_status(),
            bytes_received=self._received + sum(one.bytes_received for one in stats),
            bytes_sent=self._sent + sum(one.bytes_sent for one in stats),
        )

    # --- for the peers

    def is_joined(self, topic: bytes) -> bool:
        """Whether that topic is joined."""
        return topic in self._topics

    def welcome(self, peer: NetworkPeer) -> None:
        """Replicate with a peer that is known, and no duplicate."""
        if self._closing is not None or peer.stream.session.closed:
            return
        try:
            self._corestore.replicate(
                peer.initiator, stream=peer.stream, share=self._topics.is_shared
            )
        except ClosedError as error:
            peer.stream.destroy(error)
            return
        peer.present = True
        for state in self._topics:
            self._replicate(state, peer)
        self._extensions.attach(peer)
        self._events.publish(PeerJoined(peer))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run background work until done, at most until the networker closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work of a networker failed", exc_info=error)

    # --- inside

    async def _on_connection(self, connection: SwarmConnection) -> None:
        if self._closing is not None:
            return
        stream = ReplicationStream(
            connection.initiator,
            key_pair=self._key_pair,
            timeout_s=STREAM_TIMEOUT_S,
            on_authenticate=self._on_authenticate,
        )
        peer = NetworkPeer(connection, stream, self)
        self._connections[peer] = None
        try:
            await stream.run(connection.reader, connection.writer)
        except (HypermultifeedError, OSError) as error:
            key = stream.remote_public_key
            self._failures.note(error, peer.address, initiator=peer.initiator, public_key=key)
        finally:
            connection.useful = peer.verdict
            self._part(peer)

    def _dial_failed(self, address: tuple[str, int], error: Exception) -> None:
        self._failures.note(error, address, initiator=True)

    def _part(self, peer: NetworkPeer) -> None:
        del self._connections[peer]
        self._extensions.detach(peer)
        self._received += peer.stream.stats.bytes_received
        self._sent += peer.stream.stats.bytes_sent
        if peer.present:
            peer.present = False
            self._events.publish(PeerLeft(peer, peer.stream.error))

    async def _configure(self, state: Topic, *, announce: bool, lookup: bool) -> None:
        state.announce, state.lookup = announce, lookup
        await self._swarm.join(state.topic, announce=announce, lookup=lookup)
        state.flush(self._tried)
        self._offer_core(state.topic)

    def _offer_core(self, topic: bytes) -> None:
        """Open a core's channel again, which leaving may have closed."""
        cores = self._corestore.cores
        core = cores.loaded(topic)
        if core is None or cores.is_private(topic):
            return
        for peer in self.peers:
            if not peer.stream.session.opened(topic):
                core.replicate(peer.initiator, stream=peer.stream)

    async def _tried(self, topic: bytes) -> None:
        """Return when everybody found at first was tried, and said who they are or failed."""
        await self._swarm.flushed(topic)
        await asyncio.gather(*(peer.shook.wait() for peer in self._connections))

    def _replicate(self, state: Topic, peer: NetworkPeer) -> None:
        multi = state.multi
        if multi is not None and not multi.closed:
            try:
                multi.replicate(peer.initiator, stream=peer.stream, **state.options)
            except ClosedError:  # it is closing
                state.multi = None

    async def _leave(self, topic: bytes) -> bool:
        state = self._topics.leave(topic)
        if state is None:
            return False
        gone = [one for one in state.discovery_keys() if not self._topics.is_shared(one)]
        for peer in self.peers:
            if state.multi is not None:
                state.multi.detach(peer.stream)
            peer.close_channels(gone)
        await self._swarm.leave(topic)
        return True

    def _dht_status(self) -> DhtStatus | None:
        node = self._swarm.dht
        if node is None:
            return None
        return DhtStatus(len(node.nodes), node.public_address, node.ephemeral)

    def _lan_status(self) -> LanStatus | None:
        lan = self._swarm.lan
        return None if lan is None else LanStatus(tuple(one.name for one in lan.interfaces))

    def _statuses(self, states: Iterable[Topic]) -> list[TopicStatus]:
        searches = self._swarm.status()
        shared = Counter(topic for peer in self.peers for topic in peer.topics)
        return [one.status(searches.get(one.topic), shared[one.topic]) for one in states]


def _check_wishes(announce: bool, lookup: bool) -> None:
    if not (announce or lookup):
        raise ValueError("join a topic to announce, to look up, or both")
