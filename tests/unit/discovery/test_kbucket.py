"""The routing table, against the recorded one and by its own rules."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.kbucket import (
    BUCKET_NODES_MAX,
    Node,
    RoutingTable,
    distance,
    public_block,
)

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "dht-v4.json").read_text())[
    "routing_table"
]


def node(number: int) -> Node:
    node_id = hashlib.sha256(b"node%d" % number).digest()
    return Node(node_id, Address("10.0.0.1", 1 + number))


@pytest.fixture(scope="module")
def recorded() -> tuple[RoutingTable, list[dict[str, object]]]:
    table = RoutingTable(bytes.fromhex(VECTOR["local_id"]))
    rejected: list[dict[str, object]] = []
    for number in range(120):
        oldest = table.add(node(number))
        if oldest:
            numbers = [one.address.port - 1 for one in oldest]
            rejected.append({"candidate": number, "oldest": numbers})
    return table, rejected


def test_it_keeps_what_javascript_keeps(
    recorded: tuple[RoutingTable, list[dict[str, object]]],
) -> None:
    table, rejected = recorded
    assert [one.address.port - 1 for one in table] == VECTOR["kept"]
    assert rejected == VECTOR["rejected_with_ping_of"]


@pytest.mark.parametrize("case", VECTOR["closest20"], ids=lambda case: case["target"][:8])
def test_the_closest_are_those_of_javascript(
    case: dict[str, object], recorded: tuple[RoutingTable, list[dict[str, object]]]
) -> None:
    found = recorded[0].closest(bytes.fromhex(str(case["target"])), 20)
    assert [one.address.port - 1 for one in found] == case["order"]


def test_the_closest_around_the_own_id_are_exact() -> None:
    rng = random.Random(1)
    own = rng.randbytes(32)
    table = RoutingTable(own)
    nodes = [Node(rng.randbytes(32), Address("10.0.0.1", 1 + i)) for i in range(500)]
    kept = [one for one in nodes if not table.add(one)]
    nearest = sorted(nodes, key=lambda one: distance(one.id, own))[:10]
    assert table.closest(own, 10) == nearest
    assert len(table) == len(kept) < 200


def test_touched_nodes_become_young_in_the_table_and_in_their_bucket() -> None:
    table = RoutingTable(bytes(32))
    far = [Node(bytes([128 + i]) * 32, Address("10.0.0.1", 1 + i)) for i in range(21)]
    near = Node(b"\1" * 32, Address("10.0.0.2", 1))
    for one in [near, *far[:20]]:
        assert table.add(one) == []
    assert table.add(far[20]) == far[:3]
    table.touch(far[0])
    assert table.add(far[20]) == far[1:4]
    assert next(iter(table)) is near
    assert next(reversed(table)) is far[0]


def test_a_removed_node_makes_room() -> None:
    table = RoutingTable(bytes(32))
    far = [Node(bytes([128 + i]) * 32, Address("10.0.0.1", 1 + i)) for i in range(22)]
    for one in far[:21]:
        table.add(one)
    table.remove(far[5])
    table.remove(far[5])  # as often as you like
    assert table.get(far[5].id) is None
    assert table.at(far[5].address) is None
    assert table.add(far[21]) == []
    assert table.at(far[21].address) is far[21]
    assert len(table.neighbours(far[21].id)) == BUCKET_NODES_MAX


def test_ids_that_differ_only_in_the_last_bits_end_the_splitting() -> None:
    own = bytes(32)
    table = RoutingTable(own)
    for number in range(1, 200):
        table.add(Node(number.to_bytes(32, "big"), Address("10.0.0.1", number)))
    assert len(table) >= 40
    assert [one.key for one in table.closest(own, 20)] == list(range(1, 21))


def test_targets_of_any_length_are_looked_for() -> None:
    table = RoutingTable(bytes(32))
    table.add(node(1))
    for target in (b"", b"short", bytes(40)):
        assert len(table.closest(target, 20)) == 1


def test_only_public_networks_are_blocks() -> None:
    assert public_block("93.184.216.34") == public_block("93.184.216.99") is not None
    for host in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.0.1"):
        assert public_block(host) is None
