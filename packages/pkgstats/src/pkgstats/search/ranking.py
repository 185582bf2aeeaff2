"""How well a package fits, as a sum that can be shown. Pure.

Twenty features of a query and a package, each between 0 and 1, times a weight each. The weights
were found by coordinate ascent on one half of a set of judged queries, and checked on the other.
"""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.search.documents import DEPRECATED, PLATFORM, TYPINGS
from pkgstats.search.results import Part
from pkgstats.search.text import stem
from pkgstats.search.typos import distance, edits_allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pkgstats.search.documents import Document
    from pkgstats.search.terms import Term, Wanted

DOWNLOADS_LOG_MAX: Final = 9.5
"""Popularity is log10 of the downloads a month over this: three thousand million make 1."""

FULL: Final = 0.75
"""Share of the query that must be met before popularity counts in full."""

IN_SAME_WORDS: Final = 0.85
IN_RELATED_WORDS: Final = 0.5
IN_LONGER_WORD: Final = 0.6
UNFINISHED_IN_NAME: Final = 0.8
UNFINISHED_IN_TEXT: Final = 0.7
CORRECTED: Final = 0.85
"""How well a word is met by a synonym, by something close by, within a longer word, as the start
of one, and after its spelling was corrected."""


class Feature(NamedTuple):
    """One part of a score."""

    name: str
    weight: float
    meaning: str


FEATURES: Final = (
    Feature("popular", 4.0, "how often it is downloaded"),
    Feature("exact", 6.0, "its name is what was typed"),
    Feature("same", 5.5, "its name is what was typed, but for signs"),
    Feature("bare", 0.25, "its name without the scope is what was typed"),
    Feature("starts", 2.75, "its name starts with what was typed"),
    Feature("inner", 1.55, "its name, but for signs or scope, starts with what was typed"),
    Feature("named", 0.5, "words that stand in its name"),
    Feature("met", 8.0, "words that stand in its name or summary"),
    Feature("said", -0.2, "words that stand in its summary"),
    Feature("full", -1.0, "most of the query is met"),
    Feature("full_popular", 11.5, "most of the query is met, and it is downloaded often"),
    Feature("named_popular", -0.25, "words stand in its name, and it is downloaded often"),
    Feature("exact_popular", -1.25, "its name is what was typed, and it is downloaded often"),
    Feature("near", 2.0, "its name is one typo away"),
    Feature("nearly", 1.0, "its name is a few typos away"),
    Feature("long", -1.0, "its name has many words"),
    Feature("first", 0.4, "its name begins with the first word"),
    Feature("phrase", 0.5, "the words stand side by side"),
    Feature("dense", 1.5, "its summary says little else"),
    Feature("early", 0.0, "its summary begins with the words"),
    Feature("whole", 0.0, "its name has no other words"),
    Feature("deprecated", -0.75, "it is deprecated"),
    Feature("typings", 0.0, "it has only the types of another package"),
    Feature("platform", 0.0, "it is a build for one platform"),
)
"""All parts of a score, in the order in which `Ranker.features` gives them."""

WEIGHTS: Final = tuple(feature.weight for feature in FEATURES)


