from __future__ import annotations

import tracemalloc

import pytest

from hypermultifeed.encoding import runs
from hypermultifeed.errors import RemoteProtocolError

WANT_BYTES = 131_072


def test_forms() -> None:
    assert runs.encode(b"") == runs.encode(bytes(9)) == b""
    assert runs.encode(b"\xff").hex() == "07"
    assert runs.encode(b"\x80").hex() == "0280"
    assert runs.encode(b"\xff" * WANT_BYTES).hex() == "838020"
    assert runs.encode(memoryview(b"\x01\x00\x00\x00\x01")).hex() == "02010d0201"


def test_decoding_takes_any_buffer() -> None:
    for kind in (bytes, bytearray, memoryview):
        assert runs.decode(kind(b"\x0b\x02\x80"), bytes_max=3) == b"\xff\xff\x80"


def test_the_limit_is_exact() -> None:
    encoded = runs.encode(b"\xff" * WANT_BYTES)
    assert runs.decode(encoded, bytes_max=WANT_BYTES) == b"\xff" * WANT_BYTES
    with pytest.raises(RemoteProtocolError, match="expands to more than 131071 bytes"):
        runs.decode(encoded, bytes_max=WANT_BYTES - 1)


@pytest.mark.parametrize(
    "encoded",
    [
        "fdffffffffffff0f",  # one run of nearly 2**51 bytes
        "838020" * 9,  # runs that are allowed one by one
        "feffffffffff0f",  # a literal
        "fdff3f" + "0280" * 9,
    ],
)
def test_nothing_is_expanded_beyond_the_limit(encoded: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            runs.decode(bytes.fromhex(encoded), bytes_max=WANT_BYTES)
        assert tracemalloc.get_traced_memory()[1] < 4 * WANT_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoded", ["80", "04ff", "02", "0280ff", "ff" * 12, "8080808080808080ff"])
def test_malformed(encoded: str) -> None:
    with pytest.raises(RemoteProtocolError, match="bitfield"):
        runs.decode(bytes.fromhex(encoded), bytes_max=WANT_BYTES)


def test_many_empty_runs_cost_no_memory() -> None:
    assert runs.decode(b"\x01\x03\x00" * 1000, bytes_max=0) == b""
