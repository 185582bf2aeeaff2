"""Whom a walk asks next, and who counts as closest."""

from __future__ import annotations

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.candidates import (
    CLOSEST_MAX,
    SAME_ADDRESS_MAX,
    SILENT_MAX,
    Candidate,
    Candidates,
    ClosestNodes,
    may_name,
)
from hypermultifeed.discovery.kbucket import SAME_BLOCK_MAX

from .host import OWN_ID, contact

TARGET = bytes(32)
LIAR = Address("94.0.0.1", 1)
FRIEND = Address("94.0.1.1", 1)


def candidates(*numbers: int, referrer: Address | None = None) -> Candidates:
    found = Candidates(OWN_ID, TARGET)
    for number in numbers:
        found.add(contact(number), referrer)
    return found


def ask(found: Candidates, *, believe: bool = False) -> Candidate | None:
    candidate = found.next(believe=believe)
    if candidate is not None:
        found.asked(candidate)
    return candidate


def number(candidate: Candidate | None) -> int | None:
    return None if candidate is None else int.from_bytes(candidate.contact.id, "big")


def test_the_nearest_is_asked_first_and_everybody_once() -> None:
    found = candidates(5, 3, 9, 3)
    assert [number(ask(found)) for _ in range(4)] == [3, 5, 9, None]


def test_nobody_farther_than_the_twentieth_is_asked() -> None:
    found = candidates(*range(100, 130))
    for _ in range(CLOSEST_MAX):
        candidate = ask(found)
        assert candidate is not None
        found.answered(candidate)
    assert ask(found) is None
    found.add(contact(1), None)
    assert number(ask(found)) == 1


def test_those_that_failed_or_are_late_make_room() -> None:
    found = candidates(*range(100, 130))
    asked = [ask(found) for _ in range(CLOSEST_MAX)]
    assert ask(found) is None
    assert asked[0] is not None
    assert asked[1] is not None
    found.failed(asked[0])
    assert number(ask(found)) == 120
    assert ask(found) is None
    found.late(asked[1])
    assert number(ask(found)) == 121
    found.answered(asked[1])  # late, but there
    assert ask(found) is None


def test_who_names_silent_nodes_is_believed_no_more() -> None:
    found = candidates(*range(1, 20), referrer=LIAR)
    found.add(contact(50), FRIEND)
    asked = [number(ask(found)) for _ in range(SILENT_MAX + 1)]
    assert asked == [*range(1, SILENT_MAX + 1), 50]
    assert ask(found) is None
    assert number(ask(found, believe=True)) == SILENT_MAX + 1


def test_each_answer_earns_a_referrer_another_try() -> None:
    found = candidates(*range(1, 20), referrer=FRIEND)
    first = ask(found)
    while ask(found) is not None:
        pass
    assert first is not None
    found.answered(first)
    assert number(ask(found)) == SILENT_MAX + 1
    assert ask(found) is None


def test_a_node_that_others_name_too_is_asked_on_their_word() -> None:
    found = candidates(*range(1, 20), referrer=LIAR)
    while ask(found) is not None:
        pass
    found.add(contact(19), FRIEND)
    candidate = ask(found)
    assert number(candidate) == 19
    assert candidate is not None
    assert candidate.referrer == FRIEND


def test_nonsense_is_not_noted() -> None:
    found = Candidates(OWN_ID, TARGET)
    found.add(Contact(OWN_ID, Address("93.0.0.1", 1)), LIAR)
    for host in ("127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"):  # noqa: S104
        found.add(Contact(bytes(32), Address(host, 1)), LIAR)
    assert found.next() is None


def test_one_address_has_few_ids() -> None:
    found = Candidates(OWN_ID, TARGET)
    for one in range(20):
        found.add(Contact(bytes([one]) * 32, Address("93.0.0.1", 1)), None)
    assert [ask(found) is not None for _ in range(3)] == [True] * SAME_ADDRESS_MAX + [False]


def test_of_one_public_network_only_the_nearest_are_asked() -> None:
    found = Candidates(OWN_ID, TARGET)
    for one in range(1, 50):
        address = Address("93.184.216.34", one)
        found.add(Contact(one.to_bytes(32, "big"), address), None)
    found.add(contact(1000), None)
    asked = [number(ask(found)) for _ in range(SAME_BLOCK_MAX + 2)]
    assert asked == [*range(1, SAME_BLOCK_MAX + 1), 1000, None]


def test_in_a_private_network_all_are_asked() -> None:
    found = Candidates(OWN_ID, TARGET)
    for one in range(1, 50):
        found.add(Contact(one.to_bytes(32, "big"), Address("10.0.0.1", one)), None)
    assert [number(ask(found)) for _ in range(CLOSEST_MAX + 1)] == [*range(1, 21), None]


def test_the_closest_are_twenty_sorted_and_different() -> None:
    closest = ClosestNodes(OWN_ID, TARGET)
    for one in [*range(200, 100, -3), 101, *range(100, 130)]:
        closest.add(contact(one), b"token", None)
    numbers = [int.from_bytes(one.contact.id, "big") for one in closest.nodes()]
    assert numbers == list(range(100, 120))
    assert len(closest) == CLOSEST_MAX


def test_one_address_and_one_network_have_few_places_among_the_closest() -> None:
    closest = ClosestNodes(OWN_ID, TARGET)
    closest.add(Contact(OWN_ID, Address("93.0.0.1", 1)), b"token", None)
    assert len(closest) == 0
    for one in range(1, 9):
        closest.add(Contact(bytes([one]) * 32, Address("93.0.0.1", 1)), b"token", None)
    assert len(closest) == 1
    for one in range(50, 20, -1):
        closest.add(Contact(bytes([one]) * 32, Address("93.0.7.1", one)), b"token", None)
    ports = sorted(one.contact.address.port for one in closest.nodes())
    assert ports == [1, 21, 22, 23, 24, 25]  # the nearest five of that network


def test_loopback_is_named_only_by_neighbours() -> None:
    loopback = Address("127.0.0.1", 5)
    assert may_name(Address("127.0.0.2", 1), loopback)
    assert may_name(Address("10.0.0.2", 1), loopback)
    assert not may_name(LIAR, loopback)
    assert may_name(LIAR, Address("10.0.0.2", 1))
