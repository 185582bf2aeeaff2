"""The exchange of one feed with all its peers."""

from __future__ import annotations

from typing import Any

import pytest

from hypermultifeed.errors import (
    BlockMissingError,
    ClosedError,
)

from .exchange import Script, Side, blocks, connect, fetch, scripted


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


def test_an_update_brings_the_proof_alone() -> None:
    writer, reader = Side(blocks(9)), Side(whole=False)
    wire = connect(writer, reader)
    reader.sync.grow(1, 0.0, reader.waits)
    wire.pump()
    assert reader.done == [None]
    assert reader.log.length == 9
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


def test_news_spread_through_a_chain_and_not_back() -> None:
    writer, middle, last = Side(blocks(3)), Side(), Side()
    first, second = connect(writer, middle), connect(middle, last)
    writer.append(b"new")
    for _ in range(3):
        first.pump()
        second.pump()
    assert last.stored() == set(range(4))
    assert writer.sync.stats.refused == middle.sync.stats.refused == 0


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
