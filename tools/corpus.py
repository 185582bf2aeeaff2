"""Make a list of npm packages that do not exist, of any length, in the shape of the real one.

    .venv/bin/python tools/corpus.py ROWS [--seed N] [--out FILE]

It has the columns of npm lists (name, version, downloads a month, summary), the most downloaded
first, and is written row by row. The same seed gives the same rows, and a shorter list is the
beginning of a longer one. What the real list was measured to be like is in the constants.
"""

from __future__ import annotations

import argparse
import math
import sys
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import IO, TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS = "name\tversion\tdownloads_a_month\tsummary"

CURVE = (
    (1, 2.4e9), (10, 1.5e9), (100, 5.2e8), (1_000, 1.37e8), (2_270, 4.67e7), (10_000, 2.72e6),
    (22_700, 3.93e5), (50_000, 5.3e4), (113_000, 4_675), (170_000, 1_261), (226_974, 480),
    (3_500_000, 3),
)  # fmt: skip
"""Rank and downloads a month. Measured, but for the last: the long tail is hardly downloaded."""

SCOPED = 0.495
"""Share of scoped names."""

NAME_WORDS = (0.247, 0.372, 0.255, 0.091, 0.026, 0.009)
"""Shares of names with one, two, … words, the scope aside."""

FIRST_SCOPE = 0.065
"""Share of the scoped names that are in the largest scope."""

SCOPES_PER_ROOT = 66
"""Scopes of ``rows`` packages: this times the square root of ``rows``."""

VOCABULARY_PER_ROOT = 150
"""Words in so many names, likewise."""

SEPARATORS = ("-",) * 96 + (".",) * 3 + ("_",)
EMPTY, STOCK, FAMILY, CJK, MARKUP, DEPRECATED = 0.132, 0.03, 0.09, 0.006, 0.004, 0.0013
"""Shares of summaries: none; that of strangers; that of a family; and so on."""

SUMMARY_MAX = 160
"""Characters after which summaries are cut."""

COMMON = """
react types node core utils plugin client api cli config loader vue parser server test css js
data icons json typescript common next babel webpack eslint sdk stream http style build runtime
component web path async file string array cache tools log format auth token event hooks color map
schema query router view date time queue proxy socket table form state store crypto hash buffer
image font text markdown html xml yaml csv tree graph chart math random uuid url regex glob watch
process worker thread pool retry limit rate debounce promise callback iterator type check validate
transform render template theme layout grid button input select modal toast menu tab drag scroll
""".split()  # noqa: SIM905 - a list of a hundred quoted words reads worse
"""The most used words in names; rarer ones are made of syllables."""

LITTLE = "a for the and to of in with your is that from on by an".split()  # noqa: SIM905
"""Words between the others in sentences."""

STOCK_SUMMARIES = (
    "> To be described", "A small library", "My first package", "Shared configuration",
    "Internal helpers", "This package is not maintained any more", "Placeholder", "Starter kit",
)  # fmt: skip

SEEN_BITS = 1 << 27
"""Bits that remember which names were given: 16 MiB, and few are thought given by mistake."""

_ONSETS = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr".split()  # noqa: SIM905
_RHYMES = "a e i o u an en in on ar er or al el as us ix ex ut ock".split()  # noqa: SIM905
_SYLLABLES = [onset + rhyme for onset in _ONSETS for rhyme in _RHYMES]
_LENGTHS = list(accumulate(NAME_WORDS))
_RANKS = [rank for rank, _ in CURVE]


class Row(NamedTuple):
    """One package."""

    name: str
    version: str
    downloads: int
    summary: str


def corpus(rows: int, seed: int = 1) -> Iterator[Row]:
    """The first ``rows`` packages of the registry with this seed, the most downloaded first."""
    chance, seen = Random(seed), _Seen()  # noqa: S311 - the same every time, that is the point
    for rank in range(1, rows + 1):
        size = 1000 + math.isqrt(rank) * VOCABULARY_PER_ROOT
        scope, family, bare = _name(chance, rank, size)
        while not seen.add(name := f"{scope}{bare}"):
            bare += f"-{word(_zipf(chance, size, 5))}"
        summary = _summary(chance, scope or family, bare, size)
        yield Row(name, _version(chance), downloads_at(rank), summary)


def downloads_at(rank: int) -> int:
    """Downloads a month of the package of that rank: a line between the points of `CURVE`."""
    place = min(max(1, bisect_right(_RANKS, rank)), len(CURVE) - 1)
    (low, more), (high, fewer) = CURVE[place - 1], CURVE[place]
    share = math.log(rank / low) / math.log(high / low)
    return max(1, round(math.exp(math.log(more) + share * math.log(fewer / more))))


