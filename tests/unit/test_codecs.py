from __future__ import annotations

import math
from typing import Any

import pytest

from hypermultifeed import codecs
from hypermultifeed.codecs import JSON, JSON_WITHOUT_NEWLINE, resolve_codec


class Doubler:
    """A user's own codec."""

    def encode(self, value: bytes) -> bytes:
        return value * 2

    def decode(self, data: bytes) -> bytes:
        return data[: len(data) // 2]


def test_names() -> None:
    assert resolve_codec("json") is resolve_codec("ndjson") is JSON
    assert resolve_codec("utf8") is resolve_codec("utf-8")
    assert resolve_codec("ucs2") is resolve_codec("utf16le")
    with pytest.raises(ValueError, match="no value encoding 'jsn'; known are binary, "):
        resolve_codec("jsn")


def test_own_codecs() -> None:
    own = Doubler()
    assert resolve_codec(own) is own
    with pytest.raises(TypeError, match="encode"):
        resolve_codec(object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("binary", b"\x00\xff", b"\x00\xff"),
        ("utf-8", "né", b"n\xc3\xa9"),
        ("ascii", "abc", b"abc"),
        ("hex", "00ff", b"\x00\xff"),
        ("base64", "YWJj", b"abc"),
        ("base64", "YQ==", b"a"),
        ("utf16le", "é😀", b"\xe9\x00=\xd8\x00\xde"),
        ("json", {"é": [1, None, True]}, '{"é":[1,null,true]}\n'.encode()),
    ],
)
def test_round_trips(name: str, value: Any, data: bytes) -> None:
    assert resolve_codec(name).encode(value) == data
    assert resolve_codec(name).decode(data) == value


# The bytes below were made by npm's codecs 2 under Node 20.
@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("binary", "é", b"\xc3\xa9"),
        ("binary", bytearray(b"x"), b"x"),
        ("binary", memoryview(b"x"), b"x"),
        ("utf-8", 12, b"12"),
        ("utf-8", "\ud800", b"\xef\xbf\xbd"),
        ("utf-8", "\ud83d\ude00", "😀".encode()),
        ("ascii", "é€😀", b"\xe9\xac=\x00"),
        ("base64", "_-8", b"\xff\xef"),
    ],
)
def test_other_values_become_what_js_makes_of_them(name: str, value: Any, data: bytes) -> None:
    assert resolve_codec(name).encode(value) == data


def test_reading_what_is_not_valid() -> None:
    assert resolve_codec("utf-8").decode(b"a\xff") == "a\ufffd"
    assert resolve_codec("ascii").decode(b"\xe9A") == "iA"
    assert resolve_codec("ucs2").decode(b"\x01\x02\x03") == "\u0201"


@pytest.mark.parametrize(
    ("name", "value"), [("hex", "abc"), ("hex", "zz"), ("base64", "a b"), ("base64", "abcde")]
)
def test_wrong_texts_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        resolve_codec(name).encode(value)


def test_binary_takes_bytes_and_text_only() -> None:
    with pytest.raises(TypeError, match="not int"):
        resolve_codec("binary").encode(7)


