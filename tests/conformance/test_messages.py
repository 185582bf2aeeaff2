"""Messages and frames made and read by the JS packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.encoding import protobuf
from hypermultifeed.encoding.node import Node
from hypermultifeed.encoding.protobuf import Fields, Kind
from hypermultifeed.errors import RemoteProtocolError
from hypermultifeed.wire import messages
from hypermultifeed.wire.framing import KEEP_ALIVE, FrameParser, encode_frame
from hypermultifeed.wire.messages import MessageType

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "messages.json").read_text())
raw = bytes.fromhex

FIELDS = {
    "Open": ("discoveryKey", "capability"),
    "Options": ("extensions", "ack"),
    "Status": ("uploading", "downloading"),
    "Have": ("start", "length", "bitfield", "ack"),
    "Unhave": ("start", "length"),
    "Want": ("start", "length"),
    "Unwant": ("start", "length"),
    "Request": ("index", "bytes", "hash", "nodes"),
    "Cancel": ("index", "bytes", "hash"),
    "Data": ("index", "value", "nodes", "signature"),
    "Close": ("discoveryKey",),
}


def encode(type_: str, message: dict[str, Any]) -> bytes:
    """The body of a message given as in the vectors, where absent fields are absent."""
    if type_ == "NoisePayload":
        return protobuf.encode(((1, raw(message["nonce"])),))
    values = [from_json(field, message.get(field)) for field in FIELDS[type_]]
    if type_ == "Options":
        values[0] = values[0] or []
    if type_ == "Data":
        values[2] = values[2] or []
    encoder = getattr(messages, f"encode_{type_.lower()}")
    body: bytes = encoder(*values)
    return body


def from_json(field: str, value: Any) -> Any:
    if field in ("discoveryKey", "capability", "bitfield", "value", "signature"):
        return None if value is None else raw(value)
    if field == "nodes" and isinstance(value, list):
        return [Node(node["index"], raw(node["hash"]), node["size"]) for node in value]
    return value


def decode(type_: str, body: bytes) -> dict[str, Any]:
    """A decoded message in the form of the vectors."""
    if type_ == "NoisePayload":
        return {"nonce": Fields(body, {1: Kind.BYTES}).required_raw(1).hex()}
    message = messages.decode(VECTORS["typeIds"][type_], body)
    assert type(message).__name__ == type_
    assert message is not None
    return dict(zip(FIELDS[type_], map(to_json, message), strict=True))


def to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Node):
        return {"index": value.index, "hash": value.hash.hex(), "size": value.size}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def decode_frame(channel: int, type_id: int, body: bytes) -> dict[str, Any]:
    """A frame in the form of the "receive" vectors."""
    for name, number in VECTORS["typeIds"].items():
        if number == type_id:
            return {"channel": channel, "type": name, "message": decode(name, body)}
    return {"channel": channel, "typeId": type_id, "raw": body.hex()}


def test_type_numbers() -> None:
    for name, number in VECTORS["typeIds"].items():
        assert getattr(MessageType, name.upper()) == number


@pytest.mark.parametrize("vector", VECTORS["encode"])
def test_encode_and_decode(vector: dict[str, Any]) -> None:
    body = raw(vector["bytes"])
    assert encode(vector["type"], vector["message"]) == body
    assert decode(vector["type"], body) == vector["decoded"]


@pytest.mark.parametrize("vector", VECTORS["decode"])
def test_decode(vector: dict[str, Any]) -> None:
    body = raw(vector["bytes"])
    if "error" in vector:
        with pytest.raises(RemoteProtocolError):
            decode(vector["type"], body)
    else:
        assert decode(vector["type"], body) == vector["decoded"]


@pytest.mark.parametrize("vector", VECTORS["frames"])
def test_frames(vector: dict[str, Any]) -> None:
    body = encode(vector["type"], vector["message"])
    assert encode_frame(vector["channel"], vector["typeId"], body).hex() == vector["frame"]


@pytest.mark.parametrize("vector", VECTORS["extensionFrames"])
def test_extension_frames(vector: dict[str, Any]) -> None:
    payload = raw(vector["payload"])
    body = messages.encode_extension(vector["extensionId"], payload)
    frame = encode_frame(vector["channel"], MessageType.EXTENSION, body)
    assert frame.hex() == vector["frame"]
    assert messages.decode_extension(body) == (vector["extensionId"], payload)


def test_keep_alive() -> None:
    assert KEEP_ALIVE.hex() == VECTORS["keepAliveFrame"]


@pytest.mark.parametrize("vector", VECTORS["receive"], ids=lambda vector: vector["name"])
def test_receive(vector: dict[str, Any]) -> None:
    received: list[dict[str, Any]] = []
    parser = FrameParser(lambda *frame: received.append(decode_frame(*frame)))
    failed = False
    for chunk in vector["chunks"]:
        try:
            parser.feed(raw(chunk))
        except RemoteProtocolError:
            failed = True
            break
    assert failed is not vector["ok"]
    assert received == vector["messages"]
