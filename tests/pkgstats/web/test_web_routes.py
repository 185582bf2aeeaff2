"""Who answers for an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.web.routes import OTHERS, PAGES

if TYPE_CHECKING:
    import httpx

PATHS = [path for path, _ in (*PAGES, *OTHERS)]


def test_no_address_has_two_answers() -> None:
    assert len(PATHS) == len(set(PATHS))


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/package/react", "react"),
        ("/package/@types/react", "@types/react"),
        ("/package/@types%2Freact", "@types/react"),
        ("/package/package%2Ejson", "package.json"),
    ],
)
async def test_a_name_is_found_however_it_is_written(
    http: httpx.AsyncClient, path: str, start: str
) -> None:
    assert f"<title>{start} " in (await http.get(path)).text
    told = (await http.get(path + ".json")).json()
    assert told["package"]["name"] == start


@pytest.mark.parametrize("path", ["/package", "/package/a/b", "/package/@a", "/packages", "/api"])
async def test_there_is_nothing_at_other_addresses(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


async def test_what_is_for_programs_is_wrong_in_their_language(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/search?q=sort:x")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("After sort:")
