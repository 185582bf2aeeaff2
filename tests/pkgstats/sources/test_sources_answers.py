"""Bodies and JSON: nothing costs more than its bound."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.sources.answers import (
    JSON_ITEMS_MAX,
    Answer,
    Unpacker,
    read_http_date,
    read_json,
    read_object,
)
from pkgstats.sources.errors import AnswerError


def unpack(data: bytes, encoding: str = "", bytes_max: int = 1000, piece: int = 7) -> bytes:
    unpacker = Unpacker(encoding, bytes_max)
    for start in range(0, len(data), piece):
        unpacker.add(data[start : start + piece])
    return unpacker.finish()


@given(st.binary(max_size=500), st.integers(1, 100))
def test_bodies_come_out_whole(data: bytes, piece: int) -> None:
    assert unpack(data, piece=piece) == data
    assert unpack(gzip.compress(data), "gzip", piece=piece) == data


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    try:
        unpack(data, "gzip")
    except AnswerError:
        return
    assert not data or data.startswith(b"\x1f\x8b")


def test_bounds_hold_before_and_after_unpacking() -> None:
    assert len(unpack(b"x" * 1000)) == 1000
    with pytest.raises(AnswerError, match="larger"):
        unpack(b"x" * 1001)
    bomb = gzip.compress(b"\0" * (20 << 20))
    unpacker = Unpacker("gzip", 1000)
    with pytest.raises(AnswerError, match="larger"):
        unpacker.add(bomb)
    packer = zlib.compressobj(wbits=31)
    empty = packer.flush(zlib.Z_SYNC_FLUSH) + b"\0\0\0\xff\xff" * 300
    with pytest.raises(AnswerError, match="larger"):
        unpack(empty, "gzip")
    with pytest.raises(AnswerError, match="follows"):
        unpack(gzip.compress(b"a") + b"b" * 20, "gzip")
    with pytest.raises(AnswerError, match="too early"):
        unpack(gzip.compress(b"a" * 100)[:-1], "gzip")
    with pytest.raises(AnswerError, match="packed"):
        Unpacker("br", 1)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b"NaN", b"-Infinity", b"1" * 5000, b"[" * 200_000, b'{"a":1}}', b'"\xed"'],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(AnswerError):
        read_json(text)


def test_many_parts_are_refused_before_they_are_made() -> None:
    with pytest.raises(AnswerError, match="parts"):
        read_json(b"[" + b"{}," * (JSON_ITEMS_MAX // 2) + b"{}]")


@given(st.recursive(st.none() | st.text() | st.integers(-5, 5), st.lists, max_leaves=5))
def test_json_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_object(json.dumps({"a": value}).encode()) == {"a": value}
    with pytest.raises(AnswerError, match="object"):
        read_object(json.dumps([value]).encode())


def test_evidence_and_dates() -> None:
    assert Answer(200, b"", 5, '"x"').evidence == {"status": "200", "etag": '"x"'}
    assert read_http_date("Wed, 21 Oct 2015 07:28:00 GMT") == 1_445_412_480_000
    for text in ("", "yesterday", "Wed, 99 Oct 2015", "Thu, 01 Jan 1960 00:00:00 GMT"):
        assert read_http_date(text) == 0
