"""One honest peer among ten thousand bogus ones is found, in simulated time, from seeds.

The dials and pings are those that the queue asks for; what is simulated is what comes of each.
Bogus peers are black holes (no answer until the time is up), closed ports, or accept and say
nothing. Pings are answered by the honest peer, by nobody, or by everybody.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.peers.asking import ASKS_BURST, ASKS_PER_BLOCK, ASKS_PER_SECOND
from hypermultifeed.peers.dial_budget import DIALS_AT_ONCE, DIALS_BURST, DIALS_PER_SECOND
from hypermultifeed.peers.peer_queue import PeerQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.peers.candidate import Candidate

TOPIC = b"t" * 32
BOGUS = 10_000
ANSWER = 128
"""Peers in one answer of the DHT."""
PLACES = 24 + 8
"""Dials of a swarm that has no connections."""
CONNECT_TIMEOUT_S = HANDSHAKE_TIMEOUT_S = 10.0
ROUND_TRIP_S = 0.1
GIVE_UP_S = 1200.0
SEEDS = range(8)

Address = tuple[str, int]
Told = list[tuple[str, list[Address]]]
"""Who told of which peers."""

_log = logging.getLogger(__name__)


class Pings(Enum):
    """Who answers them."""

    OFF = auto()
    """There is no DHT node to send them."""
    NOBODY = auto()
    """Nor the honest peer: its firewall lets TCP through only."""
    HONEST = auto()
    BOGUS = auto()
    """Only they."""


@dataclass
class Search:
    """A queue, and a network in which nobody but ``honest`` is a peer."""

    seed: int
    told: Told
    honest: Address
    pings: Pings
    silent: bool
    now: float = 0.0
    dials: int = 0
    asked: list[tuple[float, Address]] = field(default_factory=list)
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
            when = self.queue.get_timer(self.now, PLACES)
            at = min([self.ends[0][0]] if self.ends else [GIVE_UP_S], default=GIVE_UP_S)
            self.now = max(self.now, min(at, GIVE_UP_S if when is None else when))
            while self.ends and self.ends[0][0] <= self.now:
                if heapq.heappop(self.ends)[2]():
                    return self.now
        return GIVE_UP_S

    def dial(self) -> None:
        for late in self.queue.overdue(self.now, PLACES):
            self.end(late)
        while self.queue.dialling < PLACES and (candidate := self.queue.next(self.now)):
            self.dials += 1
            self.begun.append(self.now)
            self.running.add(candidate)
            self.outcome(candidate)
        if self.pings is not Pings.OFF:
            while (candidate := self.queue.next_to_ask(self.now)) is not None:
                self.ask(candidate)

    def ask(self, candidate: Candidate) -> None:
        self.asked.append((self.now, candidate.address))
        answers = Pings.HONEST if candidate.address == self.honest else Pings.BOGUS
        if self.pings is answers:
            self.later(ROUND_TRIP_S, lambda: self.replied(candidate))

    def replied(self, candidate: Candidate) -> bool:
        self.queue.replied(candidate)
        return False

    def outcome(self, candidate: Candidate) -> None:
        if candidate.address == self.honest:
            self.later(3 * ROUND_TRIP_S, lambda: True)
            return
        kind = 0 if self.silent else self.random.randrange(3)
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


Scene = Callable[[Random, Address], Told]


def found(
    scene: Scene,
    seeds: range = SEEDS,
    *,
    pings: Pings = Pings.HONEST,
    silent: bool = False,
) -> list[Search]:
    searches = []
    for seed in seeds:
        honest = ("203.0.113.77", 4711)
        search = Search(seed, scene(Random(seed), honest), honest, pings, silent)
        search.run()
        searches.append(search)
    times = [search.now for search in searches]
    _log.info(
        "%s, pings %s: found after %.1f s (median; %.1f to %.1f), %d dials, %d pings (medians)",
        scene.__name__, pings.name, median(times), min(times), max(times),
        median(search.dials for search in searches),
        median(len(search.asked) for search in searches),
    )  # fmt: skip
    return searches


@pytest.mark.parametrize("pings", Pings)
@pytest.mark.parametrize("scene", [lying_nodes, announced_peers])
def test_one_honest_peer_among_ten_thousand_is_found_within_a_minute(
    scene: Scene, pings: Pings
) -> None:
    """Also where pings tell nothing, or lie."""
    for search in found(scene, pings=pings):
        assert search.now <= 60.0, search.seed


@pytest.mark.parametrize("silent", [True, False])
def test_without_any_order_pings_find_it_within_a_minute(silent: bool) -> None:
    for search in found(anything, silent=silent):
        assert search.now <= 60.0, search.seed
        hosts = [address for _, address in search.asked]
        assert len(set(hosts)) == len(hosts), "nobody is asked twice"


@pytest.mark.parametrize("scene", [anything, announced_peers])
def test_dials_and_pings_stay_within_their_limits_whatever_comes(scene: Scene) -> None:
    """And where nothing helps but patience, every candidate has its turn at last."""
    for search in found(scene, SEEDS[:3], pings=Pings.NOBODY):
        assert search.now < GIVE_UP_S
        assert search.dials <= DIALS_BURST + DIALS_PER_SECOND * search.now
        assert search.queue.dialling <= DIALS_AT_ONCE
        begun = search.asked[0][0]
        blocks: Counter[str] = Counter()
        for number, (when, (host, _)) in enumerate(search.asked):
            block = host.rpartition(".")[0]
            assert number < ASKS_BURST + ASKS_PER_SECOND * (when - begun)
            assert blocks[block] < ASKS_PER_BLOCK * (1 + when - begun)
            blocks[block] += 1
