"""A node with operations under way gets garbage: nothing is raised and nothing grows."""

from __future__ import annotations

import os
import random

import pytest

from hypermultifeed.discovery.addresses import Address, Contact
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.node import Dht
from hypermultifeed.discovery.values import Holepunch, PeersInput

SEEDS = range(int(os.environ.get("SIMULATION_SEEDS", "6")))
OWN_ID = b"o" * 32
DATAGRAMS = 1500


def somebody(rng: random.Random) -> Address:
    host = ".".join(str(rng.choice((0, 10, 93, 127, 224, 255, rng.randrange(256)))) for _ in "1234")
    return Address(host, rng.choice((1, 65535, rng.randrange(1, 65536))))


def maybe(rng: random.Random, value: object) -> object:
    return value if rng.random() < 0.7 else None


def message(rng: random.Random, rids: list[int]) -> bytes:
    """Any message, often one that answers something."""
    contacts = [
        Contact(rng.randbytes(32), somebody(rng)) for _ in range(rng.choice((0, 1, 20, 30)))
    ]
    command = rng.choice(("_ping", "_find_node", "_holepunch", "peers", "mutable-store", "\udc80x"))
    values = (
        b"",
        rng.randbytes(rng.randrange(40)),
        PeersInput(rng.randrange(1 << 20), somebody(rng)).encode(),
        Holepunch(to=somebody(rng)).encode(),
        Holepunch(from_=somebody(rng)).encode(),
        OWN_ID,
    )
    made = Message(
        rng.choice(list(MessageType)),
        rng.choice(rids) if rids and rng.random() < 0.8 else rng.randrange(1 << 20),
        to=maybe(rng, somebody(rng)),  # type: ignore[arg-type]
        id=maybe(rng, rng.choice((OWN_ID, rng.randbytes(32)))),  # type: ignore[arg-type]
        target=maybe(rng, rng.randbytes(rng.choice((0, 5, 32, 32, 40)))),  # type: ignore[arg-type]
        closer_nodes=maybe(rng, contacts),  # type: ignore[arg-type]
        roundtrip_token=maybe(rng, rng.randbytes(32)),  # type: ignore[arg-type]
        command=maybe(rng, command.encode("utf-8", "replace").decode()),  # type: ignore[arg-type]
        error=maybe(rng, "ERR_SEQ_MUST_EXCEED_CURRENT") if rng.random() < 0.2 else None,  # type: ignore[arg-type]
        value=maybe(rng, rng.choice(values)),  # type: ignore[arg-type]
        version=rng.choice((None, 0, 1, 1, 1, 1, 9)),
    )
    data = bytearray(encode(made))
    if rng.random() < 0.3:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data) if rng.random() < 0.9 else bytes(data[: rng.randrange(len(data))])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_survives_what_anybody_sends(seed: int) -> None:
    rng = random.Random(seed)
    bootstrap = [somebody(rng) for _ in range(3)]
    dht = Dht(node_id=OWN_ID, randomness=rng, now=0.0, bootstrap=bootstrap, ephemeral=None)
    dht.start(0.0)
    now, under_way = 0.0, [(0, bootstrap[0])]
    for _ in range(DATAGRAMS):
        now += rng.choice((0.0, 0.001, 0.3))
        if rng.random() < 0.02 and dht.running < 50:
            begin = rng.choice((dht.lookup, dht.announce, dht.unannounce, dht.find_node))
            begin(rng.randbytes(32), now)
        rid, who = rng.choice(under_way)
        sender = who if rng.random() < 0.8 else somebody(rng)
        dht.receive_datagram(message(rng, [rid]), sender, now)
        if dht.get_timer() <= now:
            dht.handle_timer(now)
        for data, to in dht.datagrams_to_send():
            under_way.append((decode(data).rid, to))
        del under_way[:-40]
    assert dht.in_flight < 700
    assert len(dht._requests._waiting) < 200
    assert len(dht._requests._helps) < 700
    assert len(dht) < 1500
    assert dht.stats.received == DATAGRAMS
    for _ in range(60):
        now += 5.0
        dht.handle_timer(now)
        dht.datagrams_to_send()
    assert dht.in_flight < 50
