from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermultifeed import ClosedError, Hypercore, Multifeed, entries, link, memory
from hypermultifeed.entries import BATCH_ENTRIES_MAX, EntryBatch, Runs

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "0e" * 32


async def opened(**options: Any) -> Multifeed:
    multi = Multifeed(memory(), key=KEY, **{"value_encoding": "json", **options})
    await multi.ready()
    return multi


async def all_batches(
    multi: Multifeed, after: Mapping[str, str] | None = None, **options: Any
) -> list[EntryBatch]:
    return [batch async for batch in multi.entries(after, **options)]


def triples(batches: list[EntryBatch]) -> list[tuple[bytes, int, Any]]:
    return [(one.feed, one.index, one.value) for batch in batches for one in batch.entries]


async def test_every_block_of_every_feed_comes_once() -> None:
    multi = await opened()
    first, second = await multi.writer("first"), await multi.writer("second")
    await first.extend(["a", "b"])
    await second.append({"c": 1})
    (batch,) = await all_batches(multi)
    assert triples([batch]) == [
        (first.key, 0, "a"),
        (first.key, 1, "b"),
        (second.key, 0, {"c": 1}),
    ]
    assert batch.positions == {first.key.hex(): "0:2", second.key.hex(): "0:1"}
    assert batch.changed == batch.positions
    assert await all_batches(multi, batch.positions) == []
    await second.append("d")
    third = await multi.writer("third")
    await third.append("e")
    (later,) = await all_batches(multi, after=batch.positions)
    assert triples([later]) == [(second.key, 1, "d"), (third.key, 0, "e")]
    assert later.changed == {second.key.hex(): "0:2", third.key.hex(): "0:1"}
    assert later.positions == {**batch.positions, **later.changed}
    await multi.close()


async def test_an_empty_multifeed_has_none() -> None:
    multi = await opened()
    await multi.writer("nothing yet")
    assert await all_batches(multi) == []
    await multi.close()
    with pytest.raises(ClosedError):
        multi.entries()


async def test_a_busy_writer_does_not_hold_up_the_others() -> None:
    multi = await opened()
    busy, other = await multi.writer("busy"), await multi.writer("other")
    await busy.extend(range(3 * BATCH_ENTRIES_MAX))
    await other.append("x")
    batches = await all_batches(multi)
    assert any(entry.feed == other.key for entry in batches[0].entries)
    assert [v for key, _, v in triples(batches) if key == busy.key] == [*range(busy.length)]
    assert max(len(batch.entries) for batch in batches) <= BATCH_ENTRIES_MAX
    await multi.close()


async def test_large_blocks_make_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "TURN_BYTES_MAX", 100)
    monkeypatch.setattr(entries, "BATCH_BYTES_MAX", 250)
    multi = await opened(value_encoding="binary")
    writer = await multi.writer("w")
    await writer.extend([b"x" * 90] * 10)
    assert [len(batch.entries) for batch in await all_batches(multi)] == [4, 4, 2]
    await multi.close()


async def test_a_block_that_makes_no_sense_does_not_hold_up_the_rest() -> None:
    multi = await opened()
    writer = await multi.writer("w")
    raw = Multifeed(memory(), key=KEY)
    await raw.ready()
    garbler = await raw.writer("garbler")
    await garbler.extend([b'"good"', b"{no json", b'"also good"'])
    await writer.append("fine")
    await synchronise(raw, multi)
    found = {(one.feed, one.index): one for b in await all_batches(multi) for one in b.entries}
    assert found[writer.key, 0].value == "fine"
    assert found[garbler.key, 2].value == "also good"
    bad = found[garbler.key, 1]
    assert bad.value is None
    assert isinstance(bad.error, ValueError)
    await multi.close()
    await raw.close()


async def synchronise(a: Multifeed, b: Multifeed) -> None:
    await link(a.replicate(initiator=True, live=False), b.replicate(initiator=False, live=False))


async def sparse_pair(length: int) -> tuple[Multifeed, Multifeed, Hypercore]:
    """A multifeed with one feed, and a reader of it that has no block yet."""
    theirs = await opened()
    writer = await theirs.writer("w")
    await writer.extend(range(length))
    ours = await opened(hypercore=SparseCore)
    return theirs, ours, writer


