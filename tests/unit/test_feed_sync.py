"""The exchange of one feed: two and more peers, bytes in between, time given by the test."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import (
    BlockMissingError,
    ClosedError,
    ForkError,
    RemoteProtocolError,
    VerificationError,
)
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, NoiseKeyPair
from hypermultifeed.replication import downloads, feed_peer, wants
from hypermultifeed.replication.channels import Channel, ChannelHandler, Session, SessionOwner
from hypermultifeed.replication.feed_sync import FeedSync, Observer
from hypermultifeed.storage import memory
from hypermultifeed.wire.messages import (
    Data,
    MessageType,
    Request,
    encode_data,
    encode_extension,
    encode_have,
    encode_options,
    encode_request,
    encode_status,
    encode_unhave,
    encode_want,
)

if TYPE_CHECKING:
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
        self.log = Log.open(
            memory()("relaxed"), key=PAIR.public_key, key_pair=None if blocks is None else PAIR
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


# --- two peers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 65, 500])
@pytest.mark.parametrize("live", [False, True])
def test_a_reader_gets_everything(count: int, live: bool) -> None:
    writer, reader = Side(blocks(count)), Side()
    wire = connect(writer, reader, live=live)
    assert reader.log.get_run(0, count) == blocks(count)
    assert wire.a.ended is wire.b.ended is not live
    assert reader.seen.errors == writer.seen.errors == []
    if count:
        assert reader.seen.lengths == [count]
    assert sum(stop - start for start, stop in reader.seen.downloaded) == count


def test_live_appends_arrive_and_empty_ones_are_not_announced() -> None:
    writer, reader = Side([]), Side()
    wire = connect(writer, reader)
    for number in range(5):
        writer.append(b"%d" % number)
        writer.append()
        wire.pump()
    writer.append(*blocks(100))
    wire.pump()
    assert reader.log.length == 105
    assert reader.stored() == set(range(105))
    assert writer.sync.stats.refused == 0


def test_later_requests_leave_out_what_earlier_answers_bring() -> None:
    writer, reader = Side(blocks(256)), Side()
    script = Script(writer)
    scripted(reader, script)
    assert reader.stored() == set(range(256))
    odd = [request for request in script.requests if request.index % 2]
    assert len(odd) == 128
    assert all(request.nodes == 1 for request in odd)


@pytest.mark.parametrize("seed", range(5))
def test_answers_in_any_order_are_accepted(seed: int) -> None:
    """JavaScript reads its storage asynchronously and answers as the reads come back."""
    writer, reader = Side(blocks(300)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    shuffle = random.Random(seed).shuffle
    while script.requests:
        requests, script.requests = script.requests, []
        shuffle(requests)
        for request in requests:
            script.answer(request)
            wire.pump()
    assert reader.stored() == set(range(300))
    assert reader.seen.errors == []


def test_an_answer_that_must_wait_for_another_makes_room_for_a_request() -> None:
    """Else nothing of ours leaves, and a socket under Nagle's rule holds the rest back."""
    writer, reader = Side(blocks(300)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    script.answer(script.requests.pop())
    wire.pump()
    under_way = len(script.requests)
    waiting = [request for request in script.requests if request.index % 2 and request.index > 1]
    for number, request in enumerate(waiting, 1):
        script.answer(request)
        wire.pump()
        assert not reader.log.has(request.index)
        assert len(script.requests) == under_way + number
    for request in script.requests:
        if request not in waiting:
            script.answer(request)
            wire.pump()
    assert reader.stored() == set(range(300))


def test_an_answer_that_never_comes_does_not_block_those_that_counted_on_it() -> None:
    writer, reader = Side(blocks(128)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    refused = 40
    for _ in range(300):
        requests, script.requests = script.requests, []
        for request in requests:
            if request.index == refused:
                script.send(UNHAVE, encode_unhave(refused))
            else:
                script.answer(request)
        wire.pump()
    assert reader.stored() == set(range(128)) - {refused}
    assert reader.seen.errors == []
    script.send(HAVE, encode_have(refused))
    wire.pump()
    script.answer(script.requests[-1])
    wire.pump()
    assert reader.stored() == set(range(128))


def test_the_window_is_bounded_in_requests_and_in_bytes() -> None:
    for size, most in ((8, downloads.WINDOW), (1 << 20, 4)):
        writer, reader = Side(blocks(300 if size == 8 else 20, size)), Side()
        script = Script(writer)
        script.quiet = True
        wire = scripted(reader, script)
        assert len(script.requests) == 1  # the first block alone: it brings the signed root
        peak = 0
        for _ in range(10):
            requests, script.requests = script.requests, []
            for request in requests:
                script.answer(request)
            wire.pump()
            peak = max(peak, len(script.requests))
        assert peak == most


def test_wants_cover_what_the_peer_has_and_only_once() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    million = wants.WANT_LENGTH
    script.send(HAVE, encode_have(5 * million))
    wire.pump()
    starts = [want.start for want in script.all("want")]
    assert starts == [number * million for number in range(6)]
    script.send(HAVE, encode_have(5 * million + 1))
    wire.pump()
    assert len(script.all("want")) == 6


def test_gets_and_ranges_of_a_sparse_reader() -> None:
    writer, reader = Side(blocks(50)), Side(whole=False)
    wire = connect(writer, reader)
    assert reader.stored() == set()
    reader.sync.get(7, 0.0, reader.waits)
    reader.sync.get(7, 0.0, reader.waits)
    reader.sync.download(20, 30, 0.0, reader.waits)
    reader.sync.download(20, 22, 0.0, reader.waits, linear=True)
    wire.pump()
    assert reader.done == [None] * 4
    assert reader.stored() == {7, *range(20, 30)}


def test_a_cancelled_get_is_not_asked_for_and_a_late_answer_is_dropped() -> None:
    writer, reader = Side(blocks(5)), Side(whole=False)
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    demand = reader.sync.get(3, 0.0, reader.waits)
    wire.pump()
    reader.sync.cancel(demand)
    script.answer(script.requests[0])
    wire.pump()
    assert reader.stored() == set()
    assert reader.done == []
    assert reader.sync.stats.unrequested == 1


def test_an_update_brings_the_proof_alone() -> None:
    writer, reader = Side(blocks(9)), Side(whole=False)
    wire = connect(writer, reader)
    reader.sync.grow(1, 0.0, reader.waits)
    wire.pump()
    assert reader.done == [None]
    assert reader.log.length == 9
    assert reader.stored() == set()


@pytest.mark.parametrize("byte_offset", [1, 39, 40, 41, 399])
def test_a_byte_is_found_with_a_few_hashes(byte_offset: int) -> None:
    writer, reader = Side(blocks(100)), Side(whole=False)
    wire = connect(writer, reader)
    reader.sync.grow(1, 0.0, reader.waits)
    wire.pump()
    reader.sync.seek(byte_offset, 0.0, reader.waits)
    wire.pump()
    assert reader.done == [None, None]
    assert reader.log.seek(byte_offset) == divmod(byte_offset, 8)
    assert reader.stored() == set()


def test_if_available_gives_up_once_every_peer_has_told() -> None:
    writer, reader = Side(blocks(3)), Side(whole=False)
    connected = connect(writer, reader)
    reader.sync.get(9, 0.0, reader.waits, if_available=True)
    reader.sync.grow(9, 0.0, reader.waits, if_available=True)
    connected.pump()
    assert [type(error) for error in reader.done] == [BlockMissingError] * 2
    alone = Side(whole=False)
    alone.sync.get(0, 0.0, alone.waits, if_available=True)
    assert [type(error) for error in alone.done] == [BlockMissingError]


def test_if_available_waits_for_peers_that_have_not_told_yet() -> None:
    reader, script = Side(whole=False), Script()
    wire = scripted(reader, script)
    reader.sync.get(0, 0.0, reader.waits, if_available=True)
    wire.pump()
    assert reader.done == []
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, b""))
    wire.pump()
    assert len(reader.done) == 1


