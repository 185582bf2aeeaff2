"""Who enters the routing table, and who leaves it (dht-rpc 4, index.js).

Whoever sends its id is a node to know. What it says in a request may come from a forged address,
so that never changes what is known already; what it answers to a request of ours may.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.kbucket import SAME_BLOCK_MAX, Node, RoutingTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.addresses import Address

    Ping = Callable[[Node, Callable[[bool, float], None], float], None]

AGE_TICK_S: Final = 5.0
"""The age of a node is counted in ticks of so many seconds."""

CHALLENGES_MAX: Final = 8
"""Newcomers to full buckets that are considered at a time; each costs up to three pings."""


class Contacts:
    """The routing table with its rules.

    Args:
        ping: asks a node whether it is there, and calls back with the answer and the time.

    Attributes:
        table: the nodes.
        settled: the first bootstrap is over; before, all nodes were heard from just now.
    """

    def __init__(self, own_id: bytes, ping: Ping, now: float) -> None:
        self.table = RoutingTable(own_id)
        self.settled = False
        self._own_id = own_id
        self._ping = ping
        self._started = now
        self._challenges = 0

    def heard_request(self, node_id: bytes, address: Address, now: float) -> None:
        """A node asked us something."""
        if self.table.at(address) is None or self.table.get(node_id) is not None:
            self._heard(node_id, address, None, now)

    def heard_answer(
        self, node_id: bytes, address: Address, seen_us_as: Address | None, now: float
    ) -> None:
        """A node answered us."""
        holder = self.table.at(address)
        if holder is not None and holder.id != node_id:
            self.table.remove(holder)  # it came back under another id
        self._heard(node_id, address, seen_us_as, now)

    def silent(self, node_id: bytes, address: Address) -> None:
        """A node did not answer, or somebody else is there."""
        node = self.table.get(node_id)
        if node is not None and node.address == address:
            self.table.remove(node)

    def oldest(self, count: int, now: float) -> list[Node]:
        """Those not heard from for longest, but not those heard from just now."""
        tick = self._tick(now)
        return [node for node in islice(self.table, count) if node.tick != tick]

    def _heard(
        self, node_id: bytes, address: Address, seen_us_as: Address | None, now: float
    ) -> None:
        if node_id == self._own_id:
            return
        node = self.table.get(node_id)
        if node is None:
            self._admit(Node(node_id, address, self._tick(now), seen_us_as), now)
        elif node.address == address:  # else the one we know keeps its id until it is silent
            node.tick = self._tick(now)
            node.seen_us_as = seen_us_as or node.seen_us_as
            self.table.touch(node)

    def _admit(self, node: Node, now: float) -> None:
        if node.block is not None:
            neighbours = self.table.neighbours(node.id)
            if sum(one.block == node.block for one in neighbours) >= SAME_BLOCK_MAX:
                return
        oldest = self.table.add(node)
        if not (oldest and self.settled) or self._challenges >= CHALLENGES_MAX:
            return
        tick = self._tick(now)
        for one in oldest:
            if one.tick == tick:
                self.table.touch(one)
        self._challenges += 1
        self._challenge([one for one in oldest if one.tick != tick], node, now)

    def _challenge(self, oldest: list[Node], newcomer: Node, now: float) -> None:
        """Ping one node after another; the first that is gone makes room."""
        if not oldest:
            self._challenges -= 1
            return

        def ended(alive: bool, now: float) -> None:
            if alive:
                self._challenge(oldest[1:], newcomer, now)
                return
            self._challenges -= 1
            self.silent(oldest[0].id, oldest[0].address)
            self.heard_request(newcomer.id, newcomer.address, now)

        self._ping(oldest[0], ended, now)

    def _tick(self, now: float) -> int:
        return int((now - self._started) // AGE_TICK_S)
