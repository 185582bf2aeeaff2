"""Whom a walk through the DHT knows: nodes still to be asked, and the closest that answered.

In a healthy network this asks whom dht-rpc 4 asks (lib/query-table.js): the 20 nodes closest to
the target. There, nodes that somebody made up push the real ones out. Here a node that is silent
makes room for the next one, and who names silent ones is believed less.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.addresses import may_dial
from hypermultifeed.discovery.kbucket import (
    BUCKET_NODES_MAX,
    SAME_BLOCK_MAX,
    distance,
    public_block,
)

if TYPE_CHECKING:
    from hypermultifeed.discovery.addresses import Address, Contact

CLOSEST_MAX: Final = BUCKET_NODES_MAX
"""Nodes that store a record, and how far around the target a walk looks."""

SILENT_MAX: Final = 4
"""Nodes from one referrer that may be asked before one of them answers."""

SAME_ADDRESS_MAX: Final = 2
"""Candidates at one address: a node that came back under another id, but no flood at a victim."""


class State(Enum):
    """How far the walk is with a candidate."""

    NEW = auto()
    ASKED = auto()
    LATE = auto()
    ANSWERED = auto()
    FAILED = auto()


@dataclass(slots=True, eq=False)
class Candidate:
    """A node that may be asked; ``referrer`` is who named it, None being our own table."""

    contact: Contact
    distance: int
    referrer: Address | None
    block: str | None
    state: State = State.NEW


class Candidates:
    """The nodes that a walk heard of, in the order of their distance to the target."""

    def __init__(self, own_id: bytes, target: bytes) -> None:
        self._target = target
        self._ids = {own_id}
        self._known: dict[bytes, Candidate] = {}
        self._sorted: list[Candidate] = []
        self._per_address: dict[Address, int] = {}
        self._silent: dict[Address, int] = {}

    def add(self, contact: Contact, referrer: Address | None) -> None:
        """Note a node, unless it is known, is ourselves, or cannot be where it is said to be."""
        known = self._known.get(contact.id)
        if known is not None:
            if known.state is State.NEW and not self._believed(known.referrer):
                known.referrer = referrer  # somebody else names it too
            return
        same = self._per_address.get(contact.address, 0)
        if contact.id in self._ids or same >= SAME_ADDRESS_MAX:
            return
        if referrer is not None and not may_name(referrer, contact.address):
            return
        self._per_address[contact.address] = same + 1
        block = public_block(contact.address.host)
        candidate = Candidate(contact, distance(contact.id, self._target), referrer, block)
        self._known[contact.id] = candidate
        insort(self._sorted, candidate, key=lambda one: one.distance)

    def next(self, *, believe: bool = False) -> Candidate | None:
        """The closest one to be asked, if it is among the 20 closest that are not silent.

        Of each public network only the closest few count, and only they are asked.

        Args:
            believe: take even those whose referrer has named too many silent ones.
        """
        nearer: list[str | None] = []
        for candidate in self._sorted:
            if len(nearer) >= CLOSEST_MAX:
                break
            block = candidate.block
            if block is not None and nearer.count(block) >= SAME_BLOCK_MAX:
                continue
            if candidate.state is State.NEW:
                if believe or self._believed(candidate.referrer):
                    return candidate
            elif candidate.state in (State.ASKED, State.ANSWERED):
                nearer.append(block)
        return None

    def asked(self, candidate: Candidate) -> None:
        """It was sent a request."""
        candidate.state = State.ASKED
        self._count(candidate.referrer, 1)

    def answered(self, candidate: Candidate) -> None:
        """It is what it was said to be."""
        candidate.state = State.ANSWERED
        self._count(candidate.referrer, -1)

    def late(self, candidate: Candidate) -> None:
        """It did not answer at once; whoever comes next is asked too, instead of waiting."""
        candidate.state = State.LATE

    def failed(self, candidate: Candidate) -> None:
        """It is silent, or another than it was said to be."""
        candidate.state = State.FAILED

    def _believed(self, referrer: Address | None) -> bool:
        return referrer is None or self._silent.get(referrer, 0) < SILENT_MAX

    def _count(self, referrer: Address | None, change: int) -> None:
        if referrer is not None:
            self._silent[referrer] = self._silent.get(referrer, 0) + change


@dataclass(slots=True, eq=False)
class Closest:
    """A node that answered, and the token that lets us store something with it."""

    contact: Contact
    distance: int
    token: bytes
    referrer: Address | None
    block: str | None


class ClosestNodes:
    """The up to 20 nodes closest to the target that answered with an id and a token."""

    def __init__(self, own_id: bytes, target: bytes) -> None:
        self._own_id = own_id
        self._target = target
        self._nodes: list[Closest] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def nodes(self) -> list[Closest]:
        """Nearest first."""
        return list(self._nodes)

    def add(self, contact: Contact, token: bytes, referrer: Address | None) -> None:
        """Take a node, if it is near enough and its place in the network is not taken."""
        for one in self._nodes:
            if one.contact.id == contact.id or one.contact.address == contact.address:
                return
        if contact.id == self._own_id:
            return
        block = public_block(contact.address.host)
        node = Closest(contact, distance(contact.id, self._target), token, referrer, block)
        insort(self._nodes, node, key=lambda one: one.distance)
        same = [one for one in self._nodes if node.block and one.block == node.block]
        if len(same) > SAME_BLOCK_MAX:
            self._nodes.remove(same[-1])
        del self._nodes[CLOSEST_MAX:]


def may_name(referrer: Address, address: Address) -> bool:
    """Whether a node may send us to an address: into this very machine only from there."""
    local = may_dial(referrer.host, local=True, allow_loopback=True)
    return may_dial(address.host, local=False, allow_loopback=local)