class SparseCore(Hypercore):
    """A core that fetches only what is asked for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "sparse": True})


async def test_a_hole_holds_up_its_feed_or_is_skipped() -> None:
    theirs, ours, writer = await sparse_pair(10)
    left, right = theirs.replicate(initiator=True), ours.replicate(initiator=False)
    linked = asyncio.ensure_future(link(left, right))
    await right.remote_feeds()
    feed = ours.feed(writer.key)
    assert feed is not None
    for index in (0, 1, 4, 5, 9):
        assert await feed.get(index) == index
    name = writer.key.hex()
    (batch,) = await all_batches(ours)
    assert [one.index for one in batch.entries] == [0, 1]
    assert batch.positions == {name: "0:2"}
    (skipped,) = await all_batches(ours, batch.positions, holes="skip")
    assert [one.index for one in skipped.entries] == [4, 5, 9]
    assert skipped.positions == {name: "0:2,4:6,9:10"}
    for index in (2, 8):
        await feed.get(index)
    (filled,) = await all_batches(ours, skipped.positions, holes="skip")
    assert [one.index for one in filled.entries] == [2, 8]
    await feed.get(3)
    (rest,) = await all_batches(ours, filled.positions)  # 4 and 5 were delivered before
    assert [one.index for one in rest.entries] == [3]
    assert rest.positions == {name: "0:6,8:10"}
    await left.close()
    await linked
    await ours.close()
    await theirs.close()


async def test_live_goes_on_with_appends_and_new_feeds_until_the_end() -> None:
    multi = await opened()
    writer = await multi.writer("w")
    await writer.append(0)
    found = multi.entries(live=True)
    assert triples([await anext(found)]) == [(writer.key, 0, 0)]
    waiting = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0)
    assert not waiting.done()
    await writer.append(1)
    assert triples([await waiting]) == [(writer.key, 1, 1)]
    late = await multi.writer("late")
    await late.append("x")
    assert triples([await anext(found)]) == [(late.key, 0, "x")]
    ending = asyncio.ensure_future(anext(found, None))
    await asyncio.sleep(0)
    await multi.close()
    assert await ending is None


async def test_live_follows_what_peers_bring() -> None:
    ours, theirs = await opened(), await opened()
    writer = await theirs.writer("w")
    await writer.extend(range(100))
    collected: list[int] = []

    async def collect() -> None:
        async for batch in ours.entries(live=True):
            collected.extend(one.value for one in batch.entries)
            if len(collected) == 101:
                return

    collecting = asyncio.ensure_future(collect())
    await asyncio.sleep(0)
    left, right = theirs.replicate(initiator=True), ours.replicate(initiator=False)
    linked = asyncio.ensure_future(link(left, right))
    await writer.append(100)
    await collecting
    assert collected == [*range(101)]
    await left.close()
    await linked
    await ours.close()
    await theirs.close()


async def test_a_waiting_reader_can_be_cancelled_and_forgotten() -> None:
    multi = await opened()
    writer = await multi.writer("w")
    found = multi.entries(live=True)
    waiting = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not writer._publisher.is_heard
    await multi.close()


async def test_a_batch_whose_consumer_failed_is_delivered_again() -> None:
    multi = await opened()
    for name in "abc":
        await (await multi.writer(name)).extend(range(700))
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("create table rows (feed, number, value, primary key (feed, number))")
    database.execute("create table positions (feed primary key, position)")

    async def index(crash_in: int) -> None:
        after = dict(database.execute("select feed, position from positions").fetchall())
        batches = 0
        async for batch in multi.entries(after):
            batches += 1
            with database:
                database.execute("begin")
                for one in batch.entries:
                    row = (one.feed.hex(), one.index, one.value)
                    database.execute("insert into rows values (?, ?, ?)", row)
                if batches == crash_in:
                    raise RuntimeError("the consumer fails before it is done")
                database.executemany(
                    "insert or replace into positions values (?, ?)", batch.changed.items()
                )

    for crash_in in (1, 2, 1, 2):
        with pytest.raises(RuntimeError):
            await index(crash_in)
    await index(0)
    assert database.execute("select count(*), sum(value) from rows").fetchone() == (
        2100,
        3 * sum(range(700)),
    )
    database.close()
    await multi.close()


@pytest.mark.parametrize(
    "text", ["0", "0:0", "2:1", "0:2,2:3", "5:6,0:2", "-1:2", "0:2,", "a:b", "0:1e3", "00:1", ":3"]
)
async def test_what_is_no_position_is_refused(text: str) -> None:
    multi = await opened()
    with pytest.raises(ValueError, match="no position"):
        await all_batches(multi, {KEY: text})
    with pytest.raises(ValueError, match="key"):
        await all_batches(multi, {"no key": "0:1"})
    with pytest.raises(ValueError, match="skipped"):
        await all_batches(multi, holes="ignore")
    await multi.close()


async def test_positions_of_feeds_not_known_yet_are_kept() -> None:
    multi = await opened()
    await (await multi.writer("w")).append(1)
    (batch,) = await all_batches(multi, {KEY: "0:7"})
    assert batch.positions[KEY] == "0:7"
    await multi.close()


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9))),
    st.integers(0, 70),
)
def test_runs_are_a_set(added: list[tuple[int, int]], index: int) -> None:
    runs, model = Runs(), set()
    for start, size in added:
        runs.add(start, start + size)
        model |= {*range(start, start + size)}
    assert str(Runs(str(runs))) == str(runs)
    assert runs.next_outside(index) == min({*range(100)} - model - {*range(index)})
    assert runs.next_inside(index, 1000) == min((n for n in model if n >= index), default=1000)
    text = [tuple(map(int, part.split(":"))) for part in str(runs).split(",") if part]
    assert {n for start, stop in text for n in range(start, stop)} == model