def test_cleared_blocks_are_told_and_requests_for_them_refused() -> None:
    writer, reader = Side(blocks(5)), Side(whole=False)
    wire = connect(writer, reader)
    writer.log.clear(1, 3)
    reader.sync.get(2, 0.0, reader.waits)  # before the reader knows
    writer.sync.cleared(1, 3, 0.0)
    wire.pump()
    assert reader.done == []
    assert reader.sync.stats.expired == 0
    reader.sync.get(4, 0.0, reader.waits)
    wire.pump()
    assert reader.done == [None]
    assert writer.seen.errors == reader.seen.errors == []


def test_switches_are_told_and_kept() -> None:
    writer, reader = Side(blocks(5)), Side()
    reader.sync.set_downloading(0.0, downloading=False)
    wire = connect(writer, reader, theirs={"download": False})
    assert reader.stored() == set()
    reader.sync.set_downloading(0.0, downloading=True)
    wire.pump()
    assert reader.stored() == set(range(5))
    writer.sync.set_uploading(False)
    writer.append(b"later")
    wire.pump()
    assert reader.log.length == 5
    writer.sync.set_uploading(True)
    wire.pump()
    assert reader.log.length == 6


def test_acks_are_sent_when_asked_for() -> None:
    writer, reader = Side(blocks(3)), Side()
    connect(writer, reader, ours={"ack": True})
    assert sorted(writer.seen.acked) == [(0, 1), (1, 1), (2, 1)]
    assert reader.seen.acked == []


