from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pkgstats.web.guard import HEADERS, LOOPBACK_NAMES, Guard


async def answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("ok")


def client(hosts: frozenset[str] | None) -> httpx.AsyncClient:
    app = Guard(Starlette(routes=[Route("/", answer)]), hosts)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


async def test_refusals_have_the_headers_too() -> None:
    async with client(LOOPBACK_NAMES) as http:
        for given in (await http.get("/"), await http.get("/", headers={"host": "x"})):
            for name, value in HEADERS:
                assert given.headers[name.decode()] == value.decode()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8642", 200),
        ("[::1]:8642", 200),
        ("[::1", 200),
        ("[evil]:1", 421),
        ("localhost.evil.example", 421),
        ("evil.example:127.0.0.1", 421),
        ("\xff", 421),
    ],
)
async def test_only_names_of_this_machine(host: str, status: int) -> None:
    async with client(LOOPBACK_NAMES) as http:
        given = await http.get("/", headers={b"host": host.encode("latin-1")})
        assert given.status_code == status


async def test_a_server_for_others_is_asked_by_any_name() -> None:
    async with client(None) as http:
        assert (await http.get("/", headers={"host": "packages.example"})).status_code == 200
