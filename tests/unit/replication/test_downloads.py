"""Asking a peer: in which order, for how long, and what is believed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hypermultifeed.errors import (
    VerificationError,
)
from hypermultifeed.feed.log import Log
from hypermultifeed.replication import downloads, wants
from hypermultifeed.wire.messages import (
    Data,
    Request,
    encode_data,
    encode_have,
    encode_unhave,
    encode_want,
)

from .exchange import (
    DATA,
    HAVE,
    PAIR,
    UNHAVE,
    WANT,
    Script,
    Side,
    Wire,
    blocks,
    connect,
    join,
    scripted,
)


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


def test_acks_are_sent_when_asked_for() -> None:
    writer, reader = Side(blocks(3)), Side()
    connect(writer, reader, ours={"ack": True})
    assert sorted(writer.seen.acked) == [(0, 1), (1, 1), (2, 1)]
    assert reader.seen.acked == []


def test_blocks_that_come_with_the_channels_end_are_kept() -> None:
    writer, reader = Side(blocks(40)), Side()
    script = Script(writer)
    script.quiet = True
    wire = scripted(reader, script)
    reader.sync.get(0, 0.0, reader.waits)
    script.answer(script.requests[0])
    script.channel.close()
    wire.pump()
    assert reader.seen.downloaded == [(0, 1)]
    assert reader.seen.lengths == [40]
    assert reader.done == [None]
    assert Log.open(reader.storage).has(0)  # also on disk
