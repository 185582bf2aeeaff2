"""The messages of the DHT, one a datagram (dht-rpc 4, schema.proto): types, encoder, decoder.

The encoder writes the fields in JS's order and so gives JS's bytes; the decoder takes any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hypermultifeed.discovery.addresses import (
    ID_BYTES,
    Address,
    Contact,
    decode_address,
    decode_contacts,
    encode_address,
    encode_contacts,
)
from hypermultifeed.encoding import varint
from hypermultifeed.encoding.protobuf import Fields, Kind
from hypermultifeed.errors import DiscoveryError

DATAGRAM_BYTES_MAX: Final = 4096
"""Largest datagram that is read: twice what the fullest honest answer needs."""

VERSION: Final = 1
RID_MAX: Final = 65535
"""Request ids are numbers of 16 bits; the next after this one is 0."""


class MessageType(IntEnum):
    """What a message is. An update is a query that changes something and needs a token."""

    QUERY = 1
    UPDATE = 2
    RESPONSE = 3


@dataclass(slots=True)
class Message:
    """One message. What is None is not written; an empty value is, with length 0.

    Attributes:
        type: query, update or response.
        rid: id of the request, the same in its response.
        to: where the sender believes to send it; in a response that is how the other learns its
            own public address.
        id: the sender's, 32 bytes; None if it is ephemeral. Read ``sender_id`` instead.
        target: what the query is about, usually 32 bytes.
        closer_nodes: the nodes closest to the target that the sender knows.
        roundtrip_token: in a response: needed for updates; in an update: the one received.
        command: of a query or update.
        error: of a response that failed.
        value: command dependent.
        version: of the sender.
    """

    type: MessageType
    rid: int
    to: Address | None = None
    id: bytes | None = None
    target: bytes | None = None
    closer_nodes: list[Contact] | None = None
    roundtrip_token: bytes | None = None
    command: str | None = None
    error: str | None = None
    value: bytes | None = None
    version: int | None = VERSION

    @property
    def sender_id(self) -> bytes | None:
        """The sender's id if it may enter a routing table, that is unless its version is old."""
        return self.id if self.version is not None and self.version >= VERSION else None


def encode(message: Message) -> bytes:
    """The datagram of a message.

    Raises:
        DiscoveryError: an address in it is not IPv4 with a port.
    """
    number = varint.encode
    to, closer, command, error = message.to, message.closer_nodes, message.command, message.error
    parts = [] if message.version is None else [b"\x58", number(message.version)]
    parts += (b"\x08", number(message.type), b"\x10", number(message.rid))
    for tag, value in (
        (b"\x52", None if to is None else encode_address(to)),
        (b"\x1a", message.id),
        (b"\x22", message.target),
        (b"\x2a", None if closer is None else encode_contacts(closer)),
        (b"\x32", message.roundtrip_token),
        (b"\x3a", None if command is None else command.encode("utf-8", "replace")),
        (b"\x42", None if error is None else error.encode("utf-8", "replace")),
        (b"\x4a", message.value),
    ):
        if value is not None:
            parts += (tag, number(len(value)), value)
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """Read a datagram.

    A malformed ``to`` is left out and malformed closer nodes are none: what else the message says
    may still be of use, and JS goes on without them too.

    Raises:
        DiscoveryError: it is no message: cut off, without type or rid, too large, or its sender's
            id has not 32 bytes.
    """
    if len(data) > DATAGRAM_BYTES_MAX:
        raise DiscoveryError(f"a datagram of {len(data)} bytes")
    try:
        numbers, raw = _read_usual(data) or _read_any(data)
        type_, rid = _TYPES[numbers[_TYPE]], numbers[_RID]
    except KeyError:
        raise DiscoveryError("malformed message: no type or no rid") from None
    except ValueError as error:
        raise DiscoveryError(f"malformed message: {error}") from None
    sender, closer = raw.get(3), raw.get(5)
    if sender is not None and len(sender) != ID_BYTES:
        raise DiscoveryError(f"an id has {ID_BYTES} bytes, not {len(sender)}")
    return Message(
        type_,
        rid,
        _address(raw.get(10)),
        sender,
        raw.get(4),
        None if closer is None else decode_contacts(closer),
        raw.get(6),
        _text(raw.get(7)),
        _text(raw.get(8)),
        raw.get(9),
        numbers.get(_VERSION) or None,
    )


_TYPE: Final = 1
_RID: Final = 2
_VERSION: Final = 11
_TYPES: Final = dict(enumerate(MessageType, 1))
_NUMBERS: Final = {field << 3: field for field in (_TYPE, _RID, _VERSION)}
_BYTES: Final = {field << 3 | 2: field for field in range(3, 11)}
"""The usual tags (a field's number and its wire type) and the fields they stand for."""

_Parts = tuple[dict[int, int], dict[int, bytes]]


def _read_usual(data: bytes) -> _Parts | None:
    """The fields of a message, or None where anything about them is unusual or wrong."""
    numbers: dict[int, int] = {}
    raw: dict[int, bytes] = {}
    offset, end = 0, len(data)
    try:
        while offset < end:
            tag, size = data[offset], data[offset + 1]
            offset += 2
            if size > 127:
                size, offset = varint.finish(data, offset, size)
            if tag in _BYTES:
                stop = offset + size
                if stop > end:
                    return None
                raw[_BYTES[tag]] = data[offset:stop]
                offset = stop
            elif tag in _NUMBERS:
                numbers[_NUMBERS[tag]] = size
            else:
                return None
    except (IndexError, ValueError):
        return None
    return numbers, raw


_KINDS: Final = {
    **dict.fromkeys(_NUMBERS.values(), Kind.UINT),
    **dict.fromkeys(_BYTES.values(), Kind.BYTES),
}


def _read_any(data: bytes) -> _Parts:
    """The same of any message; ValueError if it is malformed."""
    fields = Fields(data, _KINDS)
    numbers = {field: fields.uint(field, -1) for field in _NUMBERS.values()}
    raw = {field: fields.raw(field) for field in _BYTES.values()}
    return (
        {field: number for field, number in numbers.items() if number >= 0},
        {field: value for field, value in raw.items() if value is not None},
    )


def _address(data: bytes | None) -> Address | None:
    try:
        return None if data is None else decode_address(data)
    except DiscoveryError:
        return None


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")
