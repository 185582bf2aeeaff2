"""hyperswarm's tests of its queue, what it knows of a peer, and its timers; all without a clock."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from hypermultifeed.peers.backoff import FORGET_S, JITTER, RETRY_WAITS_S
from hypermultifeed.peers.candidate import Candidate, State
from hypermultifeed.peers.peer_queue import STABLE_S, PeerQueue

TOPIC, OTHER = b"t" * 32, b"o" * 32
PEER, SECOND = ("198.51.100.1", 8080), ("203.0.113.1", 8081)
LOW, HIGH = JITTER


@pytest.fixture
def queue() -> PeerQueue:
    made = PeerQueue(Random(1), 0.0)
    made.join(TOPIC)
    made.join(OTHER)
    return made


def add(queue: PeerQueue, address: tuple[str, int] = PEER, now: float = 0.0, **more: Any) -> bool:
    return queue.add(address, now, **{"topic": TOPIC, "source": "x", **more})


def shift(queue: PeerQueue, now: float = 0.0) -> Candidate:
    candidate = queue.next(now)
    assert candidate is not None
    return candidate


def refuse(queue: PeerQueue, candidate: Candidate, now: float) -> float:
    """A dial ends at once because nobody listens; returns when the peer's next time comes."""
    queue.answered(candidate)
    queue.ended(candidate, now)
    when = queue.get_timer(now)
    assert when is not None
    return when


def connect(queue: PeerQueue, candidate: Candidate, now: float) -> None:
    queue.connected(candidate, now)
    queue.greeted(candidate, now)


# --- queue


def test_add_shift(queue: PeerQueue) -> None:
    """hyperswarm/queue: "add / shift"."""
    add(queue)
    assert shift(queue).address == PEER
    assert queue.next(0.0) is None


def test_requeue(queue: PeerQueue) -> None:
    """hyperswarm/queue: "requeue", "requeue forget unresponsive"."""
    add(queue)
    info, now = shift(queue), 0.0
    for _ in RETRY_WAITS_S:
        now = refuse(queue, info, now)
        assert shift(queue, now) is info
    now = refuse(queue, info, now)
    assert queue.get(PEER) is info
    assert queue.next(now) is None
    assert queue.get(PEER) is None


def test_peers_are_deduped(queue: PeerQueue) -> None:
    """hyperswarm/queue: "peers with same details are deduped"."""
    assert add(queue)
    assert not add(queue)
    assert shift(queue).address == PEER
    assert queue.next(0.0) is None


def test_topics_share_a_peer(queue: PeerQueue) -> None:
    """hyperswarm/queue:
    "peers with same host/port and different topics are deduped when multiplex: true".
    """
    add(queue)
    assert add(queue, topic=OTHER)
    assert shift(queue).topics == {TOPIC, OTHER}
    assert queue.next(0.0) is None


def test_who_waits_is_noticed(queue: PeerQueue) -> None:
    """hyperswarm/queue:
    "add emits readable when queue is empty",
    "add does not emit readable when queue is not empty".
    """
    assert queue.get_timer(0.0) is None
    assert add(queue)
    first = queue.get_timer(0.0)
    assert first is not None
    assert add(queue, SECOND)
    assert queue.get_timer(0.0) == first


def test_remove_peer(queue: PeerQueue) -> None:
    """hyperswarm/queue: "remove peer", "remove peer that does not exist"."""
    add(queue)
    add(queue, SECOND)
    queue.ban(("192.0.2.1", 1))
    queue.ban(PEER)
    assert shift(queue).address == SECOND
    assert queue.next(0.0) is None


def test_after_a_peer_was_banned(queue: PeerQueue) -> None:
    """hyperswarm/queue: "add after peer destroyed", "reqeue after peer destroyed"."""
    add(queue)
    info = shift(queue)
    queue.ban(PEER)
    assert not add(queue)
    assert queue.next(0.0) is None
    queue.ended(info, 0.0)
    assert queue.get_timer(0.0) is None
    assert not add(queue)
    assert queue.next(100.0) is None


def test_requeue_intervals(queue: PeerQueue) -> None:
    """hyperswarm/queue: "requeue intervals"."""
    add(queue)
    add(queue, SECOND)
    one, two = shift(queue), shift(queue)
    for info in (one, two):
        queue.ended(info, 0.0)
    assert queue.next(RETRY_WAITS_S[0] * LOW - 0.01) is None
    now = RETRY_WAITS_S[0] * HIGH
    assert {shift(queue, now), shift(queue, now)} == {one, two}
    queue.ended(one, now)
    connect(queue, two, now)
    queue.ended(two, now + STABLE_S)
    now += STABLE_S + 1.0
    assert shift(queue, now) is two
    assert one.failures == 2
    assert one.since == pytest.approx(RETRY_WAITS_S[1], rel=0.6)
    queue.ended(two, now)
    assert {shift(queue, now + 10.0), shift(queue, now + 10.0)} == {one, two}
    queue.ended(one, now)
    assert LOW * RETRY_WAITS_S[2] <= one.since - now <= HIGH * RETRY_WAITS_S[2]


