"""A recorded run of four JS nodes, with our node in the place of each of them in turn.

Our node gets the datagrams that the JS node got, at the same times and with the same random
choices (id, first rid, tokens), is told to do the same, and has to send the same bytes to the same
addresses in the same order.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.node import Dht
from hypermultifeed.discovery.operations import immutable_key, no_refusal, read_any
from hypermultifeed.discovery.query import Question
from hypermultifeed.discovery.values import Mutable
from hypermultifeed.keys import KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.discovery.query import Query

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dht-v4.json").read_text())
STEPS = VECTORS["dht_operations"]["steps"]
NAMES = [step["step"] for step in STEPS]

HOST = "127.0.0.2"
B, N, C, D, RAW = (Address(HOST, port) for port in (49737, 49738, 41001, 41011, 41021))
ROLES = {"B": B, "N": N, "C": C, "D": D}
TOPIC = bytes.fromhex("23d611a6f6f8e3ef8775959efd61eee094c1e6b147ab978e7bf7ca452e51110b")
PAIR = KeyPair.from_seed(bytes([7]) * 32)
VALUE = b"immutable value"
SALT = b"salt-0123456789ab"
LOCAL = Address("192.168.7.9", 12345)

LATENESS_S = 0.02
"""How late a timer of the recorded run may have been."""


def put_badly_signed(dht: Dht, now: float) -> Query[Any]:
    value = Mutable(b"x", bytes([1]) * 64, 9)
    return dht._put(Question("mutable-store", PAIR.public_key, value.encode()), now, no_refusal)


DO: dict[str, dict[int, Callable[[Dht, float], Query[Any]]]] = {
    "C": {
        4: lambda dht, now: dht.ping(B, now),
        5: lambda dht, now: dht.ping(B, now, expected_id=node_id("B")),
        6: lambda dht, now: dht.lookup(TOPIC, now),
        7: lambda dht, now: dht.announce(TOPIC, now, port=12345, local_address=LOCAL),
        11: lambda dht, now: dht.lookup(TOPIC, now, port=12345),
        12: lambda dht, now: dht.unannounce(TOPIC, now, port=12345, local_address=LOCAL),
        14: lambda dht, now: dht.put_immutable(VALUE, now),
        16: lambda dht, now: dht.put_mutable(PAIR, b"v1", now, seq=1),
        18: lambda dht, now: dht.put_mutable(PAIR, b"v2 salted", now, seq=2, salt=SALT),
        21: lambda dht, now: dht.put_mutable(PAIR, b"v1 other", now, seq=1),
        23: lambda dht, now: dht.put_mutable(PAIR, b"v0", now, seq=0),
        25: put_badly_signed,
        26: lambda dht, now: dht._walk(Question("nope", TOPIC, b"hi"), now, read=read_any),
        27: lambda dht, now: dht.holepunch(D, B, now),
        39: lambda dht, now: dht.ping(Address(HOST, 41099), now),
        40: lambda dht, now: dht.holepunch(Address(HOST, 41098), B, now),
    },
    "D": {
        8: lambda dht, now: dht.lookup(TOPIC, now),
        9: lambda dht, now: dht.lookup(TOPIC, now, local_address=Address("192.168.1.4", 4000)),
        10: lambda dht, now: dht.lookup(TOPIC, now, local_address=Address("10.0.1.4", 4000)),
        13: lambda dht, now: dht.lookup(TOPIC, now, local_address=Address("192.168.1.4", 4000)),
        15: lambda dht, now: dht.get_immutable(immutable_key(VALUE), now),
        17: lambda dht, now: dht.get_mutable(PAIR.public_key, now),
        19: lambda dht, now: dht.get_mutable(PAIR.public_key, now, salt=SALT),
        20: lambda dht, now: dht.get_mutable(PAIR.public_key, now, salt=SALT, seq=5),
        22: lambda dht, now: dht.get_mutable(PAIR.public_key, now),
        24: lambda dht, now: dht.get_mutable(PAIR.public_key, now),
    },
}
"""What each node is told to do, by the number of the step."""

STALE = "JS sends the error, stores the record nevertheless, and answers once more"
UNASKED = "JS takes a node from a response that nobody waits for"
DIFFERENT = {
    ("B", 21): STALE,
    ("N", 21): STALE,
    ("B", 22): STALE,
    ("N", 22): STALE,
    ("B", 23): STALE,
    ("N", 23): STALE,
    ("B", 24): STALE,
    ("N", 24): STALE,
    ("N", 31): "JS does not look at the length of a target",
    ("N", 35): "JS throws where the value is missing; ours answers with an error",
    ("N", 36): "JS throws where the value is missing; ours answers with an error",
    ("N", 37): UNASKED,
    ("N", 41): UNASKED,
}
"""Where a responder of ours does something else on purpose (docs/differences.md)."""


def node_id(role: str) -> bytes:
    """As the node told it in the run."""
    for step in STEPS:
        for datagram in step["datagrams"]:
            if datagram["from"].startswith(f"{role} ") and "id" in datagram["decoded"]:
                return bytes.fromhex(datagram["decoded"]["id"])
    return bytes(32)


def internal_id(role: str) -> bytes:
    """Ephemeral nodes tell only the target of their first walk, which is their id."""
    for step in STEPS:
        for datagram in step["datagrams"]:
            if datagram["from"].startswith(f"{role} ") and "target" in datagram["decoded"]:
                return bytes.fromhex(datagram["decoded"]["target"])
    return node_id(role)


def address(text: str) -> Address:
    host, port = text.rpartition(" ")[2].split(":")
    return Address(host, int(port))


def sent_by(role: str) -> list[dict[str, Any]]:
    return [d for step in STEPS for d in step["datagrams"] if d["from"].startswith(f"{role} ")]


class Chance(random.Random):
    """The first rid as the JS node drew it."""

    rid = 0

    def randrange(self, *_: int) -> int:  # type: ignore[override]
        return self.rid


class Recorded:
    """Tokens as the JS node gave them; all nodes are at one host, and the run is short."""

    def __init__(self, role: str) -> None:
        tokens = {
            datagram["decoded"].get("roundtripToken")
            for datagram in sent_by(role)
            if datagram["decoded"]["type"] == "RESPONSE"
        } - {None}
        self.token = bytes.fromhex(*tokens)

    def create(self, host: str, now: float) -> bytes:
        return self.token

    def verify(self, host: str, token: bytes, now: float) -> bool:
        return token == self.token


class Replay:
    """Our node in the place of one of the recorded ones."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.sent: list[list[tuple[bytes, Address]]] = []
        self.queries: dict[int, Query[Any]] = {}
        self.results: dict[int, list[Any]] = {}
        first = sent_by(role)[0]
        chance = Chance(1)
        chance.rid = first["decoded"]["rid"]
        self.dht = Dht(
            node_id=internal_id(role) if role in "CD" else node_id(role),
            randomness=chance,
            now=first["t"] - 0.0005,
            bootstrap=() if role == "B" else (B,),
            ephemeral=role in "CD",
        )
        if role != "C":  # which nobody asks
            self.dht._responder.tokens = Recorded(role)  # type: ignore[assignment]
        self.first = first
        for number, step in enumerate(STEPS):
            self.sent.append(self.run(number, step["datagrams"]))

    def run(self, number: int, datagrams: list[dict[str, Any]]) -> list[tuple[bytes, Address]]:
        """Let one step happen; what our node sends."""
        sent = []
        if datagrams:
            sent += self.begin(number, datagrams[0]["t"] - 0.0005, self.first in datagrams)
        for datagram in datagrams:
            name, _, _ = datagram["to"].partition(" ")
            if name == self.role:
                sent += self.timers(datagram["t"])
                data = bytes.fromhex(datagram["hex"])
                self.dht.receive_datagram(data, address(datagram["from"]), datagram["t"])
            elif datagram["from"].startswith(f"{self.role} "):
                sent += self.timers(datagram["t"] + LATENESS_S)
            sent += self.dht.datagrams_to_send()
        return sent

    def begin(self, number: int, now: float, starts: bool) -> list[tuple[bytes, Address]]:
        sent = self.timers(now)
        if starts and self.role != "B":
            self.dht.start(now)
        elif (self.role, number) == ("C", 41):
            self.dht.become_persistent(now)
        elif number in DO.get(self.role, {}):
            query = DO[self.role][number](self.dht, now)
            self.queries[number] = query
            query.on_reply = self.results.setdefault(number, []).append
        return sent + self.dht.datagrams_to_send()

    def timers(self, until: float) -> list[tuple[bytes, Address]]:
        sent = []
        while self.dht.get_timer() <= until:
            self.dht.handle_timer(max(self.dht.get_timer(), 0.0))
            sent += self.dht.datagrams_to_send()
        return sent


