"""Words out of names, summaries and queries: the same way for the index and for who asks it.

All functions are pure, and their cost is linear in the text's length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

WORD_CHARACTERS_MAX: Final = 64
"""Longer words are cut; nobody types them, and they would bloat the index."""

STEMS_CACHED: Final = 100_000
"""Words whose stems are remembered."""

STOPWORDS: Final = frozenset(
    """
    a an and are as at be by can for from in into is it its js node nodejs npm of on or package
    that the this to up use used using via when which with you your
    """.split()  # noqa: SIM905 - a list of forty quoted words reads worse
)
"""Words that say little about a package; they count less, and need not match."""

_WORD: Final = re.compile(r"[^\W_]+")
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_SQUASHED: Final = re.compile(r"[^a-z0-9]+")
_IDEOGRAMS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_SIBILANT_PLURAL: Final = re.compile(r"(?:ss|sh|ch|x|zz)es$")
_VOWEL: Final = re.compile(r"[aeiouy]")

_WHOLE: Final = {
    "utils": "util", "utility": "util", "utilities": "util", "libs": "lib",
    "library": "lib", "libraries": "lib", "less": "less", "redis": "redis", "https": "https",
    "series": "series", "news": "news", "during": "during", "css": "css",
    "kubernetes": "kubernetes", "conversion": "convert", "conversions": "convert",
    "comparison": "compar", "comparisons": "compar", "resolution": "resolv", "built": "build",
    "written": "writ", "found": "find", "children": "child", "indices": "index",
    "matrices": "matrix", "vertices": "vertex", "analysis": "analyz", "analyses": "analyz",
    "analyse": "analyz", "analyser": "analyz", "visualisation": "visual", "chosen": "choos",
}  # fmt: skip
"""Words that the rules below would cut wrongly, or not at all."""

_ENDINGS: Final = (
    ("izations", 3), ("ization", 3), ("ations", 4), ("ation", 4), ("ators", 4), ("ator", 4),
    ("izing", 3), ("izers", 3), ("izer", 3), ("ized", 3), ("izes", 3), ("ize", 3),
    ("ating", 4), ("ated", 4), ("ates", 4), ("ate", 4),
    ("ings", 3), ("ing", 3), ("ions", 3), ("ion", 3), ("tors", 3), ("tor", 3),
    ("sors", 4), ("sor", 4), ("ers", 3), ("er", 3), ("ed", 3),
    ("ments", 4), ("ment", 4), ("ly", 4),
)  # fmt: skip
"""Endings with the fewest letters that must remain, longest first within a family."""

_KEPT: Final = {"tor": 1, "tors": 1, "sor": 1, "sors": 1}
"""Letters of an ending that belong to the stem: edi-t-or."""


def plain(text: str) -> str:
    """Lower case without accents; what is no text (control, half a surrogate) becomes a space."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text).lower()
    kept = (" " if unicodedata.category(c) in {"Cc", "Cs"} else c for c in parts)
    return unicodedata.normalize("NFC", "".join(c for c in kept if not unicodedata.combining(c)))


def words(text: str) -> list[str]:
    """The words of a text in order. Ideograms have no spaces: each pair of them is a word."""
    text = plain(text)
    if text.isascii():
        return [word[:WORD_CHARACTERS_MAX] for word in _ASCII_WORD.findall(text)]
    found: list[str] = []
    for word in _WORD.findall(_IDEOGRAMS.sub(lambda run: f" {run[0]} ", text)):
        if _IDEOGRAMS.fullmatch(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        else:
            found.append(word[:WORD_CHARACTERS_MAX])
    return found


def name_words(name: str) -> list[str]:
    """The words of a name; humps part them too: ``fooBar`` is ``foo bar``."""
    return words(name if name.islower() else _HUMP.sub(" ", name))


def squash(text: str) -> str:
    """Letters and digits alone: what is left of ``socket.io`` when it is heard."""
    return _NOT_SQUASHED.sub("", plain(text))


@lru_cache(STEMS_CACHED)
def stem(word: str) -> str:
    """A word without its inflection: parse, parser, parsing and parsed are one."""
    if (known := _WHOLE.get(word)) is not None:
        return known
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for _ in range(2):  # renderers: render-er, rend-er
        shorter = _without_ending(word)
        if shorter == word:
            break
        word = shorter
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def stems(found: list[str]) -> list[str]:
    """The stems of words, in order."""
    return [stem(word) for word in found]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if _SIBILANT_PLURAL.search(word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "sui" else word


def _without_ending(word: str) -> str:
    for ending, least in _ENDINGS:
        if not word.endswith(ending):
            continue
        rest = word[: len(word) - len(ending) + _KEPT.get(ending, 0)]
        if len(rest) >= least and _VOWEL.search(rest):
            return _single_consonant(rest)
    return word


def _single_consonant(rest: str) -> str:
    """``mapp`` (of mapping) is ``map``; ``pars`` and ``call`` stay."""
    if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "aeiouls":
        return rest[:-1]
    return rest
