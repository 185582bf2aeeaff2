from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

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
from pkgstats.view.reading import View
from pkgstats.view.store import Store

from .world import GROUP, NOW, TODAY, World, catch_up

if TYPE_CHECKING:
    from pathlib import Path

SAID: list[Known] = [
    IndexRows(observed_at=NOW, names=("x",), versions=("1",), downloads=(7,), summaries=("of x",)),
    Snapshot(observed_at=NOW, name="x", version="1"),
    VersionEvent(observed_at=NOW, name="x", version="1"),
    WeekCounts(observed_at=NOW, name="x", last_day=TODAY - 1, versions={"1": 4}),
    DayCounts(observed_at=NOW, first_day=TODAY - 2, span=2, name="x", counts=counts.pack([[5, 6]])),
    Tombstone(observed_at=NOW, name="x", reason="mistake"),
    Tombstone(observed_at=NOW, name="x", version="1", reason="mistake"),
]


def hash_of(folder: Path, *said: tuple[str, Known]) -> bytes:
    world = World()
    world.accept("a", "b")
    world.join("a", "b")
    for writer, record in said:
        world.say(writer, record)
    path = folder / f"{len([*folder.iterdir()])}.db"
    with Store.open(path, GROUP) as store:
        catch_up(store, world)
    with View.open(path) as view:
        return view.view_hash()


def test_the_order_of_what_is_said_does_not_matter(tmp_path: Path) -> None:
    whole = [("a", record) for record in SAID]
    assert hash_of(tmp_path, *whole) == hash_of(tmp_path, *reversed(whole))


def test_two_writers_who_say_the_same_are_as_good_as_one(tmp_path: Path) -> None:
    said = SAID[:-2]  # two tombstones are more than one
    one = hash_of(tmp_path, *(("a", record) for record in said))
    assert hash_of(tmp_path, *(("b", record) for record in said)) == one
    assert hash_of(tmp_path, *((by, record) for record in said for by in "ab")) == one


def test_what_loses_does_not_matter(tmp_path: Path) -> None:
    said = [("a", record) for record in SAID[:-2]]
    lost = [("b", replace(record, observed_at=NOW - 1)) for record in SAID[:-2]]
    assert hash_of(tmp_path, *said, *lost) == hash_of(tmp_path, *said)


CHANGES: list[tuple[int, dict[str, object]]] = [
    (0, {"observed_at": NOW + 1}),
    (0, {"names": ("y",)}),
    (0, {"versions": ("2",)}),
    (0, {"downloads": (8,)}),
    (0, {"summaries": ("",)}),
    (1, {"observed_at": NOW + 1}),
    (1, {"licence": "ISC"}),
    (2, {"version": "2"}),
    (2, {"deprecated": "use y"}),
    (3, {"last_day": TODAY - 2}),
    (3, {"versions": {"1": 5}}),
    (3, {"versions": {"2": 4}}),
    (4, {"first_day": TODAY - 3}),
    (4, {"counts": counts.pack([[5, 7]])}),
    (4, {"observed_at": NOW + 1}),
    (5, {"observed_at": NOW - 1}),
    (5, {"name": "y"}),
    (6, {"version": "2"}),
]


def test_everything_that_counts_matters(tmp_path: Path) -> None:
    hashes = {hash_of(tmp_path, *(("a", record) for record in SAID))}
    for number, change in CHANGES:
        said = list(SAID)
        said[number] = replace(said[number], **change)  # type: ignore[arg-type]
        hashes.add(hash_of(tmp_path, *(("a", record) for record in said)))
    assert len(hashes) == len(CHANGES) + 1


@pytest.mark.parametrize("number", [5, 6])
def test_a_second_tombstone_matters(tmp_path: Path, number: int) -> None:
    said = [("a", record) for record in SAID]
    assert hash_of(tmp_path, *said, ("b", SAID[number])) != hash_of(tmp_path, *said)


def test_an_empty_view_has_a_hash(tmp_path: Path) -> None:
    assert hash_of(tmp_path) == hash_of(tmp_path)
    assert len(hash_of(tmp_path)) == 32
