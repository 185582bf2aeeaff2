"""In which order candidates wait, and how many may wait on one word."""

from __future__ import annotations

from random import Random
from typing import Any

from hypermultifeed.peers.candidate import Candidate
from hypermultifeed.peers.waiting_list import SOURCES_MAX, WAITING_PER_SOURCE_MAX, WaitingList

TOPIC, OTHER = b"t" * 32, b"o" * 32


def anybody(_path: tuple[Any, ...]) -> bool:
    return True


def candidate(number: int = 0, *topics: bytes, source: Any = "node", **fields: Any) -> Candidate:
    made = Candidate((f"20.0.{number >> 8}.{number & 255}", 1), source=source, local=False)
    made.topics.update(topics or (TOPIC,))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def filled(*candidates: Candidate) -> WaitingList:
    waiting = WaitingList(Random(1))
    for one in candidates:
        waiting.add(one)
    return waiting


def take(waiting: WaitingList, *, lowest_first: bool = False) -> Candidate | None:
    return waiting.take(anybody, lowest_first=lowest_first)


def test_the_higher_priority_comes_first_or_last() -> None:
    failed = candidate(1, tried=True)
    hairpin, stranger, local = candidate(2, hairpin=True), candidate(3), candidate(4, local=True)
    proven = candidate(5, tried=True, proven=True, failures=1)
    order = [proven, local, stranger, hairpin, failed]
    waiting = filled(stranger, failed, proven, hairpin, local)
    assert [take(waiting) for _ in order] == order
    waiting = filled(stranger, failed, proven, hairpin, local)
    assert [take(waiting, lowest_first=True) for _ in order] == order[::-1]
    assert take(waiting) is None


def test_a_candidate_keeps_its_place_whatever_it_becomes() -> None:
    one, other = candidate(1), candidate(2)
    waiting = filled(one, other)
    one.local = True
    one.source = one.block = None
    waiting.discard(one)
    assert len(waiting) == 1
    assert take(waiting) is other


def test_sources_and_networks_take_turns_within_a_topic() -> None:
    liars = [candidate(number, source="liar") for number in range(100)]
    waiting = filled(*liars, candidate(1000, source="honest"))
    assert "honest" in {one.source for _ in range(2) if (one := take(waiting))}


def test_who_may_not_be_taken_is_passed_over() -> None:
    topic, other = candidate(1, TOPIC), candidate(2, OTHER)
    waiting = filled(topic, other)
    found = waiting.take(lambda path: path[0] == OTHER, lowest_first=False)
    assert found is other
    assert waiting.take(lambda path: path[0] == OTHER, lowest_first=False) is None
    assert len(waiting) == 1


def test_nothing_limits_one_that_the_user_named() -> None:
    pinned = candidate(1, pinned=True)
    filled(pinned)
    assert pinned.path == (None, None, None)


def test_a_topic_is_removed_from_all_priorities() -> None:
    gone = [candidate(1), candidate(2, local=True), candidate(3, TOPIC, b"z" * 32)]
    stays = candidate(4, OTHER)
    waiting = filled(*gone, stays)
    assert set(waiting.remove(TOPIC)) == set(gone)
    assert take(waiting) is stays
    assert waiting.remove(TOPIC) == []


def test_strangers_are_those_whom_only_the_dht_has_named() -> None:
    hairpin, stranger = candidate(1, hairpin=True), candidate(2)
    waiting = filled(hairpin, candidate(3, local=True), stranger, candidate(4, tried=True))
    assert [*waiting.strangers()] == [stranger, hairpin]


def test_one_source_has_room_for_a_few() -> None:
    waiting = filled(*(candidate(number) for number in range(WAITING_PER_SOURCE_MAX - 1)))
    assert waiting.has_room(candidate(9999), TOPIC)
    waiting.add(candidate(9999))
    assert not waiting.has_room(candidate(9998), TOPIC)
    assert waiting.has_room(candidate(9998, source="another"), TOPIC)
    assert waiting.has_room(candidate(9998), OTHER)
    assert waiting.has_room(candidate(9998, local=True), TOPIC)


def test_sources_past_a_number_count_as_one() -> None:
    waiting = filled(*(candidate(number, source=number) for number in range(SOURCES_MAX)))
    taken = 0
    for number in range(SOURCES_MAX, SOURCES_MAX + WAITING_PER_SOURCE_MAX + 10):
        late = candidate(number, source=number)
        if waiting.has_room(late, TOPIC):
            waiting.add(late)
            taken += 1
    assert taken == WAITING_PER_SOURCE_MAX
    known = candidate(9999, source=0)
    assert waiting.has_room(known, TOPIC)
    assert known.source == 0


def test_who_has_told_of_most_of_the_least_promising_makes_room() -> None:
    honest = candidate(1, source="honest", tried=True)
    liars = [candidate(number, source="liar", tried=True) for number in range(2, 4)]
    stranger, local = candidate(5), candidate(6, local=True)
    waiting = filled(honest, *liars, stranger, local)
    assert waiting.take_superfluous() in liars
    rest = {waiting.take_superfluous() for _ in range(2)}
    assert rest < {honest, *liars}
    assert waiting.take_superfluous() is stranger
    assert waiting.take_superfluous() is None
    assert take(waiting) is local
