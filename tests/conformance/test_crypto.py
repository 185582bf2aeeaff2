"""Hashes, signatures, keys and key streams made by the JS packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed import crypto
from hypermultifeed.keys import KeyPair, NoiseKeyPair, derive_seed, discovery_key
from hypermultifeed.wire.capability import capability, remote_capability, verify_capability

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "crypto.json").read_text())
CIPHERS = [crypto.SodiumXSalsa20, crypto.PortableXSalsa20]
raw = bytes.fromhex


def node(vector: dict[str, Any]) -> tuple[int, bytes, int]:
    return vector["index"], raw(vector["hash"]), vector["size"]


@pytest.mark.parametrize("vector", VECTORS["keyPairs"])
def test_key_pairs_of_seeds(vector: dict[str, str]) -> None:
    pair = KeyPair.from_seed(raw(vector["seed"]))
    assert pair.public_key.hex() == vector["publicKey"]
    assert pair.secret_key.hex() == vector["secretKey"]
    assert discovery_key(pair.public_key).hex() == vector["discoveryKey"]


@pytest.mark.parametrize("vector", VECTORS["discoveryKeys"])
def test_discovery_keys(vector: dict[str, str]) -> None:
    assert discovery_key(raw(vector["key"])).hex() == vector["discoveryKey"]


@pytest.mark.parametrize("vector", VECTORS["leaves"])
def test_leaf_hashes(vector: dict[str, str]) -> None:
    data = raw(vector["data"])
    assert crypto.leaf_hash(data).hex() == vector["hash"]
    assert crypto.leaf_hash(memoryview(data)).hex() == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["parents"])
def test_parent_hashes(vector: dict[str, Any]) -> None:
    left, right = sorted([node(vector["a"]), node(vector["b"])])
    parent = vector["parent"]
    assert crypto.parent_hash(parent["size"], left[1], right[1]).hex() == parent["hash"]


@pytest.mark.parametrize("vector", VECTORS["treeRoots"]["list"])
def test_tree_hashes_and_their_signatures(vector: dict[str, Any]) -> None:
    pair = KeyPair.from_seed(raw(VECTORS["treeRoots"]["signingSeed"]))
    tree_hash = crypto.tree_hash(map(node, vector["roots"]))
    signable = tree_hash + vector["length"].to_bytes(8, "big")
    assert tree_hash.hex() == vector["treeHash"]
    assert signable.hex() == vector["signable"]
    assert crypto.sign(signable, pair.secret_key).hex() == vector["signature"]
    assert crypto.verify(signable, raw(vector["signature"]), pair.public_key)
    assert crypto.verify(tree_hash, raw(vector["legacySignature"]), pair.public_key)
    assert not crypto.verify(signable, raw(vector["legacySignature"]), pair.public_key)


@pytest.mark.parametrize("vector", VECTORS["capabilities"])
def test_capabilities(vector: dict[str, str]) -> None:
    tx, rx, key = raw(vector["tx"]), raw(vector["rx"]), raw(vector["key"])
    assert capability(tx, rx, key).hex() == vector["capability"]
    assert remote_capability(tx, rx, key).hex() == vector["remoteCapability"]
    assert verify_capability(raw(vector["remoteCapability"]), tx, rx, key)
    assert not verify_capability(raw(vector["capability"]), tx, rx, key)


@pytest.mark.parametrize("vector", VECTORS["noiseKeyPairs"])
def test_noise_key_pairs_of_seeds(vector: dict[str, str]) -> None:
    pair = NoiseKeyPair.from_seed(raw(vector["seed"]))
    assert pair.public_key.hex() == vector["publicKey"]
    assert pair.secret_key.hex() == vector["secretKey"]


def test_shared_secret() -> None:
    vector = VECTORS["x25519"]
    shared = crypto.dh(raw(vector["secretKey"]), raw(vector["publicKey"]))
    assert shared.hex() == vector["shared"]


@pytest.mark.parametrize("vector", VECTORS["deriveKey"])
def test_derived_seeds(vector: dict[str, str]) -> None:
    master_key = raw(vector["masterKey"])
    for name in (raw(vector["name"]), vector["nameUtf8"]):
        assert derive_seed(master_key, vector["namespace"], name).hex() == vector["seed"]


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("vector", VECTORS["xsalsa20Streams"])
def test_key_streams(vector: dict[str, Any], cipher: type[crypto.StreamCipher]) -> None:
    key, nonce = raw(vector["key"]), raw(vector["nonce"])
    processed, applied, joined = cipher(key, nonce), cipher(key, nonce), cipher(key, nonce)
    for chunk in vector["chunks"]:
        plain = raw(chunk["plain"])
        buffer = bytearray(plain)
        applied.apply(buffer)
        assert processed.process(plain).hex() == chunk["cipher"]
        assert buffer.hex() == chunk["cipher"]
        assert joined.join((plain[:3], plain[3:])).hex() == chunk["cipher"]
