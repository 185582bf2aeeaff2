# ruff: noqa: D102 - what `check` does stands in Kind
"""Kinds of fields: what a value of a record may be, checked before anybody uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from pkgstats.records.names import WHOLE, is_package_name

NUMBER_MAX: Final = (1 << 53) - 1
"""Largest number that JavaScript and JSON carry exactly."""


class RecordError(ValueError):
    """A record, or a block of records, is malformed or passes a bound."""


class Kind(Protocol):
    """How one field is checked."""

    def check(self, value: Any) -> Any:
        """The value in its Python form; it may have come from CBOR or from a caller.

        Raises:
            RecordError: it is of another type or passes a bound.
        """


@dataclass(frozen=True, slots=True)
class Text:
    """Text of at most ``bytes_max`` bytes in UTF-8, without control characters but line ends."""

    bytes_max: int

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self.bytes_max:
            raise RecordError(f"no text of at most {self.bytes_max} bytes")
        if not value.isascii():
            try:
                size = len(value.encode())
            except UnicodeEncodeError:
                raise RecordError("text with a lone surrogate") from None
            if size > self.bytes_max:
                raise RecordError(f"no text of at most {self.bytes_max} bytes")
        if not value.isprintable() and any(ord(one) < 32 and one not in "\t\n\r" for one in value):
            raise RecordError("text with a control character")
        return value


@dataclass(frozen=True, slots=True)
class Name:
    """A package's name; with ``or_whole`` also `WHOLE`, for the whole registry."""

    or_whole: bool = False

    def check(self, value: Any) -> str:
        if self.or_whole and value == WHOLE:
            return WHOLE
        if not isinstance(value, str) or not is_package_name(value):
            raise RecordError("no name of a package")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number from 0 (or ``low``) to ``high``."""

    high: int = NUMBER_MAX
    low: int = 0

    def check(self, value: Any) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise RecordError(f"no number from {self.low} to {self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise RecordError("neither true nor false")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise RecordError(f"none of {', '.join(self.words)}")
        return value


@dataclass(frozen=True, slots=True)
class Raw:
    """``low`` to ``high`` bytes."""

    high: int
    low: int = 0

    def check(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or not self.low <= len(value) <= self.high:
            raise RecordError(f"not {self.low} to {self.high} bytes")
        return value


@dataclass(frozen=True, slots=True)
class ListOf:
    """At most ``items_max`` values of one kind; a tuple in Python."""

    kind: Kind
    items_max: int

    def check(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) > self.items_max:
            raise RecordError(f"no list of at most {self.items_max} items")
        check = self.kind.check
        return tuple([check(item) for item in value])


@dataclass(frozen=True, slots=True)
class MapOf:
    """At most ``items_max`` pairs of text and a value of one kind."""

    key: Kind
    kind: Kind
    items_max: int

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > self.items_max:
            raise RecordError(f"no mapping of at most {self.items_max} pairs")
        return {self.key.check(key): self.kind.check(item) for key, item in value.items()}


KEY: Final = Raw(32, 32)
"""A feed's public key, or a BLAKE2b-256 hash."""

MILLISECONDS: Final = Number(253_402_300_799_999)
"""A point in time until the end of the year 9999, in ms since 1970, UTC."""

DAY: Final = Number(2_932_896)
"""A day until the end of the year 9999, counted from 1970-01-01, UTC."""
