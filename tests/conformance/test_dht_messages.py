"""Datagrams of the DHT made by the JS packages: read, written again, and answered alike."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed import crypto
from hypermultifeed.discovery.addresses import (
    Address,
    Contact,
    decode_address,
    decode_contacts,
)
from hypermultifeed.discovery.messages import Message, MessageType, decode, encode
from hypermultifeed.discovery.responder import Responder
from hypermultifeed.discovery.tokens import Tokens
from hypermultifeed.discovery.values import Holepunch, Mutable, PeersInput, PeersOutput, signable
from hypermultifeed.keys import KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dht-v4.json").read_text())
STEPS = VECTORS["dht_operations"]["steps"]
raw = bytes.fromhex


def datagrams() -> list[dict[str, Any]]:
    runs = [VECTORS["swarm_run"], VECTORS["swarm_run_local_address"], *STEPS]
    found = [datagram for run in runs for datagram in run["datagrams"]]
    return [datagram for datagram in found if datagram["kind"] == "dht"]


def address(text: str) -> Address:
    host, port = text.rpartition(" ")[2].split(":")
    return Address(host, int(port))


# -- reading and writing -----------------------------------------------------------------------

READ: dict[str, Callable[[Any], Any]] = {
    "type": MessageType,
    "to": lambda text: decode_address(raw(text)),
    "closerNodes": lambda text: decode_contacts(raw(text)),
    **dict.fromkeys(("id", "target", "roundtripToken", "value"), raw),
}
"""How a field of an encoding case is written in the vectors; the others are as they are."""

NAMES = {"closerNodes": "closer_nodes", "roundtripToken": "roundtrip_token"}


@pytest.mark.parametrize("case", VECTORS["encoding_cases"], ids=lambda case: case["name"])
def test_encoding_cases(case: dict[str, Any]) -> None:
    fields = {
        NAMES.get(name, name): READ.get(name, lambda same: same)(value)
        for name, value in case["fields"].items()
    }
    message = Message(**{"version": None, **fields})
    assert encode(message).hex() == case["hex"]
    assert decode(raw(case["hex"])) == message


def in_words(message: Message) -> dict[str, Any]:
    """A message as the vectors describe it, without its value."""
    closer = message.closer_nodes
    words: dict[str, Any] = {
        "version": message.version,
        "type": message.type.name,
        "rid": message.rid,
        "to": None if message.to is None else str(message.to),
        "id": None if message.id is None else message.id.hex(),
        "target": None if message.target is None else message.target.hex(),
        "closerNodes": None if closer is None else [f"{c.id.hex()}@{c.address}" for c in closer],
        "roundtripToken": None if not message.roundtrip_token else message.roundtrip_token.hex(),
        "command": message.command,
        "error": message.error,
    }
    return {name: word for name, word in words.items() if word is not None}


def test_every_recorded_datagram_is_read_and_written_again() -> None:
    recorded = datagrams()
    assert len(recorded) == 296
    for datagram in recorded:
        message = decode(raw(datagram["hex"]))
        described = {**datagram["decoded"]}
        value = described.pop("value", None)
        assert in_words(message) == described
        assert (message.value is None) is (value is None)
        assert encode(message).hex() == datagram["hex"]


def kind_of_value(type_: MessageType, command: str | None) -> Any:
    if type_ is MessageType.RESPONSE:
        return {"peers": PeersOutput, "mutable-store": Mutable}.get(command or "")
    known = {"peers": PeersInput, "mutable-store": Mutable, "_holepunch": Holepunch}
    return known.get(command or "")


def test_every_recorded_value_is_read_and_written_again() -> None:
    commands: dict[tuple[str, int], str | None] = {}
    kinds = set()
    for datagram in datagrams():
        message = decode(raw(datagram["hex"]))
        command = message.command
        if message.type is MessageType.RESPONSE:
            command = commands.get((datagram["to"], message.rid))
        else:
            commands[datagram["from"], message.rid] = command
        kind = kind_of_value(message.type, command)
        if kind is None or message.value is None:
            continue
        kinds.add(kind)
        assert kind.decode(message.value).encode() == message.value
    assert kinds == {PeersInput, PeersOutput, Mutable, Holepunch}


@pytest.mark.parametrize("case", VECTORS["values"]["PeersInput"])
def test_peers_inputs(case: dict[str, Any]) -> None:
    value = PeersInput(**case["fields"])
    assert value.encode().hex() == case["hex"]
    assert PeersInput.decode(raw(case["hex"])) == value


@pytest.mark.parametrize("case", VECTORS["values"]["Mutable"])
def test_mutables(case: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        name: field if name == "seq" else raw(field) for name, field in case["fields"].items()
    }
    assert Mutable(**fields).encode().hex() == case["hex"]
    assert Mutable.decode(raw(case["hex"])) == Mutable(**fields)


def test_token() -> None:
    class Fixed(random.Random):
        def randbytes(self, n: int) -> bytes:
            assert n == 32
            return raw(VECTORS["token"]["secret"])

    token = Tokens(Fixed(), 0.0).create(VECTORS["token"]["host"], 0.0)
    assert token.hex() == VECTORS["token"]["token"]


def test_immutable_key() -> None:
    immutable = VECTORS["immutable"]
    assert crypto.blake2b_256(raw(immutable["value"])).hex() == immutable["key"]


@pytest.mark.parametrize("case", VECTORS["mutable_signing"])
def test_mutable_signing(case: dict[str, Any]) -> None:
    pair = KeyPair.from_seed(raw(case["seed"]))
    value, salt = raw(case["value"]), case["salt"] and raw(case["salt"])
    assert pair.public_key.hex() == case["public_key"]
    assert signable(value, case["seq"], salt).hex() == case["signable"]
    mutable = Mutable.signed(pair, value, case["seq"], salt)
    assert mutable.signature == raw(case["signature"])
    assert mutable.verify(pair.public_key, salt)


# -- answering ---------------------------------------------------------------------------------


class Replayed:
    """Our responder in the place of one of the recorded nodes.

    It has that node's id and knows the nodes that the recorded answer names: tables are not the
    responder's. Tokens are made equal where the recorded one is among those of that host.
    """

    def __init__(self, node_id: bytes) -> None:
        self.closer: list[Contact] = []
        self.responder = Responder(
            node_id, lambda _: self.closer, randomness=random.Random(1), now=0.0
        )
        self.recorded_tokens: dict[str, set[bytes]] = {}

    def answer(self, request: Message, sender: Address, recorded: Message | None) -> bytes | None:
        """Our answer, with the recorded token in place of a good one of ours."""
        if recorded is not None:
            self.closer = recorded.closer_nodes or []
            token = recorded.roundtrip_token
            if token is not None:
                self.recorded_tokens.setdefault(sender.host, set()).add(token)
        ours = self.responder.tokens.create(sender.host, 0.0)
        if request.roundtrip_token in self.recorded_tokens.get(sender.host, ()):
            request.roundtrip_token = ours
        answer = self.responder.answer(request, sender, 0.0)
        if answer is None:
            return None
        if answer.roundtrip_token is not None:
            assert answer.roundtrip_token == ours
            assert recorded is not None
            answer.roundtrip_token = recorded.roundtrip_token
        return encode(answer)


def exchanges() -> list[tuple[str, Message, Address, str, list[Message]]]:
    """Requests to B and N in order, each with its step, sender, node and recorded answers."""
    found = []
    for step in STEPS:
        recorded = [one for one in step["datagrams"] if one["kind"] == "dht"]
        for one in recorded:
            request = decode(raw(one["hex"]))
            if request.type is MessageType.RESPONSE or one["to"][0] not in "BN":
                continue
            answers = [
                decode(raw(other["hex"]))
                for other in recorded
                if (other["from"], other["to"]) == (one["to"], one["from"])
            ]
            answers = [
                other
                for other in answers
                if other.type is MessageType.RESPONSE and other.rid == request.rid
            ]
            found.append((step["step"], request, address(one["from"]), one["to"], answers))
    return found


DIFFERENT = {
    "D mutable get after conflict": "JS stored what it had refused",
    "D mutable get after stale put": "JS stored what it had refused",
    "C mutable put seq 0 (stale)": "the stored value differs, as above",
    "raw: QUERY peers with target of 5 bytes": "a target has 32 bytes",
    "raw: QUERY peers without value (JS throws)": "answered with an error",
    "raw: QUERY mutable-store without value (JS throws)": "answered with an error",
}
"""Steps in which we do not answer what JS answers, and why."""


def test_requests_are_answered_as_js_answers_them() -> None:
    nodes: dict[str, Replayed] = {}
    same, different = 0, set()
    for step, request, sender, name, recorded in exchanges():
        if name not in nodes:
            ids = {one.id for *_, to, answers in exchanges() if to == name for one in answers}
            (node_id,) = ids
            assert node_id is not None
            nodes[name] = Replayed(node_id)
        # a second answer to one request is JS storing what the first one refused
        expected = recorded[0] if recorded else None
        answer = nodes[name].answer(request, sender, expected)
        if answer == (None if expected is None else encode(expected)):
            same += 1
        else:
            different.add(step)
    assert different == set(DIFFERENT)
    assert same == 80
