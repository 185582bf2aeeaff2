"""Where things are: the paths of all pages, and the twins that a suffix asks for. Pure.

Every page has a twin for programs at its own address and `.json`; some also have `.atom`,
`.feed.json` (JSON Feed) or `.csv`. A package whose name ends like that (there is a `package.json`)
is at `/package/package%2Ejson`: a dot that is written so begins no suffix.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

from pkgstats.web.bounds import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS: Final = {".feed.json": "feed", ".json": "json", ".atom": "atom", ".csv": "csv"}
"""What a suffix asks for; the longest that fits counts."""

INDEX: Final = "/index"
"""The first page's name where a suffix follows."""

WORDS_KEPT: Final = 1024
"""Words of queries that are remembered: the links of a page have the same ones."""

_KEPT: Final = "@/~!$&'()*+,;=:"

_USUAL: Final = re.compile(r"[\w@/.-]+", re.ASCII)
"""Names that stand in a path as they are."""

_SUFFIXES: Final = tuple(FORMATS)


@lru_cache(1)  # each route of a request asks it
def split(raw: bytes) -> tuple[str, str]:
    """A path as it came, without its suffix and decoded, and the format: ``html`` if none.

    Args:
        raw: the path before percent-decoding.
    """
    for suffix, form in FORMATS.items():
        if raw.endswith(suffix.encode()):
            bare = _decoded(raw[: -len(suffix)])
            return ("/" if bare == INDEX else bare), form
    return _decoded(raw), "html"


def with_suffix(path: str, suffix: str) -> str:
    """The address of a page's twin."""
    return (INDEX if path == "/" else path) + suffix


def package(name: str) -> str:
    """A package's page."""
    return "/package/" + _segment(name)


def versions(name: str) -> str:
    """All versions of a package."""
    return package(name) + "/versions"


def user(name: str) -> str:
    """The packages that a user maintains."""
    return "/user/" + _segment(name)


def scope(name: str) -> str:
    """The packages in a scope; ``name`` without its ``@``."""
    return "/scope/" + _segment(name)


def badge(kind: str, name: str) -> str:
    """A picture that tells one thing of a package: ``version``, ``downloads`` or ``license``."""
    return f"/badge/{kind}/{quote(name, safe=_KEPT)}.svg"


def search(query: str, page: int = 1, size: int = SIZE) -> str:
    """What a search finds; what an address may leave out is left out."""
    path = "/search?q=" + "+".join(map(_word, query.split(" ")))
    if page != 1:
        path += f"&page={page}"
    return path if size == SIZE else f"{path}&size={size}"


def compare(names: Iterable[str]) -> str:
    """Packages side by side, in this order."""
    return "/compare?" + urlencode([("p", name) for name in names], safe="@/")


@lru_cache(WORDS_KEPT)
def _word(word: str) -> str:
    return quote_plus(word)


def _segment(name: str) -> str:
    """The name as the end of a path; what looks like a suffix is written so that it is none."""
    if _USUAL.fullmatch(name) and not name.endswith(_SUFFIXES):
        return name
    for suffix in FORMATS:
        if name.endswith(suffix):
            return quote(name[: -len(suffix)], safe=_KEPT) + suffix.replace(".", "%2E")
    return quote(name, safe=_KEPT)


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "replace")
