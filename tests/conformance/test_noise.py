"""Handshakes recorded between JS peers, replayed byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.crypto import dh
from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.wire.capability import capability, verify_capability
from hypermultifeed.wire.connection import Connection
from hypermultifeed.wire.messages import MessageType, Open, decode_open, encode_open
from hypermultifeed.wire.noise import PROTOCOL_NAME, SymmetricState

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "noise.json").read_text())
CASES = [pytest.param(case, id=case["name"]) for case in VECTORS["cases"]]
ROLES = ("initiator", "responder")


class Recorder:
    """A handler that opens the feed's channel, as the recorded peers did."""

    def __init__(self, role: dict[str, str], feed_key: bytes, *, initiator: bool) -> None:
        self.frames: list[tuple[int, int, bytes]] = []
        self.authenticated = b""
        self.feed_key = feed_key
        self.connection = Connection(
            self,
            initiator=initiator,
            key_pair=pair(role, "static"),
            ephemeral_seed=b"",
            ephemeral=pair(role, "ephemeral"),
            nonce=bytes.fromhex(role["payloadNonce"]),
            now=0,
        )

    def on_authenticate(self, remote_public_key: bytes) -> None:
        self.authenticated = remote_public_key

    def on_handshake(self) -> None:
        ours = self.connection
        proof = capability(ours.tx, ours.rx, self.feed_key)
        ours.send_frame(1, MessageType.OPEN, encode_open(discovery_key(self.feed_key), proof))

    def on_frame(self, channel: int, message_type: int, body: bytes) -> None:
        self.frames.append((channel, message_type, body))


def pair(role: dict[str, str], name: str) -> NoiseKeyPair:
    return NoiseKeyPair(
        bytes.fromhex(role[f"{name}PublicKey"]), bytes.fromhex(role[f"{name}SecretKey"])
    )


def make_peers(case: dict[str, Any]) -> dict[str, Recorder]:
    feed_key = bytes.fromhex(case["feedKey"])
    return {role: Recorder(case[role], feed_key, initiator=role == "initiator") for role in ROLES}


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_session_is_replayed(case: dict[str, Any]) -> None:
    peers = make_peers(case)
    sent = dict.fromkeys(ROLES, b"")
    for message in case["messages"]:
        if "plain" in message:
            break
        sender, receiver = message["from"], ROLES[message["from"] == "initiator"]
        out = bytes(peers[sender].connection.data_to_send())
        wire = bytes.fromhex(message["wire"])
        assert out[: len(wire)] == wire
        sent[sender] = out[len(wire) :]
        peers[receiver].connection.receive_data(wire, 0)
    for role in ROLES:
        sent[role] += peers[role].connection.data_to_send()
        peers[role].connection.handle_timer(7)
        sent[role] += peers[role].connection.data_to_send()
        peers[role].connection.handle_timer(14)
        sent[role] += peers[role].connection.data_to_send()
    for message in case["messages"]:
        if "plain" in message:
            wire = bytes.fromhex(message["wire"])
            assert sent[message["from"]][: len(wire)] == wire
            sent[message["from"]] = sent[message["from"]][len(wire) :]


@pytest.mark.parametrize("case", CASES)
def test_recorded_bytes_are_understood(case: dict[str, Any]) -> None:
    peers = make_peers(case)
    for message in case["messages"]:
        receiver = ROLES[message["from"] == "initiator"]
        peers[receiver].connection.receive_data(bytes.fromhex(message["wire"]), 0)
    for role in ROLES:
        expected, peer = case[role], peers[role]
        ours = peer.connection
        assert ours.tx.hex() == expected["splitTx"]
        assert ours.rx.hex() == expected["splitRx"]
        assert ours.handshake_hash.hex() == case["handshakeHash"]
        assert peer.authenticated.hex() == expected["remotePublicKey"]
        assert ours.remote_public_key == peer.authenticated
        ((channel, message_type, body),) = peer.frames
        assert (channel, message_type) == (1, MessageType.OPEN)
        opened = decode_open(body)
        assert opened == Open(discovery_key(peer.feed_key), opened.capability)
        assert verify_capability(opened.capability, ours.tx, ours.rx, peer.feed_key)


@pytest.mark.parametrize("case", CASES)
def test_the_symmetric_state_follows_the_trace(case: dict[str, Any]) -> None:
    state = SymmetricState()
    for step in case["trace"]:
        match step["op"]:
            case "initializeSymmetric":
                assert bytes.fromhex(step["input"]) == PROTOCOL_NAME
            case "mixHash":
                state.mix_hash(bytes.fromhex(step["input"]))
            case "mixKey":
                state.mix_key(bytes.fromhex(step["input"]))
            case "encryptAndHash":
                out = state.encrypt_and_hash(bytes.fromhex(step["plaintext"]))
                assert out.hex() == step["ciphertext"]
            case "decryptAndHash":
                out = state.decrypt_and_hash(bytes.fromhex(step["ciphertext"]))
                assert out.hex() == step["plaintext"]
            case "split":
                first, second = state.split()
                assert (first.hex(), second.hex()) == (step["first"], step["second"])
                continue
        assert state.chaining_key.hex() == step["chainingKey"]
        assert state.hash.hex() == step["hash"]
        assert (state.cipher_key or bytes(32)).hex() == step["cipherKey"]
        assert state.nonce.to_bytes(8, "little").hex() == step["cipherNonce"]


@pytest.mark.parametrize("case", CASES)
def test_shared_secrets_of_the_trace_come_from_the_keys(case: dict[str, Any]) -> None:
    initiator, responder = case["initiator"], case["responder"]
    secrets = [step["input"] for step in case["trace"] if step["op"] == "mixKey"]
    expected = [
        (pair(initiator, "ephemeral"), pair(responder, "ephemeral")),
        (pair(initiator, "ephemeral"), pair(responder, "static")),
        (pair(initiator, "static"), pair(responder, "ephemeral")),
    ]
    assert secrets == [dh(a.secret_key, b.public_key).hex() for a, b in expected]
