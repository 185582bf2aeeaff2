from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from pkgstats.web.watching import Answered, Watching

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/broken":
        raise KeyError
    await PlainTextResponse("four", 404 if scope["path"] == "/none" else 200)(scope, receive, send)


async def told(method: str, path: str) -> Answered:
    found: list[Answered] = []
    times = iter([1.0, 1.25])
    app = Watching(answer, [found.append], lambda: next(times))
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 5), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        await http.request(method, path)
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("method", "path", "status", "size"),
    [("GET", "/x%20y", 200, 4), ("HEAD", "/", 200, 0), ("GET", "/none", 404, 4)],
)
async def test_each_answer_is_told(method: str, path: str, status: int, size: int) -> None:
    assert await told(method, f"{path}?q=a%20b") == Answered(
        *("192.0.2.7", method, path.encode(), b"q=a%20b", "1.1", status, size, 0.25)
    )


async def test_a_request_without_an_answer_is_told_as_an_error() -> None:
    assert (await told("GET", "/broken")).status == 500
