"""How a package stands in the search index. Pure."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.records.names import bare_name, scope_of
from pkgstats.search.text import name_words, squash, stems, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkgstats.view.facts import Details, ListingRow

SUMMARY_WORDS_MAX: Final = 200
"""Words of one summary that are indexed."""

KEYWORDS_MAX: Final = 32
"""Keywords of one package that are indexed."""

KEYWORD_WORDS_MAX: Final = 4
"""Words of one keyword that are indexed."""

TAGS_MAX: Final = 512
"""Exact properties (dependencies, maintainers, …) of one package that are indexed."""

TAGS_CACHED: Final = 20_000
"""Properties whose words are remembered."""

MARKS: Final = ("deprecated", "esm", "hidden", "scoped", "types", "unstable")
"""What ``is:`` and ``not:`` know."""

DEPRECATED: Final = 1
TYPINGS: Final = 2
"""Bits of a row's ``kind``: given up; types of another package."""

_GIVEN_UP: Final = re.compile(r"deprecat|no longer|unmaintained|obsolete|has been renamed")


class Document(NamedTuple):
    """A row of ``search_doc``. Words stand between spaces, with one at each end.

    Attributes:
        id: rank by downloads, or a number above all ranks.
        name, downloads, version, summary: as the list has it.
        squash: letters and digits of the name.
        bare: those of the name without its scope; empty where there is none.
        kind: bits, as above.
        names, stems: words of the name, as they are and without inflection.
        words: stems of the summary and the keywords.
        tags: exact properties.
        modified: ms since 1970; 0 if unknown.
    """

    id: int
    name: str
    squash: str
    bare: str
    downloads: int
    kind: int
    names: str
    stems: str
    words: str
    tags: str
    modified: int
    version: str
    summary: str

    def name_text(self) -> tuple[int, str, str]:
        """What is indexed of its name: words, and forms without signs.

        FTS5 keeps no text, so that this must be told to delete it, too.
        """
        parts = self.names.split()
        forms = {self.squash: None, self.bare or self.squash: None}
        forms |= {first + second: None for first, second in pairwise(parts)}
        return (self.id, f"{self.names}{self.stems}", " ".join(forms))

    def full_text(self) -> tuple[int, str]:
        """What is indexed of all of it, for FTS5 as above."""
        return (self.id, f"{self.stems}{self.words}{self.tags}")


@lru_cache(TAGS_CACHED)
def tag(kind: str, value: str) -> str:
    """The word under which FTS5 finds an exact property: 40 bits of its hash.

    It starts with a sign that no other word has.
    """
    text = f"{kind}:{value.lower()}".encode("utf-8", "replace")
    return f"¤{hashlib.blake2b(text, digest_size=5).hexdigest()}"


def document(number: int, row: ListingRow, manifest: Details | None = None) -> Document:
    """The row of a package.

    Args:
        number: its rank, or one above all ranks.
        row: as the list shows it.
        manifest: its latest one, if somebody has told it.
    """
    raw = name_words(row.name)
    said = words(row.summary)[:SUMMARY_WORDS_MAX]
    for keyword in manifest.keywords[:KEYWORDS_MAX] if manifest else ():
        said += words(keyword)[:KEYWORD_WORDS_MAX]
    squashed = squash(row.name)
    return Document(
        number,
        row.name,
        squashed,
        squash(bare_name(row.name)) if row.name.startswith("@") else "",
        row.downloads,
        _kind(row, manifest),
        f" {' '.join(raw)} ",
        f" {' '.join(stems(raw))} ",
        f" {' '.join(stems(said))} ",
        " ".join(_tags(row, manifest)),
        manifest.modified if manifest else 0,
        row.version,
        row.summary,
    )


def _kind(row: ListingRow, manifest: Details | None) -> int:
    """The bits that ranking looks at."""
    given_up = bool(manifest and manifest.deprecated) or _GIVEN_UP.search(row.summary.lower())
    kind = DEPRECATED if given_up else 0
    return kind | (TYPINGS if row.name.startswith("@types/") else 0)


def _tags(row: ListingRow, manifest: Details | None) -> list[str]:
    """Exact properties, so that a filter finds them as fast as a word."""
    found = dict.fromkeys(_list_tags(row))
    if manifest is not None:
        found |= dict.fromkeys(_manifest_tags(row, manifest))
    return list(found)[:TAGS_MAX]


def _list_tags(row: ListingRow) -> Iterator[str]:
    if (scope := scope_of(row.name)) is not None:
        yield tag("scope", scope)
        yield tag("is", "scoped")
    if row.version.startswith("0.") or "-" in row.version.partition("+")[0]:
        yield tag("is", "unstable")
    if row.state == "hidden":
        yield tag("is", "hidden")


def _manifest_tags(row: ListingRow, manifest: Details) -> Iterator[str]:
    yield tag("license", manifest.licence)
    for mark, holds in (
        ("deprecated", bool(manifest.deprecated)),
        ("esm", manifest.module in {"esm", "dual"}),
        ("types", manifest.types != "none" or row.name.startswith("@types/")),
    ):
        if holds:
            yield tag("is", mark)
    yield from (tag("maintainer", user) for user in manifest.maintainers)
    yield from (tag("keywords", keyword) for keyword in manifest.keywords)
    yield from (tag("dep", name) for name in manifest.dependencies)
