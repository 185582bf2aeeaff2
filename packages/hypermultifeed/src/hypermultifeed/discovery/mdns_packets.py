"""The DNS packets of LAN discovery, as JavaScript writes them (@hyperswarm/discovery, dns-packet).

A topic's name is 40 hex characters, of its first 20 bytes, under ``hyperswarm.local``. A query
asks for its SRV record. An answer is an SRV record with the TCP port and the host ``0.0.0.0``,
which stands for whoever sent the packet; a TXT record with the id of its sender, so that it knows
its own; and, if somebody asked, an A record with the asker's address, which nobody reads.

What arrives is parsed with dnspython, which bounds names and the hops of compressed ones. Sizes
and counts are bounded here, and before anything is parsed, packets without a topic's name in them
are told apart: on most networks that is all other mDNS.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.SRV import SRV

from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP: Final = "224.0.0.251"
"""The multicast group of mDNS (RFC 6762)."""

PORT: Final = 5353

TTL: Final = 255
"""Of the IP packets, as RFC 6762 asks."""

ID_BYTES: Final = 32
"""Size of the random id by which a peer knows its own answers."""

PACKET_BYTES_MAX: Final = 1472
"""Longest packet that is read: what fits one Ethernet frame. An answer takes about 240 bytes."""

RECORDS_MAX: Final = 8
"""Most questions and records in a packet that is read. An answer of JavaScript's has three."""

_TOPIC_BYTES: Final = 20
_DOMAIN: Final = (b"hyperswarm", b"local", b"")
_LABEL: Final = re.compile(rb"\x28([0-9a-f]{40})")
_HEADER: Final = Struct("!6H")
_QUESTION: Final = Struct("!2H")
_RECORD: Final = Struct("!2HIH")
_ANSWER_FLAGS: Final = 0x8400
_IS_ANSWER: Final = 0x8000
_OPCODE_AND_ERROR: Final = 0x780F
_CLASS: Final = 0x7FFF  # the highest bit means unicast, or cache-flush
_SENDER: Final = dns.name.Name((b"0", b"0", b"0", b"0", b""))
_REFERRER: Final = dns.name.Name((b"referrer", *_DOMAIN))


class Offer(NamedTuple):
    """A peer of the topic named ``label`` is at the packet's sender, at ``port``."""

    label: bytes
    port: int


class Packet(NamedTuple):
    """What a packet says: labels of topics that are asked for, and peers that are offered."""

    asked: list[bytes]
    offers: list[Offer]


def topic_label(topic: bytes) -> bytes:
    """The first label of a topic's name."""
    return topic[:_TOPIC_BYTES].hex().encode()


def labels_in(packet: bytes) -> list[bytes]:
    """What looks like labels of topics, at little cost; names start with them in any encoding."""
    return _LABEL.findall(packet)


# -- writing -----------------------------------------------------------------------------------


def encode_query(label: bytes) -> bytes:
    """Ask who has the topic."""
    question = _QUESTION.pack(dns.rdatatype.SRV, dns.rdataclass.IN)
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + _wire(_topic_name(label)) + question


def encode_answer(label: bytes, port: int, id_: bytes, asker: str | None = None) -> bytes:
    """Say that we have the topic, at a TCP port.

    Args:
        label: of the topic.
        port: 1 to 65535.
        id_: 32 bytes.
        asker: IPv4 address of who asked; None if nobody did.
    """
    name = _topic_name(label)
    records = [
        _record(name, dns.rdata.from_text("IN", "SRV", f"0 0 {port} {_SENDER}")),
        _record(name, TXT(dns.rdataclass.IN, dns.rdatatype.TXT, [b"id=" + id_])),
    ]
    if asker is not None:
        records.append(_record(_REFERRER, dns.rdata.from_text("IN", "A", asker)))
    return _HEADER.pack(0, _ANSWER_FLAGS, 0, len(records), 0, 0) + b"".join(records)


def _record(owner: dns.name.Name, data: dns.rdata.Rdata) -> bytes:
    """A record to be forgotten at once (its time to live is 0), as JavaScript has it."""
    wire = _wire(data)
    return _wire(owner) + _RECORD.pack(data.rdtype, data.rdclass, 0, len(wire)) + wire


def _wire(part: dns.name.Name | dns.rdata.Rdata) -> bytes:
    """Its bytes; no name is compressed, as in JavaScript."""
    wire = part.to_wire()
    assert wire is not None  # it is if there is a file to write to
    return wire


def _topic_name(label: bytes) -> dns.name.Name:
    return dns.name.Name((label, *_DOMAIN))


# -- reading -----------------------------------------------------------------------------------


def decode(packet: bytes) -> Packet:
    """Read a packet; what is no question and no offer of a topic is skipped.

    An SRV record that names a host of its own is skipped too: JavaScript never writes one, and it
    would make us dial whatever a stranger wants.

    Raises:
        DiscoveryError: it is too long, has too many records, or is no DNS packet.
    """
    if len(packet) > PACKET_BYTES_MAX:
        raise DiscoveryError(f"mDNS: a packet of {len(packet)} bytes")
    try:
        return _decode(dns.wire.Parser(packet))
    except dns.exception.DNSException as error:
        raise DiscoveryError(f"mDNS: a malformed packet ({type(error).__name__})") from error


def _decode(parser: dns.wire.Parser) -> Packet:
    _, flags, questions, answers, *others = parser.get_struct(_HEADER.format)
    if flags & _OPCODE_AND_ERROR:
        raise DiscoveryError("mDNS: a packet that is neither query nor answer")
    if questions + answers + sum(others) > RECORDS_MAX:
        raise DiscoveryError(f"mDNS: more than {RECORDS_MAX} records")
    asked = list(_read_questions(parser, questions))
    if not flags & _IS_ANSWER:
        return Packet(asked, [])
    return Packet([], list(_read_offers(parser, answers)))


def _read_questions(parser: dns.wire.Parser, count: int) -> Iterator[bytes]:
    for _ in range(count):
        name = dns.name.from_wire_parser(parser)
        type_, class_ = parser.get_struct(_QUESTION.format)
        if _is_topic(name) and type_ == dns.rdatatype.SRV and _is_internet(class_):
            yield name.labels[0]


def _read_offers(parser: dns.wire.Parser, count: int) -> Iterator[Offer]:
    for _ in range(count):
        name = dns.name.from_wire_parser(parser)
        type_, class_, _, size = parser.get_struct(_RECORD.format)
        if not _is_topic(name) or type_ != dns.rdatatype.SRV or not _is_internet(class_):
            parser.get_bytes(size)  # not even parsed: dnspython remembers each type for good
            continue
        with parser.restrict_to(size):
            data = dns.rdata.from_wire_parser(dns.rdataclass.IN, dns.rdatatype.SRV, parser)
        if isinstance(data, SRV) and data.target == _SENDER and data.port:
            yield Offer(name.labels[0], data.port)


def _is_topic(name: dns.name.Name) -> bool:
    return len(name.labels) == 1 + len(_DOMAIN) and name.labels[1:] == _DOMAIN


def _is_internet(class_: int) -> bool:
    return class_ & _CLASS == dns.rdataclass.IN
