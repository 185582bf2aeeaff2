from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pkgstats.records.model import (
    IndexRows,
    Known,
    ReadmePart,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)

from .world import NOW, TODAY, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.reading import View
    from pkgstats.view.store import Store

SNAPSHOT = Snapshot(
    observed_at=NOW, name="x", version="2", maintainers=("ada", "eve"), dependencies={"y": "1"}
)


def row(name: str = "x", version: str = "1", downloads: int = 7, at: int = NOW) -> IndexRows:
    return IndexRows(
        observed_at=at, names=(name,), versions=(version,), downloads=(downloads,), summaries=("",)
    )


def test_of_one_writers_rows_the_highest_stays(told: Callable[[], View], world: World) -> None:
    for record in (row(at=NOW - 1, downloads=9), row(downloads=5), row(downloads=4)):
        world.say("a", record)
    facts = told().package("x")
    assert facts is not None
    assert facts.downloads == 5


def test_a_name_twice_in_one_record_is_one_row(told: Callable[[], View], world: World) -> None:
    world.say("a", replace(row(), names=("x", "x"), versions=("1", "2"), downloads=(7, 7),
                           summaries=("", "")))  # fmt: skip
    assert [(one.name, one.version) for one in told().listing_rows()] == [("x", "2")]


def test_a_newer_manifest_takes_its_links_with_it(told: Callable[[], View], world: World) -> None:
    world.say("a", SNAPSHOT)
    view = told()
    assert [one.name for one in view.by_maintainer("eve")] == ["x"]
    world.say("a", replace(SNAPSHOT, modified=NOW + 1, maintainers=("ada",), dependencies=None))
    view = told()
    assert view.by_maintainer("eve") == view.dependents("y") == []
    assert [one.name for one in view.by_maintainer("ada")] == ["x"]
    world.say("a", replace(SNAPSHOT, modified=NOW - 1))
    assert told().by_maintainer("eve") == []


def test_links_are_those_of_the_manifest_that_counts(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", SNAPSHOT)
    world.say("b", replace(SNAPSHOT, modified=NOW + 1, maintainers=("bob",), dependencies={}))
    view = told()
    assert view.by_maintainer("ada") == view.dependents("y") == []
    assert [one.name for one in view.by_maintainer("bob")] == ["x"]


def test_what_is_no_name_is_depended_on_by_nobody(told: Callable[[], View], world: World) -> None:
    world.say("a", replace(SNAPSHOT, dependencies={"no name": "1", "y": "2"}))
    view = told()
    assert view.dependents("no name") == []
    assert [one.name for one in view.dependents("y")] == ["x"]


def test_versions_weeks_and_tombstones_keep_their_latest(
    told: Callable[[], View], world: World
) -> None:
    event = VersionEvent(observed_at=NOW, name="x", version="1", published=NOW - 9)
    week = WeekCounts(observed_at=NOW, name="x", last_day=TODAY - 1, versions={"1": 5, "2": 0})
    records: list[Known] = [
        event,
        replace(event, observed_at=NOW + 1, deprecated="use y"),
        replace(event, observed_at=NOW - 1, deprecated="no"),
        week,
        replace(week, observed_at=NOW + 1, versions={"1": 0, "2": 3}),
        Tombstone(observed_at=NOW, name="x", version="1", reason="mistake"),
        Tombstone(observed_at=NOW + 2, name="x", version="1", reason="unpublished"),
    ]
    for record in records:
        world.say("a", record)
    view = told()
    assert [(one.deprecated, one.state) for one in view.versions("x")] == [("use y", "hidden")]
    assert [(one.version, one.count) for one in view.weeks("x")] == [("1", 5), ("2", 3)]


def test_a_readme_is_found_by_its_hash(
    store: Store, told: Callable[[], View], world: World
) -> None:
    for part in (1, 0):
        world.say("a", ReadmePart(observed_at=NOW, digest=b"r" * 32, part=part, parts=2, text=b"#"))
    view = told()
    places = view.readme(b"r" * 32)
    assert [(one.part, one.parts, one.block, one.number) for one in places] == [
        (0, 2, 1, 0),
        (1, 2, 0, 0),
    ]
    assert view.readme(b"?" * 32) == []
