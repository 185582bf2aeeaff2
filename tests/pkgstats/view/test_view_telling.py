from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pkgstats.records import counts
from pkgstats.records.model import (
    DayCounts,
    IndexRows,
    Known,
    Snapshot,
    Tombstone,
    VersionEvent,
    WeekCounts,
)
from pkgstats.view import telling

from .world import DAY_MS, NOW, TODAY, World, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.view.facts import Said
    from pkgstats.view.reading import View

DAY = TODAY - 9
SAID: list[Known] = [
    IndexRows(
        observed_at=NOW,
        source="list",
        names=("x",),
        versions=("1",),
        downloads=(7,),
        summaries=("of x",),
    ),
    Snapshot(observed_at=NOW, source="registry", name="x", version="1", description="of x"),
    VersionEvent(observed_at=NOW, name="x", version="1", published=DAY_MS, deprecated="use y"),
    WeekCounts(observed_at=NOW, name="x", last_day=DAY, versions={"1": 400}),
]


def words(said: list[Said]) -> list[tuple[str, str, str, bytes, str]]:
    return [(one.about, one.key, one.value, one.writer, one.verdict) for one in said]


def test_every_writers_words_and_which_of_them_count(
    told: Callable[[], View], world: World
) -> None:
    for record in SAID:
        world.say("a", record)
    for record in SAID[:2]:
        world.say("b", replace(record, observed_at=NOW - 1))
    a, b = key("a"), key("b")
    listing, manifest = "1, 7 downloads a month: of x", "1: of x"
    assert words(told().why("x")) == [
        ("listing", "", listing, b, "loses"),
        ("listing", "", listing, a, "wins"),
        ("manifest", "", manifest, b, "loses"),
        ("manifest", "", manifest, a, "wins"),
        ("version", "1", "published on 1970-01-02, deprecated: use y", a, "wins"),
        ("week", f"{telling.day_text(DAY)} 1", "400", a, "wins"),
    ]


def test_words_tell_when_and_where_they_stand(told: Callable[[], View], world: World) -> None:
    world.say("a", SAID[2])
    world.say("a", SAID[2], SAID[1])
    (manifest,) = (one for one in told().why("x") if one.about == "manifest")
    assert (manifest.source, manifest.observed_at) == ("registry", NOW)
    assert (manifest.core, manifest.block, manifest.number) == (key("a", "detail"), 1, 1)


def test_tombstones_win_until_it_was_seen_alive(told: Callable[[], View], world: World) -> None:
    world.say("a", Tombstone(observed_at=NOW, name="x", reason="takedown"))
    world.say("b", Tombstone(observed_at=NOW - 9, name="x", reason="mistake"))
    world.say("a", replace(SAID[1], observed_at=NOW - 5))
    gone = [one for one in words(told().why("x")) if one[0] == "gone"]
    assert gone == [
        ("gone", "", "mistake", key("b"), "loses"),
        ("gone", "", "takedown", key("a"), "wins"),
    ]


def test_counts_of_a_day_and_who_disputes_them(told: Callable[[], View], world: World) -> None:
    for writer, count in (("a", 1000), ("b", 900)):
        row = counts.pack([[count, 5]])
        world.say(writer, DayCounts(observed_at=NOW, first_day=DAY, span=2, name="x", counts=row))
        week = WeekCounts(observed_at=NOW, name="x", last_day=DAY, versions={"1": count})
        world.say(writer, week)
    view = told()
    day = telling.day_text(DAY)
    assert words(view.why("x", DAY)) == [
        ("day", day, "1000", key("a"), "disputed"),
        ("day", day, "900", key("b"), "loses"),
    ]
    agreed = {one.writer: one.verdict for one in view.why("x", DAY + 1)}
    assert agreed == {min(key("a"), key("b")): "loses", max(key("a"), key("b")): "wins"}
    assert [one.verdict for one in view.why("x") if one.about == "week"] == ["disputed", "loses"]
    assert view.why("x", DAY + 2) == view.why("nobody", DAY) == view.why("nobody") == []


def test_days_and_values_as_text() -> None:
    assert telling.day_text(20_000) == "2024-10-04"
    assert telling.week_key(20_000, "1.0.0") == "2024-10-04 1.0.0"
    assert telling.listing_value("", 5, "") == "no version, 5 downloads a month: "
    assert telling.version_value(0, "") == "published on a day not told"
