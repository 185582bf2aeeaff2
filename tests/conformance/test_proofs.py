"""Proofs made and verified, against hypercore 9.12."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import VerificationError
from hypermultifeed.feed.log import Log
from hypermultifeed.feed.merkle import ProofMemory
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory
from hypermultifeed.wire.messages import Data, decode_data, encode_data, encode_request

if TYPE_CHECKING:
    from hypermultifeed.storage import Storage

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "proofs.json").read_text())
OWNER = KeyPair.from_seed(b"\x01" * 32)
KEY = bytes.fromhex(VECTORS["publicKey"])


def writer(length: int) -> Log:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    if length:
        log.append([b"block-%d" % index for index in range(length)])
    return log


def reader() -> tuple[Log, Storage]:
    storage = memory()("relaxed")
    return Log.open(storage, key=KEY), storage


def tree_of(log: Log) -> list[int]:
    return [node for node in range(1024) if log.has_tree_node(node)]


def state(log: Log) -> dict[str, Any]:
    have = [index for index in range(log.length) if log.has(index)]
    return {
        "length": log.length,
        "byteLength": log.byte_length,
        "have": have,
        "tree": tree_of(log),
    }


def bytes_of(storage: Storage) -> dict[str, bytes]:
    return {name: storage.read(name, 0, 10**6) for name in storage.list_files()}


def put(log: Log, message: Data) -> None:
    log.put(message.index, message.value, message.nodes, message.signature)
    log.flush()


def put_all(log: Log, messages: list[str]) -> None:
    for message in messages:
        put(log, decode_data(bytes.fromhex(message)))


@pytest.mark.parametrize("case", VECTORS["byLength"], ids=lambda case: str(case["length"]))
def test_every_proof_of_a_feed(case: dict[str, Any]) -> None:
    log = writer(case["length"])
    assert log.signature()[1].hex() == case["signature"]
    assert [node.index for node in log.root_hashes(case["length"] - 1)] == case["rootIndexes"]
    for row in [*case["full"], *case["hashOnly"]]:
        index, only_hash = row["index"], row.get("hash", False)
        proof = log.proof(index, digest=row["digest"], hash=only_hash)
        assert [node.index for node in proof.nodes] == row["nodes"]
        assert (proof.signature is not None) == row["signed"]
        value = None if only_hash else log.get(index)
        assert encode_data(index, value, proof.nodes, proof.signature).hex() == row["dataMessage"]
        put(reader()[0], decode_data(bytes.fromhex(row["dataMessage"])))
    for row in case["digests"]:
        proof = log.proof(row["index"], digest=row["digest"])
        assert [node.index for node in proof.nodes] == row["nodes"], row
        assert (proof.signature is not None) == row["signed"], row


@pytest.mark.parametrize("case", VECTORS["sessions"], ids=lambda case: case["name"])
def test_session(case: dict[str, Any]) -> None:
    source, (target, _) = writer(0), reader()
    heard = ProofMemory()
    for step in case["steps"]:
        if "append" in step:
            source.append([b"block-%d" % (source.length + i) for i in range(step["append"])])
            assert source.length == step["length"]
        elif "reconnect" in step:
            heard = ProofMemory()
        else:
            index, only_hash = step["request"]["index"], step["request"]["hash"]
            digest = target.digest(index)
            assert digest == step["request"]["nodes"]
            request = encode_request(index, 0, only_hash, digest)
            assert request.hex() == step["requestMessage"]
            proof = source.proof(index, digest=digest, hash=only_hash, memory=heard)
            value = None if only_hash else source.get(index)
            message = encode_data(index, value, proof.nodes, proof.signature)
            assert message.hex() == step["dataMessage"]
            before = set(tree_of(target))
            put(target, decode_data(message))
            assert sorted(set(tree_of(target)) - before) == step["newTreeIndexes"]
            assert target.length == step["clientLength"]
            assert target.byte_length == step["clientByteLength"]


@pytest.mark.parametrize("case", VECTORS["verify"], ids=lambda case: case["name"])
def test_verification(case: dict[str, Any]) -> None:
    log, storage = reader()
    put_all(log, case["previousDataMessages"])
    message = decode_data(bytes.fromhex(case["dataMessage"]))
    if case["error"] is None:
        put(log, message)
    else:
        before = bytes_of(storage)
        with pytest.raises(VerificationError) as caught:
            put(log, message)
        assert caught.value.key == KEY
        assert caught.value.index == message.index
        log.flush()
        assert bytes_of(storage) == before
    assert state(log) == case["after"]
    assert state(Log.open(storage, key=KEY)) == case["after"]


FORGED = [case for case in VECTORS["jsAcceptsButShouldNot"] if "jsStored" in case]


@pytest.mark.parametrize("case", FORGED, ids=lambda case: case["name"])
def test_forged_values_that_js_stores(case: dict[str, Any]) -> None:
    log, storage = reader()
    put_all(log, case["previousDataMessages"])
    before = bytes_of(storage)
    with pytest.raises(VerificationError):
        put_all(log, [case["dataMessage"]])
    log.flush()
    assert bytes_of(storage) == before


def test_wrong_sizes_in_a_proof_of_hashes_are_put_right_by_the_blocks() -> None:
    (case,) = [case for case in VECTORS["jsAcceptsButShouldNot"] if "thenRealBlock" in case]
    log, storage = reader()
    put_all(log, [case["dataMessage"]])  # nothing in it tells how a sum of two sizes divides
    assert {"length": log.length, "byteLength": log.byte_length} == case["jsAfter"]
    put_all(log, [case["thenRealBlock"]["dataMessage"]])  # here JS: Unexpected data size
    source = writer(3)
    for index in (1, 2):
        proof = source.proof(index)
        log.put(index, source.get(index), proof.nodes, proof.signature)
    log.flush()
    assert log.get_run(0, 3) == source.get_run(0, 3)
    assert [log.seek(at) for at in range(22)] == [source.seek(at) for at in range(22)]
    again = Log.open(storage, key=KEY)
    assert again.get_run(0, 3) == source.get_run(0, 3)
    assert again.audit().invalid == 0
