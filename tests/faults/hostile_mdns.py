"""mDNS packets made by hand, byte by byte: honest, odd, and made to cost as much as possible."""

from __future__ import annotations

import struct

from hypermultifeed.discovery.mdns_packets import PACKET_BYTES_MAX, RECORDS_MAX, encode_answer

A, TXT, SRV, ANY = 1, 16, 33, 255
QUERY, ANSWER = 0, 0x8400
HOST = b"\x010\x010\x010\x010\0"  # the name "0.0.0.0"


def name(label: bytes) -> bytes:
    return b"\x28" + label + b"\x0ahyperswarm\x05local\0"


def pointer(offset: int) -> bytes:
    return struct.pack("!H", 0xC000 | offset)


def question(owner: bytes, type_: int = SRV, class_: int = 1) -> bytes:
    return owner + struct.pack("!2H", type_, class_)


def record(owner: bytes, type_: int, data: bytes, class_: int = 1) -> bytes:
    return owner + struct.pack("!2HIH", type_, class_, 0, len(data)) + data


def srv(owner: bytes, port: int, target: bytes = HOST) -> bytes:
    return record(owner, SRV, struct.pack("!3H", 0, 0, port) + target)


def txt(owner: bytes, text: bytes) -> bytes:
    return record(owner, TXT, bytes([len(text)]) + text)


def packet(flags: int, *body: bytes, counts: tuple[int, ...] | None = None) -> bytes:
    """A packet of questions (in a query) or answers; ``counts`` are what its header claims."""
    if counts is None:
        counts = (0, len(body), 0, 0) if flags & 0x8000 else (len(body), 0, 0, 0)
    return struct.pack("!6H", 0, flags, *counts) + b"".join(body)


def compressed_answer(label: bytes, port: int, text: bytes) -> bytes:
    """An answer as other mDNS programs write it: names that came before are pointed to."""
    first = srv(name(label), port)
    return packet(ANSWER, first, txt(pointer(12), text))


def _pointer_chain(label: bytes, hops: int) -> bytes:
    """Records whose names and hosts are reached over many pointers, each of them far away."""
    run = b"\x01a" * 100 + b"\0"
    at = 12 + len(name(label)) + 10
    chain = b""
    last = at
    for _ in range(hops):
        chain += pointer(last)
        last = at + len(run) + len(chain) - 2
    first = record(name(label), ANY, run + chain)
    rest = [srv(pointer(12), 1, pointer(last)) for _ in range(RECORDS_MAX - 1)]
    return packet(ANSWER, first, *rest)


def corpus(label: bytes) -> dict[str, bytes]:
    """Hostile packets about a topic, by what is wrong with them."""
    ours = name(label)
    loop = 12 + len(ours)
    return {
        "header alone": packet(ANSWER, counts=(0, 1, 0, 0)),
        "cut off": encode_answer(label, 1, bytes(32))[:-5],
        "cut off in a name": packet(QUERY, question(ours))[:40] + label,
        "pointer to itself": packet(ANSWER, srv(ours, 1), srv(pointer(loop + 25), 1)),
        "pointers in a circle": packet(ANSWER, srv(ours, 1), srv(pointer(loop + 27) * 2, 1)),
        "pointer forwards": packet(ANSWER, srv(ours, 1), srv(pointer(0x3FFF), 1)),
        "long chain of pointers": _pointer_chain(label, 200),
        "chains as long as allowed": _pointer_chain(label, 15),
        "endless name": packet(ANSWER, srv(ours, 1), srv(b"\x01a" * 600 + b"\0", 1)),
        "forbidden label": packet(ANSWER, srv(ours, 1), srv(b"\x41" + b"a" * 65 + b"\0", 1)),
        "thousands of records": packet(ANSWER, *[srv(ours, 1)] * 5000),
        "thousands claimed": packet(ANSWER, srv(ours, 1), counts=(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF)),
        "oversize": packet(ANSWER, srv(ours, 1), record(ours, TXT, bytes(60_000))),
        "largest text": packet(ANSWER, srv(ours, 1), record(ours, TXT, bytes(1300))),
        "data longer than the packet": packet(ANSWER, srv(ours, 1)[:-12]),
        "short data": packet(ANSWER, record(ours, SRV, b"\0\0\0")),
        "empty data": packet(ANSWER, record(ours, SRV, b""), record(ours, TXT, b"")),
        "more data than a host": packet(ANSWER, srv(ours, 1, HOST + b"xyz")),
        "unknown types": packet(ANSWER, *[record(ours, 60000 + n, b"x") for n in range(8)]),
        "unknown classes": packet(ANSWER, *[record(ours, SRV, b"x", 9 + n) for n in range(8)]),
        "no such operation": packet(0x7800, question(ours)),
        "an error": packet(0x8403, srv(ours, 1)),
        "port 0": packet(ANSWER, srv(ours, 0)),
        "a host that is named": packet(ANSWER, srv(ours, 80, b"\x07example\x03com\0")),
        "a host that is public": packet(ANSWER, srv(ours, 80, b"\x018\x018\x018\x018\0")),
        "no DNS": b"\x28" + label + bytes(range(256)),
        "only labels": (b"\x28" + label) * 35,
        "nearly labels": (b"\x28" + label[:-1]) * (PACKET_BYTES_MAX // 40),
    }
