"""Earlier days: two of them with their own facts, made from today's feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats import past_making
from pkgstats.folder import DAY_MS
from pkgstats.group import Group
from pkgstats.indexer import now_ms
from pkgstats.listing import Row, index_records
from pkgstats.past import BeingMadeError, PastError, Pasts, date_of, end_of, find
from pkgstats.past_making import KEPT_MAX, PastMaker
from pkgstats.records import counts
from pkgstats.records.codec import names_hash
from pkgstats.records.model import DayCounts, NamesBlock, Snapshot, VersionEvent
from pkgstats.search.parse import parse
from pkgstats.view.reading import View

from .nodes import fill, node, until
from .two_days import AT_FIRST, AT_SECOND, FIRST, OLD, SECOND, day, filled_node, two_days

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.node import Node


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Node]:
    async with filled_node(tmp_path) as opened:
        yield opened


@pytest.fixture
async def maker(one: Node) -> AsyncIterator[PastMaker]:
    async with PastMaker(one, patience_s=30) as made:
        yield made


async def found(maker: PastMaker, text: str, at: int) -> dict[str, tuple[str, int]]:
    pasts = Pasts(maker._node.folder, maker.get)
    result = await pasts.search(parse(text), at, size=20, page=1)
    return {hit.name: (hit.version, hit.downloads) for hit in result.hits}


async def test_each_day_is_as_it_was_at_its_end(maker: PastMaker) -> None:
    assert await found(maker, "library", FIRST) == AT_FIRST
    assert await found(maker, "library", SECOND - 1) == AT_FIRST
    assert await found(maker, "library", SECOND) == AT_SECOND
    with View.open(await maker.make(FIRST) / "view.db") as view:
        react = view.package("react")
        assert react is not None
        assert (react.version, react.observed_at) == ("18.0.0", end_of(FIRST))
        assert view.package("brand-new") is None


async def test_it_is_the_view_of_who_stopped_reading_then(one: Node, tmp_path: Path) -> None:
    """What was observed later makes no difference."""
    other = tmp_path / "other"
    other.mkdir()
    async with PastMaker(one) as maker:
        with View.open(await maker.make(FIRST) / "view.db") as view:
            of_all = [row[:5] for row in view.listing_rows()]
    async with node(other, Group.create(other), alone=True) as then:
        await fill(then, "me", OLD, now=end_of(FIRST))
        await then.catch_up()
        with View.open(then.view_path) as view:
            assert [row[:5] for row in view.listing_rows()] == of_all


async def test_nothing_of_the_present_view_changes(one: Node, maker: PastMaker) -> None:
    def present() -> tuple[str, int, bytes]:
        with View.open(one.view_path) as view:
            return view.identity, view.generation, view.view_hash()

    before = present()
    await maker.make(FIRST)
    await maker.make(SECOND)
    assert present() == before
    hits = (await one.search.search("library")).hits
    assert {hit.name: (hit.version, hit.downloads) for hit in hits} == AT_SECOND


async def test_all_kinds_of_facts_have_their_time(one: Node, maker: PastMaker) -> None:
    assert one.writer is not None
    for at, version in ((FIRST, "18.0.0"), (SECOND, "19.0.0")):
        await one.writer.append(
            [
                Snapshot(observed_at=end_of(at), name="react", version=version, keywords=("ui",)),
                VersionEvent(observed_at=end_of(at), name="react", version=version),
            ]
        )
    names = NamesBlock(observed_at=end_of(SECOND), names=("react",))
    told = DayCounts(
        observed_at=end_of(FIRST),
        names_ref=names_hash(names.names),
        first_day=FIRST - 1,
        span=1,
        counts=counts.pack([[7]]),
    )
    await one.writer.append([names])  # said later than the counts that stand on it
    await one.writer.append([told])
    await one.catch_up()
    with View.open(await maker.make(FIRST) / "view.db") as view:
        assert [one.version for one in view.versions("react")] == ["18.0.0"]
        facts = view.package("react")
        assert facts is not None
        assert facts.snapshot is not None
        assert facts.snapshot.version == "18.0.0"
        assert [(one.day, one.count) for one in view.days("react")] == [(FIRST - 1, 7)]
    assert await found(maker, "keywords:ui", FIRST) == {"react": ("18.0.0", 100)}


async def test_who_is_revoked_today_did_not_count_then(tmp_path: Path) -> None:
    def packages(one: Node) -> int:
        with View.open(one.view_path) as view:
            return view.counts().packages

    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    async with (
        node(tmp_path / "owner", group) as owner,
        node(tmp_path / "writer", Group(group.key), owner) as writer,
        PastMaker(owner, patience_s=30) as maker,
    ):
        owner.indexer._pause_s = 0
        key = await two_days(writer)
        own = [Row("mine", "1.0.0", 1, "a library")]
        await fill(owner, "owner", own, now=end_of(FIRST))
        await owner.membership.admit(key)
        await until(owner, lambda: packages(owner) == 4)
        assert (await found(maker, "library", FIRST)).keys() == {*AT_FIRST, "mine"}
        await owner.membership.revoke(key, {})
        await until(owner, lambda: packages(owner) == 1)
        assert (await found(maker, "library", FIRST)).keys() == {"mine"}
        await owner.membership.admit(key)
        await until(owner, lambda: packages(owner) == 4)
        assert (await found(maker, "library", FIRST)).keys() == {*AT_FIRST, "mine"}


async def test_whose_checks_were_wrong_does_not_count_then_either(
    one: Node, maker: PastMaker
) -> None:
    assert await found(maker, "library", FIRST) == AT_FIRST
    assert one.writer is not None
    for _ in range(100):
        await one.indexer.note_check(one.writer.key, wrong=True)
    await one.catch_up()
    with View.open(one.view_path) as view:
        assert view.counts().packages == 0
    with pytest.raises(PastError, match="nothing was known yet"):
        await maker.get(FIRST)


async def test_a_day_is_made_once_and_read_on_when_there_is_more(
    one: Node, maker: PastMaker
) -> None:
    folder = await maker.make(FIRST)
    made = (folder / "made.json").stat().st_mtime_ns
    assert await maker.make(FIRST) == folder
    assert (folder / "made.json").stat().st_mtime_ns == made
    with View.open(folder / "view.db") as view:
        identity = view.identity
    assert one.writer is not None
    late = [Row("seen-then", "1.0.0", 5, "a library")]
    await one.writer.append(index_records(late, observed_at=end_of(FIRST), source="list"))
    await one.catch_up()
    assert find(one.folder, FIRST) is None
    assert find(one.folder, FIRST, any_state=True) == folder
    assert (await found(maker, "library", FIRST)).keys() == {*AT_FIRST, "seen-then"}
    with View.open(folder / "view.db") as view:
        assert view.identity == identity


async def test_so_many_days_are_kept_and_the_oldest_goes(one: Node, maker: PastMaker) -> None:
    (one.folder / "past" / "no day").mkdir(parents=True)
    (one.folder / "past" / date_of(FIRST - 1)).mkdir()  # never whole
    folders = [await maker.make(FIRST + number) for number in range(KEPT_MAX + 1)]
    left = {path.name for path in (one.folder / "past").iterdir()}
    assert left == {"no day", *(path.name for path in folders[1:])}


async def test_a_damaged_day_is_made_anew(maker: PastMaker) -> None:
    folder = await maker.make(FIRST)
    (folder / "view.db").write_bytes(b"no database" * 1000)
    (folder / "made.json").write_text("{}", encoding="ascii")
    assert await found(maker, "library", FIRST) == AT_FIRST


async def test_days_of_which_there_is_nothing_are_refused(one: Node, maker: PastMaker) -> None:
    today = now_ms() // DAY_MS
    for far in (today + 2, 10**12):
        with pytest.raises(PastError, match="still to come"):
            await maker.get(far)
    for early in (-1, -(10**12)):
        with pytest.raises(PastError, match="before the first record"):
            await maker.get(early)
    assert not (one.folder / "past").exists()
    with pytest.raises(PastError, match="nothing was known yet on 2026-01-09"):
        await maker.get(FIRST - 1)
    with pytest.raises(PastError, match="nothing was known yet on 1999-12-31"):
        await maker.get(day("1999-12-31"))  # follows from the other: nothing is made for it
    assert [path.name for path in (one.folder / "past").iterdir()] == ["2026-01-09"]
    assert await found(maker, "library", today) == AT_SECOND


async def test_progress_is_told(maker: PastMaker) -> None:
    told: list[int] = []
    await maker.make(SECOND, told.append)
    assert told


async def test_while_one_day_is_made_others_wait(one: Node) -> None:
    async with PastMaker(one, patience_s=0) as maker:
        with pytest.raises(BeingMadeError, match="2026-01-10"):
            await maker.get(FIRST)
        with pytest.raises(BeingMadeError, match="2026-01-10"):
            await maker.get(SECOND)
        assert maker._making is not None
        await maker._making[1]
        assert await maker.get(FIRST)
        with pytest.raises(BeingMadeError, match="2026-01-20"):
            await maker.get(SECOND)


async def test_a_failure_is_told_to_who_asks_and_the_next_begins_anew(
    one: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError("no room")

    async with PastMaker(one, patience_s=30) as maker:
        with monkeypatch.context() as patch:
            patch.setattr(past_making, "_make_room", no_room)
            with pytest.raises(OSError, match="no room"):
                await maker.get(FIRST)
        assert await maker.get(FIRST)
