from __future__ import annotations

import os
import tracemalloc

import cbor2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.records.blocks import (
    CONTENT_BYTES_MAX,
    RECORDS_MAX,
    decode_block,
    encode_block,
    encoded_size,
    split_blocks,
)
from pkgstats.records.codec import BadRecord
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import ReadmePart, Tombstone

from .samples import AT, KEY_A, SAMPLES


def test_a_block_holds_records_of_all_kinds() -> None:
    block = encode_block(SAMPLES)
    assert decode_block(block) == SAMPLES
    assert len(block) < sum(map(encoded_size, SAMPLES))


def test_records_are_split_over_as_few_blocks_as_hold_them() -> None:
    records = [ReadmePart(observed_at=AT, digest=KEY_A, text=os.urandom(20_000)) for _ in range(7)]
    blocks = list(split_blocks(records))
    assert [len(decode_block(block)) for block in blocks] == [3, 3, 1]
    assert [one for block in blocks for one in decode_block(block)] == records
    assert list(split_blocks([])) == []


def test_many_small_records_fill_a_block_by_their_number() -> None:
    records = [Tombstone(observed_at=0, name="a", reason="mistake")] * (RECORDS_MAX + 1)
    assert sum(len(decode_block(block)) for block in split_blocks(records)) == RECORDS_MAX + 1


def test_a_block_has_its_bounds() -> None:
    large = ReadmePart(observed_at=AT, digest=KEY_A, text=os.urandom(40_000))
    with pytest.raises(RecordError, match="bytes of records"):
        encode_block([large, large])


def frame(content: bytes, *, tell: bool = True) -> bytes:
    compressor = zstandard.ZstdCompressor(level=19, write_content_size=tell)
    return b"\x01\x00" + compressor.compress(content)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x01\x00",
        b"\x02\x00" + frame(b"\x80")[2:],
        b"\x01\x01" + frame(b"\x80")[2:],
        b"\x01\x00garbage",
        frame(b"\x80", tell=False),
        frame(b"\x80") + b"x",
        frame(b"\x80")[:-1],
        frame(b""),
        frame(b"\x00"),
        frame(b"\x80" + b"\x00" * 1000),
        frame(bytes(CONTENT_BYTES_MAX + 1)),
        os.urandom(70_000),
    ],
)
def test_what_is_no_block_is_refused(block: bytes) -> None:
    with pytest.raises(RecordError):
        decode_block(block)


def test_a_bomb_is_refused_before_it_costs() -> None:
    bomb = frame(bytes(1 << 30))
    lying = bytearray(frame(bytes(CONTENT_BYTES_MAX)))
    tracemalloc.start()
    for block in (bomb, bytes(lying[:6] + b"\xff\xff\xff\x7f" + lying[10:])):
        with pytest.raises(RecordError):
            decode_block(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_too_many_records_are_refused() -> None:
    with pytest.raises(RecordError, match="records in a block"):
        decode_block(frame(cbor2.dumps([0] * (RECORDS_MAX + 1))))
    assert all(isinstance(one, BadRecord) for one in decode_block(frame(cbor2.dumps([0] * 5))))


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_refused(data: bytes) -> None:
    for block in (data, b"\x01\x00" + data, frame(data) if data else data):
        try:
            decode_block(block)
        except RecordError:
            continue
