"""Earlier days: two of them with their own facts, looked at from today."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from pkgstats import past
from pkgstats.cli import main
from pkgstats.group import Group
from pkgstats.indexer import now_ms
from pkgstats.listing import Row, index_records
from pkgstats.past import KEPT_MAX, BeingMadeError, PastError, Pasts, end_of
from pkgstats.records import counts
from pkgstats.records.codec import names_hash
from pkgstats.records.model import DayCounts, NamesBlock, Snapshot, VersionEvent
from pkgstats.search.parse import parse
from pkgstats.search.query import EPOCH
from pkgstats.view.reading import View
from pkgstats.web.app import application
from pkgstats.web.control import control_routes

from .nodes import fill, node, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pkgstats.node import Node


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


FIRST, SECOND = day("2026-01-10"), day("2026-01-20")

OLD = [Row("react", "18.0.0", 100, "a library"), Row("gone-later", "1.0.0", 90, "a library")]
NEW = [Row("react", "19.0.0", 300, "a library"), Row("brand-new", "0.1.0", 200, "a library")]


async def two_days(one: Node) -> bytes:
    """Facts of two days, each at the last moment of its day; returns the writer's key."""
    key = await fill(one, "me", OLD, now=end_of(FIRST))
    await fill(one, "me", NEW, now=end_of(SECOND))
    await one.index()
    return key


@asynccontextmanager
async def filled_node(folder: Path) -> AsyncIterator[Node]:
    async with node(folder, Group.create(folder), alone=True) as one:
        one.indexer._pause_s = 0
        await two_days(one)
        yield one


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Node]:
    async with filled_node(tmp_path) as opened:
        yield opened


@pytest.fixture
async def pasts(one: Node) -> AsyncIterator[Pasts]:
    async with Pasts(one, patience_s=30) as made:
        yield made


async def found(pasts: Pasts, text: str, at: int) -> dict[str, tuple[str, int]]:

    result = await pasts.search(parse(text), at, size=20, page=1)
    return {hit.name: (hit.version, hit.downloads) for hit in result.hits}


AT_FIRST = {"react": ("18.0.0", 100), "gone-later": ("1.0.0", 90)}
AT_SECOND = {"react": ("19.0.0", 300), "brand-new": ("0.1.0", 200), "gone-later": ("1.0.0", 90)}


async def test_each_day_is_as_it_was_at_its_end(pasts: Pasts) -> None:
    assert await found(pasts, "library", FIRST) == AT_FIRST
    assert await found(pasts, "library", SECOND - 1) == AT_FIRST
    assert await found(pasts, "library", SECOND) == AT_SECOND
    with View.open(await pasts.make(FIRST) / "view.db") as view:
        react = view.package("react")
        assert react is not None
        assert (react.version, react.observed_at) == ("18.0.0", end_of(FIRST))
        assert view.package("brand-new") is None


async def test_it_is_the_view_of_who_stopped_reading_then(one: Node, tmp_path: Path) -> None:
    """What was observed later makes no difference."""
    other = tmp_path / "other"
    other.mkdir()
    async with Pasts(one) as pasts:
        with View.open(await pasts.make(FIRST) / "view.db") as view:
            of_all = [row[:5] for row in view.listing_rows()]
    async with node(other, Group.create(other), alone=True) as then:
        await fill(then, "me", OLD, now=end_of(FIRST))
        await then.catch_up()
        with View.open(then.view_path) as view:
            assert [row[:5] for row in view.listing_rows()] == of_all


async def test_nothing_of_the_present_view_changes(one: Node, pasts: Pasts) -> None:
    def present() -> tuple[str, int, bytes]:
        with View.open(one.view_path) as view:
            return view.identity, view.generation, view.view_hash()

    before = present()
    await pasts.make(FIRST)
    await pasts.make(SECOND)
    assert present() == before
    hits = (await one.search.search("library")).hits
    assert {hit.name: (hit.version, hit.downloads) for hit in hits} == AT_SECOND


