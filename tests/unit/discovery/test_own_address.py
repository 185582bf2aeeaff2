"""The vote on our own address."""

from __future__ import annotations

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.kbucket import Node, RoutingTable
from hypermultifeed.discovery.own_address import VOTES_MAX, public_address

A, B, C = Address("93.0.0.1", 1), Address("93.0.0.1", 2), Address("94.0.0.1", 1)


def table(*votes: Address | None) -> RoutingTable:
    """Nodes that see us so, the oldest first."""
    found = RoutingTable(bytes(32))
    for number, vote in enumerate(votes, start=1):
        address = Address("10.0.0.1", number)
        found.add(Node(number.to_bytes(32, "big"), address, 0, vote))
    return found


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], None),
        ([A, A], None),
        ([A, A, A], A),
        ([A, None, A, None, A], A),
        ([A, A, A, C, C], A),
        ([A, A, A, C, C, C], None),
        ([A, A, B, B], Address(A.host, 0)),
        ([A, B, Address(A.host, 3), C, C], Address(A.host, 0)),
        ([A, A, A, A, A, A, A, B, B, B], Address(A.host, 0)),
        ([A, B, C], None),
    ],
)
def test_enough_have_to_agree(votes: list[Address | None], expected: Address | None) -> None:
    assert public_address(table(*votes)) == expected


def test_the_latest_votes_count() -> None:
    assert public_address(table(*[A] * 30, *[C] * VOTES_MAX)) == C
