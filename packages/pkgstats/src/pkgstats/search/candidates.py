"""Which packages may be meant: a few short lists, each most used first, put together.

Every list is bounded, and is a scan in the order of ranks that stops early. Ranking them is up
to `pkgstats.search.ranking`; what no list holds is not found, so a query with little in its first
lists gets wider ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pkgstats.search.filters import ANYTHING, Narrowing
from pkgstats.search.index import read_note
from pkgstats.search.text import stem
from pkgstats.search.typos import SHORTEST, buckets_of, edits_allowed, neighbourhood, rows_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from pkgstats.search.terms import Term, Wanted
    from pkgstats.search.typos import Vocabulary

NAMES_MAX: Final = 60
"""Rows of a list of names."""

TEXTS_MAX: Final = 100
"""Rows of a list of packages with all words."""

WIDER_MAX: Final = 40
"""Rows of a list with other words, or fewer."""

NEAR_MAX: Final = 120
"""Rows whose names may be a typo away."""

FEW: Final = 30
"""With fewer texts that have all words, one of them may be misspelt."""

VERY_FEW: Final = 12
"""With fewer candidates, fewer words have to match."""

CONTENT_MAX: Final = 8
"""Words of a query, the rarest ones, that must all match."""

CORRECTED_MAX: Final = 2
"""Words of a query that are corrected; each takes a millisecond."""

LEFT_OUT_MAX: Final = 2
"""Words of a query, the rarest ones, that may be left out, one at a time."""

RARE: Final = 4
"""A word in fewer packages may be misspelt."""

PREFIX_STEMS_MAX: Final = 12
"""Stems that may complete the last word."""

PREFIX_RANGE_MAX: Final = 2000
"""Stems that are looked at for those."""

COUNTS_CACHED: Final = 20_000
"""Stems whose number of packages a connection remembers."""

_NAMES: Final = "select rowid from search_name where search_name match ? order by rowid limit ?"
_TEXTS: Final = """select rowid from search_text where search_text match ? and rowid >= ?
order by rowid limit ?"""
_COUNT_TEXTS: Final = """select count(*) from (
    select rowid from search_text where search_text match ? limit ?)"""
_COUNT: Final = "select packages from search_df where stem = ?"
_BUCKETS: Final = "select bucket, entries from search_typo where bucket in ({})"
_COMPLETIONS: Final = """select stem from (
    select stem, packages from search_df where stem >= ? and stem < ? limit ?
) order by packages desc limit ?"""


class Candidates:
    """Finds candidates through one connection, in one thread and one state of the index.

    Args:
        database: the index, from `pkgstats.search.index.connect`.
        vocabulary: gives the words that names consist of.

    Attributes:
        total: the highest number of a package, so about how many there are.
        ranks: numbers above this are no ranks, but of packages that came later.
        more: the last search has cut its list of texts.
        packages_with: in how many packages a stem stands.
    """

    def __init__(self, database: sqlite3.Connection, vocabulary: Callable[[], Vocabulary]) -> None:
        self._database = database
        self._vocabulary = vocabulary
        self.total = max(1, read_note(database, "total"))
        self.ranks = read_note(database, "ranks")
        self.more = False
        self.packages_with = lru_cache(COUNTS_CACHED)(self._packages_with)

    def _packages_with(self, root: str) -> int:
        row = self._database.execute(_COUNT, (root,)).fetchone()
        return int(row[0]) if row else 0

    def exact(self, text: str) -> list[int]:
        """Packages of that name; capitals do not matter."""
        find = "select id from search_doc where name = ? collate nocase limit 8"
        return self._ids(find, text)

    def find(
        self, wanted: Wanted, narrowing: Narrowing = ANYTHING, most: int = TEXTS_MAX
    ) -> set[int]:
        """Rows that may be meant.

        Args:
            wanted: what is asked for. Words that seem misspelt are corrected in it.
            narrowing: what the lists of texts are narrowed to; the others are not.
            most: rows of the longest list.
        """
        named = self._named(wanted)
        started = self.starting_with(wanted.squashed, NAMES_MAX)
        texts = self._by_text(wanted, narrowing, most)
        misspelt = len(texts) < FEW and not named and not started
        corrected = self._by_corrected(wanted, narrowing) if misspelt else []
        found = {*named, *started, *texts, *corrected, *self._all_in_name(wanted)}
        if len(found) < VERY_FEW and not named and not corrected:
            found.update(self._by_fewer_words(wanted, narrowing))
        if misspelt:
            found.update(self._near(wanted.squashed))
        self.more = len(texts) >= most
        return found

    def matching(self, wanted: Wanted, narrowing: Narrowing, limit: int) -> list[int]:
        """Packages with all words, most used first; without words, all that get through."""
        parts = [_any([term.stem]) for term in self._content(wanted)]
        return self._texts(parts, narrowing, limit)

    def count(self, narrowing: Narrowing, limit: int) -> int:
        """How many packages get through, up to a limit."""
        return self._ids(_COUNT_TEXTS, narrowing.expression(), limit)[0]

    def starting_with(self, squashed: str, limit: int) -> list[int]:
        """Packages with a name, or a word or two of it, that starts so; most used first."""
        return self._ids(_NAMES, f'"{squashed}"*', limit) if len(squashed) > 1 else []

    def _named(self, wanted: Wanted) -> list[int]:
        """Packages that have the name, signs and scope aside."""
        found = self.exact(wanted.typed)
        if squashed := wanted.squashed:
            found += self._ids("select id from search_doc where squash = ? limit 20", squashed)
            bare = "select id from search_doc where bare = ? and bare <> '' order by id limit 20"
            found += self._ids(bare, squashed)
        return found

    def _all_in_name(self, wanted: Wanted) -> list[int]:
        """Packages whose names have all words, the last one perhaps unfinished."""
        parts = [f'("{term.word}" OR "{term.stem}")' for term in wanted.terms[:CONTENT_MAX]]
        if not parts:
            return []
        if 1 < len(parts) == len(wanted.terms) and len(wanted.terms[-1].word) > 1:
            last = wanted.terms[-1]
            parts[-1] = f'("{last.word}"* OR "{last.stem}")'
        return self._ids(_NAMES, f"names: ({' AND '.join(parts)})", NAMES_MAX)

    def _by_text(self, wanted: Wanted, narrowing: Narrowing, most: int) -> list[int]:
        """Packages with all words, as they are typed and in other words."""
        last = wanted.terms[-1] if wanted.terms else None
        content = self._content(wanted)
        plain = [
            _any([term.stem, *(self._completions(term) if term is last else ())])
            for term in content
        ]
        found = self._texts(plain, narrowing, most)
        other = [_others(term, exact) for term, exact in zip(content, plain, strict=True)]
        return found if other == plain else found + self._texts(other, narrowing, WIDER_MAX)

    def _by_fewer_words(self, wanted: Wanted, narrowing: Narrowing) -> list[int]:
        """Packages with all words but one; if that is not enough, with any."""
        parts = [_others(term, _any([term.stem])) for term in self._content(wanted)]
        found: list[int] = []
        for left_out in range(min(len(parts), LEFT_OUT_MAX) if len(parts) > 2 else 0):
            fewer = [part for place, part in enumerate(parts) if place != left_out]
            found += self._texts(fewer, narrowing, WIDER_MAX)
        if len(found) < VERY_FEW and parts:
            found += self._texts([f"({' OR '.join(parts)})"], narrowing, TEXTS_MAX)
        return found

    def _content(self, wanted: Wanted) -> list[Term]:
        """The words that must match, the rarest first."""
        return sorted(wanted.content, key=lambda term: -term.weight)[:CONTENT_MAX]

    def _texts(self, parts: Sequence[str], narrowing: Narrowing, limit: int) -> list[int]:
        expression = narrowing.expression(" AND ".join(parts))
        return self._ids(_TEXTS, expression, narrowing.first, limit) if expression else []

    def _completions(self, term: Term) -> list[str]:
        """Stems that the last word may be the start of."""
        word = term.word
        if len(word) < 2 or term.packages > self.total // 300:
            return []
        arguments = (word, word + "\U0010ffff", PREFIX_RANGE_MAX, PREFIX_STEMS_MAX)
        return [found for (found,) in self._database.execute(_COMPLETIONS, arguments)]

    def _by_corrected(self, wanted: Wanted, narrowing: Narrowing) -> list[int]:
        """Packages with all words, after rare ones got words that they may be misspelt for."""
        rare = [one for one in wanted.terms if one.packages < RARE and len(one.word) >= SHORTEST]
        rare.sort(key=lambda term: term.packages)
        for term in rare[:CORRECTED_MAX]:
            near = self._vocabulary().corrections(term.word)
            term.corrected = tuple(one.word for one in near)
        if not any(term.corrected for term in rare):
            return []
        parts = [_others(term, _any([term.stem])) for term in self._content(wanted)]
        return self._texts(parts, narrowing, WIDER_MAX)

    def _near(self, squashed: str) -> list[int]:
        """Packages whose whole names may be a typo away, the most used ones."""
        if not edits_allowed(len(squashed)):
            return []
        keys = neighbourhood(squashed)
        buckets = ",".join(map(str, buckets_of(keys)))
        found = rows_in(self._database.execute(_BUCKETS.format(buckets)), keys)
        return sorted(found)[:NEAR_MAX]

    def _ids(self, find: str, *arguments: str | int) -> list[int]:
        return [row for (row,) in self._database.execute(find, arguments)]


def _quoted(word: str) -> str:
    return f'"{word}"'


def _any(found: Sequence[str]) -> str:
    """FTS5: one of these words."""
    unique = list(dict.fromkeys(found))
    return _quoted(unique[0]) if len(unique) == 1 else f"({' OR '.join(map(_quoted, unique))})"


def _others(term: Term, exact: str) -> str:
    """FTS5: the word, or another one for it."""
    others = [exact, *(_quoted(stem(word)) for word in term.corrected)]
    for phrase in term.same:
        parts = " AND ".join(map(_quoted, phrase))
        others.append(f"({parts})" if len(phrase) > 1 else parts)
    return exact if len(others) == 1 else f"({' OR '.join(others)})"
