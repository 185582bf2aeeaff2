"""Looking at earlier days: in the folder, through the door of who makes them, and by verbs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from pkgstats.cli import main
from pkgstats.indexer import now_ms
from pkgstats.past import BeingMadeError, PastError, Pasts, find
from pkgstats.past_making import PastMaker
from pkgstats.search.parse import parse
from pkgstats.web.control import door_of
from pkgstats.web.door import Door, NodeDoor
from pkgstats.web.server import listening, serving

from .two_days import AT_FIRST, AT_SECOND, FIRST, SECOND, filled_node

if TYPE_CHECKING:
    from pathlib import Path


async def test_who_has_no_feeds_asks_who_has_them(tmp_path: Path) -> None:
    async with (
        filled_node(tmp_path) as one,
        PastMaker(one, patience_s=30) as maker,
        serving(door_of(one, "secret", maker), listening(port=0)) as address,
        NodeDoor(Door(address, "secret")) as door,
    ):
        pasts = Pasts(tmp_path, door.past)
        for at, known in ((FIRST, AT_FIRST), (SECOND, AT_SECOND)):
            result = await pasts.search(parse("library"), at, size=20, page=1)
            assert {hit.name: (hit.version, hit.downloads) for hit in result.hits} == known
        maker._patience_s = 0
        with pytest.raises(BeingMadeError, match="2026-01-11 is being made"):
            await pasts.get(FIRST + 1)
        assert maker._making is not None
        await maker._making[1]
        maker._patience_s = 30
        with pytest.raises(PastError, match="nothing was known yet on 2026-01-09"):
            await pasts.get(FIRST - 1)


async def test_a_day_that_was_made_needs_nobody(tmp_path: Path) -> None:
    async def nobody(_: int) -> None:
        raise PastError("nobody is there")

    async with filled_node(tmp_path) as one, PastMaker(one) as maker:
        made = await maker.make(FIRST)
        pasts = Pasts(tmp_path, nobody)
        assert await pasts.get(FIRST) == made
        with pytest.raises(PastError, match="nobody is there"):
            await pasts.get(SECOND)
        for far in (now_ms() // 86_400_000 + 2, 10**12):
            with pytest.raises(PastError, match="still to come"):
                await pasts.get(far)
        for early in (-1, -(10**12)):
            with pytest.raises(PastError, match="before the first record"):
                await pasts.get(early)


async def test_the_door_makes_days_of_numbers_for_who_knows_the_secret(tmp_path: Path) -> None:
    headers = {"authorization": "Bearer secret"}
    async with filled_node(tmp_path) as one, PastMaker(one) as maker:
        transport = httpx.ASGITransport(door_of(one, "secret", maker))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            asked = {"day": str(FIRST), "wait": "1"}
            assert (await http.post("/control/past", params=asked)).status_code == 403
            answer = await http.post("/control/past", params=asked, headers=headers)
            assert answer.status_code == 200
            assert find(one.folder, FIRST)
            for wrong in ("", "x", "9" * 400, "-5", "99999999"):
                answer = await http.post("/control/past", params={"day": wrong}, headers=headers)
                assert answer.status_code == 400


# --- verbs


def invoke(folder: Path, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--data", str(folder), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    async def make() -> None:
        async with filled_node(tmp_path):
            pass

    asyncio.run(make())
    return tmp_path


def test_verbs_answer_of_a_day(folder: Path) -> None:
    for at, version in (("2026-01-10", "18.0.0"), ("2026-01-20", "19.0.0")):
        told = invoke(folder, "search", f"react at:{at}")
        assert told["results"][0]["version"] == version
        assert invoke(folder, "show", "react", "--at", at)["package"]["version"] == version
    assert invoke(folder, "show", "react")["package"]["version"] == "19.0.0"
    told = CliRunner().invoke(
        main, ["show", "brand-new", "--at", "2026-01-10", "--data", f"{folder}"]
    )
    assert told.exit_code == 1
    assert "nobody has told of this package" in told.stderr


def test_verbs_refuse_hostile_dates(folder: Path) -> None:
    assert "still to come" in invoke(folder, "search", "react at:9999-12-31", code=1)
    assert "before the first" in invoke(folder, "show", "react", "--at", "0001-01-01", code=1)
    assert "nothing was known" in invoke(folder, "show", "react", "--at", "2026-01-01", code=1)
    for wrong in ("yesterday", "2026-02-30", "../x", ""):
        assert "a day is expected" in invoke(folder, "show", "react", "--at", wrong, code=2)
