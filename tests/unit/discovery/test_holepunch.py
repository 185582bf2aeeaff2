"""What a relay passes on and what is answered."""

from __future__ import annotations

import pytest

from hypermultifeed.discovery import holepunch
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.values import Holepunch

ASKER, PEER = Address("93.0.0.1", 1), Address("94.0.0.1", 2)
RELAY_ID = b"r" * 32
NOWHERE = [Address("127.0.0.1", 1), Address("255.255.255.255", 1), Address("224.0.0.1", 1)]


def message(value: bytes | None) -> Message:
    return Message(
        MessageType.QUERY,
        7,
        to=PEER,
        id=b"a" * 32,
        target=b"t" * 32,
        roundtrip_token=b"x" * 32,
        command="_holepunch",
        value=value,
    )


def test_the_relay_says_who_asks_and_nothing_else() -> None:
    found = holepunch.relayed(message(Holepunch(to=PEER).encode()), ASKER, PEER, RELAY_ID)
    assert found == Message(
        MessageType.QUERY,
        7,
        to=PEER,
        id=RELAY_ID,
        command="_holepunch",
        error="",
        value=Holepunch(from_=ASKER).encode(),
    )


@pytest.mark.parametrize("to", [ASKER, *NOWHERE])
def test_nothing_is_relayed_back_or_to_where_no_node_can_be(to: Address) -> None:
    assert holepunch.relayed(message(b""), ASKER, to, None) is None


def test_whoever_the_relay_names_is_answered() -> None:
    assert holepunch.asker(Holepunch(from_=ASKER), PEER) == ASKER
    assert holepunch.asker(Holepunch(), PEER) == PEER


@pytest.mark.parametrize("named", NOWHERE)
def test_nobody_is_answered_where_no_node_can_be(named: Address) -> None:
    assert holepunch.asker(Holepunch(from_=named), PEER) is None


@pytest.mark.parametrize("value", [None, b"\x12\x01\x00", b"\x1a\x06" + bytes(6), b"\xff"])
def test_the_empty_and_the_malformed_want_nothing(value: bytes | None) -> None:
    assert holepunch.read(message(value)) is None
