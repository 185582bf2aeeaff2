from __future__ import annotations

import pytest

from hypermultifeed.encoding import protobuf
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import RemoteProtocolError
from hypermultifeed.wire import messages
from hypermultifeed.wire.messages import (
    Cancel,
    Close,
    Data,
    Extension,
    Have,
    MessageType,
    Open,
    Options,
    Request,
    Status,
    Unhave,
    Unwant,
    Want,
)

HASH = bytes(range(32))
LARGEST = 2**53 - 1
NODES = [Node(1, HASH, 0), Node(200, HASH, 300), Node(LARGEST, HASH, LARGEST)]

MESSAGES = [
    (MessageType.OPEN, Open(HASH, HASH)),
    (MessageType.OPEN, Open(b"", None)),
    (MessageType.OPTIONS, Options(["a", "é"], ack=True)),
    (MessageType.OPTIONS, Options([], ack=False)),
    (MessageType.STATUS, Status(uploading=True, downloading=False)),
    (MessageType.HAVE, Have(0)),
    (MessageType.HAVE, Have(127)),
    (MessageType.HAVE, Have(128)),
    (MessageType.HAVE, Have(LARGEST, LARGEST, b"", ack=True)),
    (MessageType.UNHAVE, Unhave(5, 0)),
    (MessageType.WANT, Want(0, 1 << 20)),
    (MessageType.UNWANT, Unwant(0, 1 << 20)),
    (MessageType.REQUEST, Request(0, 0, hash=False, nodes=0)),
    (MessageType.REQUEST, Request(LARGEST, LARGEST, hash=True, nodes=LARGEST)),
    (MessageType.CANCEL, Cancel(300, 0, hash=True)),
    (MessageType.DATA, Data(0, b"", [], None)),
    (MessageType.DATA, Data(LARGEST, b"x" * 70_000, NODES, bytes(64))),
    (MessageType.DATA, Data(300, None, NODES[:1], None)),
    (MessageType.CLOSE, Close(None)),
    (MessageType.CLOSE, Close(HASH)),
    (MessageType.EXTENSION, Extension(300, b"payload")),
]


@pytest.mark.parametrize(("number", "message"), MESSAGES)
def test_round_trips(number: int, message: messages.Message) -> None:
    body = getattr(messages, f"encode_{type(message).__name__.lower()}")(*message)
    decoded = messages.decode(number, body)
    assert decoded == message
    assert type(decoded) is type(message)


@pytest.mark.parametrize("number", [11, 12, 13, 14, 16, -1])
def test_unused_types_are_ignored(number: int) -> None:
    assert messages.decode(number, b"\xff") is None


def test_fields_of_data_in_any_order() -> None:
    node = protobuf.encode(((3, 7), (9, 9), (2, HASH), (1, 300)))
    body = protobuf.encode(((4, b"s"), (3, [node]), (2, b"v"), (7, 5), (1, 300), (2, b"w")))
    assert messages.decode_data(body) == Data(300, b"w", [Node(300, HASH, 7)], b"s")


def test_fields_of_a_request_in_any_order() -> None:
    body = protobuf.encode(((4, 7), (3, True), (9, b"x"), (1, 300), (2, 5)))
    assert messages.decode_request(body) == Request(300, 5, hash=True, nodes=7)
    body = protobuf.encode(((3, True), (1, 3)))
    assert messages.decode_request(body) == Request(3, hash=True)


def test_fields_of_a_have_in_any_order() -> None:
    body = protobuf.encode(((3, b"b"), (1, 7)))
    assert messages.decode_have(body) == Have(7, 1, b"b")


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (MessageType.OPEN, ""),
        (MessageType.OPEN, "0a20aa"),  # bytes reach beyond the body; JS takes what is there
        (MessageType.OPTIONS, "0a05"),
        (MessageType.STATUS, "08ff"),
        (MessageType.HAVE, ""),
        (MessageType.HAVE, "08"),
        (MessageType.HAVE, "0880"),
        (MessageType.HAVE, "08ffffffffffffffff0f"),
        (MessageType.HAVE, "08051a05aa"),
        (MessageType.HAVE, "080580"),
        (MessageType.UNHAVE, "1005"),
        (MessageType.WANT, "1005"),
        (MessageType.UNWANT, ""),
        (MessageType.REQUEST, ""),
        (MessageType.REQUEST, "1005"),
        (MessageType.REQUEST, "080510"),
        (MessageType.REQUEST, "08052080808080808080808001"),
        (MessageType.CANCEL, "1005"),
        (MessageType.DATA, ""),
        (MessageType.DATA, "08"),
        (MessageType.DATA, "12026869"),
        (MessageType.DATA, "080112"),
        (MessageType.DATA, "0801120568"),
        (MessageType.DATA, "080112ffffff7f68"),
        (MessageType.DATA, "08011a00"),
        (MessageType.DATA, "08011a0208011a00"),
        (MessageType.DATA, "08011a0b080112050101010101" + "1801"),  # a hash of five bytes
        (MessageType.DATA, "08011a25080112" + "20" + "01" * 32 + "18"),
        (MessageType.DATA, "08011a24080112" + "20" + "01" * 32 + "1801"),
        (MessageType.DATA, "08012b"),
        (MessageType.CLOSE, "0aff"),
        (MessageType.EXTENSION, ""),
        (MessageType.EXTENSION, "80"),
    ],
)
def test_malformed(number: int, body: str) -> None:
    with pytest.raises(RemoteProtocolError, match=r"malformed [A-Z]"):
        messages.decode(number, bytes.fromhex(body))


def test_nodes_are_bounded() -> None:
    node = NODES[0]
    body = messages.encode_data(0, None, [node] * messages.NODES_MAX)
    assert len(messages.decode_data(body).nodes) == messages.NODES_MAX
    for unusual in (b"", b"\x38\x05"):  # with and without the general decoder
        body = messages.encode_data(0, None, [node] * (messages.NODES_MAX + 1)) + unusual
        with pytest.raises(RemoteProtocolError, match="malformed Data: more than 256 nodes"):
            messages.decode_data(body)


def test_extensions_are_bounded() -> None:
    body = messages.encode_options(["x"] * (protobuf.REPEATED_MAX + 1))
    with pytest.raises(RemoteProtocolError, match="malformed Options"):
        messages.decode_options(body)


def test_parts_of_data_share_the_value() -> None:
    value = bytes(70_000)
    parts = messages.data_parts(7, value, NODES, bytes(64))
    assert any(part is value for part in parts)
    assert b"".join(parts) == messages.encode_data(7, value, NODES, bytes(64))


def test_invalid_utf8_in_a_name_is_replaced_as_in_js() -> None:
    assert messages.decode_options(b"\x0a\x02a\xff") == Options(["a\ufffd"])


def test_defaults_of_encoders_are_what_js_leaves_out() -> None:
    assert messages.encode_have(5).hex() == "0805"
    assert messages.encode_have(5, ack=True).hex() == "08052001"
    assert messages.encode_request(5).hex() == "0805100018002000"
    assert messages.encode_close() == b""
    assert messages.encode_options(["a"]).hex() == "0a0161"
