from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.web.bounds import PAGE_MAX, SIZE_MAX

if TYPE_CHECKING:
    import httpx


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return [one["name"] for one in answer.json()["results"]]


async def test_the_exact_name_comes_first(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search", params={"q": "left-pad", "size": "10"})
    told = answer.json()
    assert names(answer)[0] == told["exact"] == "left-pad"
    assert (told["size"], told["page"]) == (10, 1)
    assert told["results"][0]["downloads"] == 5_000_000
    assert "explain" not in told["results"][0]


async def test_why_it_does_is_told_if_asked(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search", params={"q": "reads csv", "explain": "1"})
    first = answer.json()["results"][0]
    assert sum(part["points"] for part in first["explain"]) == pytest.approx(first["score"])


async def test_pages_follow_each_other(http: httpx.AsyncClient) -> None:
    found = [
        *names(await http.get("/api/search?q=csv&size=1")),
        *names(await http.get("/api/search?q=csv&size=1&page=2")),
    ]
    assert found == names(await http.get("/api/search?q=csv&size=2"))


async def test_no_query_finds_nothing(http: httpx.AsyncClient) -> None:
    assert names(await http.get("/api/search")) == []


async def test_what_makes_no_sense_is_told_with_its_place(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search", params={"q": "pad sort:nme"})
    told = answer.json()
    assert answer.status_code == 400
    assert "pad sort:nme"[told["offset"] :][: told["length"]] == "nme"


@pytest.mark.parametrize(
    "query", ["size=0", f"size={SIZE_MAX + 1}", "size=x", "size=٣", f"page={PAGE_MAX + 1}"]
)
async def test_numbers_out_of_bounds_are_refused(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/api/search?q=pad&{query}")
    assert answer.status_code == 400
    assert "whole number" in answer.json()["error"]
