"""What free text asks for: its words, what each weighs, and other words that would do. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pkgstats.search.synonyms import PHRASE_WORDS_MAX, SAME
from pkgstats.search.text import STOPWORDS, name_words, squash, stem

if TYPE_CHECKING:
    from collections.abc import Callable

TERMS_MAX: Final = 32
"""Words of one query."""

OTHERS_MAX: Final = 12
"""Other words that are tried for one word."""

STOPWORD_WEIGHT: Final = 0.3
"""What a word that says little weighs beside others as rare."""


@dataclass(slots=True)
class Term:
    """One word of a query.

    Attributes:
        word: as typed, in lower case.
        stem: without its inflection.
        weight: how much it says (the rarer, the more).
        packages: in how many it stands.
        same: stems that mean the same, each of one word or several.
        corrected: words that may have been meant, if it is misspelt.
    """

    word: str
    stem: str
    weight: float
    packages: int
    same: tuple[tuple[str, ...], ...] = ()
    corrected: tuple[str, ...] = ()

    @property
    def says_little(self) -> bool:
        """Whether it need not match."""
        return self.word in STOPWORDS


@dataclass(slots=True)
class Wanted:
    """What free text asks for.

    Attributes:
        text: as typed, without spaces at its ends.
        typed: the same in lower case.
        squashed: its letters and digits alone.
        terms: its words, in order.
        content: those of them that say something; all, if none does.
    """

    text: str
    typed: str
    squashed: str
    terms: list[Term]
    content: list[Term] = field(init=False)

    def __post_init__(self) -> None:
        self.content = [term for term in self.terms if not term.says_little] or self.terms


def weight_of(packages: int, total: int) -> float:
    """How much a word says that stands in so many of all packages (its idf)."""
    return math.log(1 + total / (packages + 0.5))


def wanted(text: str, packages_with: Callable[[str], int], total: int) -> Wanted:
    """Take free text apart.

    Args:
        text: as typed.
        packages_with: in how many packages a stem stands.
        total: how many packages there are.
    """
    terms = [_term(word, packages_with, total) for word in name_words(text)[:TERMS_MAX]]
    _add_others(terms)
    text = text.strip()
    return Wanted(text, text.lower(), squash(text), terms)


def _term(word: str, packages_with: Callable[[str], int], total: int) -> Term:
    root = stem(word)
    packages = packages_with(root)
    weight = weight_of(packages, total)
    return Term(word, root, weight * STOPWORD_WEIGHT if word in STOPWORDS else weight, packages)


def _add_others(terms: list[Term]) -> None:
    """Look each word, and each short run of words, up in the groups of synonyms."""
    for first in range(len(terms)):
        for last in range(first + 1, min(first + PHRASE_WORDS_MAX, len(terms)) + 1):
            run = terms[first:last]
            same = SAME.get(" ".join(term.stem for term in run), ())
            for term in run:
                term.same = (*term.same, *same)[:OTHERS_MAX]
