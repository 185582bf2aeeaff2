"""What of a query is not free text: as an expression for FTS5, and as a test of rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from pkgstats.search.documents import tag
from pkgstats.search.query import ANY, Filter, Query, Range
from pkgstats.search.text import name_words, stems

if TYPE_CHECKING:
    from pkgstats.search.documents import Document

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which packages a query lets through, whatever its words.

    Attributes:
        must: groups of tags; of each group a package has one.
        must_not: tags that it has not.
        without: stems, side by side between spaces, that do not stand in it.
        phrases: and such that do.
        downloads: a month.
        modified: when, ms since 1970.
        first: the rank from which packages have few enough downloads.
    """

    must: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    downloads: Range = ANY
    modified: Range = ANY
    first: int = 1

    @classmethod
    def of(cls, query: Query, now_ms: int) -> Self:
        """What a query asks for at that time."""
        wanted = [one for one in query.filters if one.wanted]
        unwanted = [one for one in query.filters if not one.wanted]
        return cls(
            tuple(tuple(_tags(one)) for one in wanted),
            tuple(found for one in unwanted for found in _tags(one)),
            tuple(filter(str.strip, map(_run, query.without))),
            tuple(filter(str.strip, map(_run, query.phrases))),
            query.downloads,
            _modified(query, now_ms),
        )

    def __bool__(self) -> bool:
        return self != ANYTHING

    def expression(self, text: str = "") -> str:
        """For FTS5: the text, narrowed. Empty if there is nothing that must be found."""
        parts = [f"({text})"] if text else []
        parts += [f"({' OR '.join(map(_quoted, group))})" for group in self.must]
        parts += [_quoted(run.strip()) for run in self.phrases]
        unwanted = [*self.must_not, *(run.strip() for run in self.without)]
        found = " AND ".join(parts)
        if not found or not unwanted:
            return found
        return f"({found}) NOT ({' OR '.join(map(_quoted, unwanted))})"

    def allows(self, one: Document) -> bool:
        """Whether a row gets through."""
        if self.must or self.must_not:
            tags = one.tags
            if not all(any(each in tags for each in group) for group in self.must):
                return False
            if any(each in tags for each in self.must_not):
                return False
        if any(run in one.stems or run in one.words for run in self.without):
            return False
        if not all(run in one.stems or run in one.words for run in self.phrases):
            return False
        if one.downloads not in self.downloads:
            return False
        return self.modified == ANY or (one.modified > 0 and one.modified in self.modified)


ANYTHING: Final = Narrowing()
"""Lets all packages through."""


def _tags(one: Filter) -> list[str]:
    fields = ("scope", "maintainer") if one.field == "person" else (one.field,)
    return [tag(name, value) for name in fields for value in one.values]


def _run(text: str) -> str:
    """Stems as they stand side by side in a row."""
    return f" {' '.join(stems(name_words(text)))} "


def _modified(query: Query, now_ms: int) -> Range:
    low, high = query.modified.low, query.modified.high
    lows = [] if low is None else [low * DAY_MS]
    highs = [] if high is None else [(high + 1) * DAY_MS - 1]
    if query.age.high is not None:
        lows.append(now_ms - query.age.high * DAY_MS)
    if query.age.low is not None:
        highs.append(now_ms - query.age.low * DAY_MS)
    return Range(max(lows, default=None), min(highs, default=None)) if lows or highs else ANY


def _quoted(words: str) -> str:
    return f'"{words}"'
