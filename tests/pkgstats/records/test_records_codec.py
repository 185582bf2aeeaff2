from __future__ import annotations

import dataclasses
from typing import Any

import cbor2
import pytest

from pkgstats.records.codec import (
    BadRecord,
    UnknownRecord,
    content_hash,
    decode,
    encode,
    from_map,
    names_hash,
    to_map,
)
from pkgstats.records.kinds import RecordError
from pkgstats.records.model import (
    DayCounts,
    GroupList,
    IndexRows,
    Known,
    Member,
    ReadmePart,
    Snapshot,
)

from .samples import AT, KEY_A, SAMPLES


@pytest.mark.parametrize("record", SAMPLES, ids=lambda one: one.letter)
def test_a_record_comes_back_as_it_went(record: Known) -> None:
    assert decode(encode([record])) == [record]


@pytest.mark.parametrize("record", SAMPLES, ids=lambda one: one.letter)
def test_a_record_has_one_form(record: Known) -> None:
    (back,) = decode(encode([record]))
    assert not isinstance(back, (UnknownRecord, BadRecord))
    assert encode([back]) == encode([record])
    keys = list(to_map(record))
    assert keys == sorted(keys)


def test_what_says_nothing_is_not_written() -> None:
    found = to_map(Snapshot(observed_at=AT, name="a", version="1.0.0"))
    assert found == {0: 1, 1: 1, 2: AT, 5: "a", 6: "1.0.0"}


def test_the_content_hash_leaves_out_when_and_how_it_was_seen() -> None:
    first = Snapshot(observed_at=1, name="a", version="1", evidence={"etag": "x"}, source="s")
    later = dataclasses.replace(first, observed_at=2, evidence=None)
    assert content_hash(first) == content_hash(later)
    assert content_hash(first) != content_hash(dataclasses.replace(first, version="2"))
    assert len(content_hash(first)) == 32


def test_keys_of_a_later_version_are_kept() -> None:
    value = {0: 1, 1: 1, 2: AT, 5: "a", 6: "1.0.0", 99: ["new", {"thing": 1}]}
    (record,) = decode(cbor2.dumps([value]))
    assert isinstance(record, Snapshot)
    assert record.extra == {99: ["new", {"thing": 1}]}
    assert cbor2.loads(encode([record])) == [value]


@pytest.mark.parametrize("value", [{0: 77, 1: 1, 2: AT}, {0: 1, 1: 2, 5: []}])
def test_types_and_schemas_of_a_later_version_are_kept(value: dict[int, Any]) -> None:
    assert decode(cbor2.dumps([value])) == [UnknownRecord(value[0], value)]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {},
        {0: "1", 1: 1},
        {0: -1, 1: 1},
        {"0": 1, 1: 1},
        {0: 1, 1: 1},
        {0: 1, 1: 1, 2: AT, 5: "a"},
        {0: 1, 1: 1, 2: AT, 5: "a b", 6: "1"},
        {0: 1, 1: 1, 2: 1.5, 5: "a", 6: "1"},
        {0: 1, 1: 1, 2: AT, 5: "a", 6: "1", 17: "maybe"},
        {0: 1, 1: 1, 2: AT, 5: "a", 6: "1", **dict.fromkeys(range(100, 200), 0)},
        {0: 8, 1: 1, 2: AT, 50: ["a"], 51: [], 52: [], 53: []},
        {0: 3, 1: 1, 2: AT, 30: 1, 31: 1, 33: b"\0"},
        {0: 3, 1: 1, 2: AT, 30: 1, 31: 1, 33: b"\0", 5: "a", 32: KEY_A},
        {0: 3, 1: 1, 2: AT, 30: 1, 31: 0, 33: b"\0", 5: "a"},
        {0: 10, 1: 1, 2: AT, 27: KEY_A, 54: 2, 55: 2, 56: b""},
        {0: 13, 1: 1, 2: AT, 67: 1, 68: [{0: KEY_A}]},
        {0: 13, 1: 1, 2: AT, 67: 1, 68: [{0: KEY_A, 1: "king"}]},
        {0: 13, 1: 1, 2: AT, 67: 1, 68: [KEY_A]},
    ],
)
def test_a_bad_record_is_told_and_harms_no_other(value: Any) -> None:
    good = to_map(SAMPLES[0])
    first, bad, last = decode(cbor2.dumps([good, value, good]))
    assert isinstance(bad, BadRecord)
    assert bad.reason
    assert first == last == SAMPLES[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\x80\x00",
        b"\xa0",
        b"\x9f\xff",
        b"\x81" * 20 + b"\x00",
        b"\x81\xd8\x23\x61x",
        b"\x81\xc2\x41\x01",
        b"\x82\xd8\x1c\x80\xd8\x1d\x00",
        b"\x81\xd9\x03\xe7\x00",
        b"\x81\xa2\x00\x01\x00\x01",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\x5b\x00\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_no_array_of_records_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode(data)


@pytest.mark.parametrize(
    "record",
    [
        Snapshot(observed_at=-1, name="a", version="1"),
        Snapshot(observed_at=AT, name="", version="1"),
        Snapshot(observed_at=AT, name="a", version="1", keywords=("x",) * 257),
        IndexRows(observed_at=AT, names=("a",), versions=(), downloads=(), summaries=()),
        DayCounts(observed_at=AT, first_day=1, span=1, counts=b"\0"),
        ReadmePart(observed_at=AT, digest=KEY_A, part=1, text=b""),
        GroupList(observed_at=AT, edition=1, members=(Member(key=b"short"),)),
    ],
    ids=lambda one: one.letter,
)
def test_nothing_is_written_that_would_not_be_read(record: Known) -> None:
    with pytest.raises(RecordError):
        encode([record])


def test_a_names_block_has_a_hash() -> None:
    assert names_hash(("a", "b")) != names_hash(("b", "a"))
    assert len(names_hash(())) == 32


def test_no_value_makes_from_map_raise() -> None:
    assert isinstance(from_map({0: 1, 1: 1, 2: AT, 5: "a", 6: "\ud800"}), BadRecord)
