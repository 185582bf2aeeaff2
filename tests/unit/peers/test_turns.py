"""Groups take turns, at every level."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypermultifeed.peers.turns import LOOKS_MAX, Turns

if TYPE_CHECKING:
    from hypermultifeed.peers.turns import Path

RANDOM = Random(1)


def everything(_path: Path) -> bool:
    return True


def filled(*paths: str) -> Turns[str]:
    turns: Turns[str] = Turns()
    for path in paths:
        turns.add(tuple(path[:-1]), path)
    return turns


def drained(turns: Turns[str]) -> list[str]:
    taken = []
    while (item := turns.take(RANDOM, everything)) is not None:
        taken.append(item)
    return taken


def test_a_small_group_is_not_held_up_by_a_large_one() -> None:
    turns = filled(*(f"a{n}" for n in range(9)), "b0")
    assert "b0" in [turns.take(RANDOM, everything) for _ in range(2)]
    assert len(turns) == 8


def test_turns_are_taken_at_every_level() -> None:
    turns = filled("ax1", "ax2", "ax3", "ay1", "bz1", "bz2", "bz3", "bz4")
    order = [turns.take(RANDOM, everything) or "" for _ in range(8)]
    assert [name[0] for name in order] == list("abababab")
    assert {name[:2] for name in order if name[0] == "a"} == {"ax", "ay"}
    assert [name[:2] for name in order if name[0] == "a"][:2] == ["ax", "ay"]


def test_all_items_come_once() -> None:
    names = [f"{topic}{source}{n}" for topic in "ab" for source in "xyz" for n in range(4)]
    assert sorted(drained(filled(*names))) == sorted(names)


def test_within_a_group_the_order_is_random() -> None:
    orders = {tuple(drained(filled("a1", "a2", "a3"))) for _ in range(50)}
    assert len(orders) == 6


def test_what_may_not_be_taken_is_passed_over_and_kept() -> None:
    turns = filled("ax1", "ay1", "bx1")
    assert turns.take(RANDOM, lambda path: path not in {("a", "x"), ("b",)}) == "ay1"
    assert turns.take(RANDOM, lambda path: path not in {("a", "x"), ("b",)}) is None
    assert sorted(turns) == ["ax1", "bx1"]


def test_a_search_in_vain_is_short_and_the_next_one_begins_with_others() -> None:
    asked: list[Path] = []
    turns: Turns[int] = Turns()
    for group in range(3 * LOOKS_MAX):
        turns.add((group,), group)

    def refuse(path: Path) -> bool:
        asked.append(path)
        return False

    for _ in range(3):
        assert turns.take(RANDOM, refuse) is None
    assert asked == [(group,) for group in range(3 * LOOKS_MAX)]


def test_counting() -> None:
    turns = filled("ax1", "ax2", "ay1", "b1")
    assert len(turns) == turns.count(()) == 4
    assert turns.count(("a",)) == 3
    assert turns.count(("a", "x")) == 2
    assert turns.count(("c", "x")) == 0
    assert (turns.groups(()), turns.groups(("a",)), turns.groups(("c",))) == (2, 2, 0)


def test_a_group_can_be_removed() -> None:
    turns = filled("ax1", "ay1", "b1")
    assert sorted(turns.remove("a")) == ["ax1", "ay1"]
    assert turns.remove("a") == []
    assert drained(turns) == ["b1"]


def test_the_largest_group_gives_first() -> None:
    turns = filled("ax1", "ay1", "ay2", "ay3", "b1", "b2")
    assert [str(turns.take_from_largest(RANDOM))[:2] for _ in range(2)] == ["ay", "ay"]
    for _ in range(4):
        assert turns.take_from_largest(RANDOM) is not None
    assert turns.take_from_largest(RANDOM) is None
    assert len(turns) == turns.groups(()) == 0


def test_an_item_can_be_taken_out_of_its_group() -> None:
    turns = filled("ax1", "ax2", "ay1", "b1")
    assert turns.discard(("a", "x"), "ax1")
    assert not turns.discard(("a", "x"), "ax1")
    assert not turns.discard(("c", "x"), "ax2")
    assert (len(turns), turns.count(("a",))) == (3, 2)
    assert turns.discard(("a", "y"), "ay1")
    assert turns.groups(("a",)) == 1, "an empty group has no turn"
    assert turns.discard(("a", "x"), "ax2")
    assert (turns.groups(()), drained(turns)) == (1, ["b1"])
