"""Candidates that wait for their dial: by priority, and within each in turns.

The priorities are those of hyperswarm's lib/queue.js. Unlike there, candidates take turns by
topic, by who told of them and by network, so that one honest peer is found among thousands of
bogus ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypermultifeed.peers.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypermultifeed.peers.candidate import Candidate
    from hypermultifeed.peers.turns import Path, Randomness

WAITING_PER_SOURCE_MAX: Final = 256
"""Candidates that wait on the word of one who told of them; an answer of the DHT has 160."""

SOURCES_MAX: Final = 256
"""Sources told apart per topic; all others together take their turn as one."""

_OTHERS: Final = "others"
_LEVELS: Final = (5, 4, 3, 2, 1, 0)
_HOPELESS: Final = (0, 1, 2)
"""Levels that make room for newcomers, the first of them first."""
_STRANGERS: Final = (2, 1)
"""Levels of those who were named by nodes of the DHT, and not tried yet."""


class WaitingList:
    """The candidates of one queue that wait; those whom `add` took and nothing took out again."""

    __slots__ = ("_levels", "_randomness")

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._levels: dict[int, Turns[Candidate]] = {level: Turns() for level in _LEVELS}

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))

    def strangers(self) -> Iterator[Candidate]:
        """Those of whom only strangers have told, the more promising first."""
        for level in _STRANGERS:
            yield from self._levels[level]

    def has_room(self, candidate: Candidate, topic: bytes | None) -> bool:
        """Whether one for that topic may be added; bounds what one source can cost.

        One source too many is noted in the candidate as one of the others.
        """
        turns = self._levels[candidate.priority]
        path = (topic, candidate.source)
        if not turns.count(path) and turns.groups((topic,)) >= SOURCES_MAX:
            candidate.source = _OTHERS
            path = (topic, _OTHERS)
        return turns.count(path) < WAITING_PER_SOURCE_MAX

    def add(self, candidate: Candidate) -> None:
        """Take one for the first of its topics; nothing limits one that the user named."""
        if candidate.pinned:
            candidate.path = None, None, None
        else:
            candidate.path = min(candidate.topics), candidate.source, candidate.block
        candidate.level = candidate.priority
        self._levels[candidate.level].add(candidate.path, candidate)

    def discard(self, candidate: Candidate) -> None:
        """Take out this one."""
        self._levels[candidate.level].discard(candidate.path, candidate)

    def remove(self, topic: bytes) -> list[Candidate]:
        """Take out all that were added for a topic."""
        return [one for turns in self._levels.values() for one in turns.remove(topic)]

    def take(self, may: Callable[[Path], bool], *, lowest_first: bool) -> Candidate | None:
        """Take whose turn it is.

        Args:
            may: whether anybody below a path of topic, who told and network may be taken.
            lowest_first: begin at the lowest priority.
        """
        for level in reversed(_LEVELS) if lowest_first else _LEVELS:
            found = self._levels[level].take(self._randomness, may)
            if found is not None:
                return found
        return None

    def take_superfluous(self) -> Candidate | None:
        """Take one of the least promising, to make room: who has told of most, loses first."""
        for level in _HOPELESS:
            loser = self._levels[level].take_from_largest(self._randomness)
            if loser is not None:
                return loser
        return None
