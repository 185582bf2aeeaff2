"""Answers by name, and which writer said so."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pkgstats.facts import PackageFact

SUGGESTIONS_MAX: Final = 8


class Answer(NamedTuple):
    """A fact and its source.

    Attributes:
        fact: what is said.
        writer: the name of the feed it came from.
        block: its index in that feed.
    """

    fact: PackageFact
    writer: str
    block: int


class Catalogue:
    """All facts by name. Of several about one package the last one added stands."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = {answer.fact.name: answer for answer in answers}
        self._names = sorted(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, name: str) -> Answer | None:
        """The answer about exactly this package."""
        return self._answers.get(name)

    def suggest(self, prefix: str, limit: int = SUGGESTIONS_MAX) -> list[str]:
        """Names that begin so, the most downloaded first."""
        first = bisect_left(self._names, prefix)
        found = []
        for name in self._names[first:]:
            if not name.startswith(prefix):
                break
            found.append(name)
        found.sort(key=lambda name: (-self._answers[name].fact.downloads, name))
        return found[:limit]

    def suggest_longest(self, name: str, limit: int = SUGGESTIONS_MAX) -> list[str]:
        """Suggestions for the longest beginning of a name that leads to any."""
        for end in range(len(name), 0, -1):
            if found := self.suggest(name[:end], limit):
                return found
        return []
