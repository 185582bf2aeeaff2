from __future__ import annotations

import pytest

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.messages import (
    DATAGRAM_BYTES_MAX,
    Message,
    MessageType,
    decode,
    encode,
)
from hypermultifeed.encoding import protobuf
from hypermultifeed.errors import DiscoveryError

ID = b"i" * 32
PING = Message(MessageType.QUERY, 1, command="_ping")


def test_absent_fields_are_not_written() -> None:
    assert encode(Message(MessageType.QUERY, 0, version=None)).hex() == "08011000"
    assert decode(bytes.fromhex("08011000")) == Message(MessageType.QUERY, 0, version=None)


def test_empty_fields_are_written() -> None:
    message = Message(MessageType.RESPONSE, 300, closer_nodes=[], error="", value=b"")
    assert encode(message).hex() == "5801080310ac022a0042004a00"
    assert decode(encode(message)) == message


def test_every_field() -> None:
    message = Message(
        MessageType.UPDATE,
        65535,
        to=Address("10.1.2.3", 4),
        id=ID,
        target=b"t",
        closer_nodes=[Contact(ID, Address("1.2.3.4", 5))],
        roundtrip_token=b"token",
        command="peers",
        error="é",
        value=b"v" * 200,
        version=2,
    )
    assert decode(encode(message)) == message


def test_fields_come_in_any_order_and_the_last_one_wins() -> None:
    data = protobuf.encode(((9, b"old"), (7, "_ping"), (77, b"?"), (2, 5), (1, 1), (9, b"new")))
    assert decode(data) == Message(
        MessageType.QUERY, 5, command="_ping", value=b"new", version=None
    )


@pytest.mark.parametrize("type_", MessageType)
def test_types(type_: MessageType) -> None:
    decoded = decode(encode(Message(type_, 1)))
    assert decoded.type is type_


def test_the_id_of_an_old_version_does_not_count() -> None:
    for version, counts in ((None, False), (0, False), (1, True), (2, True)):
        message = decode(encode(Message(MessageType.QUERY, 1, id=ID, version=version)))
        assert message.id == ID
        assert message.sender_id == (ID if counts else None)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((1, 1),),  # no rid
        ((2, 1),),  # no type
        ((1, 0), (2, 1)),
        ((1, 4), (2, 1)),
        ((1, 1), (2, 1), (3, b"")),
        ((1, 1), (2, 1), (3, b"i" * 31)),
        ((1, 1), (2, 1), (3, b"i" * 33)),
    ],
)
def test_what_is_no_message(fields: tuple[tuple[int, int | bytes], ...]) -> None:
    with pytest.raises(DiscoveryError):
        decode(protobuf.encode(fields))


def test_every_prefix_is_refused_or_another_message() -> None:
    data = encode(Message(MessageType.QUERY, 300, to=Address("1.2.3.4", 5), id=ID, value=b"value"))
    for size in range(len(data)):
        try:
            assert decode(data[:size]) != decode(data)
        except DiscoveryError:
            continue


def test_a_datagram_is_bounded() -> None:
    room = DATAGRAM_BYTES_MAX - len(encode(PING)) - 3
    PING_OF = Message(MessageType.QUERY, 1, command="_ping", value=bytes(room))  # noqa: N806
    assert len(encode(PING_OF)) == DATAGRAM_BYTES_MAX
    assert decode(encode(PING_OF)) == PING_OF
    PING_OF.value = bytes(room + 1)
    with pytest.raises(DiscoveryError, match="4097 bytes"):
        decode(encode(PING_OF))


def test_a_bad_address_costs_only_itself() -> None:
    base = ((1, 3), (2, 7))
    for to in (b"", b"short", bytes(6), bytes(7)):
        assert decode(protobuf.encode((*base, (10, to)))).to is None
    for nodes in (bytes(37), bytes(38), bytes(39)):
        assert decode(protobuf.encode((*base, (5, nodes)))).closer_nodes == []


def test_bad_text_is_still_text() -> None:
    message = decode(protobuf.encode(((1, 1), (2, 1), (7, b"\xff"), (8, b"\xc3"))))
    assert (message.command, message.error) == ("\ufffd", "\ufffd")


def test_no_datagram_with_an_address_that_is_none() -> None:
    with pytest.raises(DiscoveryError):
        encode(Message(MessageType.QUERY, 1, to=Address("::1", 5)))
    with pytest.raises(DiscoveryError):
        encode(Message(MessageType.RESPONSE, 1, closer_nodes=[Contact(ID, Address("1.2.3.4", 0))]))
