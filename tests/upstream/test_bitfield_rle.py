"""bitfield-rle 2.2.1: its whole suite."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.encoding import runs
from hypermultifeed.errors import RemoteProtocolError

BYTES_MAX = 1 << 20


def bitfield(size: int, *bits: int) -> bytes:
    """``size`` bytes with these bits set, highest bit of each byte first."""
    field = bytearray(size)
    for bit in bits:
        field[bit >> 3] |= 0x80 >> (bit & 7)
    return bytes(field)


def check_smaller_and_same(field: bytes) -> None:
    encoded = runs.encode(field)
    assert len(encoded) < len(field)
    assert runs.decode(encoded, bytes_max=BYTES_MAX) == field.rstrip(b"\x00")


def test_encodes_and_decodes() -> None:
    """bitfield-rle "encodes and decodes"."""
    check_smaller_and_same(bitfield(128))
    assert runs.encode(bitfield(128)) == b""


def test_encoding_length() -> None:
    """bitfield-rle "encodingLength"."""
    # Never more than the literal and its head, whatever the bytes are.
    for field in (bitfield(128), bitfield(128, *range(0, 1024, 2)), bytes(range(1, 129))):
        assert len(runs.encode(field)) <= len(field) + 2


def test_encodes_and_decodes_with_all_bits_set() -> None:
    """bitfield-rle "encodes and decodes with all bits set"."""
    check_smaller_and_same(bitfield(128, *range(1024)))
    assert len(runs.encode(bitfield(128, *range(1024)))) == 2


def test_encodes_and_decodes_with_some_bits_set() -> None:
    """bitfield-rle "encodes and decodes with some bits set"."""
    check_smaller_and_same(bitfield(128, 0, 500, 501, 502, 999, 1000))


@pytest.mark.parametrize("seed", range(10))
def test_encodes_and_decodes_with_random_bits_set(seed: int) -> None:
    """bitfield-rle "encodes and decodes with random bits set"."""
    rng = random.Random(seed)
    check_smaller_and_same(bitfield(1024, *(rng.randrange(8192) for _ in range(512))))


@pytest.mark.parametrize("seed", range(10))
def test_encodes_and_decodes_with_random_bits_set_not_power_of_two(seed: int) -> None:
    """bitfield-rle "encodes and decodes with random bits set (not power of two)"."""
    rng = random.Random(seed)
    check_smaller_and_same(bitfield(1024, *(rng.randrange(8192) for _ in range(313))))


def test_encodes_empty_bitfield() -> None:
    """bitfield-rle "encodes empty bitfield"."""
    assert runs.encode(b"") == b""
    assert runs.decode(b"", bytes_max=0) == b""


def test_throws_on_bad_input() -> None:
    """bitfield-rle "throws on bad input"."""
    for bad in (b"\x64", b"\x0a\x00" * 11, b"\x80"):
        with pytest.raises(RemoteProtocolError):
            runs.decode(bad, bytes_max=BYTES_MAX)


def test_not_power_of_two() -> None:
    """bitfield-rle "not power of two"."""
    field = b"\xff\xff\xff\xf0"
    assert runs.decode(runs.encode(field), bytes_max=4) == field