async def test_all_kinds_of_facts_have_their_time(one: Node, pasts: Pasts) -> None:
    assert one.writer is not None
    for at, version in ((FIRST, "18.0.0"), (SECOND, "19.0.0")):
        await one.writer.append(
            [
                Snapshot(observed_at=end_of(at), name="react", version=version, keywords=("ui",)),
                VersionEvent(observed_at=end_of(at), name="react", version=version),
            ]
        )
    names = NamesBlock(observed_at=end_of(SECOND), names=("react",))
    told = DayCounts(
        observed_at=end_of(FIRST),
        names_ref=names_hash(names.names),
        first_day=FIRST - 1,
        span=1,
        counts=counts.pack([[7]]),
    )
    await one.writer.append([names])  # said later than the counts that stand on it
    await one.writer.append([told])
    await one.catch_up()
    with View.open(await pasts.make(FIRST) / "view.db") as view:
        assert [one.version for one in view.versions("react")] == ["18.0.0"]
        facts = view.package("react")
        assert facts is not None
        assert facts.snapshot is not None
        assert facts.snapshot.version == "18.0.0"
        assert [(one.day, one.count) for one in view.days("react")] == [(FIRST - 1, 7)]
    assert await found(pasts, "keywords:ui", FIRST) == {"react": ("18.0.0", 100)}


async def test_who_is_revoked_today_did_not_count_then(tmp_path: Path) -> None:
    def packages(one: Node) -> int:
        with View.open(one.view_path) as view:
            return view.counts().packages

    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    async with (
        node(tmp_path / "owner", group) as owner,
        node(tmp_path / "writer", Group(group.key), owner) as writer,
        Pasts(owner, patience_s=30) as pasts,
    ):
        owner.indexer._pause_s = 0
        key = await two_days(writer)
        own = [Row("mine", "1.0.0", 1, "a library")]
        await fill(owner, "owner", own, now=end_of(FIRST))
        await owner.admit(key)
        await until(owner, lambda: packages(owner) == 4)
        assert (await found(pasts, "library", FIRST)).keys() == {*AT_FIRST, "mine"}
        await owner.revoke(key, {})
        await until(owner, lambda: packages(owner) == 1)
        assert (await found(pasts, "library", FIRST)).keys() == {"mine"}
        await owner.admit(key)
        await until(owner, lambda: packages(owner) == 4)
        assert (await found(pasts, "library", FIRST)).keys() == {*AT_FIRST, "mine"}


async def test_whose_checks_were_wrong_does_not_count_then_either(one: Node, pasts: Pasts) -> None:
    assert await found(pasts, "library", FIRST) == AT_FIRST
    assert one.writer is not None
    for _ in range(100):
        await one.indexer.note_check(one.writer.key, wrong=True)
    await one.catch_up()
    with View.open(one.view_path) as view:
        assert view.counts().packages == 0
    with pytest.raises(PastError, match="nothing was known yet"):
        await pasts.get(FIRST)


async def test_a_day_is_made_once_and_read_on_when_there_is_more(one: Node, pasts: Pasts) -> None:
    folder = await pasts.make(FIRST)
    made = (folder / "made.json").stat().st_mtime_ns
    assert await pasts.make(FIRST) == folder
    assert (folder / "made.json").stat().st_mtime_ns == made
    with View.open(folder / "view.db") as view:
        identity = view.identity
    assert one.writer is not None
    late = [Row("seen-then", "1.0.0", 5, "a library")]
    await one.writer.append(index_records(late, observed_at=end_of(FIRST), source="list"))
    await one.catch_up()
    assert past.find(one.folder, FIRST) is None
    assert past.find(one.folder, FIRST, any_state=True) == folder
    assert (await found(pasts, "library", FIRST)).keys() == {*AT_FIRST, "seen-then"}
    with View.open(folder / "view.db") as view:
        assert view.identity == identity


async def test_so_many_days_are_kept_and_the_oldest_goes(one: Node, pasts: Pasts) -> None:
    (one.folder / "past" / "no day").mkdir(parents=True)
    (one.folder / "past" / past.date_of(FIRST - 1)).mkdir()  # never whole
    folders = [await pasts.make(FIRST + number) for number in range(KEPT_MAX + 1)]
    left = {path.name for path in (one.folder / "past").iterdir()}
    assert left == {"no day", *(path.name for path in folders[1:])}


async def test_a_damaged_day_is_made_anew(pasts: Pasts) -> None:
    folder = await pasts.make(FIRST)
    (folder / "view.db").write_bytes(b"no database" * 1000)
    (folder / "made.json").write_text("{}", encoding="ascii")
    assert await found(pasts, "library", FIRST) == AT_FIRST


