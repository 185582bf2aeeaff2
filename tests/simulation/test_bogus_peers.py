"""One honest peer among ten thousand bogus ones is found, in simulated time, from seeds.

The dials are those that the queue asks for; what is simulated is how each of them ends. Bogus
peers are black holes (no answer until the time is up), closed ports, or accept and say nothing.
"""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass, field
from itertools import count
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.peers.dial_budget import DIALS_AT_ONCE, DIALS_BURST, DIALS_PER_SECOND
from hypermultifeed.peers.peer_queue import PeerQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypermultifeed.peers.candidate import Candidate

TOPIC = b"t" * 32
BOGUS = 10_000
ANSWER = 128
"""Peers in one answer of the DHT."""
CONNECT_TIMEOUT_S = HANDSHAKE_TIMEOUT_S = 10.0
ROUND_TRIP_S = 0.1
GIVE_UP_S = 1200.0
SEEDS = range(8)

Address = tuple[str, int]
Told = list[tuple[str, list[Address]]]
"""Who told of which peers."""

_log = logging.getLogger(__name__)


@dataclass
class Search:
    """A queue, and a network in which nobody but ``honest`` answers."""

    seed: int
    told: Told
    honest: Address
    now: float = 0.0
    dials: int = 0
    begun: list[float] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.queue = PeerQueue(self.random, 0.0)
        self.queue.join(TOPIC)
        self.ends: list[tuple[float, int, Callable[[], bool]]] = []
        self.running: set[Candidate] = set()

    def run(self) -> float:
        """Seconds until the honest peer has authenticated."""
        for node, peers in self.told:
            for address in peers:
                self.queue.add(address, self.now, topic=TOPIC, source=node)
        while self.now < GIVE_UP_S:
            self.dial()
            when = self.queue.get_timer(self.now)
            at = min([self.ends[0][0]] if self.ends else [GIVE_UP_S], default=GIVE_UP_S)
            self.now = max(self.now, min(at, GIVE_UP_S if when is None else when))
            while self.ends and self.ends[0][0] <= self.now:
                if heapq.heappop(self.ends)[2]():
                    return self.now
        return GIVE_UP_S

    def dial(self) -> None:
        for late in self.queue.overdue(self.now):
            self.end(late)
        while (candidate := self.queue.next(self.now)) is not None:
            self.dials += 1
            self.begun.append(self.now)
            self.running.add(candidate)
            self.outcome(candidate)

    def outcome(self, candidate: Candidate) -> None:
        if candidate.address == self.honest:
            self.later(3 * ROUND_TRIP_S, lambda: True)
            return
        kind = self.random.randrange(3)
        if kind == 0:
            self.later(CONNECT_TIMEOUT_S, lambda: self.end(candidate))
        elif kind == 1:
            self.later(ROUND_TRIP_S, lambda: self.end(candidate))
        else:
            self.later(ROUND_TRIP_S, lambda: self.connected(candidate))

    def connected(self, candidate: Candidate) -> bool:
        if candidate in self.running:
            self.queue.connected(candidate, self.now)
            self.later(HANDSHAKE_TIMEOUT_S, lambda: self.end(candidate))
        return False

    def end(self, candidate: Candidate) -> bool:
        if candidate in self.running:
            self.running.discard(candidate)
            self.queue.ended(candidate, self.now)
        return False

    def later(self, seconds: float, what: Callable[[], bool]) -> None:
        heapq.heappush(self.ends, (self.now + seconds, next(self.numbers), what))


def anywhere(random: Random) -> Address:
    host = f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}"
    return f"{host}.{random.randrange(1, 255)}", random.randrange(1024, 65536)


def lying_nodes(random: Random, honest: Address) -> Told:
    """Nodes near the topic name whoever they like; one honest node knows the honest peer."""
    bogus = [anywhere(random) for _ in range(BOGUS)]
    told = [(f"liar {start}", bogus[start : start + ANSWER]) for start in range(0, BOGUS, ANSWER)]
    told.insert(random.randrange(len(told)), ("honest node", [honest]))
    return told


def announced_peers(random: Random, honest: Address) -> Told:
    """Forty networks announce themselves; each of 20 honest nodes gives a random 128 of all."""
    blocks = [anywhere(random)[0].rpartition(".")[0] for _ in range(40)]
    bogus = [(f"{blocks[n % 40]}.{n // 40 % 254 + 1}", 1024 + n // 10160) for n in range(BOGUS)]
    told = [(f"node {number}", random.sample(bogus, ANSWER)) for number in range(20)]
    told[random.randrange(20)][1][random.randrange(ANSWER)] = honest
    return told


def anything(random: Random, honest: Address) -> Told:
    """No order at all: all in different networks, the honest one in a random answer."""
    everybody = [honest, *(anywhere(random) for _ in range(BOGUS))]
    random.shuffle(everybody)
    return [(f"{n}", everybody[n : n + ANSWER]) for n in range(0, len(everybody), ANSWER)]


def found(scene: Callable[[Random, Address], Told], seeds: range = SEEDS) -> list[Search]:
    searches = []
    for seed in seeds:
        honest = ("203.0.113.77", 4711)
        search = Search(seed, scene(Random(seed), honest), honest)
        search.run()
        searches.append(search)
    times = [search.now for search in searches]
    dials = [search.dials for search in searches]
    _log.info(
        "%s: found after %.1f s (median; %.1f to %.1f), %d dials (median)",
        scene.__name__, median(times), min(times), max(times), median(dials),
    )  # fmt: skip
    return searches


@pytest.mark.parametrize("scene", [lying_nodes, announced_peers])
def test_one_honest_peer_among_ten_thousand_is_found_within_a_minute(
    scene: Callable[[Random, Address], Told],
) -> None:
    for search in found(scene):
        assert search.now <= 60.0, search.seed


def test_dials_stay_within_the_budget_whatever_comes() -> None:
    """And where nothing helps but patience, every candidate has its turn at last."""
    for search in found(anything, SEEDS[:3]):
        assert search.now < GIVE_UP_S
        assert search.dials <= DIALS_BURST + DIALS_PER_SECOND * search.now
        assert search.queue.dialling <= DIALS_AT_ONCE
