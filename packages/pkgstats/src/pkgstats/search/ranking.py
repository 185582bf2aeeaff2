"""How well a package fits, as a sum that can be shown. Pure.

Features of a query and a package, each from 0 to 1, times a weight each. The weights
were found by coordinate ascent on one half of a set of judged queries, and checked on the other.
"""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.search.documents import DEPRECATED, TYPINGS
from pkgstats.search.results import Part
from pkgstats.search.text import stem
from pkgstats.search.typos import SHORTEST, distance, edits_allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pkgstats.search.documents import Document
    from pkgstats.search.terms import Term, Wanted

DOWNLOADS_LOG_MAX: Final = 9.5
"""Popularity is log10 of the downloads a month over this: three thousand million make 1."""

FULL: Final = 0.75
"""Share of the query that must be met before popularity counts in full."""

INFLECTED: Final = 0.95
UNFINISHED_IN_NAME: Final = 0.8
IN_LONGER_WORD: Final = 0.6
UNFINISHED_IN_TEXT: Final = 0.7
CORRECTED: Final = 0.6
IN_SAME_WORDS: Final = 0.7
"""How well a word is met by another form of it, as the start of a word, within a longer one, after
its spelling was corrected, and by a synonym."""

NOWHERE: Final = "\0"
"""Stands in no text."""


class Feature(NamedTuple):
    """One part of a score."""

    name: str
    weight: float
    meaning: str


FEATURES: Final = (
    Feature("popular", 5.5, "how often it is downloaded"),
    Feature("exact", 6.0, "its name is what was typed"),
    Feature("same", 5.5, "its name is what was typed, but for signs"),
    Feature("starts", 2.75, "its name starts with what was typed"),
    Feature("inner", 1.55, "its name, but for signs or scope, starts with what was typed"),
    Feature("named", 0.5, "words that stand in its name"),
    Feature("met", 8.0, "words that stand in its name or summary"),
    Feature("literal", 2.5, "words that stand there exactly as they were typed"),
    Feature("full", -1.0, "most of the query is met"),
    Feature("full_popular", 16.0, "most of the query is met, and it is downloaded often"),
    Feature("exact_popular", -1.75, "its name is what was typed, and it is downloaded often"),
    Feature("near", 2.0, "its name is one typo away"),
    Feature("nearly", 1.0, "its name is a few typos away"),
    Feature("long", -1.0, "its name has many words"),
    Feature("first", 0.4, "its name begins with the first word"),
    Feature("phrase", 0.5, "the words stand side by side"),
    Feature("dense", 2.5, "its summary says little else"),
    Feature("deprecated", -0.75, "it is deprecated"),
    Feature("typings", -0.25, "it has only the types of another package"),
)
"""All parts of a score, in the order in which `Ranker.features` gives them."""

WEIGHTS: Final = tuple(feature.weight for feature in FEATURES)


