from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pkgstats.indexer import Changed, Indexer, Progress, now_ms
from pkgstats.records import counts
from pkgstats.records.blocks import encode_block
from pkgstats.records.codec import names_hash
from pkgstats.records.model import (
    DayCounts,
    IndexRows,
    Known,
    Member,
    NamesBlock,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)
from pkgstats.view.reading import View
from pkgstats.view.store import SchemaError, Store

from .peers import OWNER, Peer
from .world import DAY_MS, NOW, TODAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

DEADLINE_S = 30.0
NAMES = tuple(f"package-{number}" for number in range(40))
SNAPSHOT = Snapshot(observed_at=NOW, name="x", version="1.0.0", modified=NOW - DAY_MS)


def said(chance: random.Random) -> list[Known]:
    """What an honest crawler may say in a day, one record a block."""
    names = tuple(sorted(chance.sample(NAMES, 20)))
    at = NOW - chance.randrange(9) * DAY_MS
    rows = [[chance.randrange(99) for _ in range(4)] for _ in names]
    records: list[Known] = [
        IndexRows(
            observed_at=at,
            names=names,
            versions=("1.0.0",) * 20,
            downloads=tuple(chance.randrange(999) for _ in names),
            summaries=names,
        ),
        NamesBlock(observed_at=at, names=names),
        DayCounts(
            observed_at=at,
            first_day=at // DAY_MS - 5,
            span=4,
            names_ref=names_hash(names),
            counts=counts.pack(rows),
        ),
    ]
    for name in chance.sample(names, 5):
        version = f"1.{chance.randrange(3)}.0"
        records += [
            Snapshot(observed_at=at, name=name, version=version, maintainers=("ada",)),
            VersionEvent(observed_at=at, name=name, version=version),
            WeekCounts(observed_at=at, name=name, last_day=at // DAY_MS, versions={version: 3}),
        ]
    records.append(Tombstone(observed_at=at, name=chance.choice(names), reason="unpublished"))
    return records


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[list[Peer]]:
    """Five machines; the first is the owner's, and the first two write."""
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(Peer(tmp_path / f"{number}.db")) for number in range(5)
        ]
        await made[0].accept(await made[0].write("one"), await made[1].write("two"))
        yield made


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Peer]:
    """The owner, who writes, and nobody else."""
    async with Peer(tmp_path / "alone.db") as peer:
        await peer.accept(await peer.write("one"))
        yield peer


@pytest.mark.parametrize("seed", range(3))
async def test_two_writers_and_three_readers_see_the_same_whatever_the_order(
    peers: list[Peer], seed: int
) -> None:
    chance = random.Random(seed)
    waiting = {0: said(chance), 1: said(chance)}
    while any(waiting.values()) or chance.random() < 0.8:
        what = chance.randrange(4)
        peer = chance.choice(peers)
        if what == 0:
            writer = chance.randrange(2)
            words, waiting[writer] = waiting[writer][:5], waiting[writer][5:]
            for record in words:
                await peers[writer].say(record)
        elif what == 1:
            await peer.meet(chance.choice([one for one in peers if one is not peer]))
        elif what == 2:
            await peer.indexer.catch_up()
        else:
            await peer.stop()
            await peer.start()
    for _ in range(2):
        for left, right in pairwise(peers):
            await left.meet(right)
        peers.reverse()
    hashes = {await peer.hash() for peer in peers}
    assert len(hashes) == 1
    with await peers[0].read() as view:
        found = view.counts()
        assert min(found.listing, found.snapshots, found.weeks, found.days, found.tombs) > 0
        assert (found.waiting, found.deferred, found.refused) == (0, 0, 0)


async def test_a_liar_is_disputed_and_once_revoked_forgotten_everywhere(
    peers: list[Peer],
) -> None:
    owner, liar, *readers = peers
    day = TODAY - 9
    true = DayCounts(observed_at=NOW, first_day=day, span=1, name="x", counts=counts.pack([[1000]]))
    await owner.say(SNAPSHOT, true)
    honest = await owner.hash()
    until = {kind: feed.length for kind, feed in liar.writer.feeds.items()}
    await liar.say(replace(SNAPSHOT, version="6.6.6", modified=NOW))
    await liar.say(replace(true, counts=counts.pack([[5000]])))
    await liar.say(replace(SNAPSHOT, version="7.7.7", modified=NOW + DAY_MS))
    stolen = owner.writer.feeds["detail"].key
    await liar.say(Retraction(observed_at=NOW, core=stolen, block=0))
    for reader in readers:
        await reader.meet(owner)
        await reader.meet(liar)
        with await reader.read() as view:
            facts = view.package("x")
            assert facts is not None
            assert (facts.version, facts.told_by) == ("6.6.6", liar.writer.key)
            assert [(one.count, one.disputed) for one in view.days("x")] == [(5000, True)]
            assert view.counts().refused == 1
    await owner.accept(owner.writer.key, Member(key=liar.writer.key, until=until))
    for reader in readers:
        await reader.meet(owner)
        assert await reader.hash() == honest
    await liar.say(replace(SNAPSHOT, version="8.8.8", modified=NOW + 1))
    await readers[0].meet(liar)
    assert await readers[0].hash() == honest


