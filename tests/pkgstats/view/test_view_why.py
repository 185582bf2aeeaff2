from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pkgstats.records import counts
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
)
from pkgstats.view import why as whys
from pkgstats.view.why import why

from .peers import Peer
from .world import DAY_MS, NOW, TODAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.view.facts import Said

SNAPSHOT = Snapshot(observed_at=NOW, name="x", version="1", source="registry")
NAMES = ("w", "x")
DAY = TODAY - 3


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    async with Peer(tmp_path / "view.db") as peer:
        await peer.accept(await peer.write("one"))
        yield peer


async def ask(peer: Peer, name: str = "x", day: int | None = None) -> list[Said]:
    with await peer.read() as view:
        return await why(view, peer.multis, name, day, now=NOW)


def verdicts(found: list[Said]) -> list[tuple[str, str, str]]:
    return [(one.about, one.value, one.verdict) for one in found]


def rows(downloads: int, at: int) -> IndexRows:
    return IndexRows(
        observed_at=at,
        names=NAMES,
        versions=("1", "1"),
        downloads=(0, downloads),
        summaries=("", ""),
    )


async def test_what_a_writer_said_before_is_found_in_its_feed(peer: Peer) -> None:
    event = VersionEvent(observed_at=NOW, name="x", version="1", published=DAY_MS)
    week = WeekCounts(observed_at=NOW, name="x", last_day=DAY, versions={"1": 5})
    tomb = Tombstone(observed_at=NOW, name="x", reason="mistake")
    before: list[Known] = [rows(5, NOW - 1), replace(SNAPSHOT, observed_at=NOW - 1, version="0")]
    before += [replace(one, observed_at=NOW - 1) for one in (event, week, tomb)]
    await peer.say(*before)
    await peer.say(rows(6, NOW), SNAPSHOT, event, replace(week, versions={"1": 6}), tomb)
    await peer.say(replace(SNAPSHOT, name="other"))
    assert verdicts(await ask(peer)) == [
        ("gone", "mistake", "replaced"),
        ("gone", "mistake", "wins"),
        ("listing", "1, 5 downloads a month: ", "replaced"),
        ("listing", "1, 6 downloads a month: ", "wins"),
        ("manifest", "0: ", "replaced"),
        ("manifest", "1: ", "wins"),
        ("version", "published on 1970-01-02", "replaced"),
        ("version", "published on 1970-01-02", "wins"),
        ("week", "5", "replaced"),
        ("week", "6", "wins"),
    ]


async def test_what_was_taken_back_or_refused_or_has_to_wait(peer: Peer) -> None:
    await peer.say(replace(SNAPSHOT, version="taken"), replace(SNAPSHOT, version="stays"))
    await peer.say(replace(SNAPSHOT, version="false", modified=NOW + DAY_MS))
    await peer.say(replace(SNAPSHOT, version="early", observed_at=NOW + 2 * DAY_MS))
    feed = peer.writer.feeds["detail"]
    await peer.say(Retraction(observed_at=NOW, core=feed.key, block=0, place=0))
    found = {one.value: one.verdict for one in await ask(peer)}
    assert found == {
        "taken: ": "taken back",
        "stays: ": "wins",
        "false: ": "refused",
        "early: ": "waits",
    }
    until = {kind: core.length for kind, core in peer.writer.feeds.items()}
    await peer.accept(Member(key=peer.writer.key, until=until))
    await peer.say(replace(SNAPSHOT, version="late"))
    assert {one.value: one.verdict for one in await ask(peer)}["late: "] == "refused"


async def test_where_words_stand(peer: Peer) -> None:
    await peer.say(replace(SNAPSHOT, name="other"))
    await peer.say(replace(SNAPSHOT, observed_at=NOW - 1), SNAPSHOT)
    old, new = await ask(peer)
    feed = peer.writer.feeds["detail"].key
    assert (old.writer, old.core, old.block, old.number) == (peer.writer.key, feed, 1, 0)
    assert (new.writer, new.core, new.block, new.number) == (peer.writer.key, feed, 1, 1)
    assert (old.source, old.observed_at) == ("registry", NOW - 1)


async def test_all_counts_of_a_day(peer: Peer) -> None:
    await peer.say(NamesBlock(observed_at=NOW, names=NAMES))
    one = DayCounts(
        observed_at=NOW - 2, first_day=DAY - 1, span=3, name="x", counts=counts.pack([[1, 2, 3]])
    )
    both = DayCounts(
        observed_at=NOW - 1,
        first_day=DAY,
        span=2,
        names_ref=names_hash(NAMES),
        counts=counts.pack([[7, 8], [0, 9]]),
    )
    unknown = replace(both, names_ref=b"?" * 32)
    cut = replace(both, counts=b"\x80")
    last = replace(one, observed_at=NOW, counts=counts.pack([[4, 5, 6]]))
    await peer.say(one, both, unknown, cut, last, replace(one, name="other"))
    found = await ask(peer, day=DAY)
    assert verdicts(found) == [
        ("day", "2", "replaced"),
        ("day", "0", "replaced"),
        ("day", "5", "wins"),
    ]
    assert verdicts(await ask(peer, day=DAY + 2)) == []
    assert [value for _, value, _ in verdicts(await ask(peer, "w", DAY))] == ["7"]


async def test_feeds_of_strangers_and_blocks_that_are_none_say_nothing(peer: Peer) -> None:
    await peer.say(SNAPSHOT)
    await peer.writer.feeds["detail"].append(b"nonsense")
    await (await peer.multis["detail"].writer("stranger")).append(b"")
    assert verdicts(await ask(peer)) == [("manifest", "1: ", "wins")]
    assert await ask(peer, "nobody") == []


async def test_there_is_a_bound_to_what_is_answered(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await peer.say(*(replace(SNAPSHOT, observed_at=NOW - n) for n in range(50)))
    monkeypatch.setattr(whys, "SAID_MAX", 7)
    found = await ask(peer)
    assert len(found) == 7
    assert "wins" in {one.verdict for one in found}


async def test_without_the_feeds_the_views_words_stand_alone(peer: Peer) -> None:
    await peer.say(SNAPSHOT, replace(SNAPSHOT, observed_at=NOW - 1))
    with await peer.read() as view:
        assert verdicts(await why(view, {}, "x", now=NOW)) == [("manifest", "1: ", "wins")]
