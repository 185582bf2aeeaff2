from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.records import counts
from pkgstats.records.codec import names_hash
from pkgstats.records.model import DayCounts, NamesBlock
from pkgstats.records.names import WHOLE
from pkgstats.view import days, schema
from pkgstats.view.reading import View
from pkgstats.view.schema import DAYS_BYTES_MAX
from pkgstats.view.store import Store

from .model import model
from .world import GROUP, NOW, TODAY, World, catch_up, deliver, key, position

if TYPE_CHECKING:
    from collections.abc import Callable


NAMES = ("x", "y")
BLOCK = NamesBlock(observed_at=NOW, names=NAMES)


def record(first: int, *rows: list[int], name: str | None = None, at: int = NOW) -> DayCounts:
    ref = names_hash(NAMES) if name is None else None
    packed = counts.pack(rows)
    return DayCounts(
        observed_at=at, first_day=first, span=len(rows[0]), name=name, names_ref=ref, counts=packed
    )


def answer(view: View, name: str = "x") -> dict[int, int]:
    return {one.day: one.count for one in view.days(name)}


@pytest.mark.parametrize("names_first", [True, False])
def test_counts_and_their_names_come_in_any_order(
    store: Store, world: World, view: View, names_first: bool
) -> None:
    world.say("a", BLOCK)
    world.say("a", record(TODAY - 2, [3, 4], [5, 6]))
    world.say("a", record(TODAY - 3, [1], [2]))
    for kinds in (["index"], ["days"]) if names_first else (["days"], ["index"]):
        catch_up(store, world, kinds=kinds)
    assert answer(view) == {TODAY - 3: 1, TODAY - 2: 3, TODAY - 1: 4}
    assert answer(view, "y") == {TODAY - 3: 2, TODAY - 2: 5, TODAY - 1: 6}
    assert view.counts().waiting == 0


def test_names_of_another_writer_do_not_count(told: Callable[[], View], world: World) -> None:
    world.say("b", BLOCK)
    world.say("a", record(TODAY - 2, [3], [5]))
    assert answer(told()) == {}


def test_days_lie_in_the_years_they_belong_to(told: Callable[[], View], world: World) -> None:
    new_year = days.first_day_of(2024)
    assert [days.year_of(new_year - 1), days.year_of(new_year)] == [2023, 2024]
    world.say("a", record(new_year - 400, list(range(800)), name="x"))
    view = told()
    assert answer(view) == {new_year - 400 + n: n for n in range(800)}
    found = view.days("x", new_year - 1, new_year + 1)
    assert [one.day for one in found] == [new_year - 1, new_year]
    assert view.days("x", 5, 5) == view.days("nobody") == []
    both = view.days_of(["x", "nobody"], new_year - 1, new_year + 1)
    assert both == {"x": found, "nobody": []}


def test_a_day_that_is_filled_in_later_counts_and_a_later_zero_does_not(
    told: Callable[[], View], world: World
) -> None:
    for at, count in ((0, 0), (1, 7), (2, 6), (3, 0)):
        world.say("a", record(TODAY - 1, [count], name="x", at=NOW + at))
    assert answer(told()) == {TODAY - 1: 6}


def test_on_a_day_on_which_the_registry_counted_nothing_a_later_zero_stands(
    store: Store, told: Callable[[], View], world: World
) -> None:
    day = TODAY - 9
    world.say("a", record(day, [7, 7, 7], name="x", at=NOW))
    world.say("b", record(day, [0, 0, 0], name="x", at=NOW + 1))
    assert answer(told()) == {day: 7, day + 1: 7, day + 2: 7}
    world.say("a", record(day, [0, 5, 0], name=WHOLE, at=NOW))
    world.say("b", record(day + 2, [9], name=WHOLE, at=NOW - 1))
    view = told()
    assert answer(view, WHOLE) == {day: 0, day + 1: 5, day + 2: 9}
    assert answer(view) == {day: 0, day + 1: 7, day + 2: 7}
    assert [said.verdict for said in view.why("x", day)] == ["loses", "disputed"]
    world.say("b", record(day, [8], name=WHOLE, at=NOW - 2))
    assert answer(told())[day] == 7, "it was filled in"
    world.say("a", record(day + 3, [7], name="x", at=NOW))
    world.say("a", record(day + 3, [0], name="x", at=NOW + 1))
    assert answer(told())[day + 3] == 7
    world.say("b", record(day + 3, [0], name=WHOLE, at=NOW))
    assert answer(told())[day + 3] == 0, "of one writer too"
    assert "" not in {row.name for row in told().listing_rows()}


