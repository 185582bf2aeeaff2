"""One connection of a networker: its stream, who is there, and what both sides share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from hypermultifeed.network.report import PeerStatus
from hypermultifeed.replication.channels import SessionOwner

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from hypermultifeed.network.swarm_connection import SwarmConnection
    from hypermultifeed.stream import ReplicationStream

PARKED_S: Final = 11.0
"""How long an Open for a key that is unknown here waits before it is refused. A JavaScript
multifeed that is refused never starts on that stream, and gives up its stream after 10 s; up to
then a multifeed that is joined here can still answer it. The price: a JavaScript core that asks
what its peers have, and of which we know nothing, waits that much longer for our no."""

PARKED_MAX: Final = 1024
"""Opens of one peer that wait so at once; more are refused at once."""

USEFUL_S: Final = 1.0
"""A connection over which something was shared, and that lived so long, is made again at once when
it ends. One that always ends sooner is made again less and less often."""

OPENED_MAX: Final = 4096
"""Discovery keys that one peer has opened, and that are remembered: JavaScript opens those of its
multifeeds first."""


class Host(Protocol):
    """The networker, towards its connections."""

    def is_joined(self, topic: bytes) -> bool:
        """Whether that topic is joined."""

    def welcome(self, peer: NetworkPeer) -> None:
        """The peer is known, and is no duplicate: replicate with it."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run background work until done, at most until the networker closes."""


class _Sample(NamedTuple):
    at: float
    received: int
    sent: int


class NetworkPeer(SessionOwner):
    """A peer we are, or were, connected to; made by the networker.

    Attributes:
        stream: the replication stream, shared by all that is replicated with this peer.
        address: host and port.
        initiator: whether we dialled.
        local: whether it is on a network of ours.
        present: whether it is one of the networker's peers now.
        shook: set when the handshake is over, or the connection.
    """

    def __init__(self, connection: SwarmConnection, stream: ReplicationStream, host: Host) -> None:
        self.connection = connection
        self.stream = stream
        self.address = connection.address
        self.initiator = connection.initiator
        self.local = connection.local
        self.present = False
        self.shook = asyncio.Event()
        self._host = host
        self._shared = False
        self._coming_back = False
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._sample = _Sample(self._since, 0, 0)
        self._opened: set[bytes] = set()
        self._parked: dict[bytes, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        stream.session.attach(self)

    def __repr__(self) -> str:
        key = self.stream.remote_public_key
        host, port = self.address
        return f"<NetworkPeer {'unknown' if key is None else key.hex()[:8]} at {host}:{port}>"

    @property
    def remote_public_key(self) -> bytes:
        """The peer's static Noise key, 32 bytes; empty before the handshake."""
        return self.stream.remote_public_key or b""

    @property
    def topics(self) -> frozenset[bytes]:
        """Joined topics that this peer shares now: it has proved that it knows their keys."""
        channels = self.stream.session.channels
        return frozenset(
            channel.discovery_key
            for channel in channels
            if channel.ready and self._host.is_joined(channel.discovery_key)
        )

    def status(self, now: float) -> PeerStatus:
        """Report on this peer; rates are since the last time."""
        stats = self.stream.stats
        last, self._sample = self._sample, _Sample(now, stats.bytes_received, stats.bytes_sent)
        seconds = max(now - last.at, 1e-3)
        return PeerStatus(
            public_key=self.remote_public_key,
            address=self.address,
            initiator=self.initiator,
            local=self.local,
            topics=tuple(sorted(self.topics)),
            connected_s=now - self._since,
            bytes_received=stats.bytes_received,
            bytes_sent=stats.bytes_sent,
            received_per_s=(stats.bytes_received - last.received) / seconds,
            sent_per_s=(stats.bytes_sent - last.sent) / seconds,
        )

    @property
    def verdict(self) -> bool | None:
        """What the swarm is to make of the end of this connection: see `SwarmConnection.useful`.

        A JavaScript peer that misses a multifeed here ends its connection every 10 s. As long as
        anything else was shared, we are back at once; where nothing was, we stay away for longer
        and longer.
        """
        if not self.present:
            return None
        lived_s = self._loop.time() - self._since
        return self._coming_back or (self._shared and lived_s >= USEFUL_S)

    def close_channels(self, discovery_keys: Iterable[bytes]) -> None:
        """Stop replicating these."""
        session = self.stream.session
        for discovery_key in discovery_keys:
            channel = session.channel(discovery_key)
            if channel is not None:
                channel.close()

    def come_back(self) -> None:
        """End this connection; another one begins with a clean sheet."""
        if not self._coming_back:
            self._coming_back = True
            self._host.spawn(self.stream.close())

    # --- the session's events

    def on_handshake(self) -> None:
        """Who is there is proven; the muxes have to be attached before its first Open is read."""
        if not self.connection.identify(self.stream.public_key, self.remote_public_key):
            self._host.spawn(self.stream.close())  # the peer, too, is to learn who we are
        elif self.connection.contested:
            self._host.spawn(self._settle())
        else:
            self._host.welcome(self)
        self.shook.set()

    async def _settle(self) -> None:
        """Both sides dialled: what the peer opens waits until it is clear which one stays."""
        if await self.connection.settled():
            self._host.welcome(self)

    def on_remote_open(self, discovery_key: bytes) -> bool:
        """Whatever nobody answers waits: it may be a multifeed that is joined here soon."""
        self._note_opened(discovery_key)
        self._parked.pop(discovery_key, None)
        if len(self._parked) >= PARKED_MAX:
            return False
        self._parked[discovery_key] = self._loop.time() + PARKED_S
        if self._timer is None:
            self._timer = self._loop.call_later(PARKED_S, self._refuse_parked)
        return True

    def on_paired(self, discovery_key: bytes) -> None:
        """Both know that key."""
        self._shared = True
        self._note_opened(discovery_key)
        self._parked.pop(discovery_key, None)

    def on_refused(self, discovery_key: bytes) -> None:
        """The peer does not open a channel of ours.

        If it had opened it before, on this connection, it knows the key and yet cannot start
        again: so it is with JavaScript, whose multifeeds open their channel once per stream.
        """
        if discovery_key in self._opened and self._host.is_joined(discovery_key):
            self.come_back()

    def on_close(self, error: Exception | None) -> None:
        """The connection is over."""
        del error
        self.shook.set()
        if self._timer is not None:
            self._timer.cancel()

    # --- inside

    def _note_opened(self, discovery_key: bytes) -> None:
        if len(self._opened) < OPENED_MAX:
            self._opened.add(discovery_key)

    def _refuse_parked(self) -> None:
        self._timer = None
        session = self.stream.session
        now = self._loop.time()
        while self._parked:
            discovery_key, until = next(iter(self._parked.items()))
            if until > now:
                self._timer = self._loop.call_at(until, self._refuse_parked)
                return
            del self._parked[discovery_key]
            if session.remote_opened(discovery_key) and not session.opened(discovery_key):
                session.refuse(discovery_key)
