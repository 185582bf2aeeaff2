"""Value encodings: between the values of a program and the bytes of a block.

The names and the bytes are those of npm's codecs 2, as hypercore 9 uses them: ``"json"`` means
JSON with a newline behind it. Any object with ``encode`` and ``decode`` will do as well.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_DEPTH_MAX: Final = 128
"""Deepest nesting that is read or written. JS is limited by its stack only."""

JSON_DIGITS_MAX: Final = 400
"""Most digits in a row of a number: a double has 309 before its point at most."""


@runtime_checkable
class Codec(Protocol):
    """What turns values into blocks and back. May also have a ``name``."""

    def encode(self, value: Any) -> bytes:
        """The block for a value."""

    def decode(self, data: bytes) -> Any:
        """The value of a block."""


def resolve_codec(encoding: str | Codec) -> Codec:
    """The codec of that name, or the given object itself.

    Raises:
        ValueError: there is no encoding of that name (JS would quietly take ``"binary"``).
        TypeError: the object has no ``encode`` and ``decode``.
    """
    if isinstance(encoding, str):
        codec = _CODECS.get(encoding)
        if codec is None:
            known = ", ".join(_CODECS)
            raise ValueError(f"there is no value encoding {encoding!r}; known are {known}")
        return codec
    if not isinstance(encoding, Codec):
        raise TypeError("a value encoding is a name, or an object with encode() and decode()")
    return encoding


class BinaryCodec:
    """Bytes as they are; text is written as UTF-8."""

    name = "binary"

    def encode(self, value: bytes | bytearray | memoryview | str) -> bytes:
        """The block for bytes or text."""
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return _utf8(value)
        if isinstance(value, (bytearray, memoryview)):
            return bytes(value)
        raise TypeError(f"the binary encoding takes bytes or text, not {type(value).__name__}")

    def decode(self, data: bytes) -> bytes:
        """The block itself."""
        return data


class TextCodec:
    """Text as UTF-8; other values are written as ``str`` shows them.

    Like JS, it writes lone surrogates, and reads what is not valid, as replacement characters.
    """

    name = "utf-8"

    def encode(self, value: object) -> bytes:
        """The block for a text."""
        return _utf8(str(value))

    def decode(self, data: bytes) -> str:
        """The text of a block."""
        return data.decode("utf-8", "replace")


class Utf16Codec:
    """Text as UTF-16 with the low byte first; a last odd byte is not read, as in JS."""

    name = "utf16le"

    def encode(self, value: object) -> bytes:
        """The block for a text."""
        return str(value).encode("utf-16-le", "surrogatepass")

    def decode(self, data: bytes) -> str:
        """The text of a block."""
        return data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")


class AsciiCodec:
    """JS's "ascii": the low eight bits of each character are written, seven are read."""

    name = "ascii"

    def encode(self, value: object) -> bytes:
        """The block for a text."""
        units = str(value).encode("utf-16-le", "surrogatepass")
        return units[::2]

    def decode(self, data: bytes) -> str:
        """The text of a block."""
        return data.translate(_SEVEN_BITS).decode("ascii")


class HexCodec:
    """Hex digits for the bytes of the block. Wrong ones are refused; JS cuts the text there."""

    name = "hex"

    def encode(self, value: str) -> bytes:
        """The block for hex digits; ValueError if something else is among them."""
        return binascii.unhexlify(value)

    def decode(self, data: bytes) -> str:
        """Lower-case hex digits for a block."""
        return data.hex()


class Base64Codec:
    """Base64 for the bytes of the block; reads the URL-safe alphabet and missing padding too.

    Wrong characters are refused; JS skips them.
    """

    name = "base64"

    def encode(self, value: str) -> bytes:
        """The block for a base64 text; ValueError if it is none."""
        plain = value.rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)

    def decode(self, data: bytes) -> str:
        """Base64 for a block."""
        return base64.b64encode(data).decode("ascii")


class JsonCodec:
    """JSON as ``JSON.stringify`` writes it: no spaces, non-ASCII as it is, JS's number forms.

    So ``1.0`` is written as ``1`` and comes back as an int. Ints of any size are written in full
    (JS reads those above 2**53 inexactly), NaN and the infinities as ``null``.

    Args:
        newline: whether a newline follows. Feeds have it, extension messages do not; reading
            takes both.
    """

    def __init__(self, *, newline: bool) -> None:
        self.name = "ndjson" if newline else "json"
        self._end = b"\n" if newline else b""

    def encode(self, value: object) -> bytes:
        """The block for a value.

        Raises:
            TypeError: a value, or a key of a dict, that JSON has no form for.
            ValueError: a value that contains itself or is nested too deeply.
        """
        return _json_text(value).encode("utf-8", "backslashreplace") + self._end

    def decode(self, data: bytes) -> Any:
        """The value of a block.

        Raises:
            ValueError: not JSON, nested deeper than :data:`JSON_DEPTH_MAX`, or with a number of
                more than :data:`JSON_DIGITS_MAX` digits.
        """
        text = data.decode("utf-8")
        _check_depth(text)
        whole = _LONG_NUMBER.search(text) is None
        try:
            return (_DECODER if whole else _CAREFUL_DECODER).decode(text)
        except RecursionError:  # the caller left too little of the stack
            raise ValueError("JSON is nested too deeply") from None


