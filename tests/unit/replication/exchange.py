"""Copies of a feed, connected in memory, in time given by the test."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair
from hypermultifeed.replication.channels import Channel, ChannelHandler, Session, SessionOwner
from hypermultifeed.replication.feed_sync import FeedSync, Observer
from hypermultifeed.storage import Write, memory
from hypermultifeed.wire.messages import (
    Data,
    MessageType,
    Request,
    encode_data,
    encode_have,
)

if TYPE_CHECKING:
    from hypermultifeed.errors import (
        ForkError,
    )
    from hypermultifeed.replication.feed_peer import FeedPeer

PAIR = KeyPair.from_seed(bytes([1]) * 32)
DATA, HAVE, REQUEST = MessageType.DATA, MessageType.HAVE, MessageType.REQUEST
WANT, UNHAVE, STATUS = MessageType.WANT, MessageType.UNHAVE, MessageType.STATUS
_numbers = itertools.count(1)


class Watching(Observer, SessionOwner):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.downloaded: list[tuple[int, int]] = []
        self.lengths: list[int] = []
        self.acked: list[tuple[int, int]] = []
        self.removed: list[Exception | None] = []
        self.forks: list[ForkError] = []
        self.errors: list[Exception] = []

    def on_downloaded(self, peer: FeedPeer, start: int, stop: int) -> None:
        self.downloaded.append((start, stop))

    def on_length(self, length: int) -> None:
        self.lengths.append(length)

    def on_ack(self, peer: FeedPeer, start: int, length: int) -> None:
        self.acked.append((start, length))

    def on_peer_removed(self, peer: FeedPeer, error: Exception | None) -> None:
        self.removed.append(error)

    def on_fork(self, peer: FeedPeer, error: ForkError) -> None:
        self.forks.append(error)

    def on_channel_error(self, channel: Channel, error: Exception) -> None:
        self.errors.append(error)


class Side:
    """A copy of the feed with its exchange."""

    def __init__(self, blocks: list[bytes] | None = None, **options: Any) -> None:
        self.storage = memory()("relaxed")
        self.log = Log.open(
            self.storage, key=PAIR.public_key, key_pair=None if blocks is None else PAIR
        )
        self.seen = Watching()
        options.setdefault("randbelow", random.Random(5).randrange)
        self.sync = FeedSync(self.log, observer=self.seen, **options)
        self.done: list[Any] = []
        if blocks:
            self.log.append(blocks)

    def append(self, *blocks: bytes, now: float = 0.0) -> None:
        start = self.log.append(blocks)
        self.sync.appended(start, len(blocks), now)

    def reopen_with_damage(self, index: int) -> None:
        """Change a byte of a stored block, behind everybody's back."""
        offset = sum(len(self.log.get(before)) for before in range(index))
        self.storage.commit([Write("data", offset, b"\xff")])
        self.log = Log.open(self.storage)
        self.sync = FeedSync(self.log, observer=self.seen, randbelow=random.Random(5).randrange)

    def waits(self, error: Exception | None) -> None:
        self.done.append(error)

    def stored(self) -> set[int]:
        return {index for index in range(self.log.length) if self.log.has(index)}


class Wire:
    """Two sessions and the bytes between them."""

    def __init__(self, now: float = 0.0, *, live: bool = True) -> None:
        self.now = now
        self.live = live
        self.a, self.b = self._session(initiator=True), self._session(initiator=False)
        self.pump()

    def _session(self, *, initiator: bool) -> Session:
        number = next(_numbers)
        return Session(
            initiator=initiator,
            key_pair=NoiseKeyPair.from_seed(number.to_bytes(32, "big")),
            ephemeral_seed=number.to_bytes(32, "little"),
            nonce=number.to_bytes(24, "little"),
            now=self.now,
            live=self.live,
            timeout_s=0.0,
        )

    def pump(self, now: float | None = None) -> None:
        self.now = self.now if now is None else now
        moved = True
        while moved:
            moved = self.step(self.a, self.b) | self.step(self.b, self.a)

    def step(self, source: Session, target: Session) -> bool:
        data = bytes(source.data_to_send())
        if data and not target.closed:
            target.receive_data(data, self.now)
        if source.output_size < 1 << 18:
            source.drained(self.now)
        return bool(data) or source.output_size > 0

    def timers(self, now: float) -> None:
        self.now = now
        for side in (self.a, self.b):
            when = side.get_timer()
            if when is not None and when <= now:
                side.handle_timer(now)


def connect(a: Side, b: Side, now: float = 0.0, live: bool = True, **options: Any) -> Wire:
    wire = Wire(now, live=live)
    join(a, wire.a, live=live, **options.get("ours", {}))
    join(b, wire.b, live=live, **options.get("theirs", {}))
    wire.pump()
    return wire


def join(side: Side, session: Session, **options: Any) -> FeedPeer:
    options.setdefault("download", not side.log.writable)
    peer = side.sync.peer(**options)
    session.attach(side.seen)
    session.open(PAIR.public_key, peer)
    return peer


class Script(ChannelHandler):
    """A peer under the test's control; answers requests with ``answer`` unless told otherwise."""

    def __init__(self, side: Side | None = None) -> None:
        self.side = side
        self.requests: list[Request] = []
        self.got: list[tuple[str, Any]] = []
        self.quiet = side is None

    def on_open(self) -> None:
        if self.side is not None:
            length = self.side.log.length
            self.send(HAVE, encode_have(0, length))

    def on_want(self, want: Any) -> None:
        self.got.append(("want", want))
        if self.side is not None:
            bits = self.side.log.have_bitfield(want.start, want.length)
            self.send(HAVE, encode_have(want.start, want.length, bits))

    def on_request(self, request: Request) -> None:
        self.requests.append(request)
        if not self.quiet:
            self.answer(request)

    def on_have(self, have: Any) -> None:
        self.got.append(("have", have))

    def on_unhave(self, unhave: Any) -> None:
        self.got.append(("unhave", unhave))

    def on_status(self, status: Any) -> None:
        self.got.append(("status", status))

    def on_data(self, data: Data) -> None:
        self.got.append(("data", data))

    def on_options(self, options: Any) -> None:
        self.got.append(("options", options))

    def on_close(self, error: Exception | None) -> None:
        self.got.append(("close", error))

    def answer(self, request: Request) -> None:
        assert self.side is not None
        log = self.side.log
        proof = log.proof(request.index, digest=request.nodes, hash=request.hash)
        value = None if request.hash else log.get(request.index)
        self.send(DATA, encode_data(request.index, value, proof.nodes, proof.signature))

    def send(self, message_type: int, body: bytes) -> None:
        self.channel.send(message_type, body)

    def all(self, name: str) -> list[Any]:
        return [value for called, value in self.got if called == name]


def scripted(side: Side, script: Script, **options: Any) -> Wire:
    """``side`` at end a, the script at end b."""
    wire = Wire()
    join(side, wire.a, live=True, **options)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    return wire


def blocks(count: int, size: int = 8) -> list[bytes]:
    return [index.to_bytes(4, "big") * (size // 4) for index in range(count)]


def fetch(side: Side, source: Side, indexes: list[int]) -> None:
    """Copy blocks by hand."""
    for index in indexes:
        proof = source.log.proof(index, digest=side.log.digest(index))
        side.log.put(index, source.log.get(index), proof.nodes, proof.signature)
    side.log.flush()