def test_extensions_of_the_feed() -> None:
    writer, reader = Side(blocks(1)), Side()
    got: list[Any] = []
    reader.sync.extensions.add("b", encoding="json", on_message=lambda m, peer: got.append(m))
    wire = connect(writer, reader)
    late = writer.sync.extensions.add("b", encoding="json")
    writer.sync.extensions.add("a")
    assert late.broadcast([1]) == 1
    wire.pump()
    assert got == [[1]]
    assert reader.sync.peers[0].remote_extensions.supports(reader.sync.extensions.get("b"))  # type: ignore[arg-type]


def test_uploads_wait_while_the_output_is_full() -> None:
    writer = Side(blocks(100, 1 << 16))
    script = Script()
    wire = Wire()
    join(writer, wire.a, live=True)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    for index in range(100):
        script.send(REQUEST, encode_request(index))
    wire.a.receive_data(bytes(wire.b.data_to_send()), 0.0)
    assert 1 << 20 <= wire.a.output_size < 3 << 19
    assert 0 < wire.a.queued_requests < 100
    wire.pump()
    assert sorted(data.index for data in script.all("data")) == list(range(100))
    assert wire.a.queued_requests == 0


# --- the end of what is not live -----------------------------------------------------------------


def fetch(side: Side, source: Side, indexes: list[int]) -> None:
    """Copy blocks by hand."""
    for index in indexes:
        proof = source.log.proof(index, digest=side.log.digest(index))
        side.log.put(index, source.log.get(index), proof.nodes, proof.signature)
    side.log.flush()


@pytest.mark.parametrize("ours", [[], [0, 1], [9], list(range(10))])
@pytest.mark.parametrize("theirs", [[], [0, 1], [5], list(range(10))])
def test_two_partial_readers_exchange_what_they_have_and_end(
    ours: list[int], theirs: list[int]
) -> None:
    writer, a, b = Side(blocks(10)), Side(), Side()
    fetch(a, writer, ours)
    fetch(b, writer, theirs)
    wire = connect(a, b, live=False)
    assert a.stored() == b.stored() == {*ours, *theirs}
    assert wire.a.ended
    assert wire.b.ended


def test_a_live_replication_after_one_that_was_not_downloads() -> None:
    writer, reader = Side(blocks(3)), Side()
    connect(writer, reader, live=False)
    writer.append(b"more")
    connect(writer, reader, live=True)
    assert reader.stored() == set(range(4))


