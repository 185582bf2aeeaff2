from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import Response

from pkgstats.web.pagecache import OUTDATED_S, REMAKING, PageCache
from pkgstats.web.shelves import ANSWER_BYTES_MAX, OVERHEAD_BYTES

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TAG = '"tag"'


class World:
    """An application, the state that it answers from, and how often it was asked."""

    def __init__(self, **options: Any) -> None:
        self.state: object | None = 1
        self.asked: list[str] = []
        self.body = b"body"
        self.status = 200
        self.headers = {"etag": TAG, "cache-control": "no-cache"}
        self.go = asyncio.Event()
        self.go.set()
        self.came = asyncio.Condition()
        self.cache = PageCache(
            self.answer,
            state=lambda: self.state,
            parameters=["q", "page"],
            apart=["/healthz"],
            **options,
        )
        transport = httpx.ASGITransport(self.cache, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://a")

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        names = dict(scope["headers"])
        assert b"if-none-match" not in names or scope["path"] == "/healthz"
        async with self.came:
            self.asked.append(scope["path"])
            self.came.notify_all()
        body, status, headers = self.body, self.status, self.headers
        await self.go.wait()
        if status == 500:
            raise KeyError
        await Response(body, status, headers, "text/html")(scope, receive, send)

    async def reached(self, times: int) -> None:
        async with self.came:
            await self.came.wait_for(lambda: len(self.asked) >= times)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)


async def test_a_page_is_made_once_for_each_state() -> None:
    world = World()
    first, second = await world.get("/a"), await world.get("/a")
    assert (first.text, second.text) == ("body", "body")
    assert first.headers == second.headers
    assert second.headers["content-type"] == "text/html; charset=utf-8"
    assert second.headers["content-length"] == "4"
    assert world.asked == ["/a"]
    world.state, world.body = 2, b"other"
    assert (await world.get("/a")).text == "other"
    assert (world.cache.hits, world.cache.misses) == (1, 2)


async def test_without_a_state_nothing_is_remembered() -> None:
    world = World()
    world.state = None
    await world.get("/a")
    await world.get("/a")
    assert len(world.asked) == 2


async def test_readers_who_have_a_page_get_none() -> None:
    world = World()
    for told in (TAG, f'"x", W/{TAG}'):
        for _ in range(2):
            answer = await world.get("/a", headers={"if-none-match": told})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == TAG
            assert "content-length" not in answer.headers
    assert (await world.get("/a", headers={"if-none-match": '"x"'})).status_code == 200
    assert world.asked == ["/a"]


async def test_who_asks_for_the_head_gets_it_and_fills_the_cache() -> None:
    world = World()
    for _ in range(2):
        answer = await world.http.head("/a")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == "4"
    assert (await world.get("/a")).text == "body"
    assert world.asked == ["/a"]


async def test_addresses_are_told_apart() -> None:
    world = World()
    for path in ("/a", "/a?q=1", "/a?q=2", "/a%2Fb", "/a/b", "/A"):
        await world.get(path)
        await world.get(path)
    await world.get("/a", headers={"host": "b"})
    assert len(world.asked) == 7


async def test_with_an_address_of_its_own_hosts_are_one() -> None:
    world = World(own_base=True)
    await world.get("/a")
    await world.get("/a", headers={"host": "b"})
    assert len(world.asked) == 1


@pytest.mark.parametrize("path", ["/a?x=1", "/a?q=1&x=1", "/a?q=1&", "/a?%71=1", "/healthz"])
async def test_what_strangers_make_up_is_not_remembered(path: str) -> None:
    world = World()
    await world.get(path)
    await world.get(path)
    assert len(world.asked) == 2
    assert world.cache.bytes == 0


