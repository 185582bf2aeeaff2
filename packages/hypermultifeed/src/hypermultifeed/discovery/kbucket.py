"""The routing table of Kademlia: buckets of 20 in a tree, which is deepest around the own id.

Only the bucket that contains the own id splits, so what is far away is known coarsely and what is
near in detail (k-bucket 5, as dht-rpc 4 uses it). It holds at most 20 nodes for each of 256 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.addresses import ID_BYTES, Contact, may_dial, network_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.discovery.addresses import Address

ID_BITS: Final = 8 * ID_BYTES
"""The greatest depth of the tree."""

BUCKET_NODES_MAX: Final = 20
"""Nodes in one bucket: Kademlia's k."""

OLDEST_COUNT: Final = 3
"""Nodes of a full bucket that have to prove themselves before a newcomer is turned away."""

SAME_BLOCK_MAX: Final = 5
"""Nodes of one public /24 network in a bucket, or among the closest to a target."""


def distance(left: bytes, right: bytes) -> int:
    """Kademlia's metric: the two ids XORed, as a number."""
    return int.from_bytes(left, "big") ^ int.from_bytes(right, "big")


def public_block(host: str) -> str | None:
    """The public /24 network of a host, in which one owner can cheaply have many ids.

    None for private networks: such a DHT has a single owner anyway, perhaps a single machine.
    """
    private = may_dial(host, local=True, allow_loopback=True)
    return None if private else network_block(host)


@dataclass(slots=True, eq=False)
class Node:
    """A node that the table may hold.

    Attributes:
        tick: when it was last heard from, counted in the ticks of housekeeping.
        seen_us_as: our address, as the node last told it in an answer.
        key: the id as a number.
        block: the public /24 network that it is in, if any.
    """

    id: bytes
    address: Address
    tick: int = 0
    seen_us_as: Address | None = None
    key: int = field(init=False, repr=False)
    block: str | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.key = int.from_bytes(self.id, "big")
        self.block = public_block(self.address.host)

    @property
    def contact(self) -> Contact:
        """What other nodes are told."""
        return Contact(self.id, self.address)


class _Bucket:
    """A leaf of the tree with nodes, longest unheard first; or a fork with two halves."""

    __slots__ = ("halves", "nodes", "splits")

    def __init__(self, *, splits: bool = True) -> None:
        self.nodes: dict[bytes, Node] = {}
        self.halves: tuple[_Bucket, _Bucket] | None = None
        self.splits = splits


class RoutingTable:
    """The nodes that are known, by id, by address and by when they were last heard from."""

    def __init__(self, own_id: bytes) -> None:
        self._own_key = int.from_bytes(own_id, "big")
        self._root = _Bucket()
        self._by_age: dict[bytes, Node] = {}
        self._by_address: dict[Address, Node] = {}

    def __len__(self) -> int:
        return len(self._by_age)

    def __iter__(self) -> Iterator[Node]:
        """All nodes, longest unheard first; the table must not be changed meanwhile."""
        return iter(self._by_age.values())

    def __reversed__(self) -> Iterator[Node]:
        return reversed(self._by_age.values())

    def get(self, node_id: bytes) -> Node | None:
        """The node with this id."""
        return self._by_age.get(node_id)

    def at(self, address: Address) -> Node | None:
        """The node at this address; there is never more than one."""
        return self._by_address.get(address)

    def neighbours(self, node_id: bytes) -> list[Node]:
        """The nodes of the bucket that an id belongs to."""
        return list(self._find(int.from_bytes(node_id, "big"))[0].nodes.values())

    def add(self, node: Node) -> list[Node]:
        """Take a node whose id and address are both new, or say why not.

        Returns:
            Nothing if it was taken. Otherwise the nodes of its full bucket that were not heard from
            for longest; if one of them is gone, remove it and try again.
        """
        assert node.id not in self._by_age
        assert node.address not in self._by_address
        bucket, depth = self._find(node.key)
        while len(bucket.nodes) >= BUCKET_NODES_MAX:
            if not bucket.splits:
                return list(bucket.nodes.values())[:OLDEST_COUNT]
            bucket = self._split(bucket, depth)[_bit(node.key, depth)]
            depth += 1
        bucket.nodes[node.id] = node
        self._by_age[node.id] = node
        self._by_address[node.address] = node
        return []

    def touch(self, node: Node) -> None:
        """The node was heard from: it becomes the youngest."""
        for nodes in (self._find(node.key)[0].nodes, self._by_age):
            nodes[node.id] = nodes.pop(node.id)

    def remove(self, node: Node) -> None:
        """Forget a node; one that is not here is ignored."""
        if self._by_age.get(node.id) is node:
            del self._by_age[node.id]
            del self._by_address[node.address]
            del self._find(node.key)[0].nodes[node.id]

    def closest(self, target: bytes, count: int) -> list[Node]:
        """Up to ``count`` nodes near a target, nearest first.

        Buckets are taken from the target's outwards until there are enough nodes, as JavaScript
        does; so the last ones are not always the nearest of the whole table.
        """
        key = int.from_bytes(target[:ID_BYTES].ljust(ID_BYTES, b"\0"), "big")
        found: list[Node] = []
        pending = [(self._root, 0)]
        while pending and len(found) < count:
            bucket, depth = pending.pop()
            if bucket.halves is None:
                found += bucket.nodes.values()
            else:
                bit = _bit(key, depth)
                pending.append((bucket.halves[1 - bit], depth + 1))
                pending.append((bucket.halves[bit], depth + 1))
        found.sort(key=lambda node: node.key ^ key)
        return found[:count]

    def _find(self, key: int) -> tuple[_Bucket, int]:
        bucket, depth = self._root, 0
        while bucket.halves is not None:
            bucket = bucket.halves[_bit(key, depth)]
            depth += 1
        return bucket, depth

    def _split(self, bucket: _Bucket, depth: int) -> tuple[_Bucket, _Bucket]:
        own = _bit(self._own_key, depth)
        halves = (_Bucket(splits=own == 0), _Bucket(splits=own == 1))
        for node in bucket.nodes.values():
            halves[_bit(node.key, depth)].nodes[node.id] = node
        bucket.halves = halves
        bucket.nodes = {}
        return halves


def _bit(key: int, depth: int) -> int:
    """The bit of an id that decides at a depth of the tree, most significant first."""
    return key >> (ID_BITS - 1 - depth) & 1
