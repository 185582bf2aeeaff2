"""A network of peers of one feed in virtual time."""

from __future__ import annotations

import hashlib
import heapq
import random
from typing import TYPE_CHECKING, Any

from hypermultifeed.errors import ReplicationError
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair
from hypermultifeed.replication.channels import Session, SessionOwner
from hypermultifeed.replication.feed_sync import FeedSync
from hypermultifeed.storage import memory
from hypermultifeed.wire.messages import MessageType, encode_have

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.replication.channels import Channel
    from hypermultifeed.replication.feed_peer import FeedPeer

PAIR = KeyPair.from_seed(bytes([1]) * 32)
TRANSPORT_BYTES = 1 << 16
"""What one direction of a link holds under way."""


class Node(SessionOwner):
    """One copy of the feed."""

    def __init__(self, network: Network, name: str, *, writer: bool, whole: bool) -> None:
        self.network = network
        self.name = name
        pair = PAIR if writer else None
        self.log = Log.open(memory()("relaxed"), key=PAIR.public_key, key_pair=pair)
        rng = random.Random(network.random.random())
        self.sync = FeedSync(self.log, whole=whole, randbelow=rng.randrange)
        self.errors: list[Exception] = []

    def append(self, *blocks: bytes) -> None:
        start = self.log.append(blocks)
        self.sync.appended(start, len(blocks), self.network.now)

    def peer(self, *, live: bool) -> FeedPeer:
        return self.sync.peer(live=live, download=not self.log.writable)

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        self.errors.append(error)

    def stored(self) -> int:
        return self.log.count()


class Liar(Node):
    """Announces everything and sends nothing."""

    def peer(self, *, live: bool) -> FeedPeer:
        peer = super().peer(live=live)
        opened = peer.on_open

        def on_open() -> None:
            opened()
            peer.channel.send(MessageType.HAVE, encode_have(0, 10**6))

        peer.on_open = on_open  # type: ignore[method-assign]
        peer.on_request = lambda request: None  # type: ignore[method-assign]
        return peer


class Shuffler(Node):
    """Answers in any order, as JavaScript does, whose storage is asynchronous."""

    def peer(self, *, live: bool) -> FeedPeer:
        peer = super().peer(live=live)
        ended = peer.on_chunk_end

        def on_chunk_end(now: float) -> None:
            items = list(peer.uploads.queue.items())
            self.network.random.shuffle(items)
            peer.uploads.queue = dict(items)
            ended(now)

        peer.on_chunk_end = on_chunk_end  # type: ignore[method-assign]
        return peer


class Link:
    """A connection between two nodes, until it is cut or ends."""

    def __init__(self, network: Network, a: Node, b: Node, *, live: bool) -> None:
        self.network = network
        self.nodes = (a, b)
        self.up = True
        self.delay = network.random.uniform(0.001, 0.1)
        self.bytes_per_s = network.random.choice((20_000, 200_000, 2_000_000))
        self.free_at = [0.0, 0.0]
        self.under_way = [0, 0]
        self.ended = [False, False]
        self.sessions = tuple(self._session(side, live) for side in (0, 1))
        for side, (node, session) in enumerate(zip(self.nodes, self.sessions, strict=True)):
            session.wake = lambda side=side: network.after(0.0, self.flush, side)  # type: ignore[misc]
            session.attach(node)
            session.open(PAIR.public_key, node.peer(live=live))
        for side in (0, 1):
            self.flush(side)

    def _session(self, side: int, live: bool) -> Session:
        number = next(self.network.numbers)
        return Session(
            initiator=side == 0,
            key_pair=NoiseKeyPair.from_seed(number.to_bytes(32, "big")),
            ephemeral_seed=number.to_bytes(32, "little"),
            nonce=number.to_bytes(24, "little"),
            now=self.network.now,
            live=live,
        )

    def flush(self, side: int) -> None:
        """Take what a session has to send, as far as the transport has room."""
        session = self.sessions[side]
        network = self.network
        while self.up and self.under_way[side] < TRANSPORT_BYTES:
            data = bytes(session.data_to_send())
            if not data:
                break
            network.note(self.nodes[side].name, len(data))
            while data:
                size = network.random.randint(1, max(1, len(data) * 2))
                piece, data = data[:size], data[size:]
                start = max(network.now, self.free_at[side])
                self.free_at[side] = start + len(piece) / self.bytes_per_s
                self.under_way[side] += len(piece)
                network.at(self.free_at[side] + self.delay, self.deliver, side, piece)
            session.drained(network.now)
        if session.ended and self.up and not self.ended[side]:
            self.ended[side] = True
            network.at(max(network.now, self.free_at[side]) + self.delay, self.eof, side)
        self.arm(side)

    def deliver(self, side: int, piece: bytes) -> None:
        if not self.up:
            return
        self.under_way[side] -= len(piece)
        other = self.sessions[1 - side]
        try:
            other.receive_data(piece, self.network.now)
        except ReplicationError as error:
            self.nodes[1 - side].errors.append(error)
            self.cut(error)
            return
        self.flush(1 - side)
        self.flush(side)

    def eof(self, side: int) -> None:
        if self.up:
            self.sessions[1 - side].receive_eof(self.network.now)
            self.flush(1 - side)
            if all(self.ended):
                self.cut(None)

    def arm(self, side: int) -> None:
        when = self.sessions[side].get_timer()
        if when is not None and self.up:
            self.network.at(when, self.timer, side)

    def timer(self, side: int) -> None:
        session = self.sessions[side]
        when = session.get_timer() if self.up else None
        if when is None or when > self.network.now:
            return
        try:
            session.handle_timer(self.network.now)
        except ReplicationError as error:
            self.nodes[side].errors.append(error)
            self.cut(error)
            return
        self.flush(side)

    def cut(self, error: Exception | None = None) -> None:
        if self.up:
            self.up = False
            for session in self.sessions:
                session.close(error)


class Network:
    """Nodes, links and what is to happen, in the order of virtual time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.nodes: list[Node] = []
        self.links: list[Link] = []
        self.numbers = iter(range(1, 10**9))
        self.events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self.scheduled = 0
        self.trace = hashlib.sha256()

    def node(self, kind: type[Node] = Node, *, writer: bool = False, whole: bool = True) -> Node:
        node = kind(self, f"{kind.__name__}{len(self.nodes)}", writer=writer, whole=whole)
        self.nodes.append(node)
        return node

    def connect(self, a: Node, b: Node, *, live: bool = True) -> Link:
        link = Link(self, a, b, live=live)
        self.links.append(link)
        return link

    def note(self, *what: object) -> None:
        self.trace.update(repr((round(self.now, 9), what)).encode())

    def at(self, when: float, call: Callable[..., object], *arguments: Any) -> None:
        self.scheduled += 1
        heapq.heappush(self.events, (max(when, self.now), self.scheduled, call, arguments))

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        self.at(self.now + seconds, call, *arguments)

    def run(self, until: Callable[[], bool], limit: float) -> None:
        """Let things happen until ``until()``; fails if the limit (virtual seconds) is reached."""
        end = self.now + limit
        while not until():
            assert self.events, "nothing will happen any more"
            when, _, call, arguments = heapq.heappop(self.events)
            assert when <= end, f"not within {limit} virtual seconds"
            self.now = max(self.now, when)
            call(*arguments)
