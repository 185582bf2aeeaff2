from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from starlette.responses import PlainTextResponse

from pkgstats.web.turns import Turns

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Slow:
    """Answers when it is told to, and counts how many it works on."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.now = self.most = 0
        self.order: list[str] = []
        self.came = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.order.append(scope["path"])
        self.came.set()
        await self.go.wait()
        await asyncio.sleep(0)
        self.now -= 1
        if scope["path"] == "/broken":
            raise KeyError
        await PlainTextResponse(scope["path"])(scope, receive, send)


def client(app: Turns) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://a")


async def test_a_burst_is_answered_whole_and_in_its_order() -> None:
    slow = Slow()
    async with client(Turns(slow, running_max=8)) as http:
        asking = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(1000)]
        await slow.came.wait()
        slow.go.set()
        answers = await asyncio.gather(*asking)
    assert [one.text for one in answers] == [f"/{number}" for number in range(1000)]
    assert slow.most == 8
    assert slow.order == [f"/{number}" for number in range(1000)]


async def test_what_is_too_much_is_told_to_come_back() -> None:
    slow = Slow()
    async with client(Turns(slow, running_max=2, waiting_max=3)) as http:
        asking = [asyncio.ensure_future(http.get("/")) for _ in range(9)]
        refused = []
        for one in asyncio.as_completed(asking):
            refused.append(await one)
            if len(refused) == 4:
                slow.go.set()
    assert [one.status_code for one in refused] == [503] * 4 + [200] * 5
    assert refused[0].headers["retry-after"] == "2"


async def test_nobody_waits_for_ever() -> None:
    slow = Slow()
    async with client(Turns(slow, running_max=1, wait_s=0.01)) as http:
        first = asyncio.ensure_future(http.get("/"))
        await slow.came.wait()
        assert (await http.get("/")).status_code == 503
        slow.go.set()
        assert (await first).status_code == 200
        assert (await http.get("/")).status_code == 200


async def test_an_error_gives_its_turn_back() -> None:
    slow = Slow()
    slow.go.set()
    async with client(Turns(slow, running_max=1, wait_s=5)) as http:
        assert (await http.get("/broken")).status_code == 500
        assert (await http.get("/")).status_code == 200
