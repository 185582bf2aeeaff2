"""Messages in, answers out; what JS does not survive or should not do is marked as such."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hypermultifeed import crypto
from hypermultifeed.discovery import messages
from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.responder import LOCAL_PEERS_MAX, PEERS_MAX, Responder
from hypermultifeed.discovery.store import HOST_RECORDS_MAX, VALUES_MAX
from hypermultifeed.discovery.values import (
    SALT_BYTES_MAX,
    VALUE_BYTES_MAX,
    Mutable,
    PeersInput,
    PeersOutput,
)
from hypermultifeed.encoding import protobuf
from hypermultifeed.keys import KeyPair

ID = b"r" * 32
TOPIC = b"t" * 32
ASKER = Address("10.0.0.1", 4001)
OTHER = Address("10.0.0.2", 4002)
CLOSEST = [Contact(bytes([index]) * 32, Address("10.9.9.9", 9)) for index in range(20)]
PAIR = KeyPair.from_seed(b"p" * 32)
EMPTY = PeersInput().encode()


class Node:
    """A responder, and what asks it."""

    def __init__(self) -> None:
        self.asked_for: list[bytes] = []
        self.responder = Responder(ID, self.closest, randomness=random.Random(1), now=0.0)

    def closest(self, target: bytes) -> list[Contact]:
        self.asked_for.append(target)
        return CLOSEST

    def query(self, command: str | None, sender: Address = ASKER, **fields: Any) -> Message | None:
        message = Message(MessageType.QUERY, 7, command=command, **fields)
        return self.responder.answer(message, sender, 0.0)

    def update(
        self, command: str, value: bytes | None, sender: Address = ASKER, **fields: Any
    ) -> Message:
        """With a good token and the topic, unless told otherwise."""
        fields.setdefault("target", TOPIC)
        fields.setdefault("roundtrip_token", self.responder.tokens.create(sender.host, 0.0))
        message = Message(MessageType.UPDATE, 8, command=command, value=value, **fields)
        answer = self.responder.answer(message, sender, 0.0)
        assert answer is not None
        return answer

    def announce(self, sender: Address, **fields: Any) -> Message:
        return self.update("peers", PeersInput(**fields).encode(), sender)

    def lookup(self, sender: Address = ASKER, **fields: Any) -> PeersOutput:
        answer = self.query("peers", sender, target=TOPIC, value=PeersInput(**fields).encode())
        assert answer is not None
        assert answer.value is not None
        return PeersOutput.decode(answer.value)

    def put(self, mutable: Mutable, pair: KeyPair = PAIR, sender: Address = ASKER) -> Message:
        return self.update("mutable-store", mutable.encode(), sender, target=pair.public_key)

    def get(self, **fields: Any) -> Mutable | None:
        value = Mutable(**fields).encode()
        answer = self.query("mutable-store", target=PAIR.public_key, value=value)
        assert answer is not None
        return None if answer.value is None else Mutable.decode(answer.value)


@pytest.fixture
def node() -> Node:
    return Node()


def response(**fields: Any) -> Message:
    return Message(MessageType.RESPONSE, to=ASKER, id=ID, **fields)


# -- what all have in common -------------------------------------------------------------------


def test_ping(node: Node) -> None:
    token = node.responder.tokens.create(ASKER.host, 0.0)
    value = bytes.fromhex("0a0000010fa1")
    pong = response(rid=7, roundtrip_token=token, value=value)
    assert node.query("_ping") == node.query("_ping", value=ID) == pong
    assert node.query("_ping", value=b"o" * 32) is None
    assert node.query("_ping", value=b"") is None


def test_find_node(node: Node) -> None:
    token = node.responder.tokens.create(ASKER.host, 0.0)
    expected = response(rid=7, roundtrip_token=token, closer_nodes=CLOSEST)
    assert node.query("_find_node", target=TOPIC) == expected
    assert node.asked_for == [TOPIC]


@pytest.mark.parametrize("command", ["_find_node", "peers", "nope", None])
@pytest.mark.parametrize("target", [None, b"", b"t" * 31, b"t" * 33])
def test_without_a_target_there_is_no_answer(
    node: Node, command: str | None, target: bytes | None
) -> None:
    assert node.query(command, target=target, value=EMPTY) is None


@pytest.mark.parametrize("command", ["nope", "", None, "_on_peers"])
def test_unsupported_command(node: Node, command: str | None) -> None:
    expected = response(rid=7, closer_nodes=CLOSEST, error="Unsupported command")
    assert node.query(command, target=TOPIC) == expected


def test_others_answer_these(node: Node) -> None:
    assert node.query("_holepunch", target=TOPIC, value=b"") is None
    message = Message(MessageType.RESPONSE, 1, command="_ping")
    assert node.responder.answer(message, ASKER, 0.0) is None


def test_an_ephemeral_node_keeps_its_id_to_itself(node: Node) -> None:
    node.responder.ephemeral = True
    for command in ("_ping", "_find_node", "nope"):
        answer = node.query(command, target=TOPIC)
        assert answer is not None
        assert answer.id is None
    assert node.query("_ping", value=ID) is not None


@pytest.mark.parametrize("command", ["_ping", "_find_node", "peers", "nope"])
@pytest.mark.parametrize("token", [None, b"", bytes(32)])
def test_updates_without_a_good_token_are_dropped(
    node: Node, command: str, token: bytes | None
) -> None:
    message = Message(
        MessageType.UPDATE, 1, target=TOPIC, command=command, value=EMPTY, roundtrip_token=token
    )
    assert node.responder.answer(message, ASKER, 0.0) is None
    message.roundtrip_token = node.responder.tokens.create(OTHER.host, 0.0)
    assert node.responder.answer(message, ASKER, 0.0) is None
    assert len(node.responder.peers) == 0


def test_a_token_ages(node: Node) -> None:
    answer = node.query("peers", target=TOPIC, value=EMPTY)
    assert answer is not None
    update = Message(
        MessageType.UPDATE,
        1,
        target=TOPIC,
        command="peers",
        value=EMPTY,
        roundtrip_token=answer.roundtrip_token,
    )
    assert node.responder.answer(update, ASKER, 599.0) is not None
    assert node.responder.answer(update, ASKER, 600.0) is None


@pytest.mark.parametrize("command", ["peers", "mutable-store"])
@pytest.mark.parametrize("value", [None, b"\x0a", b"\x12\x40"])
def test_a_missing_or_malformed_value_is_an_error(
    node: Node, command: str, value: bytes | None
) -> None:
    """JS throws at a missing one."""
    expected = response(rid=7, closer_nodes=CLOSEST, error="ERR_INVALID_INPUT")
    assert node.query(command, target=TOPIC, value=value) == expected
    assert node.update(command, value).error == "ERR_INVALID_INPUT"


# -- peers -------------------------------------------------------------------------------------


def test_announce_and_lookup(node: Node) -> None:
    assert node.lookup() == PeersOutput()
    answer = node.announce(OTHER)
    assert answer.error is None
    assert answer.value is None
    assert answer.roundtrip_token is not None
    assert node.lookup().addresses() == [OTHER]
    assert node.lookup(OTHER) == PeersOutput()  # itself
    assert node.lookup(OTHER, port=1).addresses() == [OTHER]  # another port is another peer


def test_a_port_of_its_own(node: Node) -> None:
    node.announce(OTHER, port=80)
    assert node.lookup().addresses() == [Address(OTHER.host, 80)]
    assert node.lookup(OTHER, port=80) == PeersOutput()
    node.announce(OTHER, port=80, unannounce=True)
    assert node.lookup() == PeersOutput()


def test_nobody_takes_back_the_record_of_another(node: Node) -> None:
    home = Address("192.168.7.9", 80)
    node.announce(OTHER, local_address=home)
    node.announce(ASKER, port=OTHER.port, local_address=home, unannounce=True)
    found = node.lookup(local_address=Address("192.168.1.1", 1))
    assert found.addresses() == [OTHER]
    assert found.local_addresses(home) == [home]


@pytest.mark.parametrize("port", [65536, 2**40])
def test_a_port_that_is_none(node: Node, port: int) -> None:
    value = PeersInput(port).encode()
    assert node.update("peers", value).error == "Invalid port"
    answer = node.query("peers", target=TOPIC, value=value)
    assert answer == response(rid=7, closer_nodes=CLOSEST, error="Invalid port")
    assert len(node.responder.peers) == 0


def test_neighbours(node: Node) -> None:
    home = Address("192.168.7.9", 12345)
    node.announce(OTHER, local_address=home)
    assert node.lookup().local_peers is None
    assert node.lookup(local_address=Address("10.0.1.4", 1)).local_peers is None
    near = node.lookup(local_address=Address("192.168.1.4", 1))
    assert near.local_addresses(Address("192.168.1.4", 1)) == [home]
    assert near.addresses() == [OTHER]
    assert node.lookup(local_address=home).local_peers is None  # itself
    node.announce(OTHER, local_address=home, unannounce=True)
    assert len(node.responder.peers) == 0


def test_a_local_address_that_would_void_the_lists_of_others(node: Node) -> None:
    """JS stores a local port 0, and everybody who asks then gets no neighbours at all."""
    value = protobuf.encode(((2, bytes.fromhex("c0a807090000")),))
    assert node.update("peers", value).error == "ERR_INVALID_INPUT"
    assert len(node.responder.peers) == 0


def test_a_full_answer_fits(node: Node) -> None:
    for index in range(1, 201):
        node.announce(Address(f"10.1.0.{index}", 1), local_address=Address("192.168.0.1", index))
    asker = Address("192.168.9.9", 1)
    for local_address, local_count in ((None, 0), (asker, LOCAL_PEERS_MAX)):
        value = PeersInput(local_address=local_address).encode()
        answer = node.query("peers", target=TOPIC, value=value)
        assert answer is not None
        assert answer.value is not None
        output = PeersOutput.decode(answer.value)
        assert len(output.local_addresses(asker)) == local_count
        assert len(output.addresses()) == PEERS_MAX - local_count
        assert len(messages.encode(answer)) <= 1650


def test_too_many_records(node: Node) -> None:
    for index in range(HOST_RECORDS_MAX):
        topic = index.to_bytes(32, "big")
        assert node.update("peers", EMPTY, target=topic).error is None
    assert node.update("peers", EMPTY).error == "Too many records"
    assert node.update("peers", EMPTY, OTHER).error is None


# -- immutable values --------------------------------------------------------------------------


def test_immutable(node: Node) -> None:
    value = bytes(VALUE_BYTES_MAX)
    key = crypto.blake2b_256(value)
    missing = node.query("immutable-store", target=key)
    assert missing is not None
    assert missing.value is None
    assert missing.error is None
    assert node.update("immutable-store", value, target=key).error is None
    answer = node.query("immutable-store", target=key)
    assert answer is not None
    assert answer.value == value
    assert len(messages.encode(answer)) < messages.DATAGRAM_BYTES_MAX / 2


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (TOPIC, b"value"),
        (TOPIC, None),
        (crypto.blake2b_256(bytes(VALUE_BYTES_MAX + 1)), bytes(VALUE_BYTES_MAX + 1)),
    ],
)
def test_immutable_refuses(node: Node, target: bytes, value: bytes | None) -> None:
    """JS throws at a missing value and stores one of any size."""
    answer = node.update("immutable-store", value, target=target)
    assert answer.error == "ERR_INVALID_INPUT"
    assert answer.roundtrip_token is None
    assert len(node.responder.immutables) == 0


# -- mutable values ----------------------------------------------------------------------------


def test_mutable(node: Node) -> None:
    assert node.get() is None
    first = Mutable.signed(PAIR, b"one", 1)
    assert node.put(first).error is None
    assert node.get() == node.get(seq=1) == first
    assert node.get(seq=2) is None
    assert node.get(salt=b"s") is None
    second = Mutable.signed(PAIR, b"two", 5)
    assert node.put(second).error is None
    assert node.get() == second
    salted = Mutable.signed(PAIR, b"salted", 0, b"s")
    assert node.put(salted).error is None
    assert node.get(salt=b"s") == salted
    assert node.get() == second


@pytest.mark.parametrize(
    ("seq", "value", "error"),
    [
        (5, b"other", "ERR_INVALID_SEQ"),
        (5, b"value", "ERR_SEQ_MUST_EXCEED_CURRENT"),
        (4, b"other", "ERR_SEQ_MUST_EXCEED_CURRENT"),
        (4, b"value", "ERR_SEQ_MUST_EXCEED_CURRENT"),
    ],
)
def test_a_stale_seq_is_refused_and_not_stored(
    node: Node, seq: int, value: bytes, error: str
) -> None:
    """JS reports the error, then stores it and reports success."""
    stored = Mutable.signed(PAIR, b"value", 5)
    node.put(stored)
    answer = node.put(Mutable.signed(PAIR, value, seq))
    assert answer == Message(
        MessageType.RESPONSE,
        8,
        to=ASKER,
        id=ID,
        closer_nodes=CLOSEST,
        error=error,
        value=stored.encode(),
    )
    assert node.get() == stored


@pytest.mark.parametrize(
    "given",
    [
        Mutable(b"value", bytes(64), 1),
        Mutable(b"value", b"short", 1),
        Mutable.signed(PAIR, b"value", 1)._replace(seq=2),
        Mutable.signed(PAIR, b"value", 1)._replace(salt=b"s"),
        Mutable.signed(PAIR, b"value", 1, b"s")._replace(salt=None),
        Mutable.signed(KeyPair.from_seed(bytes(32)), b"value", 1),
        Mutable(b"value", None, 1),
        Mutable(None, bytes(64), 1),
        Mutable(bytes(VALUE_BYTES_MAX + 1), bytes(64), 1),
        Mutable(b"", bytes(64), 1, bytes(SALT_BYTES_MAX + 1)),
    ],
)
def test_what_its_owner_did_not_sign_is_refused(node: Node, given: Mutable) -> None:
    assert node.put(given).error == "ERR_INVALID_INPUT"
    assert len(node.responder.mutables) == 0


def test_the_largest_mutable_value_fits(node: Node) -> None:
    stored = Mutable.signed(PAIR, bytes(VALUE_BYTES_MAX), 2**53 - 1, bytes(SALT_BYTES_MAX))
    node.put(stored)
    answer = node.put(stored)
    assert answer.value == stored.encode()
    assert len(messages.encode(answer)) < messages.DATAGRAM_BYTES_MAX * 0.6


def test_stored_values_are_bounded(node: Node) -> None:
    for index in range(VALUES_MAX + 1):
        sender = Address(f"10.0.{index >> 8}.{index & 255}", 1)
        value = b"%d" % index
        node.update("immutable-store", value, sender, target=crypto.blake2b_256(value))
    assert len(node.responder.immutables) == VALUES_MAX
