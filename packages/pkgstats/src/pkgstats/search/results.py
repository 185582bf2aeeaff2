"""What a search answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pkgstats.search.documents import Document
    from pkgstats.search.query import Query
    from pkgstats.search.ranking import Ranker


class Part(NamedTuple):
    """Why a package stands where it stands: one addend of its score.

    Attributes:
        feature: its short name.
        meaning: in words.
        value: how far it holds, mostly from 0 to 1.
        points: what it adds.
    """

    feature: str
    meaning: str
    value: float
    points: float


class Hit(NamedTuple):
    """A package that was found.

    Attributes:
        name, version, summary: as the list has them.
        downloads: a month.
        modified: ms since 1970; 0 if unknown.
        score: the sum of the points of its parts; 0 where it was not ranked.
        parts: the largest first.
    """

    name: str
    version: str
    downloads: int
    summary: str
    modified: int
    score: float
    parts: tuple[Part, ...]


class Reading(NamedTuple):
    """One way in which ``@USER`` can be read.

    Attributes:
        meaning: ``scope``, ``maintainer``, or ``text`` if there is neither.
        query: that asks for this alone.
        packages: how many there are, up to `pkgstats.search.searcher.COUNTED_MAX`.
    """

    meaning: str
    query: str
    packages: int


class SearchResult(NamedTuple):
    """What was found.

    Attributes:
        query: as it was understood.
        exact: the package of exactly that name, on the first page.
        results: the others of this page, best first.
        total: how many there are; at least so many if ``more``.
        more: whether there are more than were counted.
        did_you_mean: a query that may have been meant.
        readings: how ``@USER`` can be read.
        notes: what else is to be said, for people.
        generation: of the facts.
    """

    query: Query
    exact: Hit | None
    results: tuple[Hit, ...]
    total: int
    more: bool
    did_you_mean: str | None
    readings: tuple[Reading, ...]
    notes: tuple[str, ...]
    generation: int

    @property
    def hits(self) -> tuple[Hit, ...]:
        """All of this page, the exact one first."""
        return self.results if self.exact is None else (self.exact, *self.results)


class Suggestion(NamedTuple):
    """A name that may be meant by what was typed so far."""

    name: str
    downloads: int
    summary: str


class Ranked(NamedTuple):
    """A package by its rank among all by downloads; ``modified`` in ms, 0 if unknown."""

    rank: int
    name: str
    modified: int


@dataclass(slots=True)
class Found:
    """All that was found, before a page is cut out of it.

    Attributes:
        exact: the package of exactly that name.
        others: the rest, best first.
        ranker: why they stand so; None: they were sorted by something else.
        more: there are more than these.
        did_you_mean: a query that may have been meant.
        notes: for people.
    """

    exact: Document | None = None
    others: list[Document] = field(default_factory=list)
    ranker: Ranker | None = None
    more: bool = False
    did_you_mean: str | None = None
    notes: list[str] = field(default_factory=list)

    def page(
        self, query: Query, readings: tuple[Reading, ...], size: int, number: int, generation: int
    ) -> SearchResult:
        """One page of it; the exact package is the first of the first page."""
        taken = self.exact is not None
        start = max(0, (number - 1) * size - taken)
        return SearchResult(
            query=query,
            exact=self._hit(self.exact) if self.exact is not None and number == 1 else None,
            results=tuple(map(self._hit, self.others[start : number * size - taken])),
            total=len(self.others) + taken,
            more=self.more,
            did_you_mean=self.did_you_mean,
            readings=readings,
            notes=tuple(self.notes),
            generation=generation,
        )

    def _hit(self, one: Document) -> Hit:
        parts = self.ranker.explain(one) if self.ranker else ()
        return Hit(
            name=one.name,
            version=one.version,
            downloads=one.downloads,
            summary=one.summary,
            modified=one.modified,
            score=sum(part.points for part in parts),
            parts=tuple(sorted(parts, key=lambda part: -abs(part.points))),
        )