async def test_what_comes_while_it_runs_is_taken_in_and_told(alone: Peer) -> None:
    async with running(alone) as changed:
        await alone.say(SNAPSHOT)
        assert "x" in await changed(lambda view: view.package("x") is not None)
        await alone.say(Retraction(observed_at=NOW, core=feed(alone, "detail"), block=0))
        assert "x" in await changed(lambda view: view.package("x") is None)
        await alone.say(replace(SNAPSHOT, name="y"))
        assert await changed(lambda view: view.package("y") is not None) == {"y"}
        await alone.accept()
        assert await changed(lambda view: view.package("y") is None) == {"y"}


async def test_a_group_that_grows_while_it_runs(peers: list[Peer]) -> None:
    owner, newcomer, *_ = peers
    await newcomer.say(SNAPSHOT)
    await owner.accept(owner.writer.key)
    async with running(owner) as changed:
        await owner.meet(newcomer)
        await owner.accept(owner.writer.key, newcomer.writer.key)
        await changed(lambda view: view.package("x") is not None)


async def test_my_own_writer_counts_before_the_group_accepts_it(peers: list[Peer]) -> None:
    stranger = peers[2]
    await stranger.write("mine")
    await stranger.say(SNAPSHOT)
    with await stranger.read() as view:
        assert view.package("x") is None
        stranger.indexer.accept(stranger.writer.key)
        await stranger.indexer.catch_up()
        assert view.package("x")


async def test_running_ends_with_the_multifeeds(tmp_path: Path) -> None:
    async with Peer(tmp_path / "one.db") as peer:
        run = asyncio.create_task(peer.indexer.run())
        await asyncio.sleep(0)
        for multi in peer.multis.values():
            await multi.close()
        async with asyncio.timeout(DEADLINE_S):
            await run


async def test_who_only_searches_reads_two_kinds(tmp_path: Path, peers: list[Peer]) -> None:
    rows = IndexRows(observed_at=NOW, names=NAMES, versions=("",) * 40, downloads=(7,) * 40,
                     summaries=("",) * 40)  # fmt: skip
    await peers[1].say(rows, SNAPSHOT)
    async with Peer(tmp_path / "small.db", ["meta", "index"]) as small:
        for peer in peers[:2]:
            await small.meet(peer)
        with await small.read() as view:
            found = view.counts()
            assert (found.listing, found.snapshots) == (40, 0)


async def test_progress_is_told_until_nothing_is_behind(alone: Peer) -> None:
    told: list[Progress] = []
    alone.indexer.on_progress = told.append
    for number in range(7):
        await alone.say(replace(SNAPSHOT, name=f"x{number}"))
    await alone.writer.feeds["detail"].append(b"nonsense")
    await alone.indexer.catch_up()
    assert (told[-1].kind, told[-1].behind) == ("detail", 0)
    assert (told[-1].records, told[-1].refused) == (7 + 2, 1)
    assert told[-1].records_a_second > 0


