"""Fields of JSON that strangers wrote: what is wrong is left out, what is long is cut. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pkgstats.records.kinds import NUMBER_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

TIME_MAX: Final = 253_402_300_799_999
"""The end of the year 9999, ms since 1970; records take no later time."""

ITEMS_SEEN: Final = 10_000
"""Items of one list or mapping that are looked at."""


def text(value: Any, bytes_max: int) -> str:
    """The text, cut to ``bytes_max`` bytes in UTF-8, without control characters; else empty."""
    if not isinstance(value, str):
        return ""
    found: str = value[:bytes_max]
    if not found.isprintable():
        found = "".join(one for one in found if ord(one) >= 32 or one in "\t\n\r")
    data = found.encode(errors="ignore")  # a lone surrogate
    return data[:bytes_max].decode(errors="ignore")


def word(value: Any, bytes_max: int) -> str:
    """The text if it is short enough, else empty: half an identifier would be another one."""
    found = text(value, bytes_max)
    return found if found == value else ""


def mapping(value: Any) -> dict[str, Any]:
    """The mapping; else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The first items of a list; else none."""
    return value[:ITEMS_SEEN] if isinstance(value, list) else []


def number(value: Any) -> int | None:
    """A whole number that JSON carries exactly, from 0; else None."""
    return value if type(value) is int and 0 <= value <= NUMBER_MAX else None


def moment(value: Any) -> int:
    """The time that an ISO 8601 text names, ms since 1970; 0 if it is none."""
    if not isinstance(value, str) or not 10 <= len(value) <= 32:
        return 0
    try:
        found = datetime.fromisoformat(value)
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        milliseconds = int(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return min(max(0, milliseconds), TIME_MAX)


def words(values: Iterable[Any], bytes_max: int, items_max: int) -> tuple[str, ...]:
    """Different texts in their order."""
    found = dict.fromkeys(one for value in values if (one := word(value, bytes_max)))
    return tuple(found)[:items_max]


def pairs(value: Any, key_bytes: int, value_bytes: int, items_max: int) -> dict[str, str] | None:
    """Texts by text, sorted by key; None if there are none."""
    found = {
        word(key, key_bytes): text(item, value_bytes)
        for key, item in list(mapping(value).items())[:ITEMS_SEEN]
        if isinstance(item, str) and word(key, key_bytes)
    }
    return dict(sorted(found.items())[:items_max]) or None


def people(value: Any, bytes_max: int, items_max: int) -> tuple[str, ...]:
    """Account names out of ``[{"name": …}, …]``."""
    return words((mapping(one).get("name") for one in items(value)), bytes_max, items_max)