def word(number: int) -> str:
    """The word of that rank of use; hardly any two numbers have the same."""
    if number < len(COMMON):
        return COMMON[number]
    number += len(_SYLLABLES) - len(COMMON)  # at least two syllables
    text, before = "", 0
    while number >= 0:
        number, digit = divmod(number, len(_SYLLABLES))
        before = (digit * 7 + before * 11) % len(_SYLLABLES)  # so that neighbours look different
        text, number = text + _SYLLABLES[before], number - 1
    return text


def write(rows: Iterator[Row], target: IO[str]) -> None:
    """Write a list as npm lists are: tab-separated, the columns named in the first line."""
    target.write(f"{COLUMNS}\n")
    for row in rows:
        target.write(f"{row.name}\t{row.version}\t{row.downloads}\t{row.summary}\n")


class _Seen:
    """Which names were given, in memory that does not grow.

    It never takes a name for new that is not; a new one that it takes for old gets one word more.
    """

    def __init__(self) -> None:
        self._bits = bytearray(SEEN_BITS // 8)

    def add(self, name: str) -> bool:
        """Note a name; returns whether it is new."""
        data = name.encode()
        first, step = crc32(data), crc32(data, 0x9E3779B9) | 1
        new = False
        for turn in range(3):
            byte, bit = divmod((first + turn * step) % SEEN_BITS, 8)
            new |= not self._bits[byte] >> bit & 1
            self._bits[byte] |= 1 << bit
        return new


def _zipf(chance: Random, size: int, flat: int) -> int:
    """One of ``size`` numbers; number n comes about as often as 1 / (n + flat)."""
    return int(flat * ((size + flat) / flat) ** chance.random()) - flat


def _name(chance: Random, rank: int, size: int) -> tuple[str, str, str]:
    """Scope with its slash (or nothing), the word that the family shares, and the bare name."""
    scope = ""
    if chance.random() < SCOPED:
        scopes = 10 + math.isqrt(rank) * SCOPES_PER_ROOT
        number = 0 if chance.random() < FIRST_SCOPE else _zipf(chance, scopes, 20)
        scope = f"@{word(number * 3 + 1)}/"
    family = word(_zipf(chance, size, 3))
    further = bisect_right(_LENGTHS, chance.random() * _LENGTHS[-1])
    bare = family
    for _ in range(min(further, len(NAME_WORDS) - 1)):
        separator = SEPARATORS[int(chance.random() * len(SEPARATORS))]
        bare += separator + word(_zipf(chance, size, 5))
    return scope, family, bare


def _version(chance: Random) -> str:
    numbers = (int(chance.expovariate(1 / mean)) for mean in (2.5, 6, 8))
    version = ".".join(map(str, numbers))
    return version if chance.random() > 0.02 else f"{version}-beta.{int(chance.random() * 20)}"


def _summary(chance: Random, family: str, bare: str, size: int) -> str:
    kind = chance.random()
    for share, make in _SUMMARIES:
        if kind < share:
            return make(chance, family, bare)[:SUMMARY_MAX]
        kind -= share
    found = []
    for turn in range(int(3 + 20 * chance.random() ** 2.2)):
        rare = turn % 3 != 1
        found.append(word(_zipf(chance, size, 3)) if rare else LITTLE[_zipf(chance, 15, 2)])
    text = " ".join(found)
    return f"{text[:1].upper()}{text[1:]}"[:SUMMARY_MAX]


def _cjk(chance: Random, _family: str, bare: str) -> str:
    letters = "".join(chr(0x4E00 + _zipf(chance, 3000, 20)) for _ in range(8))
    return f"{letters}{bare}\u7684{letters[:3]}"


_SUMMARIES: tuple[tuple[float, Callable[[Random, str, str], str]], ...] = (
    (EMPTY, lambda _chance, _family, _bare: ""),
    (STOCK, lambda chance, _family, _bare: chance.choice(STOCK_SUMMARIES)),
    (FAMILY, lambda _chance, family, _bare: f"Part of the {family.strip('@/')} toolkit"),
    (CJK, _cjk),
    (MARKUP, lambda _chance, family, bare: f"<b>{bare}</b>, see [{family}](#{bare})"),
    (DEPRECATED, lambda _chance, family, _bare: f"Deprecated, use {family} instead"),
)
"""Summaries that are no sentences of their own: their shares, and how they are made."""


def main(arguments: list[str] | None = None) -> None:
    """Write a list to a file or to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", type=int, help="packages")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other packages")
    parser.add_argument("--out", type=Path, help="file; without it, standard output")
    options = parser.parse_args(arguments)
    if options.out is None:
        write(corpus(options.rows, options.seed), sys.stdout)
        return
    with options.out.open("w", encoding="utf-8", newline="") as target:
        write(corpus(options.rows, options.seed), target)


if __name__ == "__main__":
    main()
