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
from hypermultifeed.encoding import protobuf
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
    to, closer = message.to, message.closer_nodes
    return protobuf.encode(
        (
            (11, message.version),
            (1, message.type),
            (2, message.rid),
            (10, None if to is None else encode_address(to)),
            (3, message.id),
            (4, message.target),
            (5, None if closer is None else encode_contacts(closer)),
            (6, message.roundtrip_token),
            (7, message.command),
            (8, message.error),
            (9, message.value),
        )
    )


_KINDS: Final = {
    **dict.fromkeys((1, 2, 11), Kind.UINT),
    **dict.fromkeys((3, 4, 5, 6, 7, 8, 9, 10), Kind.BYTES),
}


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
        fields = Fields(data, _KINDS)
        type_, rid = MessageType(fields.required_uint(1)), fields.required_uint(2)
    except ValueError as error:
        raise DiscoveryError(f"malformed message: {error}") from None
    raw = fields.raw
    sender, closer = raw(3), raw(5)
    if sender is not None and len(sender) != ID_BYTES:
        raise DiscoveryError(f"an id has {ID_BYTES} bytes, not {len(sender)}")
    return Message(
        type=type_,
        rid=rid,
        to=_address(raw(10)),
        id=sender,
        target=raw(4),
        closer_nodes=None if closer is None else decode_contacts(closer),
        roundtrip_token=raw(6),
        command=_text(raw(7)),
        error=_text(raw(8)),
        value=raw(9),
        version=fields.uint(11, 0) or None,
    )


def _address(data: bytes | None) -> Address | None:
    try:
        return None if data is None else decode_address(data)
    except DiscoveryError:
        return None


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")