async def test_what_writers_tell_meanwhile_is_heard_before_more_is_read(
    alone: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hypermultifeed.entries.BATCH_ENTRIES_MAX", 2)
    for number in range(6):
        await alone.say(replace(SNAPSHOT, name=f"x{number}"))
    second = await alone.multis["meta"].writer("second")
    await second.append(encode_block([WriterCard(observed_at=NOW, title="", cores={})]))
    told: list[str] = []

    def tell(progress: Progress) -> None:
        told.append(progress.kind)
        if told.count("detail") == 1:
            alone.indexer.accept(second.key)

    alone.indexer.on_progress = tell
    await alone.indexer.catch_up()
    assert told[-4:] == ["detail", "meta", "detail", "detail"]


async def test_a_record_from_the_future_is_taken_in_when_its_time_comes(alone: Peer) -> None:
    await alone.say(replace(SNAPSHOT, observed_at=NOW + 2 * DAY_MS))
    with await alone.read() as view:
        assert view.package("x") is None
        alone.now = NOW + DAY_MS
        await alone.indexer.catch_up()
        assert view.package("x")


async def test_running_wakes_up_when_a_records_time_comes(alone: Peer) -> None:
    await alone.say(replace(SNAPSHOT, observed_at=NOW + 2 * DAY_MS))
    await alone.indexer.catch_up()
    alone.now = NOW + DAY_MS - 20  # ms: the clock stands still, and time passes all the same
    ticks = iter(range(10**9))
    alone.indexer._clock = lambda: alone.now + next(ticks)
    async with running(alone) as changed:
        await changed(lambda view: view.package("x") is not None)


async def test_checks_that_fail_set_a_writer_aside(alone: Peer) -> None:
    await alone.say(SNAPSHOT)
    with await alone.read() as view:
        assert view.package("x")
        for _ in range(100):
            await alone.indexer.note_check(alone.writer.key, wrong=True)
        await alone.indexer.catch_up()
        assert view.package("x") is None
        await alone.indexer.forget_checks(alone.writer.key)
        await alone.indexer.catch_up()
        assert view.package("x")
        assert not any(one.checked for one in view.writers())


async def test_a_view_that_is_made_anew_says_the_same(peers: list[Peer]) -> None:
    owner, other, reader, *_ = peers
    chance = random.Random(5)
    for record in (*said(chance), *said(chance)):
        await chance.choice([owner, other]).say(record)
    await reader.meet(owner)
    await reader.meet(other)
    told: list[Changed] = []
    with await reader.read() as view:
        before = view.view_hash(), view.identity, view.generation
        await reader.indexer.note_check(other.writer.key, wrong=False)
        reader.indexer.listen(told.append)
        await reader.indexer.rebuild()
        assert view.view_hash() == before[0]
        assert view.identity != before[1]
        assert view.generation > before[2]
        assert [one.checked for one in view.writers() if one.key == other.writer.key] == [1]
        assert told == [Changed(view.generation, None)]
    assert not reader.path.with_name("2.db.new").exists()
    await owner.say(SNAPSHOT)
    await reader.meet(owner)
    with await reader.read() as view:
        assert view.package("x"), "it goes on after that"


async def test_a_rebuilding_that_fails_leaves_the_old_view(
    alone: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alone.say(SNAPSHOT)
    before = await alone.hash()

    class NoRoomError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise NoRoomError

    with monkeypatch.context() as patched:
        patched.setattr(Store, "apply", fail)
        with pytest.raises(NoRoomError):
            await alone.indexer.rebuild()
    await alone.say(replace(SNAPSHOT, name="y"))
    assert await alone.hash() != before
    await alone.indexer.rebuild()
    with await alone.read() as view:
        assert view.package("x")
        assert view.package("y")


async def test_one_who_is_cancelled_takes_up_where_he_was(alone: Peer) -> None:
    for number in range(200):
        await alone.say(replace(SNAPSHOT, name=f"x{number}"))
    for turns in range(0, 60, 7):
        reading = asyncio.create_task(alone.indexer.catch_up())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    with await alone.read() as view:
        assert view.counts().snapshots == 200
        assert view.counts().records == 200 + 2


async def test_the_view_of_another_group_is_not_opened(alone: Peer) -> None:
    other = Indexer(alone.path, bytes(32), alone.multis)
    with pytest.raises(SchemaError):
        await other.__aenter__()


def test_the_clock_counts_milliseconds() -> None:
    assert 1_700_000_000_000 < now_ms() < 10_000_000_000_000
    assert OWNER.public_key


def feed(peer: Peer, kind: str) -> bytes:
    return peer.writer.feeds[kind].key


class running:  # noqa: N801 - reads as a verb
    """Runs a peer's indexer; gives a function that waits for a state, and returns what changed."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._woken = asyncio.Event()
        self._names: set[str] = set()

    async def __aenter__(self) -> Callable[[Callable[[View], bool]], Awaitable[set[str]]]:
        self._peer.indexer.listen(self._changed)
        self._task = asyncio.create_task(self._peer.indexer.run())
        return self._until

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def _changed(self, changed: Changed) -> None:
        self._names |= set(changed.names or ())
        self._woken.set()

    async def _until(self, holds: Callable[[View], bool]) -> set[str]:
        async with asyncio.timeout(DEADLINE_S):
            with View.open(self._peer.path) as view:
                while not holds(view):
                    await self._woken.wait()
                    self._woken.clear()
        names, self._names = self._names, set()
        return names
