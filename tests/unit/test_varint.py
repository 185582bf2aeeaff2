from __future__ import annotations

import pytest

from hypermultifeed.encoding import varint

FORMS = [
    (0, "00"),
    (1, "01"),
    (127, "7f"),
    (128, "8001"),
    (300, "ac02"),
    (16383, "ff7f"),
    (16384, "808001"),
    (2097151, "ffff7f"),
    (2097152, "80808001"),
    (2**32, "8080808010"),
    (2**53 - 1, "ffffffffffffff0f"),
]


@pytest.mark.parametrize(("value", "form"), FORMS)
def test_forms(value: int, form: str) -> None:
    assert varint.encode(value).hex() == form
    assert varint.decode(bytes.fromhex(form)) == (value, len(form) // 2)
    assert varint.decode(b"\xff" + bytes.fromhex(form) + b"\xff", 1) == (value, 1 + len(form) // 2)


@pytest.mark.parametrize("value", [-1, 2**53, 2**64, -(2**70)])
def test_numbers_that_cannot_be_written(value: int) -> None:
    with pytest.raises(ValueError, match="varint"):
        varint.encode(value)


@pytest.mark.parametrize("form", ["", "80", "ffff", "80" * 9])
def test_cut_off(form: str) -> None:
    with pytest.raises(ValueError, match="cut off"):
        varint.decode(bytes.fromhex(form))
    with pytest.raises(ValueError, match="cut off"):
        varint.decode(b"\x00" + bytes.fromhex(form), 1)


def test_padded_forms_up_to_ten_bytes() -> None:
    assert varint.decode(b"\x85" + b"\x80" * 8 + b"\x00") == (5, 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        varint.decode(b"\x85" + b"\x80" * 9 + b"\x00")
    with pytest.raises(ValueError, match="more than 10 bytes"):
        varint.decode(b"\xff" * 1000)


@pytest.mark.parametrize("form", ["8080808080808010", "ffffffffffffffffff01"])
def test_numbers_that_js_cannot_hold(form: str) -> None:
    with pytest.raises(ValueError, match="above"):
        varint.decode(bytes.fromhex(form))