WORDS = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["x", "x", WHOLE]),
    st.sampled_from([[0], [0], [1], [0, 1], [1, 0]]),
    st.integers(0, 2),
)
"""A writer, a name, counts from one and the same day on, and when they were seen."""


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=8), st.sampled_from([1, DAYS_BYTES_MAX]))
def test_what_counts_follows_from_what_was_said_and_not_from_when_it_came(
    tmp_path_factory: pytest.TempPathFactory,
    words: list[tuple[str, str, list[int], int]],
    bytes_max: int,
) -> None:
    """With values that are written anew after each word, too, and writers read one by one."""
    world = World()
    world.join("a", "b")
    world.accept("a", "b")
    for writer, name, row, at in words:
        world.say(writer, record(TODAY - 9, row, name=name, at=NOW + at))
    expected = model(world, NOW).days
    folder = tmp_path_factory.mktemp("days")
    hashes = set()
    for number, order in enumerate(("ab", "ba")):
        path = folder / f"{number}.db"
        with patch.object(schema, "DAYS_BYTES_MAX", bytes_max), Store.open(path, GROUP) as store:
            catch_up(store, world, kinds=["meta"])
            for writer in order:
                while world.length(writer, "days") > position(store, "days", key(writer, "days")):
                    deliver(store, world, "days", key(writer, "days"), 1)
        with View.open(path) as view:
            hashes.add(view.view_hash())
            found = {(name, one.day): one for name in ("x", WHOLE) for one in view.days(name)}
            assert {about: (one.count, one.disputed) for about, one in found.items()} == expected
    assert len(hashes) == 1


def test_writers_who_asked_late_enough_and_differ_dispute(
    told: Callable[[], View], world: World
) -> None:
    day = TODAY - 9
    for writer, rows in (("a", [1000, 1000, 1000]), ("b", [1010, 1011, 1020])):
        world.say(writer, record(day, rows, name="x"))
    world.say("a", record(TODAY - 1, [5], name="x"))
    world.say("b", record(TODAY - 1, [9], name="x"))
    found = [(one.count, one.disputed) for one in told().days("x")]
    assert found == [(1010, False), (1011, True), (1020, True), (9, False)]


def test_counts_that_do_not_fit_are_refused_whole(told: Callable[[], View], world: World) -> None:
    world.say("a", BLOCK)
    world.say("a", record(TODAY - 1, [1], [2], [3]))
    world.say("a", replace(record(TODAY - 1, [1], [2]), counts=b"\x02"))
    view = told()
    assert answer(view) == {}
    assert view.counts().refused == 2


def test_what_is_said_again_and_again_takes_no_more_room(
    store: Store, told: Callable[[], View], world: World
) -> None:
    for at in range(150):
        world.say("a", record(TODAY - 300, list(range(300)), name="x", at=NOW + at))
    view = told()
    assert answer(view) == {TODAY - 300 + n: n for n in range(300)}
    assert largest(store) <= DAYS_BYTES_MAX


def largest(store: Store) -> int:
    query = "select max(length(value)) from days"
    found: int = store._database.execute(query).fetchone()[0]
    return found


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 360), st.lists(st.integers(0, 300), max_size=9), st.integers(0, 3)
        ),
        max_size=30,
    )
)
def test_a_value_that_is_written_anew_says_the_same(
    told: list[tuple[int, list[int], int]],
) -> None:
    value = b""
    for number, (first, row, _) in enumerate(told):
        value += days._head(number, first, len(row)) + counts.pack([row])
    observed = {number: at for number, (_, _, at) in enumerate(told)}
    folded = days.fold(value, observed)
    assert days.fold(days._written(folded), observed) == folded
    some = days.fold(value, observed, 100, 107)
    inside = range(100, 107)
    assert {day: some.get(day) for day in inside} == {day: folded.get(day) for day in inside}


def test_the_worst_value_that_is_written_anew_stays_below_the_bound() -> None:
    worst: days.Folded = {
        day: (((1 << 53) - 1 - day % 2, (1 << 40) + day % 2), (0, (1 << 40) - 1 - day % 2))
        for day in range(366)
    }
    assert len(days._written(worst)) <= DAYS_BYTES_MAX * 3 // 4


def test_when_a_record_was_observed_is_looked_up_once(store: Store) -> None:
    add = "insert into day_records values (1, 1, 1, 55, 1)"
    store._database.execute(add)
    observed = days.Observed(store._database)
    assert observed[1] == 55
    store._database.execute("delete from day_records")
    assert observed[1] == 55