# --- peer-info


def test_default_state(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "default state w/ peer", "update (status at default)"."""
    add(queue)
    info = queue.get(PEER)
    assert info is not None
    assert (info.priority, info.failures, info.address) == (2, 0, PEER)
    assert not info.tried
    assert not info.proven


def test_default_state_local(queue: PeerQueue) -> None:
    """hyperswarm/peer-info:
    "default state w/ local peer",
    "update (status at default w/ local peer)".
    """
    add(queue, local=True)
    assert shift(queue).priority == 3


def test_active_and_inactive(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "make active", "make inactive (after active)"."""
    add(queue)
    info = shift(queue)
    states = [info.state]
    queue.ended(info, 0.0)
    assert [*states, info.state] == [State.DIALLING, State.RESTING]
    assert info.tried


def test_requeues(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "one requeue", "two requeues", "three requeues", "four requeues"."""
    add(queue)
    info, now = shift(queue), 0.0
    connect(queue, info, now)
    queue.ended(info, now + STABLE_S)
    assert (info.failures, info.priority) == (1, 5)
    for priority in (4, 1):
        now += 100.0
        assert shift(queue, now) is info
        queue.ended(info, now)
        assert info.priority == priority
    assert info.failures == 3


def test_connected(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "connected - tcp", "connected resets retries count to 0"."""
    add(queue)
    info, now = shift(queue), 0.0
    for _ in range(2):
        now = refuse(queue, info, now)
        assert shift(queue, now) is info
    assert info.failures == 2
    connect(queue, info, now)
    assert info.proven
    queue.ended(info, now + STABLE_S + 1.0)
    assert info.failures == 1, "the next wait is the first again"


def test_ban(queue: PeerQueue) -> None:
    """hyperswarm/peer-info:
    "ban",
    "destroy",
    "ban after connected",
    "destroy after connected",
    "requeue will be refused after ban",
    "requeue will be refused after destroy",
    "update will not reprioitize after ban",
    "update will not reprioitize after destroyed".
    """
    add(queue)
    info = shift(queue)
    connect(queue, info, 0.0)
    queue.ban(PEER)
    states = [info.state]  # to close it is the swarm's
    queue.ended(info, 100.0)
    assert [*states, info.state] == [State.CONNECTED, State.FORGOTTEN]
    assert queue.next(200.0) is None


def test_update_after_connected(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "update will not reprioitize after connected"."""
    add(queue)
    info = shift(queue)
    connect(queue, info, 0.0)
    assert not add(queue)
    assert queue.next(0.0) is None
    assert info.priority == 2


def test_backoff(queue: PeerQueue) -> None:
    """hyperswarm/peer-info: "backoff increases retries and alters priority of client peers"."""
    add(queue)
    info, now = shift(queue), 0.0
    seen = []
    for _ in range(4):
        connect(queue, info, now)
        info.useful = False  # what the user of a connection says to be dialled less
        queue.ended(info, now)
        seen.append((info.failures, info.priority))
        now = info.since
        queue.next(now)
    assert seen == [(1, 5), (2, 4), (3, 1), (4, 1)]


# --- bulk-timer


def test_timers_in_a_batch(queue: PeerQueue) -> None:
    """hyperswarm/bulk-timer: "bulk timer queue", "bulk timer queue (async)"."""
    add(queue)
    add(queue, SECOND)
    for info in (shift(queue), shift(queue)):
        queue.ended(info, 0.0)
    now = RETRY_WAITS_S[0] * HIGH
    assert {shift(queue, now).address, shift(queue, now).address} == {PEER, SECOND}


def test_timers_one_after_another(queue: PeerQueue) -> None:
    """hyperswarm/bulk-timer: "bulk timer queue different batch"."""
    add(queue)
    add(queue, SECOND)
    one, two = shift(queue), shift(queue)
    queue.ended(one, 0.0)
    queue.ended(two, 10.0)
    assert shift(queue, 2.0) is one
    assert queue.next(10.0) is None
    assert shift(queue, 12.0) is two


def test_timers_with_nothing_pending(queue: PeerQueue) -> None:
    """hyperswarm/bulk-timer: "bulk timer - nothing pending"."""
    add(queue)
    now = refuse(queue, shift(queue), 0.0)
    assert shift(queue, now)
    assert queue.get_timer(now + FORGET_S) is None