async def test_days_of_which_there_is_nothing_are_refused(one: Node, pasts: Pasts) -> None:
    today = now_ms() // past.DAY_MS
    for far in (today + 2, 10**12):
        with pytest.raises(PastError, match="still to come"):
            await pasts.get(far)
    for early in (-1, -(10**12)):
        with pytest.raises(PastError, match="before the first record"):
            await pasts.get(early)
    assert not (one.folder / "past").exists()
    with pytest.raises(PastError, match="nothing was known yet on 2026-01-09"):
        await pasts.get(FIRST - 1)
    with pytest.raises(PastError, match="nothing was known yet on 1999-12-31"):
        await pasts.get(day("1999-12-31"))  # follows from the other: nothing is made for it
    assert [path.name for path in (one.folder / "past").iterdir()] == ["2026-01-09"]
    assert await found(pasts, "library", today) == AT_SECOND


async def test_progress_is_told(pasts: Pasts) -> None:
    told: list[int] = []
    await pasts.make(SECOND, told.append)
    assert told


async def test_while_one_day_is_made_others_wait(one: Node) -> None:
    async with Pasts(one, patience_s=0) as pasts:
        with pytest.raises(BeingMadeError, match="2026-01-10"):
            await pasts.get(FIRST)
        with pytest.raises(BeingMadeError, match="2026-01-10"):
            await pasts.get(SECOND)
        assert pasts._making is not None
        await pasts._making[1]
        assert await pasts.get(FIRST)
        with pytest.raises(BeingMadeError, match="2026-01-20"):
            await pasts.get(SECOND)


async def test_a_failure_is_told_to_who_asks_and_the_next_begins_anew(
    one: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError("no room")

    async with Pasts(one, patience_s=30) as pasts:
        with monkeypatch.context() as patch:
            patch.setattr(past, "_make_room", no_room)
            with pytest.raises(OSError, match="no room"):
                await pasts.get(FIRST)
        assert await pasts.get(FIRST)


# --- the web


@asynccontextmanager
async def browser(one: Node, pasts: Pasts | None) -> AsyncIterator[httpx.AsyncClient]:
    routes = control_routes(one, "secret", pasts)
    app = application(one.view_path, one.search, pasts=pasts, more=routes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield http


async def test_the_api_answers_of_a_day(one: Node, pasts: Pasts) -> None:
    async with browser(one, pasts) as http:
        answer = await http.get("/api/search", params={"q": "react at:2026-01-10"})
        assert answer.status_code == 200
        assert answer.json()["results"][0]["version"] == "18.0.0"
        assert "at:2026-01-10" in answer.json()["query"]
        now = await http.get("/api/search", params={"q": "react"})
        assert now.json()["results"][0]["version"] == "19.0.0"
        page = await http.get("/search", params={"q": "react at:2026-01-10"})
        assert "18.0.0" in page.text


async def test_the_first_query_begins_and_says_so(one: Node) -> None:
    async with Pasts(one, patience_s=0) as pasts, browser(one, pasts) as http:
        for address in ("/api/search", "/search"):
            answer = await http.get(address, params={"q": "react at:2026-01-10"})
            assert answer.status_code == 202
            assert int(answer.headers["retry-after"]) > 0
            assert "is being made" in answer.text
        assert pasts._making is not None
        await pasts._making[1]
        answer = await http.get("/api/search", params={"q": "react at:2026-01-10"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "when",
    ["9999-12-31", "0001-01-01", "1969-12-31", "2026-01-01", "2026-13-01", "../..", "", "%00", "٣"],
)
async def test_hostile_dates_are_refused(one: Node, pasts: Pasts, when: str) -> None:
    async with browser(one, pasts) as http:
        for address in ("/api/search", "/search"):
            answer = await http.get(address, params={"q": f"react at:{when}"})
            assert answer.status_code == 400
        folder = one.folder / "past"
        assert not folder.exists() or {one.name for one in folder.iterdir()} <= {"2026-01-01"}


async def test_without_it_only_the_present_can_be_searched(one: Node) -> None:
    async with browser(one, None) as http:
        answer = await http.get("/api/search", params={"q": "react at:2026-01-10"})
        assert answer.status_code == 400
        headers = {"authorization": "Bearer secret"}
        answer = await http.post("/control/past", params={"day": "1"}, headers=headers)
        assert answer.status_code == 400


async def test_other_verbs_have_a_day_made_by_serve(one: Node, pasts: Pasts) -> None:
    headers = {"authorization": "Bearer secret"}
    async with browser(one, pasts) as http:
        asked = {"day": str(FIRST)}
        assert (await http.post("/control/past", params=asked)).status_code == 403
        answer = await http.post("/control/past", params=asked, headers=headers)
        assert answer.status_code == 200
        assert past.find(one.folder, FIRST)
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
