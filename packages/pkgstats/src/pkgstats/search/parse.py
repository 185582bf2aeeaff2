"""Reads queries; `pkgstats.search.query` shows what they look like. Pure, and linear in length."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from pkgstats.search.documents import MARKS
from pkgstats.search.query import EPOCH, SORTS, Filter, Query, QueryError, Range
from pkgstats.search.terms import TERMS_MAX
from pkgstats.search.text import name_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHARACTERS_MAX: Final = 1000
"""Characters of a query."""

FILTERS_MAX: Final = 24
"""Filters of a query, and words that must not stand there."""

VALUES_MAX: Final = 16
"""Values of one filter."""

NUMBER_MAX: Final = 2**53 - 1
"""Largest number of downloads that can be asked for."""

_PART: Final = re.compile(
    r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"|(?P<field>[A-Za-z]+):(?P<value>(?:"[^"]*"|[^\s"])*)'
    r"|(?P<word>\S+))"
)
_PERSON: Final = re.compile(r"[@~]([^\s@~/]+)")
_ITEM: Final = re.compile(r'(?:"[^"]*"|[^,"])+')
_TOGETHER: Final = re.compile(r'(?<=[^+])\+(?=[^+])(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""A plus that is not within quotation marks, nor part of ``c++``."""

_COMPARED: Final = re.compile(r"(>=|<=|>|<|=)?(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"(\d{1,16}(?:\.\d{1,6})?)(?:e(\d{1,2}))?([kmg]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_AGE: Final = re.compile(r"(\d{1,5})([dwmy])", re.IGNORECASE)
_AGE_DAYS: Final = {"d": 1, "w": 7, "m": 30, "y": 365}
_ALIASES: Final = {
    "licence": "license", "keyword": "keywords", "depends": "dep", "package": "pkg",
    "user": "maintainer", "author": "maintainer",
}  # fmt: skip


class _Part(NamedTuple):
    """A part of a query: where it stands, and what it may be."""

    source: str
    offset: int
    negative: bool
    field: str
    value: str
    value_offset: int

    def error(self, sentence: str, suggestion: str = "") -> QueryError:
        """The whole part is wrong."""
        return QueryError(sentence, self.offset, len(self.source), suggestion)

    def value_error(self, sentence: str, suggestion: str = "") -> QueryError:
        """What stands after the colon is wrong."""
        return QueryError(sentence, self.value_offset, max(1, len(self.value)), suggestion)


class Place(NamedTuple):
    """Where a filter, an order or a day stands in a query.

    Attributes:
        field: its name, without the other ways to write it.
        value: as it was typed.
        negative: a minus stands before it.
        start, stop: of the whole, in characters.
    """

    field: str
    value: str
    negative: bool
    start: int
    stop: int


def places(source: str) -> list[Place]:
    """All ``field:value`` of a query, in order; whether the values make sense is not looked at.

    Raises:
        QueryError: there is no such field, or a quotation mark has no other one.
    """
    return [
        Place(one.field, one.value, one.negative, one.offset, one.offset + len(one.source))
        for one in _parts(_readable(source))
        if one.field
    ]


def parse(source: str) -> Query:
    """Read a query.

    Raises:
        QueryError: it is too long, or a part of it makes no sense; nothing else is raised.
    """
    if len(source) > CHARACTERS_MAX:
        sentence = f"A query has at most {CHARACTERS_MAX:,} characters; this has {len(source):,}."
        raise QueryError(sentence, CHARACTERS_MAX, len(source) - CHARACTERS_MAX)
    query = Query()
    text: list[str] = []
    for part in _parts(_readable(source)):
        if part.field:
            query = _FIELDS[part.field](query, part)
        elif part.negative:
            query = _without(query, part)
        elif part.source.startswith('"'):
            query = replace(query, phrases=(*query.phrases, part.value))
            text.append(part.source)
        elif (person := _PERSON.fullmatch(part.source)) is not None:
            query = _add(query, part, Filter("person", (person[1].lower(),)))
        else:
            text.append(part.source)
    typed = " ".join(text)
    if len(name_words(typed)) > TERMS_MAX:
        sentence = f"A query has at most {TERMS_MAX} words; this has more."
        raise QueryError(sentence, 0, len(source))
    return replace(query, text=typed)


def _readable(source: str) -> str:
    """The query with a space for each character that cannot be shown, at the same offsets."""
    return "".join(c if c.isprintable() else " " for c in source)


def _parts(source: str) -> Iterator[_Part]:
    for match in _PART.finditer(source):
        part = _part(match)
        if part.source.lstrip("-").startswith('"') and match["phrase"] is None:
            raise part.error("This quotation mark has no other one.", f'{part.source}"')
        yield part


def _part(match: re.Match[str]) -> _Part:
    """What a match is; what looks like a field and is none is text."""
    source, offset, negative = match[0], match.start(), bool(match["minus"])
    if match["phrase"] is not None:
        return _Part(source, offset, negative, "", match["phrase"], match.start("phrase"))
    name = (match["field"] or "").lower()
    name = _ALIASES.get(name, name)
    if name in _FIELDS:
        return _Part(source, offset, negative, name, match["value"], match.start("value"))
    if name and match["value"] and (meant := _nearest(name, _FIELDS)):
        sentence = f"There is no {match['field']}: here."
        raise QueryError(sentence, match.start("field"), len(name) + 1, f"{meant}:")
    word = source[1:] if negative else source
    if negative and (not name_words(word) or word.startswith("-")):
        negative, word = False, source  # a line, or an option of a command
    return _Part(source, offset, negative, "", word, offset)


def _nearest(name: str, known: Iterable[str]) -> str:
    """What may have been meant: one typo away."""
    near = process.extractOne(name, tuple(known), scorer=OSA.distance, score_cutoff=1)
    return near[0] if near and min(len(name), len(near[0])) > 3 else ""


def _add(query: Query, part: _Part, *filters: Filter) -> Query:
    if len(query.filters) + len(query.without) + len(filters) > FILTERS_MAX:
        raise part.error(f"A query has at most {FILTERS_MAX} filters; this is one too many.")
    return replace(query, filters=(*query.filters, *filters))


def _without(query: Query, part: _Part) -> Query:
    _add(query, part, Filter("", ()))  # counts as one
    return replace(query, without=(*query.without, part.value))


def _filter(query: Query, part: _Part) -> Query:
    """``field:a``, ``field:a,b`` (one of them), ``keywords:a+b`` (both), ``field:a,-b``."""
    some: list[str] = []
    filters: list[Filter] = []
    for item in _ITEM.findall(part.value.lower()):
        value = item.strip('"')
        if not value.strip("-+"):
            raise part.value_error(f"After {part.field}: a value is missing.")
        together = _TOGETHER.split(item) if part.field == "keywords" else [value]
        if item.startswith("-"):
            filters.append(Filter(part.field, (value[1:].strip('"'),), part.negative))
        elif len(together) > 1:
            filters += [
                Filter(part.field, (one.strip('"'),), not part.negative) for one in together
            ]
        else:
            some.append(value)
    if not some and not filters:
        raise part.value_error(f"After {part.field}: a value is missing.")
    if len(some) > VALUES_MAX:
        raise part.value_error(f"A filter takes at most {VALUES_MAX} values.")
    if some:
        filters.insert(0, Filter(part.field, tuple(some), not part.negative))
    return _add(query, part, *filters)


def _scope(query: Query, part: _Part) -> Query:
    value = part.value.replace("@", "").rstrip("/")
    return _filter(query, part._replace(value=value))


def _mark(query: Query, part: _Part) -> Query:
    """``is:`` and ``not:``."""
    mark = part.value.lower()
    if mark not in MARKS:
        meant = _nearest(mark, MARKS)
        raise part.value_error(f"After {part.field}: stands one of {', '.join(MARKS)}.", meant)
    wanted = (part.field == "is") is not part.negative
    return _add(query, part, Filter("is", (mark,), wanted))


def _package(query: Query, part: _Part) -> Query:
    name = part.value.strip('"')
    if not name or part.negative:
        raise part.error("After pkg: stands the name of a package.")
    return replace(query, package=name)


def _sort(query: Query, part: _Part) -> Query:
    order = part.value.lower()
    if order not in SORTS or part.negative:
        meant = _nearest(order, SORTS)
        raise part.value_error(f"After sort: stands one of {', '.join(SORTS)}.", meant)
    return replace(query, sort=order)


def _at(query: Query, part: _Part) -> Query:
    return replace(query, at=_date(part, part.value))


def _downloads(query: Query, part: _Part) -> Query:
    """A number alone means: so many or more."""
    found = _range(part, lambda text: _number(part, text), ">=")
    return replace(query, downloads=_narrower(query.downloads, found))


def _updated(query: Query, part: _Part) -> Query:
    """An age, or a date; an age alone means: no longer ago."""
    if re.search(r"[dwmy]$", part.value, re.IGNORECASE):
        found = _range(part, lambda text: _age(part, text), "<=", step=0)
        return replace(query, age=_narrower(query.age, found))
    found = _range(part, lambda text: _date(part, text), ">=")
    return replace(query, modified=_narrower(query.modified, found))


def _range(part: _Part, read: Callable[[str], int], alone: str, step: int = 1) -> Range:
    """``>1``, ``>=1``, ``<1``, ``<=1``, ``=1``, ``1..2``, or ``1``, for which see ``alone``."""
    if part.negative:
        raise part.error(f"{part.field}: cannot be turned round; use < or >.")
    low, dots, high = part.value.partition("..")
    if dots:
        return Range(read(low), read(high))
    compared = _COMPARED.fullmatch(part.value)
    assert compared is not None, "it matches any text"
    number = read(compared[2])
    match compared[1] or alone:
        case ">":
            return Range(low=number + step)
        case ">=":
            return Range(low=number)
        case "<":
            return Range(high=number - step)
        case "<=":
            return Range(high=number)
        case _:
            return Range(number, number)


def _narrower(one: Range, other: Range) -> Range:
    """What is in both."""
    lows = [number for number in (one.low, other.low) if number is not None]
    highs = [number for number in (one.high, other.high) if number is not None]
    return Range(max(lows, default=None), min(highs, default=None))


def _number(part: _Part, text: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise part.value_error("Here a number is expected, like >1e6 or 10k..50k.", ">1000")
    number = float(match[1]) * 10 ** int(match[2] or 0) * _UNITS[match[3].lower()]
    if number > NUMBER_MAX:
        raise part.value_error("This number is too large.")
    return int(number)


def _age(part: _Part, text: str) -> int:
    match = _AGE.fullmatch(text)
    if match is None:
        raise part.value_error("Here an age is expected, like <90d, <6m or >1y.", "<90d")
    return int(match[1]) * _AGE_DAYS[match[2].lower()]


def _date(part: _Part, text: str) -> int:
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError:
        raise part.value_error("Here a day is expected, like 2026-01-31.") from None


_FIELDS: Final[dict[str, Callable[[Query, _Part], Query]]] = {
    "at": _at, "dep": _filter, "downloads": _downloads, "is": _mark, "keywords": _filter,
    "license": _filter, "maintainer": _filter, "not": _mark, "pkg": _package, "scope": _scope,
    "sort": _sort, "updated": _updated,
}  # fmt: skip
"""What may stand before a colon, and who reads it."""
