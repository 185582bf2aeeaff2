from __future__ import annotations

import random

import pytest

from hypermultifeed.discovery import store
from hypermultifeed.discovery.store import (
    GENERATION_S,
    HOST_RECORDS_MAX,
    HOST_VALUES_MAX,
    TOPIC_HOST_RECORDS_MAX,
    TOPIC_RECORDS_MAX,
    VALUES_MAX,
    PeerStore,
    ValueStore,
)

TOPIC = b"t" * 32
ME = b"nobody"


def number(value: int) -> bytes:
    return value.to_bytes(6, "big")


def host(value: int) -> str:
    return f"10.{value >> 16}.{value >> 8 & 255}.{value & 255}"


@pytest.fixture
def peers() -> PeerStore:
    return PeerStore(random.Random(1), 0.0)


def everything(peers: PeerStore, key: bytes = TOPIC, now: float = 0.0) -> set[bytes]:
    found = peers.sample(key, 10_000, now, without=ME)
    assert len(found) == len(set(found))
    return set(found)


# -- peers -------------------------------------------------------------------------------------


def test_records_are_kept_by_key(peers: PeerStore) -> None:
    for record in (b"a", b"b", b"b"):
        assert peers.add(TOPIC, record, host(1), 0.0)
    peers.add(b"other", b"c", host(1), 0.0)
    assert everything(peers) == {b"a", b"b"}
    assert everything(peers, b"unknown") == set()
    assert len(peers) == 3


def test_an_answer_is_a_random_part_without_the_asker(peers: PeerStore) -> None:
    for index in range(50):
        peers.add(TOPIC, number(index), host(index), 0.0)
    seen = set()
    for _ in range(100):
        answer = peers.sample(TOPIC, 5, 0.0, without=number(7))
        assert len(set(answer)) == 5
        seen |= set(answer)
    assert seen == {number(index) for index in range(50)} - {number(7)}
    assert peers.sample(TOPIC, 0, 0.0, without=ME) == []


def test_removed_is_what_the_owner_removes(peers: PeerStore) -> None:
    peers.add(TOPIC, b"a", host(1), 0.0)
    peers.remove(TOPIC, b"a", host(2), 0.0)
    assert everything(peers) == {b"a"}
    peers.add(TOPIC, b"a", host(2), 0.0)  # does not make it that host's
    peers.add(TOPIC, b"a", host(2), GENERATION_S)
    peers.remove(TOPIC, b"a", host(2), GENERATION_S)
    assert everything(peers, now=GENERATION_S) == {b"a"}
    peers.remove(TOPIC, b"a", host(1), GENERATION_S)
    assert everything(peers, now=GENERATION_S) == set()
    assert len(peers) == 0
    peers.remove(TOPIC, b"a", host(1), GENERATION_S)
    peers.remove(b"unknown", b"a", host(1), GENERATION_S)


@pytest.mark.parametrize("made", [0.0, GENERATION_S - 1])
def test_a_record_lives_for_one_to_two_generations(peers: PeerStore, made: float) -> None:
    peers.add(TOPIC, b"a", host(1), made)
    assert everything(peers, now=2 * GENERATION_S - 1) == {b"a"}
    assert everything(peers, now=2 * GENERATION_S) == set()
    assert len(peers) == 0


def test_an_announcement_makes_it_fresh(peers: PeerStore) -> None:
    for now in (0.0, GENERATION_S, 2 * GENERATION_S, 2 * GENERATION_S + 1):
        peers.add(TOPIC, b"a", host(1), now)
        assert everything(peers, now=now) == {b"a"}
        assert len(peers) == 1
    assert everything(peers, now=4 * GENERATION_S - 1) == {b"a"}


def test_a_long_sleep_forgets_all_and_keeps_the_phase(peers: PeerStore) -> None:
    peers.add(TOPIC, b"a", host(1), 0.0)
    peers.add(TOPIC, b"b", host(1), 9 * GENERATION_S + 10)
    assert everything(peers, now=10 * GENERATION_S) == {b"b"}
    assert everything(peers, now=11 * GENERATION_S) == set()


def test_one_host_has_so_many_records(peers: PeerStore) -> None:
    for index in range(HOST_RECORDS_MAX):
        assert peers.add(number(index), b"r", host(1), 0.0)
    assert not peers.add(b"more", b"r", host(1), 0.0)
    assert peers.add(number(5), b"r", host(1), 0.0)  # again is not more
    assert peers.add(b"more", b"r", host(2), 0.0)
    peers.remove(number(0), b"r", host(1), 0.0)
    assert peers.add(b"more still", b"r", host(1), 0.0)