@pytest.mark.parametrize("what", ["status", "tag", "size"])
async def test_what_does_not_last_is_not_remembered(what: str) -> None:
    world = World()
    if what == "status":
        world.status = 404
    elif what == "tag":
        del world.headers["etag"]
    else:
        world.body = b"x" * (ANSWER_BYTES_MAX + 1)
    for _ in range(2):
        answer = await world.get("/a")
        assert (answer.status_code, answer.content) == (world.status, world.body)
    assert len(world.asked) == 2


async def test_who_asks_at_once_gets_the_same_answer() -> None:
    world = World()
    world.go.clear()
    asking = [asyncio.ensure_future(world.get("/a")) for _ in range(500)]
    await world.reached(1)
    asking[0].cancel()  # who asked first goes away
    world.go.set()
    answers = await asyncio.gather(*asking[1:])
    assert {one.text for one in answers} == {"body"}
    assert world.asked == ["/a", "/a"]  # one of the others has made it


async def test_what_does_not_last_is_made_for_each() -> None:
    world = World()
    world.status = 429  # which is about who asked
    world.go.clear()
    asking = [asyncio.ensure_future(world.get("/a")) for _ in range(3)]
    await world.reached(1)
    world.status = 200
    world.go.set()
    assert [one.status_code for one in await asyncio.gather(*asking)] == [429, 200, 200]


async def test_an_answer_from_an_older_state_is_not_remembered() -> None:
    world = World()
    world.go.clear()
    late = asyncio.ensure_future(world.get("/a"))
    await world.reached(1)
    world.state, world.body = 2, b"newer"
    newer = asyncio.ensure_future(world.get("/a"))
    await world.reached(2)
    world.go.set()
    assert [one.text for one in await asyncio.gather(late, newer)] == ["body", "newer"]
    assert (await world.get("/a")).text == "newer"


async def test_an_error_is_everybodys_and_forgotten() -> None:
    world = World()
    world.status = 500
    assert (await world.get("/a")).status_code == 500
    world.status = 200
    assert (await world.get("/a")).status_code == 200


async def test_searches_drive_out_searches_only() -> None:
    world = World(bytes_max=4 * (OVERHEAD_BYTES + 100))
    await world.get("/a")
    for number in range(100):
        await world.get(f"/search?q={number}")
    await world.get("/a")
    assert world.asked.count("/a") == 1
    assert world.cache.bytes <= 8 * (OVERHEAD_BYTES + 100)


class Busy(World):
    """A world in which to make an answer takes a second of work, and no time passes by itself."""

    def __init__(self) -> None:
        self.now = self.worked = 0.0
        super().__init__(clock=lambda: self.now, work=lambda: self.worked)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.worked += 1
        await super().answer(scope, receive, send)

    async def changed(self) -> None:
        """Two pages are remembered, there is a new state, and one of them is made anew."""
        await self.get("/a")
        await self.get("/b")
        self.state, self.body = 2, b"newer"
        assert (await self.get("/a")).text == "newer"


async def test_where_much_is_to_be_made_anew_older_answers_do() -> None:
    world = Busy()
    await world.changed()
    assert (await world.get("/b")).text == "body"
    assert (await world.get("/c")).text == "newer"
    world.now += 2 / REMAKING
    assert (await world.get("/b")).text == "newer"
    assert (world.cache.hits, world.cache.misses) == (1, 5)


async def test_older_answers_do_for_a_while_only() -> None:
    world = Busy()
    await world.changed()
    for number in range(10):
        await world.get(f"/search?q={number}")
    world.now += OUTDATED_S
    assert (await world.get("/b")).text == "body"
    world.now += 0.001
    held = world.cache.bytes
    assert (await world.get("/b")).text == "newer"
    assert world.cache.bytes < held


async def test_of_two_changes_the_older_answers_are_those_before_the_last() -> None:
    world = Busy()
    await world.changed()
    world.state, world.body = 3, b"newest"
    assert (await world.get("/c")).text == "newest"
    assert (await world.get("/a")).text == "newer"
    assert (await world.get("/b")).text == "newest"  # it was not made anew in between
