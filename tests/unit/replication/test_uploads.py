"""Answering a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypermultifeed.errors import VerificationError
from hypermultifeed.wire.messages import MessageType, encode_cancel, encode_request, encode_want

from .exchange import PAIR, REQUEST, WANT, Script, Side, Wire, blocks, connect, join

if TYPE_CHECKING:
    import pytest


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


def serving(count: int, size: int = 8) -> tuple[Side, Script, Wire]:
    """A writer, and a script that asks it."""
    writer, script = Side(blocks(count, size)), Script()
    wire = Wire()
    join(writer, wire.a, live=True)
    wire.b.open(PAIR.public_key, script)
    wire.pump()
    return writer, script, wire


def test_requests_in_a_row_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, script, wire = serving(200)
    reads: list[tuple[int, int]] = []
    get_run = writer.log.get_run

    def note(start: int, stop: int, *, check: bool = True) -> list[bytes]:
        reads.append((start, stop))
        return get_run(start, stop, check=check)

    monkeypatch.setattr(type(writer.log), "get_run", lambda _, *a, **k: note(*a, **k))
    for index in [*range(10, 110), 150, 3]:
        script.send(REQUEST, encode_request(index))
    wire.pump()
    assert reads == [(10, 74), (74, 110), (150, 151), (3, 4)]
    assert [data.index for data in script.all("data")] == [*range(10, 110), 150, 3]
    assert all(data.value == blocks(200)[data.index] for data in script.all("data"))


def test_a_request_taken_back_in_time_is_not_answered() -> None:
    _, script, wire = serving(5)
    script.send(REQUEST, encode_request(1))
    script.send(REQUEST, encode_request(2))
    script.send(MessageType.CANCEL, encode_cancel(1))
    script.send(MessageType.CANCEL, encode_cancel(4))
    wire.pump()
    assert [data.index for data in script.all("data")] == [2]
    assert wire.a.queued_requests == 0


def test_a_byte_asked_for_with_many_blocks_is_answered_once() -> None:
    _, script, wire = serving(20)
    for index in range(8, 16):
        script.send(REQUEST, encode_request(index, 70, hash_only=True))
    wire.pump()
    assert [(data.index, data.value) for data in script.all("data")] == [(8, None)]


def test_blocks_damaged_on_disk_are_found_when_a_peer_left_over_them() -> None:
    """Blocks are not hashed again for peers, who do it themselves; so listen when they go."""
    writer, reader = Side(blocks(8)), Side()
    writer.reopen_with_damage(3)
    assert writer.log.has(3)
    connect(writer, reader)
    assert not reader.log.has(3)
    assert [type(error) for error in reader.seen.errors] == [VerificationError]
    assert not writer.log.has(3)
    assert writer.log.has(2)
    second = connect(writer, reader)  # it is not offered any more
    assert reader.stored() == set(range(8)) - {3}
    assert not second.a.closed
