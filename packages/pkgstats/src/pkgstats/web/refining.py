"""Queries that narrow or sort another one: a term is added or taken, the rest stays. Pure.

A query is text that somebody typed; what is changed in it is cut out or put at its end, so that all
else stands as it was typed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pkgstats.search.parse import Place, places
from pkgstats.search.query import Filter, Query, to_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MARKS: Final = (
    ("without deprecated", "not:deprecated"),
    ("only deprecated", "is:deprecated"),
    ("with types", "is:types"),
    ("ES modules", "is:esm"),
)
"""What may be wanted together."""

ONE_OF: Final = (
    (
        "Downloads a month",
        (
            ("over 1k", "downloads:>1k"),
            ("over 100k", "downloads:>100k"),
            ("over 10M", "downloads:>10m"),
        ),
    ),
    (
        "Updated",
        (
            ("last 30 days", "updated:<30d"),
            ("last year", "updated:<1y"),
            ("longer ago", "updated:>1y"),
        ),
    ),
    (
        "Licence",
        (
            ("MIT", "license:mit"),
            ("Apache 2.0", "license:apache-2.0"),
            ("ISC", "license:isc"),
            ("BSD", "license:bsd-2-clause,bsd-3-clause"),
        ),
    ),
)
"""Of each of these one thing at a time is wanted."""

BEST: Final = "sort:best"
"""The order without any ``sort:``, as a button says it; no query has it."""

SORTS: Final = (
    ("best", BEST),
    ("downloads", "sort:downloads"),
    ("updated", "sort:updated"),
    ("growth", "sort:growth"),
    ("name", "sort:name"),
)
"""Orders; without one the best come first."""

FILTERS: Final = (("Packages", MARKS), *ONE_OF)
"""All that is offered beside a query."""

_MARKS: Final = frozenset(term for _, term in MARKS)
_NARROWING: Final = frozenset(term for _, some in FILTERS for _, term in some)
_ORDERS: Final = tuple(term for _, term in SORTS)

TERMS: Final = _NARROWING | set(_ORDERS)
"""What can be chosen."""

KEPT: Final = 64
"""Queries whose parts are remembered: each term that is offered is looked for in some of them."""


class _Term(NamedTuple):
    """What a part of a query says, however it was written: ``-is:x`` is ``not:x``."""

    field: str
    value: str
    wanted: bool


def terms_of(text: str) -> frozenset[str]:
    """Which of `TERMS` a query has; always one order.

    Raises:
        QueryError: see `pkgstats.search.parse.places`; no query that was answered has that.
    """
    if not _terms(text):  # as in most queries
        return frozenset((BEST,))
    order = next((one for one in _ORDERS if one != BEST and has(text, one)), BEST)
    return frozenset((order, *(one for one in _NARROWING if has(text, one))))


def narrows(terms: Collection[str]) -> bool:
    """Whether fewer packages are found because of these."""
    return not _NARROWING.isdisjoint(terms)


def refined(text: str, term: str) -> str:
    """The query after one of `TERMS` was chosen: with it, or without it if it had it.

    Raises:
        QueryError: see `terms_of`.
    """
    if term == BEST:
        return without(text, "sort")
    on = term in _NARROWING and has(text, term)
    return toggled(text, term) if on or term in _MARKS else chosen(text, term)


def has(text: str, term: str) -> bool:
    """Whether a query has this term, in whichever way it was written."""
    return _meant(term) in _terms(text)


def toggled(text: str, term: str) -> str:
    """The query with the term, and without its opposite; without the term if it has it."""
    meant = _meant(term)
    alike = [one for one in _places(text) if _term(one)[:2] == meant[:2]]
    cut = _cut(text, alike)
    return cut if has(text, term) else _with(cut, term)


def chosen(text: str, term: str) -> str:
    """The query with the term in place of all that it has of the same field."""
    return _with(without(text, _meant(term).field), term)


def without(text: str, field: str) -> str:
    """The query without all that it has of a field."""
    return _cut(text, [one for one in _places(text) if one.field == field])


def filtered(field: str, value: str) -> str:
    """The query for all packages that have this value: a keyword, a licence, a maintainer.

    Of a value that a query cannot ask for, being nothing but signs, it is the signs as text.
    """
    safe = "".join(one if one.isprintable() and one != '"' else " " for one in value.lower())
    safe = " ".join(safe.split())
    return to_text(Query(filters=(Filter(field, (safe,)),))) if safe.strip("-+ ") else safe


@lru_cache(KEPT)
def _places(text: str) -> tuple[Place, ...]:
    return tuple(places(text))


@lru_cache(KEPT)
def _terms(text: str) -> frozenset[_Term]:
    return frozenset(map(_term, _places(text)))


@lru_cache(KEPT)
def _meant(term: str) -> _Term:
    """What a query says that is this term alone."""
    (found,) = _terms(term)
    return found


def _term(place: Place) -> _Term:
    if place.field in ("is", "not"):
        return _Term("is", place.value.lower(), (place.field == "is") is not place.negative)
    return _Term(place.field, place.value.lower(), not place.negative)


def _cut(text: str, parts: Sequence[Place]) -> str:
    """The text without these parts, and without the space behind each."""
    if not parts:  # as in most queries
        return text.strip()
    for one in sorted(parts, reverse=True, key=lambda part: part.start):
        text = text[: one.start] + text[one.stop :].lstrip()
    return text.strip()


def _with(text: str, term: str) -> str:
    return f"{text} {term}".lstrip()