def test_a_sparse_reader_that_is_not_live_ends_after_a_moment_without_demands() -> None:
    writer, reader = Side(blocks(5)), Side(whole=False)
    wire = connect(writer, reader, live=False)
    assert not wire.b.ended
    reader.sync.get(2, 0.5, reader.waits)
    wire.pump(0.5)
    assert reader.done == [None]
    wire.timers(1.2)
    wire.pump()
    assert not wire.b.ended
    wire.timers(2.0)
    wire.pump()
    assert wire.a.ended
    assert wire.b.ended


def test_a_peer_that_wants_for_ever_and_asks_for_nothing_is_left() -> None:
    """A JavaScript reader facing a partial one never ends by itself."""
    reader, script = Side(), Script()
    wire = Wire(live=False)
    join(reader, wire.a, live=False)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, b""))
    wire.pump()
    assert [s.downloading for s in script.all("status")] == [False]
    assert not wire.a.ended
    wire.timers(feed_peer.ABANDONED_END_S)
    wire.pump()
    assert wire.a.ended


# --- several peers -------------------------------------------------------------------------------


def test_no_block_is_asked_of_two_peers_at_once() -> None:
    writer, reader = Side(blocks(400)), Side()
    wires = [Wire(), Wire(), Wire()]
    for wire in wires:
        join(reader, wire.b, live=True)
        join(writer, wire.a, live=True)
    moved = True
    while moved:
        moved = sum(w.step(*pair) for w in wires for pair in ((w.a, w.b), (w.b, w.a))) > 0
    assert reader.stored() == set(range(400))
    stats = reader.sync.stats
    assert stats.downloaded_blocks == 400
    assert stats.duplicate_blocks <= len(wires)
    shares = [peer.stats.downloaded_blocks for peer in reader.sync.peers]
    assert min(shares) > 50


def test_news_spread_through_a_chain_and_not_back() -> None:
    writer, middle, last = Side(blocks(3)), Side(), Side()
    first, second = connect(writer, middle), connect(middle, last)
    writer.append(b"new")
    for _ in range(3):
        first.pump()
        second.pump()
    assert last.stored() == set(range(4))
    assert writer.sync.stats.refused == middle.sync.stats.refused == 0


def test_a_peer_that_never_answers_holds_one_block_and_only_for_a_moment() -> None:
    writer, reader = Side(blocks(200)), Side()
    liar = Script(writer)
    liar.quiet = True
    scripted(reader, liar)
    assert len(liar.requests) == 1
    connect(reader, writer)
    assert reader.stored() == set(range(200))


def test_a_stalled_peer_is_passed_over_and_asked_again_later() -> None:
    writer, reader = Side(blocks(200)), Side()
    staller = Script(writer)
    wire = Wire()
    join(reader, wire.a, live=True)
    wire.b.open(PAIR.public_key, staller)
    while len(staller.requests) < 30:
        wire.step(wire.a, wire.b)
        wire.step(wire.b, wire.a)
    staller.quiet = True
    wire.pump()
    before = reader.stored()
    assert 0 < len(before) < 200
    honest = connect(reader, writer, now=1.0)
    held = {index for index in range(200) if reader.sync.requested.get(index)}
    assert held
    wire.timers(1.0 + downloads.STALL_S)
    honest.pump(1.0 + downloads.STALL_S)
    assert reader.stored() == set(range(200))
    peer = reader.sync.peers[0]
    assert peer.stats.expired == len(held)
    assert peer.downloads.retry_at > 6.0
    # A late answer is welcome, and so is the peer then.
    writer.append(b"more")
    staller.send(HAVE, encode_have(200))
    for request in staller.requests[-len(held) :]:
        staller.answer(request)
    wire.pump()
    assert peer.stats.duplicate_blocks > 0
    assert reader.seen.errors == []