def test_a_refused_record_keeps_its_older_life(peers: PeerStore) -> None:
    peers.add(b"old", b"r", host(1), 0.0)
    for index in range(HOST_RECORDS_MAX):
        peers.add(number(index), b"r", host(1), GENERATION_S)
    assert not peers.add(b"old", b"r", host(1), GENERATION_S)
    assert everything(peers, b"old", now=GENERATION_S) == {b"r"}


def test_one_host_has_so_many_records_of_a_topic_the_newest(peers: PeerStore) -> None:
    peers.add(TOPIC, b"another", host(2), 0.0)
    count = TOPIC_HOST_RECORDS_MAX + 10
    for index in range(count):
        assert peers.add(TOPIC, number(index), host(1), 0.0)
    assert everything(peers) == {b"another", *(number(index) for index in range(10, count))}
    peers.add(TOPIC, number(10), host(1), 0.0)  # the oldest is now the newest
    peers.add(TOPIC, number(count), host(1), 0.0)
    assert number(10) in everything(peers)
    assert number(11) not in everything(peers)


def test_one_topic_has_so_many_records_the_newest(peers: PeerStore) -> None:
    count = TOPIC_RECORDS_MAX + 5
    for index in range(count):
        peers.add(TOPIC, number(index), host(index), 0.0)
    assert everything(peers) == {number(index) for index in range(5, count)}
    assert len(peers) == TOPIC_RECORDS_MAX


def test_a_full_generation_becomes_the_one_before(
    peers: PeerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GENERATION_RECORDS_MAX", 10)
    for index in range(35):
        peers.add(number(index), b"r", host(index), 100.0)
        assert len(peers) <= 20
    kept = [index for index in range(35) if everything(peers, number(index), 100.0)]
    assert kept == list(range(20, 35))
    peers.add(TOPIC, b"a", host(1), GENERATION_S + 99)  # 100 seconds in, it began anew
    assert everything(peers, number(34), GENERATION_S + 99) == {b"r"}


def test_full_with_the_same_records_they_are_still_there_once(
    peers: PeerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "GENERATION_RECORDS_MAX", 3)
    for _ in range(5):
        for index in range(3):
            peers.add(TOPIC, number(index), host(1), 0.0)
            assert everything(peers) >= {number(index)}
    assert len(peers) == 3


# -- values ------------------------------------------------------------------------------------


def test_values() -> None:
    values: ValueStore[bytes] = ValueStore()
    assert values.get(b"key") is None
    values.put(b"key", b"value", host(1))
    values.put(b"key", b"newer", host(2))
    assert values.get(b"key") == b"newer"
    assert len(values) == 1


def test_the_values_used_longest_ago_go_first() -> None:
    values: ValueStore[int] = ValueStore()
    for index in range(VALUES_MAX):
        values.put(index, index, host(index))
    assert values.get(0) == 0
    values.put(1, -1, host(7))
    for index in range(VALUES_MAX, VALUES_MAX + 10):
        values.put(index, index, host(index))
    assert len(values) == VALUES_MAX
    missing = [index for index in range(VALUES_MAX + 10) if values.get(index) is None]
    assert missing == list(range(2, 12))


def test_one_host_replaces_its_own_values() -> None:
    values: ValueStore[int] = ValueStore()
    values.put("another's", 1, host(2))
    values.put("taken", 1, host(2))
    for index in range(2 * VALUES_MAX):
        values.put("taken", index, host(1))  # stays the first one's
        values.put(index, index, host(1))
        assert len(values) <= HOST_VALUES_MAX + 2
    assert values.get("another's") == 1
    assert values.get("taken") == 2 * VALUES_MAX - 1
    kept = [index for index in range(2 * VALUES_MAX) if values.get(index) is not None]
    assert kept == list(range(2 * VALUES_MAX - HOST_VALUES_MAX, 2 * VALUES_MAX))


def test_a_host_whose_values_are_gone_is_forgotten() -> None:
    values: ValueStore[int] = ValueStore()
    for index in range(2 * VALUES_MAX):
        values.put(index, index, host(index))
    assert len(values._hosts) == len(values) == VALUES_MAX
