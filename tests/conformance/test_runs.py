"""Run-length coded bitfields, against npm's bitfield-rle and hypercore's use of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.encoding import runs
from hypermultifeed.errors import RemoteProtocolError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "bitfield-rle.json").read_text())
BYTES_MAX = 1 << 20


def bitfield(set_ranges: list[list[int]], bits: int) -> bytes:
    """A bitfield, most significant bit first."""
    out = bytearray(-(-bits // 8))
    for start, stop in set_ranges:
        for bit in range(start, stop):
            out[bit >> 3] |= 0x80 >> (bit & 7)
    return bytes(out)


@pytest.mark.parametrize("vector", VECTORS["encode"], ids=lambda vector: vector["name"])
def test_encode(vector: dict[str, str]) -> None:
    assert runs.encode(bytes.fromhex(vector["input"])).hex() == vector["encoded"]


@pytest.mark.parametrize("vector", VECTORS["encode"] + VECTORS["decode"])
def test_decode(vector: dict[str, str]) -> None:
    decoded = runs.decode(bytes.fromhex(vector["encoded"]), bytes_max=BYTES_MAX)
    assert decoded.hex() == vector["decoded"]
    aligned = decoded.ljust(-(-len(decoded) // 4) * 4, b"\x00")
    assert aligned.hex() == vector["decodedAlign4"]


@pytest.mark.parametrize("vector", VECTORS["decodeErrors"])
def test_decode_errors(vector: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError):
        runs.decode(bytes.fromhex(vector["encoded"]), bytes_max=BYTES_MAX)


@pytest.mark.parametrize("vector", VECTORS["compress"], ids=lambda vector: vector["name"])
def test_bitfield_of_a_want(vector: dict[str, Any]) -> None:
    whole = bitfield(vector["setRanges"], vector["lengthBits"])
    for want in vector["compress"]:
        start = want["start"] // 8
        stop = start + want["length"] // 8 if want["length"] else None
        assert runs.encode(whole[start:stop]).hex() == want["encoded"]
