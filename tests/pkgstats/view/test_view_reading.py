from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pkgstats.records.model import (
    IndexRows,
    Known,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.view.facts import ListingRow
from pkgstats.view.reading import View

from .world import DAY_MS, NOW, TODAY, World, catch_up, key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pkgstats.view.store import Store

ROWS = IndexRows(
    observed_at=NOW,
    names=("@s/b", "a", "@s/a", "@sx/a"),
    versions=("1.0.0", "2.0.0", "", "1.0.0"),
    downloads=(50, 90, 50, 7),
    summaries=("of b", "of a", "", "other"),
)
SNAPSHOT = Snapshot(
    observed_at=NOW + 1, name="a", version="3.0.0", description="newer", keywords=("k",)
)


def tomb(name: str, at: int = NOW + 2) -> Tombstone:
    return Tombstone(observed_at=at, name=name, reason="unpublished")


def names(rows: list[ListingRow]) -> list[str]:
    return [row.name for row in rows]


def test_the_list_is_in_the_order_of_downloads(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    rows = list(told().listing_rows())
    assert names(rows) == ["a", "@s/a", "@s/b", "@sx/a"]
    assert rows[2] == ListingRow("@s/b", "1.0.0", 50, "of b", NOW, "here")


def test_a_newer_manifest_tells_version_and_summary(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    world.say("b", SNAPSHOT)
    world.say("b", replace(SNAPSHOT, name="@s/b", observed_at=NOW - 1))
    world.say("b", replace(SNAPSHOT, name="new", description=""))
    view = told()
    rows = {row.name: row for row in view.listing_rows()}
    assert rows["a"] == ListingRow("a", "3.0.0", 90, "newer", NOW + 1, "here")
    assert rows["@s/b"] == ListingRow("@s/b", "1.0.0", 50, "of b", NOW, "here")
    assert rows["new"] == ListingRow("new", "3.0.0", 0, "", NOW + 1, "here")
    asked = ["new", "nobody", "a"]
    assert list(view.listing_rows(asked)) == [rows["new"], rows["a"]]


def test_a_package_tells_whose_words_count(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    world.say("b", SNAPSHOT)
    view = told()
    facts = view.package("a")
    assert facts is not None
    assert (facts.listed_by, facts.told_by) == (key("a"), key("b"))
    assert facts.snapshot == SNAPSHOT
    assert (facts.version, facts.downloads, facts.summary) == ("3.0.0", 90, "newer")
    only_listed = view.package("@s/a")
    assert only_listed is not None
    assert (only_listed.snapshot, only_listed.told_by) == (None, None)
    assert view.package("nobody") is None


def test_one_tombstone_hides_two_drop_and_a_later_manifest_revives(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", ROWS)
    world.say("a", tomb("a"))
    rows = {row.name: row.state for row in told().listing_rows()}
    assert rows == {"a": "hidden", "@s/a": "here", "@s/b": "here", "@sx/a": "here"}
    world.say("b", tomb("a"))
    view = told()
    facts = view.package("a")
    assert facts is not None
    assert facts.state == "dropped"
    assert names(list(view.listing_rows())) == ["@s/a", "@s/b", "@sx/a"]
    assert list(view.listing_rows(["a"])) == []
    world.say("a", replace(SNAPSHOT, observed_at=NOW + 3))
    assert next(told().listing_rows()).state == "here"


def test_who_saw_it_at_the_time_it_was_gone_saw_nothing_newer(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", SNAPSHOT, tomb("a", SNAPSHOT.observed_at))
    facts = told().package("a")
    assert facts is not None
    assert facts.state == "hidden"


def test_packages_of_a_scope_and_of_a_maintainer(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    world.say("a", replace(SNAPSHOT, maintainers=("ada",)))
    world.say("a", replace(SNAPSHOT, name="@s/b", maintainers=("ada", "bob")))
    view = told()
    assert names(view.in_scope("s")) == ["@s/a", "@s/b"]
    assert view.in_scope("none") == []
    assert names(view.by_maintainer("ada")) == ["a", "@s/b"]
    assert names(view.by_maintainer("bob")) == ["@s/b"]


def test_dependents_are_sorted_by_downloads(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    for name in ("@s/b", "@sx/a", "a"):
        world.say("a", replace(SNAPSHOT, name=name, dependencies={"dep": "1"}))
    view = told()
    assert names(view.dependents("dep")) == ["a", "@s/b", "@sx/a"]
    assert names(view.dependents("dep", 2)) == ["a", "@s/b"]
    assert view.dependents("a") == []
    assert (view.dependents_counted("dep"), view.dependents_counted("a")) == (3, 0)


def test_dependents_are_counted_once_and_by_the_manifest_that_counts(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", replace(SNAPSHOT, dependencies={"dep": "1"}))
    world.say("b", replace(SNAPSHOT, dependencies={"dep": "1"}))
    assert told().dependents_counted("dep") == 1
    world.say("b", replace(SNAPSHOT, observed_at=NOW + 2, dependencies={"new": "1"}))
    view = told()
    assert (view.dependents_counted("dep"), view.dependents_counted("new")) == (0, 1)


def test_weeks_of_versions_are_those_that_count(told: Callable[[], View], world: World) -> None:
    week = WeekCounts(observed_at=NOW, name="a", last_day=TODAY - 1, versions={"1": 4, "2": 9})
    world.say("a", week)
    world.say("b", replace(week, versions={"1": 7, "2": 0}))
    world.say("b", replace(week, last_day=TODAY - 8, versions={"1": 5}))
    view = told()
    found = view.week_counts("a")
    assert found == [("1", TODAY - 8, 5), ("1", TODAY - 1, 7), ("2", TODAY - 1, 9)]
    assert found == [(one.version, one.last_day, one.count) for one in view.weeks("a")]
    assert view.week_counts("a", TODAY - 7) == found[1:]


def test_versions_come_in_the_order_they_were_published(
    told: Callable[[], View], world: World
) -> None:
    for version, published in (("2.0.0", 20), ("1.0.0", 10)):
        event = VersionEvent(observed_at=NOW, name="a", version=version, published=published)
        world.say("a", event)
    found = told().versions("a")
    assert [(one.version, one.published, one.writer) for one in found] == [
        ("1.0.0", 10, key("a")),
        ("2.0.0", 20, key("a")),
    ]


def test_what_has_changed_since_a_generation(
    store: Store, told: Callable[[], View], world: World
) -> None:
    world.say("a", ROWS)
    view = told()
    before = view.generation
    assert view.changed_since(0) == [*ROWS.names]
    assert view.changed_since(0, 3) is None
    assert view.changed_since(before) == []
    world.say("b", tomb("a"), replace(SNAPSHOT, name="@s/b"))
    view = told()
    assert view.generation > before
    assert set(view.changed_since(before) or ()) == {"a", "@s/b"}
    before = view.generation
    world.accept("a")
    assert set(told().changed_since(before) or ()) == {"a", "@s/b"}


def test_what_changes_nothing_marks_nothing(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    before = told().generation
    world.say("a", ROWS)
    assert told().changed_since(before) == []


def test_counts_are_of_what_there_is(told: Callable[[], View], world: World) -> None:
    records: list[Known] = [ROWS, SNAPSHOT, tomb("a"), tomb("nobody")]
    for record in records:
        world.say("a", record)
    world.say("b", ROWS)
    found = told().counts()
    assert (found.packages, found.listing, found.snapshots, found.tombs) == (4, 8, 1, 2)
    assert (found.writers, found.records, found.refused) == (2, 8, 0)


def test_views_in_other_threads_and_while_rows_are_read(
    path: Path, store: Store, world: World
) -> None:
    world.say("a", ROWS)
    catch_up(store, world)
    with View.open(path) as view, View.open(path) as other:
        rows = view.listing_rows()
        first = next(rows)
        world.say("a", replace(ROWS, observed_at=NOW + DAY_MS, downloads=(1, 1, 1, 1)))
        catch_up(store, world)
        assert view.package("a") == view.package("a")
        assert [first, *rows][0].downloads == 90
        assert next(other.listing_rows()).downloads == 1


def test_a_file_has_an_identity(view: View, path: Path) -> None:
    with View.open(path) as other:
        assert view.identity == other.identity != ""


def test_the_most_downloaded_are_found_by_themselves(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", ROWS)
    world.say("b", replace(SNAPSHOT, name="uncounted"))
    world.say("b", tomb("a"))
    view = told()
    assert names(view.popular(2)) == ["@s/a", "@s/b"]
    here = [row for row in view.listing_rows() if row.state == "here" and row.downloads]
    assert view.popular(100) == here


def test_of_several_counts_the_one_that_counts_makes_popular(
    told: Callable[[], View], world: World
) -> None:
    world.say("a", ROWS)
    world.say("b", replace(ROWS, observed_at=NOW + 1, downloads=(50, 1, 50, 7)))
    assert names(told().popular(9)) == ["@s/a", "@s/b", "@sx/a", "a"]


def test_the_newest_are_found_by_themselves(told: Callable[[], View], world: World) -> None:
    world.say("a", *(replace(SNAPSHOT, name=name, created=NOW - 5) for name in "zcb"))
    world.say("a", replace(SNAPSHOT, name="old", created=5), replace(SNAPSHOT, name="unknown"))
    world.say("a", replace(SNAPSHOT, name="tomorrow", created=NOW + DAY_MS))
    world.say("b", replace(SNAPSHOT, name="c", created=7, modified=NOW + 9))
    world.say("b", tomb("b"))
    view = told()
    found = view.newest(NOW, 9)
    assert [(at, row.name) for at, row in found] == [(NOW - 5, "z"), (7, "c"), (5, "old")]
    assert found[0][1] == next(view.listing_rows(["z"]))
    assert len(view.newest(NOW, 1)) == 1


def test_lots_draw_packages(told: Callable[[], View], world: World) -> None:
    world.say("a", ROWS)
    world.say("b", tomb("a"))
    view = told()
    drawn = view.drawn((place / 8 for place in range(8)), 9)
    assert sorted(names(drawn)) == ["@s/a", "@s/b", "@sx/a"]
    assert len(view.drawn([0.0, 0.0, 0.99], 9)) == 2
    assert len(view.drawn((place / 8 for place in range(8)), 2)) == 2
