"""Datagrams in, answers and requests out; what is believed, and what is not."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.endpoint import OUTPUT_MAX, Endpoint
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.query import Question
from hypermultifeed.discovery.requests import Request, Traffic
from hypermultifeed.discovery.values import Holepunch, PeersInput
from hypermultifeed.errors import DiscoveryError

OWN_ID, PEER_ID, OTHER_ID = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
PEER, OTHER, US = Address("10.0.0.2", 2), Address("10.0.0.3", 3), Address("10.0.0.1", 1)
NOW = 50.0
PING = Question("_ping")


class Node:
    """An endpoint, what it sends and how its requests end."""

    def __init__(self, *, ephemeral: bool = False) -> None:
        self.endpoint = Endpoint(
            node_id=OWN_ID, randomness=random.Random(1), now=NOW, ephemeral=ephemeral
        )
        self.answers: list[Message | None] = []

    def receive(self, message: Message, sender: Address = PEER) -> None:
        self.endpoint.receive_datagram(encode(message), sender, NOW)

    def sent(self) -> list[tuple[Message, Address]]:
        return [(decode(data), to) for data, to in self.endpoint.datagrams_to_send()]

    def ask(self, address: Address = PEER, *, expected_id: bytes | None = None) -> int:
        """Ask a node something; the id of the request."""
        self.endpoint.request(PING, address, self.on_end, Traffic(), NOW, expected_id=expected_id)
        return self.sent()[-1][0].rid

    def on_end(
        self, _request: Request, message: Message | None, _sender: Address, _now: float
    ) -> None:
        self.answers.append(message)

    def known(self) -> list[Contact]:
        return self.endpoint.contacts()


def nothing() -> None:
    """What is called for an answer."""


@pytest.fixture
def node() -> Node:
    return Node()


def query(command: str = "_find_node", **fields: object) -> Message:
    message = Message(MessageType.QUERY, 7, target=bytes(32), command=command)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def response(rid: int, node_id: bytes | None = PEER_ID, to: Address | None = US) -> Message:
    return Message(MessageType.RESPONSE, rid, to=to, id=node_id, roundtrip_token=bytes(32))


def test_who_asks_with_an_id_is_answered_and_known(node: Node) -> None:
    node.receive(query(id=PEER_ID))
    ((answer, to),) = node.sent()
    assert (answer.type, answer.rid, answer.id, to) == (MessageType.RESPONSE, 7, OWN_ID, PEER)
    assert answer.closer_nodes == [Contact(PEER_ID, PEER)] == node.known()


def test_an_ephemeral_node_is_answered_and_not_known(node: Node) -> None:
    node.receive(query())
    node.receive(query(id=PEER_ID, version=None))
    assert len(node.sent()) == 2
    assert node.known() == []


def test_an_ephemeral_endpoint_keeps_its_id_back() -> None:
    node = Node(ephemeral=True)
    node.receive(query())
    assert node.sent()[0][0].id is None
    node.endpoint.request(PING, PEER, node.on_end, Traffic(), NOW)
    assert node.sent()[0][0].id is None


def test_an_update_counts_only_with_its_token(node: Node) -> None:
    update = query("peers", type=MessageType.UPDATE, id=PEER_ID, value=PeersInput(1).encode())
    node.receive(update)
    assert (node.sent(), node.known()) == ([], [])
    node.receive(query())
    update.roundtrip_token = node.sent()[0][0].roundtrip_token
    node.receive(update)
    assert len(node.sent()) == 1
    assert node.known() == [Contact(PEER_ID, PEER)]


def test_what_is_no_message_is_counted_and_nothing_else(node: Node) -> None:
    for data in (b"", b"\xff" * 50, bytes(5000)):
        node.endpoint.receive_datagram(data, PEER, NOW)
    node.endpoint.receive_datagram(encode(query()), Address("10.0.0.2", 0), NOW)
    assert node.sent() == []
    assert node.endpoint.stats.received == 4
    assert node.endpoint.stats.malformed == 3


def test_an_answer_makes_its_sender_known_and_tells_our_address(node: Node) -> None:
    node.receive(response(node.ask()))
    assert [answer.id for answer in node.answers if answer] == [PEER_ID]
    assert node.known() == [Contact(PEER_ID, PEER)]
    assert node.endpoint._contacts.table.get(PEER_ID).seen_us_as == US  # type: ignore[union-attr]


def test_answers_that_nobody_waits_for_change_nothing(node: Node) -> None:
    rid = node.ask()
    node.receive(response(rid + 1))
    node.receive(response(rid), OTHER)
    assert (node.answers, node.known()) == ([], [])
    node.receive(response(rid))
    node.receive(response(rid))  # JavaScript sometimes answers twice
    assert len(node.answers) == 1
    assert node.endpoint.stats.unexpected == 3


def test_a_request_cannot_tell_us_our_address(node: Node) -> None:
    for number in range(5):
        node.receive(query(id=bytes([9 + number]) * 32, to=US), Address("10.0.1.1", 1 + number))
    assert node.endpoint.public_address is None
    assert not node.endpoint.holepunchable


def test_three_answers_tell_us_our_address(node: Node) -> None:
    for number in range(3):
        peer = Address("10.0.1.1", 1 + number)
        node.receive(response(node.ask(peer), bytes([9 + number]) * 32), peer)
    assert node.endpoint.public_address == US
    assert node.endpoint.holepunchable


@pytest.mark.parametrize("answering", [OTHER_ID, None])
def test_a_node_that_became_another_is_forgotten(node: Node, answering: bytes | None) -> None:
    node.endpoint.add_contacts([Contact(PEER_ID, PEER)], NOW)
    node.receive(response(node.ask(expected_id=PEER_ID), answering))
    expected = [] if answering is None else [Contact(answering, PEER)]
    assert node.known() == expected
    assert len(node.answers) == 1  # delivered all the same


def test_a_silent_node_is_forgotten(node: Node) -> None:
    node.endpoint.add_contacts([Contact(PEER_ID, PEER)], NOW)
    node.ask(expected_id=PEER_ID)
    requests = node.endpoint._requests
    while (timer := requests.get_timer()) is not None:
        requests.handle_timer(timer)
    assert node.known() == []
    assert node.answers == [None]


def test_checking_a_node_pings_it_by_its_id(node: Node) -> None:
    node.endpoint.add_contacts([Contact(PEER_ID, PEER)], NOW)
    (known,) = node.endpoint.closest(PEER_ID)
    node.endpoint.check(known, NOW)
    ((ping, to),) = node.sent()
    assert (ping.command, ping.value, ping.id, to) == ("_ping", PEER_ID, OWN_ID, PEER)


def test_a_challenge_keeps_our_id_back(node: Node) -> None:
    node.endpoint.add_contacts([Contact(PEER_ID, PEER)], NOW)
    alive: list[bool] = []
    (known,) = node.endpoint.closest(PEER_ID)
    node.endpoint._challenge(known, lambda there, _now: alive.append(there), NOW)
    ((ping, _),) = node.sent()
    assert (ping.command, ping.value, ping.id) == ("_ping", PEER_ID, None)
    node.receive(response(ping.rid))
    assert alive == [True]


def test_a_holepunch_is_relayed_or_answered(node: Node) -> None:
    node.receive(query("_holepunch", target=None, value=Holepunch(to=OTHER).encode()))
    ((relayed, to),) = node.sent()
    assert (relayed.command, relayed.rid, relayed.to, to) == ("_holepunch", 7, OTHER, OTHER)
    assert Holepunch.decode(relayed.value or b"").from_ == PEER
    node.receive(query("_holepunch", target=None, value=Holepunch(from_=OTHER).encode()))
    ((answer, to),) = node.sent()
    assert (answer.type, answer.rid, answer.to, to) == (MessageType.RESPONSE, 7, OTHER, OTHER)
    node.receive(query("_holepunch", target=None))
    node.receive(query("_holepunch", target=None, value=Holepunch(to=PEER).encode()))
    assert node.sent() == []
    assert node.endpoint.stats.relayed == 1


def test_the_answer_to_a_holepunch_from_elsewhere_does_not_enter_the_table(node: Node) -> None:
    endpoint = node.endpoint
    endpoint.request(Question("_holepunch"), PEER, node.on_end, Traffic(), NOW, referrer=OTHER)
    rid = node.sent()[0][0].rid
    node.receive(response(rid), Address(PEER.host, 999))
    assert len(node.answers) == 1
    assert node.known() == []


@pytest.mark.parametrize("address", [Address("10.0.0.2", 0), Address("::1", 5), Address("a.b", 5)])
def test_nobody_is_asked_where_nobody_can_be(node: Node, address: Address) -> None:
    with pytest.raises(DiscoveryError):
        node.ask(address)
    with pytest.raises(DiscoveryError):
        node.endpoint.request(PING, PEER, node.on_end, Traffic(), NOW, referrer=address)
    assert node.endpoint.in_flight == 0


def test_a_probe_tells_nothing_and_who_answers_is_not_believed_to_be_a_node(node: Node) -> None:
    calls: list[int] = []
    node.endpoint.probe(PEER, lambda: calls.append(1), NOW)
    ((ping, to),) = node.sent()
    assert (ping.type, ping.command, ping.to, to) == (MessageType.QUERY, "_ping", PEER, PEER)
    assert (ping.id, ping.value, ping.target) == (None, None, None)
    node.receive(response(ping.rid), OTHER)
    assert calls == []
    for _ in range(2):
        node.receive(response(ping.rid))
    assert (calls, node.known()) == ([1], [])
    assert node.endpoint.stats.unexpected == 2


def test_a_probe_is_no_request(node: Node) -> None:
    """It is not repeated, and nothing waits for it."""
    for port in range(1, 1000):
        node.endpoint.probe(Address("10.0.0.9", port), nothing, NOW)
    assert len(node.sent()) == 999
    assert node.endpoint.in_flight == 0
    assert node.endpoint._requests.get_timer() is None
    node.ask()
    assert node.endpoint.in_flight == 1, "requests go out at once"


def test_a_probe_needs_an_address_with_a_port(node: Node) -> None:
    with pytest.raises(DiscoveryError):
        node.endpoint.probe(Address("10.0.0.9", 0), nothing, NOW)
    assert node.sent() == []


def test_cancelled_requests_are_forgotten(node: Node) -> None:
    request = node.endpoint.request(PING, PEER, node.on_end, Traffic(), NOW)
    node.endpoint.cancel(request)
    node.receive(response(request.message.rid))
    assert node.answers == []
    assert node.endpoint.in_flight == 0


def test_datagrams_that_nobody_fetches_are_lost(node: Node) -> None:
    for _ in range(OUTPUT_MAX + 10):
        node.receive(query())
    assert len(node.endpoint.datagrams_to_send()) == OUTPUT_MAX
    assert node.endpoint.stats.lost == 10
    assert node.endpoint.stats.sent == OUTPUT_MAX
    assert node.endpoint.datagrams_to_send() == []


def test_an_id_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Endpoint(node_id=b"short", randomness=random.Random(1), now=NOW, ephemeral=False)