def test_one_request_that_is_never_answered_goes_elsewhere_though_others_are() -> None:
    writer, reader = Side(blocks(100)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    now = 0.0
    while now < downloads.REQUEST_TIMEOUT_S + 1:
        request = next((r for r in script.requests if r.index != 10), None)
        if request is not None:
            script.requests.remove(request)
            script.answer(request)
        wire.pump(now)
        wire.timers(now)
        now += 0.5
    assert reader.sync.stats.expired >= 1
    assert 10 not in reader.sync.requested or reader.sync.requested[10].stats.expired


def test_the_report_says_what_is_missing_and_who_has_it() -> None:
    writer, partial, reader = Side(blocks(10)), Side(whole=False), Side(whole=False)
    fetch(partial, writer, [0, 1, 2, 3])
    fetch(reader, writer, [0])
    wire = connect(partial, reader)
    reader.sync.download(0, 10, 0.0, reader.waits)
    reader.sync.set_downloading(0.0, downloading=False)
    wire.pump()
    report = reader.sync.report()
    assert (report.length, report.claimed) == (10, 0)
    assert report.have + report.missing == 10
    assert [count for _, count in report.peers] == [4 - report.have]
    assert report.nowhere == 6


# --- bad peers -----------------------------------------------------------------------------------


def tampered(change: Any) -> tuple[Side, Script]:
    """A reader of a peer that changes each answer."""
    writer, reader = Side(blocks(8)), Side()

    class Lying(Script):
        def answer(self, request: Request) -> None:
            log = writer.log
            proof = log.proof(request.index, digest=request.nodes, hash=request.hash)
            data = Data(request.index, log.get(request.index), proof.nodes, proof.signature)
            self.send(DATA, encode_data(*change(data)))

    script = Lying(writer)
    scripted(reader, script)
    return reader, script


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data._replace(value=b"forged"),
        lambda data: data._replace(value=b""),
        lambda data: data._replace(signature=bytes(64)),
        lambda data: data._replace(signature=None),
        lambda data: data._replace(signature=b"short"),
        lambda data: data._replace(nodes=()),
        lambda data: data._replace(nodes=[data.nodes[0]._replace(size=2**50), *data.nodes[1:]]),
        lambda data: data._replace(nodes=[data.nodes[0]._replace(hash=bytes(32)), *data.nodes[1:]]),
        lambda data: data._replace(nodes=[*data.nodes, data.nodes[0]]),
    ],
)
def test_a_lie_stores_nothing_and_closes_that_channel_alone(change: Any) -> None:
    reader, script = tampered(change)
    assert reader.log.length == 0
    assert reader.stored() == set()
    assert [type(error) for error in reader.seen.errors] == [VerificationError]
    assert [type(error) for error in reader.seen.removed] == [VerificationError]
    assert script.all("close") == [None]
    assert not script.channel.session.closed
    writer = Side(blocks(8))
    connect(writer, reader)
    assert reader.stored() == set(range(8))


@pytest.mark.parametrize("live_when_it_grows", [False, True])
@pytest.mark.parametrize("first", [[b"a", b"b", b"c"], [b"a", b"x", b"y"]])
def test_a_fork_quarantines_the_feed_and_keeps_what_came_first(
    first: list[bytes], live_when_it_grows: bool
) -> None:
    ours, other = Side(first), Side([b"a", b"x", b"c"] if live_when_it_grows else [])
    reader = Side()
    wires = [connect(ours, reader), connect(other, reader)]
    more = [b"d", b"e", b"f"]
    other.append(*(more[:2] if live_when_it_grows else [b"a", b"x", b"c", *more[:2]]))
    wires[1].pump()
    assert len(reader.seen.forks) == 1
    fork = reader.sync.fork
    assert fork is not None
    assert (fork.ours[0], fork.theirs[0]) == (3, 5)
    assert fork.ours[2] != fork.theirs[2]
    assert reader.log.get_run(0, 3) == first
    assert not wires[1].a.closed
    ours.append(b"unseen")
    wires[0].pump()
    assert reader.log.length == 3  # nobody can tell which history goes on


