"""One fact about one package, and the text that may stand in it."""

from __future__ import annotations

from typing import NamedTuple

NAME_CHARACTERS_MAX = 214
"""npm's own limit for a name."""

VERSION_CHARACTERS_MAX = 256
"""npm's own limit for a version (node-semver's MAX_LENGTH)."""

DOWNLOADS_MAX = 2**53 - 1
"""The largest whole number that JSON carries safely."""


class PackageFact(NamedTuple):
    """What is known of a package: its latest version and its downloads in the last month."""

    name: str
    version: str
    downloads: int

    def to_value(self) -> dict[str, object]:
        """The JSON value that stands in a feed."""
        return self._asdict()


def package_fact(name: object, version: object, downloads: object) -> PackageFact:
    """A checked fact.

    Raises:
        ValueError: it cannot be a package's name, version or count; the message shows which.
    """
    if not _is_text(name, NAME_CHARACTERS_MAX):
        raise ValueError(f"not a package name: {_shown(name)}")
    if not _is_text(version, VERSION_CHARACTERS_MAX):
        raise ValueError(f"not a version: {_shown(version)}")
    if type(downloads) is not int or not 0 <= downloads <= DOWNLOADS_MAX:
        raise ValueError(f"not a count of downloads: {_shown(downloads)}")
    return PackageFact(str(name), str(version), downloads)


def fact_from_value(value: object) -> PackageFact:
    """A fact read from a feed. Writers are other people, so everything is checked.

    Raises:
        ValueError: the value is no fact.
    """
    if not isinstance(value, dict) or value.keys() != {"name", "version", "downloads"}:
        raise ValueError(f"not a package fact: {_shown(value)}")
    return package_fact(value["name"], value["version"], value["downloads"])


def _is_text(value: object, characters_max: int) -> bool:
    """Whether it is printable text without spaces (so no tab and no terminal escape either)."""
    if not isinstance(value, str) or not 0 < len(value) <= characters_max:
        return False
    return value.isprintable() and " " not in value


def _shown(value: object) -> str:
    """A value for a message, cut short and safe for a terminal."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