class Ranker:
    """Scores packages for one query."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._terms = [_Sought(term) for term in wanted.terms]
        if self._terms:
            self._terms[-1].unfinished = len(wanted.terms[-1].word) > 1
        self._weight = sum(term.weight for term in wanted.terms) or 1.0
        self._first = f" {wanted.terms[0].stem} " if wanted.terms else "\0"
        self._phrase = "".join(f" {term.stem}" for term in wanted.content) + " "
        self._edits = edits_allowed(len(wanted.squashed) + 2) if len(wanted.squashed) > 3 else 0

    def score(self, one: Document) -> float:
        """How well a package fits."""
        return math.fsum(map(mul, WEIGHTS, self.features(one)))

    def explain(self, one: Document) -> list[Part]:
        """What the score is the sum of, less what adds nothing."""
        values = zip(FEATURES, self.features(one), strict=True)
        return [
            Part(feature.name, feature.meaning, value, feature.weight * value)
            for feature, value in values
            if feature.weight * value
        ]

    def did_you_mean(self, best: Sequence[Document]) -> str | None:
        """What was meant, if the best package is a typo away, or words were corrected."""
        for one in best:
            edits = distance(self._wanted.squashed, one.squash, self._edits)
            if 0 < edits <= self._edits:
                return one.name
        words = [
            term.corrected[0] if term.corrected and not term.packages else term.word
            for term in self._wanted.terms
        ]
        return None if words == [term.word for term in self._wanted.terms] else " ".join(words)

    def features(self, one: Document) -> tuple[float, ...]:
        """The values of `FEATURES`."""
        wanted, squashed = self._wanted, self._wanted.squashed
        name = one.name.lower()
        bare = one.bare or one.squash
        named = said = met = 0.0
        exactly = 0
        first = len(one.words)
        for term in self._terms:
            in_name, in_words, place = term.met(one)
            if place >= 0:
                exactly += 1
                first = min(first, place)
            named += in_name * term.weight
            said += in_words * term.weight
            met += max(in_name, in_words) * term.weight
        named, said, met = named / self._weight, said / self._weight, met / self._weight
        popular = min(1.0, math.log10(one.downloads + 1) / DOWNLOADS_LOG_MAX)
        full = float(met > FULL)
        exact = float(name == wanted.typed)
        same = float(one.squash == squashed)
        starts = name.startswith(wanted.typed)
        inner = not starts and (one.squash.startswith(squashed) or bare.startswith(squashed))
        edits = self._edits_to(one.squash, bare) if not same else 0
        name_words = one.names.count(" ") - 1
        text_words = one.words.count(" ") - 1
        return (
            popular,
            exact,
            same,
            float(not same and bare == squashed),
            float(starts),
            float(inner),
            named,
            met,
            said,
            full,
            full * popular,
            named * popular,
            max(exact, same) * popular,
            float(edits == 1),
            1 - (edits - 1) / 4 if edits else 0.0,
            min(1.0, name_words / 6),
            float(self._first in one.stems[: len(self._first) + len(one.stems) // 2]),
            float(
                len(wanted.content) > 1 and (self._phrase in one.words or self._phrase in one.stems)
            ),
            exactly / max(6, text_words),
            (1 - first / len(one.words)) if exactly else 0.0,
            self._whole(one, name_words),
            float(one.kind & DEPRECATED > 0),
            float(one.kind & TYPINGS > 0),
            float(one.kind & PLATFORM > 0),
        )

    def _edits_to(self, squash: str, bare: str) -> int:
        """Typos between the query and a name; 0: too many."""
        most = self._edits
        if not most:
            return 0
        edits = distance(self._wanted.squashed, squash, most)
        if bare != squash:
            edits = min(edits, distance(self._wanted.squashed, bare, most))
        return edits if edits <= most else 0

    def _whole(self, one: Document, name_words: int) -> float:
        """Which share of the name's words the query has."""
        return sum(term.exact in one.stems for term in self._terms) / max(
            1, name_words, len(self._terms)
        )


class _Sought:
    """A word of the query, ready to be looked for."""

    def __init__(self, term: Term) -> None:
        self.weight = term.weight
        self.exact = f" {term.stem} "
        self.unfinished = False
        self._start = f" {term.word}"
        self._word = f" {term.word} "
        self._inside = term.word if len(term.word) > 3 else "\0"
        self._corrected = [f" {stem(word)} " for word in term.corrected]
        self._same = [[f" {word} " for word in phrase] for phrase in term.same]
        self._related = [[f" {word} " for word in phrase] for phrase in term.related]

    def met(self, one: Document) -> tuple[float, float, int]:
        """How well the name and the summary have it, and where the summary does (or -1)."""
        place = one.words.find(self.exact)
        in_name = self._in_name(one)
        if place >= 0:
            return in_name, 1.0, place
        if in_name == 1.0:
            return 1.0, 0.0, -1
        return in_name, self._otherwise(one), -1

    def _in_name(self, one: Document) -> float:
        if self.exact in one.stems or self._word in one.names:
            return 1.0
        if self.unfinished and self._start in one.names:
            return UNFINISHED_IN_NAME
        if self._inside in one.squash:
            return IN_LONGER_WORD
        return CORRECTED if any(word in one.stems for word in self._corrected) else 0.0

    def _otherwise(self, one: Document) -> float:
        if self.unfinished and self._start in one.words:
            return UNFINISHED_IN_TEXT
        text = one.stems + one.words
        if _any_phrase(self._same, text) or any(word in one.words for word in self._corrected):
            return IN_SAME_WORDS
        return IN_RELATED_WORDS if _any_phrase(self._related, text) else 0.0


def _any_phrase(phrases: Iterable[list[str]], text: str) -> bool:
    return any(all(word in text for word in phrase) for phrase in phrases)