# -- JSON: the texts were made by JSON.stringify under Node 20 -------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"), (1.5e300, "1.5e+300"), (1e-7, "1e-7"), (1e-6, "0.000001"),
        (1.2345678901234568e20, "123456789012345680000"), (5e-324, "5e-324"), (0.1, "0.1"),
        (100.0, "100"), (1e20, "100000000000000000000"), (-0.0, "0"), (2.0**53, "9007199254740992"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (1e16, "10000000000000000"),
        (123456.789, "123456.789"), (-1.5e-10, "-1.5e-10"), (math.nan, "null"),
        (math.inf, "null"), (-math.inf, "null"), (1, "1"), (-1, "-1"), (True, "true"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert JSON_WITHOUT_NEWLINE.encode(value) == text.encode()
    assert JSON_WITHOUT_NEWLINE.encode({"a": [value, "1.5"]}) == f'{{"a":[{text},"1.5"]}}'.encode()


@pytest.mark.parametrize(
    ("key", "name"),
    [(1, "1"), (1.0, "1"), (1.5, "1.5"), (1e16, "10000000000000000"), (-0.0, "0"), (None, "null"),
     (True, "true"), (math.nan, "NaN"), (-math.inf, "-Infinity"), (math.inf, "Infinity"),
     ("1.0", "1.0")],
)  # fmt: skip
def test_names_of_properties(key: Any, name: str) -> None:
    assert JSON_WITHOUT_NEWLINE.encode({key: 1.5}) == f'{{"{name}":1.5}}'.encode()
    assert JSON_WITHOUT_NEWLINE.encode({key: 1}) == f'{{"{name}":1}}'.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x7f\u2028/", '"\x7f\u2028/"'),
        ("\ud800x", '"\\ud800x"'),
        ('\x01\b\f\n\r\t"\\', '"\\u0001\\b\\f\\n\\r\\t\\"\\\\"'),
        (("tuple", []), '["tuple",[]]'),
        ({"b": 1, "a": {"1.2.3": "4.5.6"}}, '{"b":1,"a":{"1.2.3":"4.5.6"}}'),
        ({"x": 1.5, "s": 'a"1.0\\', "n": None}, '{"x":1.5,"s":"a\\"1.0\\\\","n":null}'),
    ],
)  # fmt: skip
def test_texts(value: Any, text: str) -> None:
    assert JSON.encode(value) == text.encode("utf-8", "surrogatepass") + b"\n"
    assert JSON.decode(JSON.encode(value)) == (list(value) if isinstance(value, tuple) else value)


def test_newline_is_optional_when_read() -> None:
    for data in (b"[1]", b"[1]\n", b" [1]\r\n"):
        assert JSON.decode(data) == JSON_WITHOUT_NEWLINE.decode(data) == [1]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), {(1, 2): 3}, [1.5, b""]])
def test_values_without_a_form(value: object) -> None:
    with pytest.raises(TypeError):
        JSON.encode(value)


def test_cycles_and_depth_when_written() -> None:
    cycle: list[object] = [1.5]
    cycle.append(cycle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    just_right: list[object] = [1.5]
    for _ in range(codecs.JSON_DEPTH_MAX - 1):
        just_right = [just_right]
    for bad in (cycle, deep, [just_right]):
        with pytest.raises(ValueError, match=r"Circular|nested"):
            JSON.encode(bad)
    assert JSON.decode(JSON.encode(just_right)) == just_right


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "]", "{]", "nul", "NaN", "-Infinity", "[Infinity]", "'a'", "[1,]", "01",
        '"\n"', "\ufeff1", '{"a" 1}', "1 2", '"\\',
        "[" * 129 + "]" * 129, "[" * 1_000_000, '{"a":' * 1_000_000,
        "1" * 401, "-" + "1" * 401, "0." + "1" * 401, "[" + "1" * 1_000_000 + "]",
        '"\\"' * 500_000,
    ],
    ids=lambda text: f"{len(text)}-{text[:5]!r}",
)  # fmt: skip
def test_bad_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        JSON.decode(text.encode())


def test_bad_utf8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        JSON.decode(b'"\xff"')


@pytest.mark.parametrize(
    "text",
    ["[" * 128 + "]" * 128, '"' + "[" * 1000 + '"', '"' + "1" * 1000 + '"', "1" * 400,
     "[" + "[]," * 1000 + "[]]", '"\\"' + "{" * 200 + '"'],
)  # fmt: skip
def test_limits_are_not_met_by_good_json(text: str) -> None:
    assert JSON.encode(JSON.decode(text.encode())) == text.encode() + b"\n"


def test_long_numbers_beside_long_texts() -> None:
    text = '["' + "1" * 1000 + '",1.5,-7]'
    assert JSON.decode(text.encode()) == ["1" * 1000, 1.5, -7]


def test_a_caller_deep_in_the_stack_gets_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Overflowing:
        def decode(self, text: str) -> None:
            raise RecursionError(text)

    monkeypatch.setattr(codecs, "_DECODER", Overflowing())
    with pytest.raises(ValueError, match="nested"):
        JSON.decode(b"[]")
