"""What an address may ask for; more is refused before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH_BYTES_MAX: Final = 1024
"""Bytes before the question mark: a name may be three times as long when it is written safely."""

QUERY_STRING_BYTES_MAX: Final = 8192
"""Bytes behind the question mark."""

SIZE: Final = 20
"""Packages on a page unless said otherwise."""

SIZE_MAX: Final = 100
"""Packages on a page."""

PAGE_MAX: Final = 50
"""Pages that can be asked for: nobody reads further, and each costs as much as all before it."""


class BadRequestError(ValueError):
    """An address that asks for something that is not given."""


def whole_number(parameters: Mapping[str, str], name: str, default: int, high: int) -> int:
    """A whole number from 1 to ``high`` out of an address.

    Raises:
        BadRequestError: it is none.
    """
    text = parameters.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= high):
        raise BadRequestError(f"{name} is a whole number from 1 to {high}")
    return int(text)
