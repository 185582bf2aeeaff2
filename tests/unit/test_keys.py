from __future__ import annotations

import dataclasses

import pytest

from hypermultifeed import keys
from hypermultifeed.keys import KeyPair, NoiseKeyPair

SEED = bytes(range(32))


@pytest.mark.parametrize("kind", [KeyPair, NoiseKeyPair])
def test_secret_keys_are_not_shown(kind: type[KeyPair | NoiseKeyPair]) -> None:
    pair = kind.from_seed(SEED)
    shown = repr(pair) + str(pair) + f"{pair}"
    assert pair.secret_key.hex() not in shown
    assert repr(pair.secret_key) not in shown
    assert "secret" not in shown


@pytest.mark.parametrize("kind", [KeyPair, NoiseKeyPair])
def test_pairs_are_values(kind: type[KeyPair | NoiseKeyPair]) -> None:
    assert kind.from_seed(SEED) == kind.from_seed(SEED)
    assert len({kind.from_seed(SEED), kind.from_seed(SEED)}) == 1
    assert kind.generate() != kind.generate()
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind.generate().public_key = SEED  # type: ignore[misc]


@pytest.mark.parametrize("kind", [KeyPair, NoiseKeyPair])
@pytest.mark.parametrize("seed", [b"", SEED[1:], SEED + b"x"])
def test_seeds_have_32_bytes(kind: type[KeyPair | NoiseKeyPair], seed: bytes) -> None:
    with pytest.raises(ValueError, match="a seed has 32 bytes"):
        kind.from_seed(seed)


def test_pairs_are_checked() -> None:
    pair, other = KeyPair.from_seed(SEED), KeyPair.generate()
    with pytest.raises(ValueError, match="a public key has 32 bytes, not 31"):
        KeyPair(pair.public_key[1:], pair.secret_key)
    with pytest.raises(ValueError, match="a secret key has 64 bytes, not 32"):
        KeyPair(pair.public_key, SEED)
    with pytest.raises(ValueError, match="belongs to another public key"):
        KeyPair(other.public_key, pair.secret_key)
    with pytest.raises(ValueError, match="a secret key has 32 bytes"):
        NoiseKeyPair(SEED, b"")


@pytest.mark.parametrize("key", [SEED, bytearray(SEED), SEED.hex(), SEED.hex().upper()])
def test_parse_key(key: bytes | str) -> None:
    assert keys.parse_key(key) == SEED
    assert type(keys.parse_key(key)) is bytes


@pytest.mark.parametrize(
    "key",
    [b"", SEED[1:], "", "00", SEED.hex() + "0", SEED.hex()[1:] + "g", " " + SEED.hex()[1:],
     " ".join(SEED.hex()[at : at + 2] for at in range(0, 44, 2))[:64], "é" * 64],
)  # fmt: skip
def test_parse_key_refuses(key: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|64 hex digits") as caught:
        keys.parse_key(key)
    if len(key) > 8 and isinstance(key, str):
        assert key not in str(caught.value)  # a root key may be meant to stay secret


@pytest.mark.parametrize("key", [None, 7, ["00"]])
def test_parse_key_refuses_other_types(key: object) -> None:
    with pytest.raises(TypeError, match="bytes or text"):
        keys.parse_key(key)  # type: ignore[arg-type]


def test_derived_seeds_differ() -> None:
    derived = {
        keys.derive_seed(master, namespace, name)
        for master in (SEED, bytes(32))
        for namespace in ("corestore", "other")
        for name in ("a", "b", "")
    }
    assert len(derived) == 12
    assert keys.derive_seed(SEED, "corestore", "é") == keys.derive_seed(
        SEED, "corestore", "é".encode()
    )


def test_default_key() -> None:
    assert len(keys.DEFAULT_KEY) == 32
    discovery = "c00174c731c721561cf1a8e7457f88d071d8d6b12b42dd7a8b73b254c153d472"
    assert keys.discovery_key(keys.DEFAULT_KEY).hex() == discovery
