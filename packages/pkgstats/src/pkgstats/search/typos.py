"""What was meant: names and words within a few edits of what was typed. Pure.

Two structures, since one alone is too large or too slow:

* *deletion neighbourhoods* for whole names: a name is filed under a hash of itself and of itself
  less each one letter. Two texts one edit apart (a letter more, less, another, or two swapped)
  share such a key, and so do many that are two edits apart. Keys lie in buckets, each one sorted
  blob, so that a look-up reads a handful of small rows.
* a *vocabulary* of the words that names consist of, by length: few enough to measure the distance
  to each. It finds what has two edits, and corrects each word of a long name by itself.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

SHORTEST: Final = 4
"""Letters of the shortest text that is corrected: all texts of three are neighbours."""

LONGEST: Final = 40
"""Letters of the longest text that has a neighbourhood."""

BUCKET_BITS: Final = 16
"""Buckets are numbered by the first bits of a key."""

ROW_BITS: Final = 22
"""Bits of a row's number in an entry; the others hold further bits of the key."""

_BUCKET_SHIFT: Final = 32 - BUCKET_BITS
_ROW_MASK: Final = (1 << ROW_BITS) - 1
_REST_SHIFT: Final = BUCKET_BITS + ROW_BITS - 32
_REST_MASK: Final = (1 << 32) - 1 & ~_ROW_MASK


class Correction(NamedTuple):
    """A word that may have been meant, and how many edits it is away."""

    word: str
    distance: int


def edits_allowed(length: int) -> int:
    """How many edits a text of that many letters may be away."""
    if length < SHORTEST:
        return 0
    return 1 if length < 8 else 2


def distance(one: str, other: str, most: int) -> int:
    """Edits between two texts; ``most + 1`` when there are more than ``most``."""
    return OSA.distance(one, other, score_cutoff=most)


def neighbourhood(text: str) -> set[int]:
    """The 32-bit keys of a text; empty when it is too short or too long."""
    data = text.encode("utf-8", "replace")
    if not SHORTEST <= len(data) <= LONGEST:
        return set()
    crc32 = zlib.crc32
    keys = {crc32(data[:i] + data[i + 1 :]) for i in range(len(data))}
    keys.add(crc32(data))
    return keys


class Buckets:
    """Collects rows under the keys of their texts, and gives each bucket as one blob."""

    def __init__(self) -> None:
        self._buckets: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))

    def add(self, text: str, row: int) -> None:
        """File a row under all keys of a text; not one whose number is too large."""
        if row > _ROW_MASK:
            return
        buckets = self._buckets
        for key in neighbourhood(text):
            buckets[key >> _BUCKET_SHIFT].append(key << _REST_SHIFT & _REST_MASK | row)

    def load(self, bucket: int, blob: bytes) -> None:
        """Add what a bucket held before."""
        self._buckets[bucket].extend(_entries(blob))

    def touched(self) -> list[int]:
        """The buckets that hold something."""
        return sorted(self._buckets)

    def blobs(self) -> Iterator[tuple[int, bytes]]:
        """Buckets and their blobs, in order; each is let go when the next one is taken."""
        for bucket in self.touched():
            yield bucket, _blob(sorted(set(self._buckets.pop(bucket))))


def buckets_of(keys: Iterable[int]) -> set[int]:
    """In which buckets these keys lie."""
    return {key >> _BUCKET_SHIFT for key in keys}


def rows_in(blobs: Iterable[tuple[int, bytes]], keys: Iterable[int]) -> set[int]:
    """Rows that are filed under any of the keys, out of the buckets that hold them.

    Entries have 26 bits of a key, so that a few rows may be strangers.
    """
    entries = {bucket: _entries(blob) for bucket, blob in blobs}
    rows: set[int] = set()
    for key in keys:
        if (found := entries.get(key >> _BUCKET_SHIFT)) is None:
            continue
        rest = key << _REST_SHIFT & _REST_MASK
        first = bisect_left(found, rest)
        rows.update(
            entry & _ROW_MASK for entry in found[first : bisect_right(found, rest | _ROW_MASK)]
        )
    return rows


class Vocabulary:
    """Words that names consist of, and in how many names each stands.

    A word and its correction have the same first letter or the same last one: so a sixth of the
    words has to be looked at.
    """

    def __init__(self, counted: Iterable[tuple[str, int]]) -> None:
        self._names: dict[str, int] = {}
        self._groups: defaultdict[tuple[int, str, str], list[str]] = defaultdict(list)
        for word, names in counted:
            self._names[word] = names
            self._groups[len(word), word[0], ""].append(word)
            self._groups[len(word), "", word[-1]].append(word)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, word: str) -> bool:
        return word in self._names

    def corrections(self, word: str, limit: int = 3) -> list[Correction]:
        """Other words that may have been meant: the nearest first, of those the most common."""
        most = 0 if len(word) > LONGEST else edits_allowed(len(word) + 2)
        found: set[Correction] = set()
        for length in range(len(word) - most, len(word) + most + 1) if most else ():
            for group in ((length, word[0], ""), (length, "", word[-1])):
                near = process.extract(
                    word,
                    self._groups.get(group, ()),
                    scorer=OSA.distance,
                    score_cutoff=most,
                    limit=None,
                )
                found.update(Correction(other, int(edits)) for other, edits, _ in near if edits)
        order = sorted(found, key=lambda one: (one.distance, -self._names[one.word], one.word))
        return order[:limit]


class Vocabularies:
    """The vocabulary of one state of an index, for all threads: it takes some megabytes, and longer
    to make than most searches take."""

    def __init__(self) -> None:
        self._newest: tuple[Hashable, Vocabulary] | None = None

    def get(self, state: Hashable, counted: Callable[[], Iterable[tuple[str, int]]]) -> Vocabulary:
        """The vocabulary of a state, made of ``counted`` unless it is the last one that was."""
        known = self._newest  # one look: another thread may set it meanwhile
        if known is None or known[0] != state:
            known = self._newest = state, Vocabulary(counted())
        return known[1]


def _entries(blob: bytes) -> array[int]:
    entries = array("I")
    entries.frombytes(blob)
    if sys.byteorder == "big":
        entries.byteswap()
    return entries


def _blob(entries: Iterable[int]) -> bytes:
    packed = array("I", entries)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
