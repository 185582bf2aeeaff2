"""Answers queries through one connection to the index, in one thread."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pkgstats.search.candidates import TEXTS_MAX, Candidates
from pkgstats.search.documents import Document
from pkgstats.search.filters import Narrowing
from pkgstats.search.index import read_identity, read_note
from pkgstats.search.query import Filter, Query, to_text
from pkgstats.search.ranking import Ranker
from pkgstats.search.results import Found, Ranked, Reading, SearchResult, Suggestion
from pkgstats.search.terms import Wanted, wanted
from pkgstats.search.text import squash
from pkgstats.search.typos import Vocabularies

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pkgstats.search.typos import Vocabulary

    Growth = Callable[[Sequence[str]], Mapping[str, float]]

SIZE_MAX: Final = 250
"""Packages on one page."""

RANKED_MAX: Final = 2000
"""Rows of the longest list that is ranked, for the last pages."""

LISTED_MAX: Final = 1000
"""Places of a list that is not ranked by words."""

SORTED_MAX: Final = 5000
"""Packages, the most used ones, that are put into another order."""

SCANNED_MAX: Final = 20_000
"""Rows that are read for a filter that no index helps with."""

COUNTED_MAX: Final = 10_000
"""Packages of a scope or a maintainer that are counted."""

SUGGESTED_FROM_MAX: Final = 60
"""Names out of which suggestions are chosen."""

_ROWS: Final = "select * from search_doc where id in ({})"
_RANKED: Final = """select id, name, squash, bare, downloads, kind, names, stems, words, '',
    modified, version, summary from search_doc where id in ({})"""
_SCAN: Final = "select * from search_doc where id between ? and ? order by id limit ?"
_DOWNLOADS: Final = "select downloads from search_doc where id >= ? order by id limit 1"


class Searcher:
    """One thread's access to an index.

    Args:
        database: from `pkgstats.search.index.connect`; closed with this.
        growth: of these packages, how much more they are used than before; None: not known.
        vocabularies: what searchers of other threads use, too; None: one of its own.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        growth: Growth | None = None,
        vocabularies: Vocabularies | None = None,
    ) -> None:
        self._database = database
        self._growth = growth
        self._vocabularies = vocabularies or Vocabularies()
        self._generation = -1
        self._refresh()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def search(self, query: Query, size: int, page: int, now_ms: int) -> SearchResult:
        """Answer a query, all of it out of one generation of the index.

        Args:
            query: what is asked.
            size: packages on a page.
            page: which one, from 1.
            now_ms: the time, ms since 1970.

        Raises:
            sqlite3.Error: the index is damaged, or the search was interrupted.
        """
        size, page = max(1, min(size, SIZE_MAX)), max(1, page)
        with self._one_generation():
            query, readings = self._readings(query, now_ms)
            narrowing = Narrowing.of(query, now_ms)
            if (high := narrowing.downloads.high) is not None:
                narrowing = replace(narrowing, first=self._rank_below(high))
            found = self._found(query, narrowing, min(max(TEXTS_MAX, page * size), RANKED_MAX))
            if found.did_you_mean is not None:
                found.did_you_mean = _of_that_day(found.did_you_mean, query.at)
            return found.page(query, readings, size, page, self._generation)

    def suggest(self, typed: str, limit: int) -> list[Suggestion]:
        """Names that begin like this, or have a word that does; the best first."""
        with self._one_generation():
            asked = self._wanted(typed)
            rows = self._candidates.starting_with(squash(typed), SUGGESTED_FROM_MAX)
            rows += self._candidates.exact(asked.typed)
            ranked = _ranked(Ranker(asked), self._rows(rows))
        return [Suggestion(one.name, one.downloads, one.summary) for one in ranked[:limit]]

    def ranked(self, after: int, limit: int) -> list[Ranked]:
        """The packages at the ``limit`` ranks after that one; each with when it was modified."""
        find = "select id, name, modified from search_doc where id > ? and id <= ? order by id"
        return list(map(Ranked._make, self._database.execute(find, (after, after + limit))))

    def last_rank(self) -> int:
        """The highest rank of a package; 0: there are none."""
        find = "select coalesce(max(id), 0) from search_doc"
        return int(self._database.execute(find).fetchone()[0])

    @contextmanager
    def _one_generation(self) -> Iterator[None]:
        self._database.execute("begin")
        try:
            self._refresh()
            yield
        finally:
            if self._database.in_transaction:
                self._database.execute("rollback")

    def _refresh(self) -> None:
        """Forget what was remembered of another generation."""
        generation = read_note(self._database, "generation")
        if generation != self._generation:
            self._candidates = Candidates(self._database, self._vocabulary)
            self._generation = generation

    def _vocabulary(self) -> Vocabulary:
        state = read_identity(self._database), self._generation
        find = "select word, packages from search_word"
        return self._vocabularies.get(state, lambda: self._database.execute(find))

    def _wanted(self, text: str) -> Wanted:
        return wanted(text, self._candidates.packages_with, self._candidates.total)

    def _rows(self, rows: Iterable[int], columns: str = _ROWS) -> Iterator[Document]:
        numbers = ",".join(map(str, rows))
        return map(Document._make, self._database.execute(columns.format(numbers)))

    def _readings(self, query: Query, now_ms: int) -> tuple[Query, tuple[Reading, ...]]:
        """How ``@USER`` can be read; where there is no such user it is the start of a name."""
        if (person := query.person) is None:
            return query, ()
        readings = []
        for name in ("scope", "maintainer"):
            one = Query(filters=(Filter(name, (person,)),), at=query.at)
            count = self._candidates.count(Narrowing.of(one, now_ms), COUNTED_MAX)
            readings.append(Reading(name, to_text(one), count))
        if any(one.packages for one in readings):
            return query, tuple(readings)
        others = tuple(one for one in query.filters if one.field != "person")
        text = f"@{person} {query.text}".strip()
        query = replace(query, text=text, filters=others)
        return query, (Reading("text", to_text(Query(text=text, at=query.at)), 0),)

    def _found(self, query: Query, narrowing: Narrowing, most: int) -> Found:
        if query.package is not None:
            return self._package(query.package, narrowing)
        asked = self._wanted(query.text.replace('"', " "))
        if asked.terms and query.sort is None:
            return self._ranked(asked, narrowing, most)
        if asked.terms or narrowing or query.sort:
            return self._sorted(query.sort or "downloads", asked, narrowing)
        return Found()

    def _package(self, name: str, narrowing: Narrowing) -> Found:
        """The package of that name alone; if there is none, the one that may be meant."""
        exact = self._exact(name, narrowing)
        if exact is not None:
            return Found(exact)
        others = self._ranked(self._wanted(name), narrowing, TEXTS_MAX).others
        return Found(did_you_mean=f"pkg:{others[0].name}" if others else None)

    def _exact(self, name: str, narrowing: Narrowing) -> Document | None:
        rows = self._rows(self._candidates.exact(name))
        return _of_name(name, filter(narrowing.allows, rows))

    def _ranked(self, asked: Wanted, narrowing: Narrowing, most: int) -> Found:
        numbers = self._candidates.find(asked, narrowing, most)
        ranker = Ranker(asked)
        if narrowing:
            ranked = _ranked(ranker, filter(narrowing.allows, self._rows(numbers)))
        else:
            ranked = _ranked(ranker, self._rows(numbers, _RANKED))  # tags are long
        exact = _of_name(asked.text, [one for one in ranked if one.name.lower() == asked.typed])
        others = [one for one in ranked if one is not exact]
        more = self._candidates.more
        return Found(exact, others, ranker, more, ranker.did_you_mean(ranked[:1]))

    def _sorted(self, order: str, asked: Wanted, narrowing: Narrowing) -> Found:
        """All that match, in an order that has nothing to do with words."""
        rows, notes = self._matching(asked, narrowing)
        match order:
            case "name":
                rows.sort(key=lambda one: one.name)
            case "updated":
                rows.sort(key=lambda one: (-one.modified, one.id))
            case "growth":
                notes += self._sort_by_growth(rows)
            case _:
                rows.sort(key=lambda one: (-one.downloads, one.name))
        more = bool(notes) or len(rows) > LISTED_MAX
        return Found(others=rows[:LISTED_MAX], more=more, notes=notes)

    def _sort_by_growth(self, rows: list[Document]) -> list[str]:
        """Sort, and what is to be said about it."""
        known = self._growth([one.name for one in rows[:LISTED_MAX]]) if self._growth else {}
        rows.sort(key=lambda one: (-known.get(one.name, float("-inf")), one.id))
        return [] if known else ["How they grow is not known here: nobody has counted days."]

    def _matching(self, asked: Wanted, narrowing: Narrowing) -> tuple[list[Document], list[str]]:
        """Rows that match, most used first, and what is to be said about them."""
        if asked.terms or narrowing.expression():
            most = SORTED_MAX
            rows = list(self._rows(self._candidates.matching(asked, narrowing, most)))
        else:
            rows, most = self._scan(narrowing), SCANNED_MAX
        note = f"Only the {most:,} most downloaded that match were looked at."
        return list(filter(narrowing.allows, rows)), [note] if len(rows) >= most else []

    def _scan(self, narrowing: Narrowing) -> list[Document]:
        """Rows with the right downloads, by rank, and those that came after ranks were given."""
        low, ranks = narrowing.downloads.low, self._candidates.ranks
        last = ranks if low is None else self._rank_below(low - 1) - 1
        parts = ((narrowing.first, last), (ranks + 1, self._candidates.total))
        found: list[Document] = []
        for start, stop in parts:
            rows = self._database.execute(_SCAN, (start, stop, SCANNED_MAX - len(found)))
            found += map(Document._make, rows)
        return found

    def _rank_below(self, downloads: int) -> int:
        """The first rank with no more downloads than that."""

        def fewer(rank: int) -> int:
            row = self._database.execute(_DOWNLOADS, (rank,)).fetchone()
            return -row[0] if row else 0

        return 1 + bisect_left(range(1, self._candidates.ranks + 1), -downloads, key=fewer)


def _of_that_day(meant: str, day: int | None) -> str:
    """A query that may have been meant, of the day that was asked for."""
    return meant if day is None else f"{meant} {to_text(Query(at=day))}"


def _of_name(name: str, rows: Iterable[Document]) -> Document | None:
    """Of packages whose names differ in capitals alone, the one typed, or the most used."""
    return min(rows, key=lambda one: (one.name != name, one.id), default=None)


def _ranked(ranker: Ranker, rows: Iterable[Document]) -> list[Document]:
    """Best first; equal ones by rank."""
    scored = [(-ranker.score(one), one.id, one) for one in rows]
    scored.sort(key=lambda one: one[:2])
    return [one for _, _, one in scored]