def test_huge_claims_cost_nothing() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.quiet = True
    for start, length in ((0, 10**12), (2**53 - 10, 9), (2**40, 2**52)):
        script.send(HAVE, encode_have(start, length))
        script.send(UNHAVE, encode_unhave(start + 5, length))
        wire.pump()
    assert len(script.all("want")) == wants.MAX_WANTS_PENDING
    assert len(script.requests) == 1


def test_a_bitfield_that_unpacks_to_too_much_ends_the_stream() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.send(HAVE, encode_have(0, wants.WANT_LENGTH, bytes.fromhex("ffffffff0f")))
    with pytest.raises(RemoteProtocolError, match="bitfield"):
        wire.pump()


def test_requests_out_of_range_and_repeated_are_merged_refused_or_ignored() -> None:
    writer, script = Side(blocks(3)), Script()
    wire = Wire()
    join(writer, wire.a, live=True)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    for index in (0, 0, 0, 3, 2**52):
        script.send(REQUEST, encode_request(index))
    wire.pump()
    assert [data.index for data in script.all("data")] == [0]
    assert [unhave.start for unhave in script.all("unhave")] == [3, 2**52]
    script.got.clear()
    writer.log.clear(1, 2)
    script.send(REQUEST, encode_request(1))
    wire.pump()
    assert [unhave.start for unhave in script.all("unhave")] == [1]
    assert writer.seen.errors == []


def test_unasked_data_is_dropped_and_refused_when_the_peer_cares() -> None:
    writer, reader = Side(blocks(3)), Side(whole=False)
    script = Script(writer)
    wire = scripted(reader, script)
    script.send(WANT, encode_want(0, wants.WANT_LENGTH))
    wire.pump()
    script.answer(Request(1))
    script.answer(Request(1, hash=True))
    wire.pump()
    assert reader.log.length == 0
    assert [unhave.start for unhave in script.all("unhave")] == [1]
    assert reader.sync.stats.unrequested == 2


def test_odd_wants_are_ignored_and_repeated_ones_bounded() -> None:
    writer, script = Side(blocks(3)), Script()
    wire = Wire()
    join(writer, wire.a, live=True)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    for start, length in ((1, 8192), (0, 8191), (2**52, 8192), (0, 2**52)):
        script.send(WANT, encode_want(start, length))
    for _ in range(1000):
        script.send(WANT, encode_want(0, 8192))
    wire.pump()
    answers = script.all("have")
    assert len(answers) <= 1 + 3
    assert all(have.bitfield is None or len(have.bitfield) < 10 for have in answers)


def test_a_status_that_ends_uploading_releases_what_was_asked() -> None:
    writer, reader = Side(blocks(50)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    assert reader.sync.requested
    script.send(STATUS, encode_status(uploading=False, downloading=True))
    wire.pump()
    assert not reader.sync.requested
    before = len(script.all("want"))
    script.send(STATUS, encode_status(uploading=True, downloading=True))
    wire.pump()
    assert len(script.all("want")) == 2 * before
    assert len(script.requests) == 2


def test_closing_fails_what_waits_and_closes_the_channels() -> None:
    reader, script = Side(whole=False), Script()
    wire = scripted(reader, script)
    reader.sync.get(1, 0.0, reader.waits)
    reader.sync.download(0, 9, 0.0, reader.waits)
    reader.sync.grow(3, 0.0, reader.waits)
    reader.sync.close()
    reader.sync.close()
    wire.pump()
    assert [type(error) for error in reader.done] == [ClosedError] * 3
    assert script.all("close") == [None]
    assert reader.sync.peers == []


def test_unknown_extension_numbers_and_options_are_harmless() -> None:
    reader, script = Side(), Script()
    wire = scripted(reader, script)
    script.send(MessageType.EXTENSION, encode_extension(10**9, b"?"))
    script.send(MessageType.OPTIONS, encode_options(["x"] * 500, ack=True))
    wire.pump()
    assert reader.sync.peers[0].opened