class Ranker:
    """Scores packages for one query.

    It is called for hundreds of rows: it looks for words with ``str.find``, which is why they
    stand between spaces there, and makes no lists.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._sought = [_Sought(term, last=term is wanted.terms[-1]) for term in wanted.terms]
        self._weight = sum(term.weight for term in wanted.terms) or 1.0
        self._first = f" {wanted.terms[0].stem} " if wanted.terms else NOWHERE
        several = len(wanted.content) > 1
        phrase = " ".join(term.stem for term in wanted.content)
        self._phrase = f" {phrase} " if several else NOWHERE
        length = len(wanted.squashed)
        self._edits = edits_allowed(length + 2) if length >= SHORTEST else 0

    def score(self, one: Document) -> float:
        """How well a package fits."""
        total: float = sum(map(mul, WEIGHTS, self.features(one)))
        return total

    def explain(self, one: Document) -> list[Part]:
        """What the score is the sum of, less what adds nothing."""
        values = zip(FEATURES, self.features(one), strict=True)
        return [
            Part(feature.name, feature.meaning, float(value), feature.weight * value)
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
        name, squash = one.name.lower(), one.squash
        bare = one.bare or squash
        typed, squashed = self._wanted.typed, self._wanted.squashed
        named, met, literal, exactly = self._met(one)
        popular = min(1.0, math.log10(one.downloads + 1) / DOWNLOADS_LOG_MAX)
        full = met > FULL
        exact = name == typed
        same = squash == squashed
        starts = name.startswith(typed)
        edits = 0 if same else self._edits_to(squash, bare)
        name_words = one.names.count(" ") - 1
        return (
            popular,
            exact,
            same,
            starts,
            not starts and (squash.startswith(squashed) or bare.startswith(squashed)),
            named,
            met,
            literal,
            full,
            popular if full else 0.0,
            popular if exact or same else 0.0,
            edits == 1,
            1 - (edits - 1) / 4 if edits else 0.0,
            min(1.0, name_words / 6),
            one.stems.startswith(self._first)
            or (one.bare != "" and one.stems.startswith(self._first, one.stems.index(" ", 1))),
            self._phrase in one.words or self._phrase in one.stems,
            exactly / max(6, one.words.count(" ") - 1),
            one.kind & DEPRECATED > 0,
            one.kind & TYPINGS > 0,
        )

    def _met(self, one: Document) -> tuple[float, float, float, int]:
        """How much of the query is met.

        Shares of it that the name has; that it or the summary has; that stand there exactly as
        typed. How many of its words the summary has.
        """
        names, stems, words, squash = one.names, one.stems, one.words, one.squash
        summary = one.summary.lower()
        named = met = literal = 0.0
        exactly = 0
        for sought in self._sought:
            weight = sought.weight
            in_name = sought.in_name(names, stems, squash)
            if sought.exact in words:
                exactly += 1
                met += weight
                if in_name == 1.0 or _stands_in(sought.word, summary):
                    literal += weight
            elif in_name == 1.0:
                met += weight
                literal += weight
            else:
                met += max(in_name, sought.otherwise(stems, words)) * weight
            named += in_name * weight
        total = self._weight
        return named / total, met / total, literal / total, exactly

    def _edits_to(self, squash: str, bare: str) -> int:
        """Typos between the query and a name; 0: too many."""
        most, squashed = self._edits, self._wanted.squashed
        edits = most + 1
        if most and abs(len(squash) - len(squashed)) <= most:
            edits = distance(squashed, squash, most)
        if most and bare is not squash and abs(len(bare) - len(squashed)) <= most:
            edits = min(edits, distance(squashed, bare, most))
        return edits if edits <= most else 0


class _Sought:
    """A word of the query, ready to be looked for."""

    __slots__ = (
        "_corrected",
        "_inside",
        "_same",
        "_start",
        "_text_start",
        "_word",
        "exact",
        "weight",
        "word",
    )

    def __init__(self, term: Term, *, last: bool) -> None:
        self.weight = term.weight
        self.exact = f" {term.stem} "
        self.word = term.word
        self._word = f" {term.word} "
        self._start = f" {term.word}" if last else NOWHERE
        self._text_start = self._start if len(term.word) > 2 else NOWHERE
        self._inside = term.word if len(term.word) > 3 else NOWHERE
        self._corrected = [f" {stem(word)} " for word in term.corrected]
        self._same = _phrases(term.same)

    def in_name(self, names: str, stems: str, squash: str) -> float:
        """How well a name has it."""
        if self._word in names:
            return 1.0
        if self.exact in stems:
            return INFLECTED
        if self._start in names:
            return UNFINISHED_IN_NAME
        for word in self._corrected:
            if word in stems:
                return CORRECTED
        return IN_LONGER_WORD if self._inside in squash else 0.0

    def otherwise(self, stems: str, words: str) -> float:
        """How well a summary, and the name with it, have it in other words."""
        if self._text_start in words:
            return UNFINISHED_IN_TEXT
        for word in self._corrected:
            if word in words:
                return CORRECTED
        for first, others in self._same:
            if (first in words or first in stems) and _all(others, stems, words):
                return IN_SAME_WORDS
        return 0.0


def _stands_in(word: str, text: str) -> bool:
    """Whether a word stands in a text, not within a longer one."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        before = start == 0 or not text[start - 1].isalnum()
        if before and (end == len(text) or not text[end].isalnum()):
            return True
        start = text.find(word, end)
    return False


def _phrases(found: Iterable[tuple[str, ...]]) -> list[tuple[str, list[str]]]:
    """The first word of each, and its others, as they stand in a row."""
    return [(f" {phrase[0]} ", [f" {word} " for word in phrase[1:]]) for phrase in found]


def _all(others: Iterable[str], stems: str, words: str) -> bool:
    return all(word in words or word in stems for word in others)