# -- JSON --------------------------------------------------------------------------------------

# Each of these looks at every character once, whatever the text: strings need not even end.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_PERHAPS_FLOAT: Final = re.compile(r"\d\.\d|\de[+-]?\d|NaN|Infinity")
_TEXT: Final = re.compile(r'(?!"-?(?:\d[\d.e+-]*|NaN|Infinity)":)' + _STRING, re.DOTALL)
"""Strings, but for names of properties that could have been a float."""
_BRACKETS: Final = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_LONG_NUMBER: Final = re.compile(rf"(?<!\d)\d{{{JSON_DIGITS_MAX + 1}}}")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _json_text(value: object) -> str:
    try:
        text = _ENCODER.encode(value)
        _check_depth(text)  # what could not be read back is not written
        if (
            _PERHAPS_FLOAT.search(text) is None
            or _PERHAPS_FLOAT.search(_TEXT.sub("", text)) is None
        ):
            return text
        return _slow_text(value)  # now known to be free of cycles
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON") from None


def _slow_text(value: object) -> str:
    """As the json module's encoder, but with JS's forms of floats."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, dict):
        members = (f"{_key_text(key)}:{_slow_text(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_slow_text, value)) + "]"
    return _ENCODER.encode(value)


def _key_text(key: object) -> str:
    if isinstance(key, str):
        return encode_basestring(key)
    if isinstance(key, float):
        return f'"{_key_number_text(key)}"'
    return f'"{_ENCODER.encode(key)}"'


def _key_number_text(number: float) -> str:
    """A number as the name of a property, as JS's ``String`` writes it."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number_text(number)


def number_text(number: float) -> str:
    """A number as JSON.stringify writes it (ECMA-262, Number::toString); ``null`` if not finite."""
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    sign, digits, point = _decimal(number)
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{mantissa}e{point - 1:+d}"


def _decimal(number: float) -> tuple[str, str, int]:
    """Sign, shortest digits, and how many of them stand before the point."""
    text = repr(float(number))
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    before, _, after = mantissa.partition(".")
    point = len(before) + int(exponent or 0)
    digits = before + after
    stripped = digits.lstrip("0")
    return sign, stripped.rstrip("0"), point - (len(digits) - len(stripped))


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= JSON_DEPTH_MAX:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in ("[", "{"):
            depth += 1
            if depth > JSON_DEPTH_MAX:
                raise ValueError(f"JSON is nested deeper than {JSON_DEPTH_MAX}")
        elif bracket in ("]", "}"):
            depth -= 1


def _refuse_constant(name: str) -> object:
    raise ValueError(f"JSON has no {name}")


def _bounded_int(digits: str) -> int:
    if len(digits) > JSON_DIGITS_MAX:
        raise ValueError(f"JSON number has more than {JSON_DIGITS_MAX} digits")
    return int(digits)


def _bounded_float(digits: str) -> float:
    if len(digits) > JSON_DIGITS_MAX:
        raise ValueError(f"JSON number has more than {JSON_DIGITS_MAX} digits")
    return float(digits)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_CAREFUL_DECODER: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_bounded_int, parse_float=_bounded_float
)


# -- the named ones ----------------------------------------------------------------------------

_SEVEN_BITS: Final = bytes(value & 127 for value in range(256))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        units = text.encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le", "replace").encode()


BINARY: Final = BinaryCodec()
JSON: Final = JsonCodec(newline=True)
"""What ``"json"`` means for a feed."""

JSON_WITHOUT_NEWLINE: Final = JsonCodec(newline=False)
"""What ``"json"`` means for an extension."""

_TEXT_CODEC: Final = TextCodec()
_UTF16: Final = Utf16Codec()
_CODECS: Final[Mapping[str, Codec]] = {
    "binary": BINARY,
    "utf-8": _TEXT_CODEC,
    "utf8": _TEXT_CODEC,
    "json": JSON,
    "ndjson": JSON,
    "ascii": AsciiCodec(),
    "hex": HexCodec(),
    "base64": Base64Codec(),
    "ucs2": _UTF16,
    "ucs-2": _UTF16,
    "utf16le": _UTF16,
    "utf16-le": _UTF16,
}
