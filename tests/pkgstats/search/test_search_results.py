from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pkgstats.search.documents import document
from pkgstats.search.query import Query
from pkgstats.search.ranking import Ranker
from pkgstats.search.results import Found, SearchResult
from pkgstats.search.terms import wanted

from .corpus import row_of

if TYPE_CHECKING:
    from pkgstats.search.documents import Document

ROWS = [document(number, row_of(f"a{number} 1.0.0 5")) for number in range(7)]


def pages(exact: Document | None, size: int) -> list[list[str]]:
    found = Found(exact, ROWS)
    cut = [found.page(Query(), (), size, number, 1) for number in range(1, 5)]
    assert all(page.exact is None for page in cut[1:])
    return [[hit.name for hit in page.hits] for page in cut]


def test_pages_follow_each_other() -> None:
    assert pages(None, 3) == [["a0", "a1", "a2"], ["a3", "a4", "a5"], ["a6"], []]


def test_the_exact_one_takes_the_first_place() -> None:
    exact = document(9, row_of("exact 1.0.0 5"))
    assert pages(exact, 3) == [["exact", "a0", "a1"], ["a2", "a3", "a4"], ["a5", "a6"], []]
    assert pages(exact, 1)[:3] == [["exact"], ["a0"], ["a1"]]


def page(found: Found) -> SearchResult:
    return found.page(Query(text="a1"), (), 10, 1, 5)


def test_a_result_says_all() -> None:
    result = page(Found(ROWS[1], ROWS[2:], more=True, did_you_mean="b", notes=["n"]))
    assert (result.total, result.more, result.did_you_mean) == (6, True, "b")
    assert (result.notes, result.generation, result.query.text) == (("n",), 5, "a1")
    assert result.hits[0].parts == ()
    assert result.hits[0].score == 0


def test_a_ranked_hit_explains_itself() -> None:
    ranker = Ranker(wanted("a1", lambda _: 1, 10))
    hit = page(Found(ROWS[1], [], ranker)).hits[0]
    assert hit.score == pytest.approx(ranker.score(ROWS[1]))
    assert math.isclose(hit.score, sum(part.points for part in hit.parts))
    sizes = [abs(part.points) for part in hit.parts]
    assert sizes == sorted(sizes, reverse=True)
