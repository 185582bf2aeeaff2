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
    ReadmePart,
    Retraction,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
    WriterCard,
)
from pkgstats.trust import Authority
from pkgstats.view import cores

from .world import NOW, TODAY, World, catch_up, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.reading import View
    from pkgstats.view.store import Store

SNAPSHOT = Snapshot(
    observed_at=NOW, name="x", version="2", maintainers=("ada",), dependencies={"y": "1"}
)
DAYS = DayCounts(
    observed_at=NOW,
    first_day=TODAY - 2,
    span=1,
    names_ref=names_hash(("x", "y")),
    counts=counts.pack([[5], [6]]),
)
EVERYTHING: list[Known] = [
    IndexRows(observed_at=NOW, names=("x",), versions=("1",), downloads=(7,), summaries=("list",)),
    NamesBlock(observed_at=NOW, names=("x", "y")),
    SNAPSHOT,
    VersionEvent(observed_at=NOW, name="x", version="2"),
    Tombstone(observed_at=NOW, name="y", reason="mistake"),
    DAYS,
    WeekCounts(observed_at=NOW, name="x", last_day=TODAY - 1, versions={"2": 4}),
    ReadmePart(observed_at=NOW, digest=b"r" * 32, text=b"# x"),
]


def rows(store: Store) -> dict[str, int]:
    """How many rows each table has that feeds fill."""
    tables = {name for kind in cores._BY_WRITER.values() for name in kind} | {*cores._BY_CORE}
    found = {}
    for table in tables:
        query = f"select count(*) from {table}"  # noqa: S608
        (found[table],) = store._database.execute(query).fetchone()
    return found


def test_a_writer_who_is_accepted_no_more_leaves_nothing_behind(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    for record in EVERYTHING:
        world.say("a", record)
    early = replace(SNAPSHOT, observed_at=NOW * 2)
    world.say("a", early, Tombstone(observed_at=NOW, name="x", reason="mistake"))
    world.say("a", replace(DAYS, names_ref=b"?" * 32))
    world.say("a", Retraction(observed_at=NOW, core=key("a", "detail"), block=99))
    world.raw("index", key("a", "index"), b"nonsense")
    told()
    assert all(rows(store).values()), rows(store)
    world.accept("b")
    told()
    assert not any(rows(store).values()), rows(store)


def test_a_bound_that_is_moved_counts_as_if_it_had_always_been_there(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    for version in ("1", "2", "3"):
        world.say("a", Snapshot(observed_at=NOW, name="x", version=version, modified=int(version)))
    assert versions_of(told()) == "3"
    whole = world.whole("a")
    for until, version in ((2, "2"), (1, "1"), (3, "3")):
        world.accept(Member(key=key("a"), until={**whole, "detail": until}))
        assert versions_of(told()) == version
    world.accept(Member(key=key("a"), until={**whole, "detail": 0}))
    assert told().package("x") is None


def versions_of(view: View) -> str:
    facts = view.package("x")
    assert facts is not None
    return facts.version


def test_counts_go_with_the_names_they_stand_on(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    for record in EVERYTHING:
        world.say("a", record)
    whole = world.whole("a")
    world.accept(Member(key=key("a"), until=whole))
    assert told().days("y")
    world.accept(Member(key=key("a"), until={**whole, "index": 1}))
    view = told()
    assert not view.days("y")
    assert view.counts().waiting == 1
    world.accept(Member(key=key("a"), until=whole))
    assert told().days("y")


def test_what_was_taken_back_stands_again_when_the_retraction_does_not_count(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    world.say("a", SNAPSHOT)
    before = world.whole("a")
    world.say("a", Retraction(observed_at=NOW, core=key("a", "detail"), block=0))
    world.accept(Member(key=key("a"), until=world.whole("a")))
    assert told().package("x") is None
    world.accept(Member(key=key("a"), until=before))
    assert versions_of(told()) == "2"


def test_a_card_that_names_another_feed_changes_feeds(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    world.say("a", SNAPSHOT)
    told()
    world.say("a", WriterCard(observed_at=NOW, title="new", cores={"detail": key("c", "detail")}))
    world.say("c", replace(SNAPSHOT, version="9", modified=1))
    assert versions_of(told()) == "9"


def test_a_role_that_changes_is_applied_to_what_was_read(
    store: Store, world: World, told: Callable[[], View]
) -> None:
    world.say("a", EVERYTHING[0])
    assert told().package("x")
    world.accept(Member(key=key("a"), role="watcher"))
    assert told().package("x") is None
    world.accept("a")
    assert told().package("x")


@pytest.mark.parametrize("until", [None, 3])
def test_the_authority_of_a_core_comes_back_as_it_was(store: Store, until: int | None) -> None:
    authority = Authority(key("a"), "index", "watcher", until)
    cores.add(store._database, key("a", "index"), authority)
    core = cores.find(store._database, key("a", "index"), "index")
    assert core is not None
    assert core.authority == authority
    assert cores.get(store._database, core.id) == core
    assert cores.present(store._database) == {core.key: core}
    assert cores.find(store._database, key("a", "index"), "days") is None


def test_catching_up_twice_changes_nothing(store: Store, world: World, view: View) -> None:
    for record in EVERYTHING:
        world.say("b", record)
    catch_up(store, world)
    before = view.view_hash(), view.counts(), view.writers()
    catch_up(store, world)
    assert (view.view_hash(), view.counts(), view.writers()) == before
