"""The queue of peers under any order of what can happen: its limits hold, nothing is left over."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hypermultifeed.peers import peer_queue
from hypermultifeed.peers.backoff import PATIENT_WAIT_S
from hypermultifeed.peers.candidate import Candidate, State
from hypermultifeed.peers.dial_budget import DIALS_AT_ONCE, DIALS_PER_BLOCK, DIALS_PER_TOPIC
from hypermultifeed.peers.peer_queue import PeerQueue

TOPICS = [bytes([letter]) * 32 for letter in range(3)]

topics = st.sampled_from(TOPICS)
addresses = st.tuples(
    st.builds("198.51.{}.{}".format, st.integers(0, 5), st.integers(1, 30)), st.just(4711)
)
times = st.floats(0.0, 20.0)


class Queue(RuleBasedStateMachine):
    """Candidates come and go as they like; dials end in every way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = PeerQueue(Random(1), self.now)
        self.joined: set[bytes] = set()
        self.dialling: list[Candidate] = []
        self.connected: list[Candidate] = []
        self.parked: list[Candidate] = []
        self.closing: list[Candidate] = []
        self.asked: list[Candidate] = []
        self.not_before: dict[tuple[str, int], float] = {}

    @rule(seconds=times)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(topic=topics)
    def join(self, topic: bytes) -> None:
        self.queue.join(topic)
        self.joined.add(topic)

    @rule(topic=topics)
    def leave(self, topic: bytes) -> None:
        self.queue.leave(topic)
        self.joined.discard(topic)

    @rule(
        names=st.lists(addresses, max_size=30),
        topic=topics,
        source=st.sampled_from(["a", "b", None]),
        local=st.booleans(),
        hairpin=st.booleans(),
    )
    def find(self, names: list[tuple[str, int]], topic: bytes, **how: Any) -> None:
        for address in names:
            self.queue.add(address, self.now, topic=topic, **how)

    @rule(address=addresses)
    def pin(self, address: tuple[str, int]) -> None:
        self.queue.add(address, self.now, pinned=True)
        self.not_before.pop(address, None)  # the user's wish goes before our patience

    @rule(address=addresses)
    def ban(self, address: tuple[str, int]) -> None:
        self.queue.ban(address)

    @rule()
    def dial(self) -> None:
        while (candidate := self.queue.next(self.now)) is not None:
            assert candidate.address not in self.queue.banned
            assert candidate.pinned or candidate.topics & self.joined
            assert candidate.topics <= self.joined
            assert self.now >= self.not_before.get(candidate.address, 0.0)
            assert candidate not in [*self.dialling, *self.connected, *self.parked, *self.closing]
            self.dialling.append(candidate)

    @rule()
    def ask(self) -> None:
        with patch.object(peer_queue, "ASK_ABOVE", 5):
            while (candidate := self.queue.next_to_ask(self.now)) is not None:
                assert candidate not in self.asked
                assert candidate.state is State.WAITING
                self.asked.append(candidate)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def reply(self, data: st.DataObject) -> None:
        self.queue.replied(data.draw(st.sampled_from(self.asked)))

    @precondition(lambda self: self.dialling)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(self.dialling)))

    @precondition(lambda self: self.connected)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(self.connected)))

    @precondition(lambda self: self.dialling)
    @rule(data=st.data())
    def connect(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from(self.dialling))
        self.dialling.remove(candidate)
        self.connected.append(candidate)
        self.queue.connected(candidate, self.now)
        self.queue.greeted(candidate, self.now)

    @precondition(lambda self: self.dialling or self.connected)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from([*self.dialling, *self.connected]))
        (self.dialling if candidate in self.dialling else self.connected).remove(candidate)
        self.queue.park(candidate)
        self.parked.append(candidate)
        self.closing.append(candidate)

    @precondition(lambda self: self.closing)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from(self.closing))
        self.closing.remove(candidate)
        self.queue.ended(candidate, self.now)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def unpark(self, data: st.DataObject) -> None:
        candidate = data.draw(st.sampled_from(self.parked))
        self.parked.remove(candidate)
        self.queue.unpark(candidate, self.now)

    def end(self, candidate: Candidate) -> None:
        (self.dialling if candidate in self.dialling else self.connected).remove(candidate)
        self.queue.ended(candidate, self.now)
        if candidate.state is State.RESTING:
            self.not_before[candidate.address] = self.now + 0.1

    @invariant()
    def no_more_dials_than_allowed(self) -> None:
        assert self.queue.dialling == len(self.dialling) <= DIALS_AT_ONCE
        charged = [candidate.charged for candidate in self.dialling]
        per_topic = Counter(topic for topic, _ in charged if topic is not None)
        per_block = Counter(block for _, block in charged if block is not None)
        assert all(count <= DIALS_PER_TOPIC for count in per_topic.values())
        assert all(count <= DIALS_PER_BLOCK for count in per_block.values())

    @invariant()
    def the_count_of_untried_peers_is_right(self) -> None:
        for topic in TOPICS:
            counted = [one for one in self.queue if topic in one.topics and not one.tried]
            assert self.queue.untried(topic) == len(counted)

    @invariant()
    def somebody_who_waits_has_a_timer(self) -> None:
        resting = [one for one in self.queue if one.state is State.RESTING]
        if resting or (self.queue.waiting and not self.dialling):
            assert self.queue.get_timer(self.now) is not None

    def teardown(self) -> None:
        for address in {one.address for one in self.queue}:
            candidate = self.queue.get(address)
            if candidate is not None and candidate.pinned:
                self.queue.ban(address)
        for topic in TOPICS:
            self.queue.leave(topic)
        for candidate in [*self.dialling, *self.connected]:
            self.end(candidate)
        for candidate in self.parked:
            self.queue.unpark(candidate, self.now)
        for candidate in self.closing:
            self.queue.ended(candidate, self.now)
        assert self.queue.next(self.now + 2 * PATIENT_WAIT_S) is None
        assert len(self.queue) == self.queue.waiting == self.queue.dialling == 0
        assert self.queue.get_timer(self.now + 2 * PATIENT_WAIT_S) is None
        budget = self.queue._budget
        assert budget.at_once == 0
        assert not budget._topics
        assert all(known.at_once == 0 for known in budget._blocks.values())


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
