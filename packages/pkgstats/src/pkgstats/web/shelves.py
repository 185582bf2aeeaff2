"""Whole answers that are remembered, and forgotten when they take too much room."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

Key = tuple[bytes, bytes, bytes]
"""Scheme and host, path, and what stands behind the question mark."""

Header = tuple[bytes, bytes]

BYTES_MAX: Final = 16 << 20
"""Bytes that are remembered of pages without parameters, and as many of those with: who asks for
one search after the other drives out searches only."""

ANSWER_BYTES_MAX: Final = 1 << 20
"""Largest answer that is remembered."""

OVERHEAD_BYTES: Final = 1024
"""What an answer takes beside its bytes, at most."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    @property
    def tag(self) -> bytes:
        """Its ``ETag``; empty: it has none."""
        return next((value for name, value in self.headers if name == b"etag"), b"")

    @property
    def lasts(self) -> bool:
        """Whether it may be remembered."""
        return self.status == 200 and bool(self.tag) and len(self.body) <= ANSWER_BYTES_MAX


class Shelf:
    """Answers up to so many bytes; the one that was asked for least lately goes first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """Answers that are remembered."""
        return len(self._answers)

    def get(self, key: Key) -> Answer | None:
        """What was remembered for a key."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def put(self, key: Key, answer: Answer) -> None:
        """Remember an answer whose key is not remembered yet."""
        self._answers[key] = answer
        self.bytes += _cost(key, answer)
        while self.bytes > self._bytes_max:
            self.bytes -= _cost(*self._answers.popitem(last=False))

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()
        self.bytes = 0


class Shelves:
    """One shelf for addresses without parameters, and one for those with."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """Take the bytes of each."""
        self._bare, self._asked = Shelf(bytes_max), Shelf(bytes_max)

    @property
    def bytes(self) -> int:
        """Bytes that are remembered."""
        return self._bare.bytes + self._asked.bytes

    def get(self, key: Key) -> Answer | None:
        """What was remembered for a key."""
        return self._of(key).get(key)

    def put(self, key: Key, answer: Answer) -> None:
        """Remember an answer whose key is not remembered yet."""
        self._of(key).put(key, answer)

    def clear(self) -> None:
        """Forget all."""
        self._bare.clear()
        self._asked.clear()

    def _of(self, key: Key) -> Shelf:
        return self._asked if key[2] else self._bare


def _cost(key: Key, answer: Answer) -> int:
    return sum(map(len, key)) + len(answer.body) + OVERHEAD_BYTES
