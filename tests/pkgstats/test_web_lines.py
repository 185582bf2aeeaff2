"""Answers that go on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from pkgstats.runs import Step
from pkgstats.sources.errors import SourceError
from pkgstats.web.lines import Lines
from pkgstats.web.server import listening, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request


def app(work: Callable[[Callable[[Any], None]], Awaitable[None]]) -> Starlette:
    async def answer(_: Request) -> Lines:
        return Lines(work)

    return Starlette(routes=[Route("/", answer)])


async def lines(work: Callable[[Callable[[Any], None]], Awaitable[None]]) -> list[Any]:
    async with serving(app(work), listening(port=0)) as address, httpx.AsyncClient() as http:
        answer = await http.get(address)
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.text.splitlines()]


async def test_each_thing_is_a_line_also_from_a_thread() -> None:
    async def work(tell: Callable[[Any], None]) -> None:
        tell(Step("sharing", 1, 2))
        await asyncio.to_thread(tell, Step("indexing", 2, 2))

    assert await lines(work) == [
        {"kind": "Step", "told": {"what": "sharing", "done": 1, "total": 2}},
        {"kind": "Step", "told": {"what": "indexing", "done": 2, "total": 2}},
    ]


async def test_what_goes_wrong_is_the_last_line() -> None:
    async def work(tell: Callable[[Any], None]) -> None:
        tell(Step("sharing", 1, 2))
        raise SourceError("the source is away")

    assert (await lines(work))[-1] == {"kind": "error", "told": "the source is away"}


async def test_a_bug_is_told_too() -> None:
    async def work(_: Callable[[Any], None]) -> None:
        raise ZeroDivisionError("a bug")

    assert await lines(work) == [{"kind": "error", "told": "ZeroDivisionError: a bug"}]


async def test_who_hangs_up_stops_the_work() -> None:
    stopped = asyncio.Event()

    async def work(tell: Callable[[Any], None]) -> None:
        tell(Step("sharing", 1, 2))
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with serving(app(work), listening(port=0)) as address, httpx.AsyncClient() as http:
        async with http.stream("GET", address) as answer:
            await anext(answer.aiter_lines())
        async with asyncio.timeout(20):
            await stopped.wait()