@functools.cache
def replay(role: str) -> Replay:
    return Replay(role)


def recorded(role: str, number: int) -> list[tuple[bytes, Address]]:
    found = [d for d in STEPS[number]["datagrams"] if d["from"].startswith(f"{role} ")]
    return [(bytes.fromhex(datagram["hex"]), address(datagram["to"])) for datagram in found]


CASES = [(role, number) for role in ROLES for number in range(len(STEPS))]


@pytest.mark.parametrize(("role", "number"), CASES, ids=str)
def test_our_node_sends_what_the_recorded_one_sent(role: str, number: int) -> None:
    ours, theirs = replay(role).sent[number], recorded(role, number)
    if number == 41:  # JS goes through what is under way in no particular order
        ours.sort()
        theirs.sort()
    if (role, number) in DIFFERENT:
        assert ours != theirs
    else:
        assert ours == theirs


def test_the_steps_have_the_numbers_used_here() -> None:
    assert len(NAMES) == 42
    assert {number: NAMES[number] for number in (4, 12, 24, 27, 40, 41)} == {
        4: "C pings B without id",
        12: "C unannounces",
        24: "D mutable get after stale put",
        27: "C holepunches D via B",
        40: "C _holepunch to dead port via B with retries",
        41: "C becomes persistent",
    }
    steps = {number for role in DO for number in DO[role]}
    assert all(NAMES[number].startswith(("C ", "D ")) for number in steps)


@pytest.mark.parametrize("number", [8, 9, 10, 13])
def test_lookups_give_what_they_gave(number: int) -> None:
    found = json.loads(STEPS[number]["result"]) if STEPS[number]["result"] else []
    expected = [
        (
            Address(one["node"]["host"], one["node"]["port"]),
            [Address(peer["host"], peer["port"]) for peer in one["peers"]],
            [Address(peer["host"], peer["port"]) for peer in one["localPeers"] or ()],
            Address(one["to"]["host"], one["to"]["port"]),
        )
        for one in found
    ]
    assert replay("D").results[number] == expected


def test_values_are_what_they_were() -> None:
    results = replay("D").results
    assert results[15] == [VALUE]
    assert {one.value for one in results[17]} == {b"v1"}
    assert {one.value for one in results[19]} == {b"v2 salted"}
    assert results[20] == []


def test_operations_end_as_they_ended() -> None:
    errors = {number: query.error for number, query in replay("C").queries.items()}
    assert all(query.done for query in replay("C").queries.values())
    failed = {number for number, error in errors.items() if error is not None}
    assert failed == {21, 23, 25, 39, 40}  # JS takes the badly signed one for a success
    assert replay("C").results[5] == [C]
