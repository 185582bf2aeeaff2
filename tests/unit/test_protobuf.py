from __future__ import annotations

import pytest

from hypermultifeed.encoding.protobuf import REPEATED_MAX, Fields, Kind, encode

KINDS = {1: Kind.UINT, 2: Kind.BOOL, 3: Kind.BYTES, 4: Kind.REPEATED_BYTES}


def test_encode_keeps_order_and_leaves_out_none() -> None:
    assert encode(((2, True), (1, 300), (3, None), (3, b""))).hex() == "100108ac021a00"
    assert encode(((4, ["a", "é"]), (4, [b"\xff"]), (2, False))).hex() == "2201612202c3a92201ff1000"
    assert encode(()) == b""


def test_fields() -> None:
    fields = Fields(encode(((4, [b"x", b""]), (1, 300), (2, True), (3, b"raw"))), KINDS)
    assert fields.required_uint(1) == fields.uint(1, 7) == 300
    assert fields.flag(2)
    assert fields.required_raw(3) == fields.raw(3) == b"raw"
    assert fields.repeated(4) == [b"x", b""]


def test_absent_fields() -> None:
    fields = Fields(b"", KINDS)
    assert fields.uint(1, 7) == 7
    assert not fields.flag(2)
    assert fields.raw(3) is None
    assert fields.repeated(4) == []
    with pytest.raises(ValueError, match="field 1 is missing"):
        fields.required_uint(1)
    with pytest.raises(ValueError, match="field 3 is missing"):
        fields.required_raw(3)


def test_the_last_one_wins_and_unknown_ones_are_skipped() -> None:
    unknown = encode(((9, 5), (10, b"long"), (0, 1)))
    fixed = bytes((11 << 3 | 5, 1, 2, 3, 4, 12 << 3 | 1)) + bytes(8)
    fields = Fields(encode(((1, 1),)) + unknown + encode(((1, 2),)) + fixed, KINDS)
    assert fields.required_uint(1) == 2


def test_known_fields_are_read_by_their_kind_whatever_the_wire_type() -> None:
    assert Fields(bytes((1 << 3 | 5, 7)), KINDS).uint(1, 0) == 7
    assert Fields(bytes((3 << 3 | 0, 1, 65)), KINDS).raw(3) == b"A"


@pytest.mark.parametrize(
    "data",
    [
        "80",  # the tag is cut off
        "08",  # its number is
        "1a05aa",  # bytes reach beyond the end
        "1affffffffffffff0f",  # by far
        "4d010203",  # an unknown fixed32
        "490102030405060700"[:-2],  # an unknown fixed64
        "5205aa",  # unknown bytes
        "5b",  # a group
        "5c",
        "5e",  # wire types that do not exist
        "5f",
        "08ffffffffffffffffff01",  # a number above 2**53 - 1
    ],
)
def test_malformed(data: str) -> None:
    with pytest.raises(ValueError, match=r"cut off|beyond|supported|above"):
        Fields(bytes.fromhex(data), KINDS)


def test_a_flag_cut_off_at_the_end_is_false_as_in_js() -> None:
    assert not Fields(b"\x10", KINDS).flag(2)
    assert not Fields(b"\x10\x01\x10", KINDS).flag(2)


def test_repeated_fields_are_bounded() -> None:
    assert len(Fields(encode(((4, [b""] * REPEATED_MAX),)), KINDS).repeated(4)) == REPEATED_MAX
    with pytest.raises(ValueError, match="repeated more than"):
        Fields(encode(((4, [b""] * (REPEATED_MAX + 1)),)), KINDS)
