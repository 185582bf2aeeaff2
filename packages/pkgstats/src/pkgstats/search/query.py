"""What can be asked, and how it is written. Pure; `pkgstats.search.parse` reads it.

::

    react table                words that a package has in its name, summary or keywords
    "rate limiting"            words side by side
    -word  -"two words"        packages without them
    @USER  ~USER               the scope of that name, and what a user of that name maintains
    pkg:NAME                   the package of that name
    scope:types  maintainer:USER  license:mit  dep:react  keywords:csv
    keywords:a,b  keywords:a+b  keywords:a,-c      one of them; both; one but not the other
    is:deprecated  not:types   also esm, hidden, scoped, unstable
    downloads:>1e6  downloads:1k..10k              a month
    updated:<90d  updated:>2026-01-31              how long ago, or since when
    sort:downloads             also growth, name, updated; without it the best come first
    at:2026-01-31              the view of that day

A word before a colon that is none of these is text: ``node:fs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH: Final = date(1970, 1, 1)
"""Days are counted from this one."""

SORTS: Final = ("downloads", "growth", "name", "updated")
"""What ``sort:`` takes."""


class QueryError(ValueError):
    """A query that cannot be answered, and where in it the trouble lies.

    Attributes:
        sentence: what is wrong.
        offset, length: the part of the query, in characters.
        suggestion: what to write there instead; may be empty.
    """

    def __init__(self, sentence: str, offset: int, length: int, suggestion: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.offset = offset
        self.length = length
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Filter:
    """An exact property that packages must have, or must not have.

    Attributes:
        field: ``scope``, ``maintainer``, ``person`` (one of these two), ``keywords``,
            ``license``, ``dep`` or ``is``.
        values: one of them is enough.
        wanted: False: none of them.
    """

    field: str
    values: tuple[str, ...]
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers from ``low`` to ``high``, both included; None: no limit."""

    low: int | None = None
    high: int | None = None

    def __contains__(self, number: int) -> bool:
        return (self.low is None or self.low <= number) and (
            self.high is None or number <= self.high
        )


ANY: Final = Range()
"""All numbers."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked.

    Attributes:
        text: the free text, as it was typed.
        phrases: words that must stand side by side; they stand in ``text``, too.
        without: words (or words side by side) that must not stand there.
        package: the name of the one package that is asked for.
        filters: exact properties; all of them must hold.
        downloads: a month.
        age: days since the package was modified.
        modified: the day when it was, counted from 1970-01-01.
        sort: one of `SORTS`; None: best first.
        at: the day whose view is asked for, counted as above.
    """

    text: str = ""
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    package: str | None = None
    filters: tuple[Filter, ...] = ()
    downloads: Range = ANY
    age: Range = ANY
    modified: Range = ANY
    sort: str | None = None
    at: int | None = None

    @property
    def person(self) -> str | None:
        """Whom ``@USER`` or ``~USER`` asks for: a scope or a maintainer."""
        return next((one.values[0] for one in self.filters if one.field == "person"), None)


def to_text(query: Query) -> str:
    """The query as it could have been typed; parsing it gives the same query."""
    parts = [query.text] if query.text else []
    parts += [f"-{_phrase(words)}" for words in query.without]
    if query.package is not None:
        parts.append(f"pkg:{_quoted(query.package)}")
    parts += [_filter_text(one) for one in query.filters]
    parts += _range_texts("downloads", query.downloads, str)
    parts += _range_texts("updated", query.age, lambda days: f"{days}d")
    parts += _range_texts("updated", query.modified, _date)
    if query.sort is not None:
        parts.append(f"sort:{query.sort}")
    if query.at is not None:
        parts.append(f"at:{_date(query.at)}")
    return " ".join(parts)


def _filter_text(one: Filter) -> str:
    values = ",".join(map(_quoted, one.values))
    if one.field == "person":
        return f"@{values}"
    if one.field == "is":
        return f"{'is' if one.wanted else 'not'}:{values}"
    return f"{'' if one.wanted else '-'}{one.field}:{values}"


def _range_texts(name: str, numbers: Range, show: Callable[[int], str]) -> list[str]:
    found = [] if numbers.low is None else [f"{name}:>={show(numbers.low)}"]
    return found if numbers.high is None else [*found, f"{name}:<={show(numbers.high)}"]


def _date(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _phrase(words: str) -> str:
    return f'"{words}"' if " " in words else words


def _quoted(value: str) -> str:
    return f'"{value}"' if value.startswith("-") or set(value) & set(" ,+") else value
