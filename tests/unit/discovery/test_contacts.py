"""Who enters the routing table, who stays, who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.contacts import AGE_TICK_S, CHALLENGES_MAX, Contacts
from hypermultifeed.discovery.kbucket import BUCKET_NODES_MAX, OLDEST_COUNT, SAME_BLOCK_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.kbucket import Node

OWN_ID = bytes(32)
ONE, TWO = b"\x01" * 32, b"\x02" * 32
HERE, THERE = Address("10.0.0.1", 1), Address("10.0.0.2", 2)
US = Address("93.1.1.1", 9)
NOW = 1000.0
LATER = NOW + AGE_TICK_S
ALIVE, GONE = True, False


class Table:
    """Contacts, and the pings that they want."""

    def __init__(self) -> None:
        self.pings: list[tuple[Node, Callable[[bool, float], None]]] = []
        self.contacts = Contacts(OWN_ID, self.ping, NOW)
        self.contacts.settled = True

    def ping(self, node: Node, on_end: Callable[[bool, float], None], now: float) -> None:
        self.pings.append((node, on_end))

    def known(self) -> list[tuple[bytes, Address]]:
        return [(node.id, node.address) for node in self.contacts.table]

    def fill(self, now: float = NOW) -> list[bytes]:
        """Fill the far bucket."""
        ids = [bytes([128 + i]) * 32 for i in range(BUCKET_NODES_MAX)]
        self.contacts.heard_request(ONE, HERE, now)  # so that the tree has to split
        for i, node_id in enumerate(ids):
            self.contacts.heard_request(node_id, Address("10.0.1.1", 1 + i), now)
        return ids

    def newcomer(self, number: int = 0, now: float = LATER) -> bytes:
        node_id = bytes([200 + number]) * 32
        self.contacts.heard_request(node_id, Address("10.0.2.1", 1 + number), now)
        return node_id


@pytest.fixture
def table() -> Table:
    return Table()


def test_whoever_tells_its_id_is_known(table: Table) -> None:
    table.contacts.heard_request(ONE, HERE, NOW)
    table.contacts.heard_answer(TWO, THERE, US, NOW)
    assert table.known() == [(ONE, HERE), (TWO, THERE)]
    node = table.contacts.table.get(TWO)
    assert node is not None
    assert node.seen_us_as == US


def test_we_do_not_know_ourselves(table: Table) -> None:
    table.contacts.heard_request(OWN_ID, HERE, NOW)
    table.contacts.heard_answer(OWN_ID, HERE, US, NOW)
    assert table.known() == []


def test_hearing_from_a_node_again_makes_it_young(table: Table) -> None:
    table.contacts.heard_answer(ONE, HERE, US, NOW)
    table.contacts.heard_request(TWO, THERE, NOW)
    table.contacts.heard_request(ONE, HERE, LATER)
    assert table.known() == [(TWO, THERE), (ONE, HERE)]
    node = table.contacts.table.get(ONE)
    assert node is not None
    assert (node.tick, node.seen_us_as) == (1, US)


def test_a_request_does_not_change_what_is_known(table: Table) -> None:
    """Its source may be forged: it can neither move a node nor put another in its place."""
    table.contacts.heard_request(ONE, HERE, NOW)
    table.contacts.heard_request(ONE, THERE, NOW)
    table.contacts.heard_request(TWO, HERE, NOW)
    assert table.known() == [(ONE, HERE)]


def test_a_node_that_came_back_under_another_id_is_known_by_its_answer(table: Table) -> None:
    table.contacts.heard_request(ONE, HERE, NOW)
    table.contacts.heard_answer(TWO, HERE, None, NOW)
    assert table.known() == [(TWO, HERE)]


def test_nobody_takes_over_the_id_of_another(table: Table) -> None:
    table.contacts.heard_request(ONE, HERE, NOW)
    table.contacts.heard_answer(ONE, THERE, None, NOW)
    assert table.known() == [(ONE, HERE)]
    table.contacts.silent(ONE, HERE)
    table.contacts.heard_answer(ONE, THERE, None, NOW)
    assert table.known() == [(ONE, THERE)]


def test_only_the_one_at_that_address_is_silent(table: Table) -> None:
    table.contacts.heard_request(ONE, HERE, NOW)
    table.contacts.silent(ONE, THERE)
    table.contacts.silent(TWO, HERE)
    assert table.known() == [(ONE, HERE)]


def test_a_newcomer_replaces_the_first_old_node_that_is_gone(table: Table) -> None:
    ids = table.fill()
    newcomer = table.newcomer()
    (node, on_end) = table.pings.pop()
    assert node.id == ids[0]
    on_end(ALIVE, LATER)
    (node, on_end) = table.pings.pop()
    assert node.id == ids[1]
    on_end(GONE, LATER)
    known = dict(table.known())
    assert newcomer in known
    assert ids[1] not in known
    assert table.pings == []


def test_a_newcomer_is_forgotten_if_the_old_ones_are_there(table: Table) -> None:
    table.fill()
    newcomer = table.newcomer()
    for _ in range(OLDEST_COUNT):
        table.pings.pop()[1](ALIVE, LATER)
    assert table.pings == []
    assert newcomer not in dict(table.known())


def test_nodes_heard_from_just_now_are_not_pinged(table: Table) -> None:
    ids = table.fill(LATER)
    table.newcomer(now=LATER)
    assert table.pings == []
    table.newcomer(now=LATER + AGE_TICK_S)
    assert table.pings[0][0].id == ids[OLDEST_COUNT]  # the first three are young again


def test_nobody_is_pinged_during_the_first_bootstrap(table: Table) -> None:
    table.contacts.settled = False
    table.fill()
    table.newcomer()
    assert table.pings == []


def test_a_flood_of_newcomers_causes_few_pings(table: Table) -> None:
    table.fill()
    for number in range(50):
        table.newcomer(number)
    assert len(table.pings) == CHALLENGES_MAX
    for _ in range(OLDEST_COUNT):
        pings, table.pings = table.pings, []
        for _, on_end in pings:
            on_end(ALIVE, LATER)
    table.newcomer(51)
    assert len(table.pings) == 1


def test_one_public_network_has_few_places_in_a_bucket(table: Table) -> None:
    for i in range(20):
        table.contacts.heard_request(bytes([128 + i]) * 32, Address("93.0.0.1", 1 + i), NOW)
    assert len(table.known()) == SAME_BLOCK_MAX


def test_the_oldest_are_those_to_be_pinged(table: Table) -> None:
    ids = table.fill()
    table.contacts.heard_request(ONE, HERE, LATER)
    assert [node.id for node in table.contacts.oldest(3, LATER)] == ids[:3]
    assert table.contacts.oldest(3, NOW) == []
    assert len(table.contacts.oldest(100, LATER)) == BUCKET_NODES_MAX
