from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pkgstats.web.bounds import PATH_BYTES_MAX, QUERY_STRING_BYTES_MAX
from pkgstats.web.guard import HEADERS, LOOPBACK_NAMES, READING, TRANSPORT, Guard, names_of


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


async def test_a_header_that_an_answer_sets_stands() -> None:
    async def own(_: object) -> PlainTextResponse:
        return PlainTextResponse("ok", headers={"content-security-policy": "default-src 'none'"})

    app = Guard(Starlette(routes=[Route("/", own)]))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        given = await http.get("/")
    assert given.headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert given.headers["x-frame-options"] == "DENY"


async def test_methods_that_are_not_named_are_refused() -> None:
    app = Guard(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]), methods=READING)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        assert (await http.get("/")).status_code == 200
        given = await http.post("/")
    assert (given.status_code, given.headers["allow"]) == (405, "GET, HEAD")


async def test_addresses_that_are_too_long_are_refused() -> None:
    async with client(None) as http:
        assert (await http.get("/?" + "x" * QUERY_STRING_BYTES_MAX)).status_code == 200
        assert (await http.get("/?" + "x" * (QUERY_STRING_BYTES_MAX + 1))).status_code == 414
        assert (await http.get("/" + "x" * (PATH_BYTES_MAX - 1))).status_code == 404
        assert (await http.get("/" + "x" * PATH_BYTES_MAX)).status_code == 414


async def test_https_is_asked_for_only_where_there_is_some() -> None:
    name = TRANSPORT[0].decode()
    for https in (False, True):
        app = Guard(Starlette(routes=[Route("/", answer)]), https=https)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
            assert (name in (await http.get("/")).headers) == https


def test_a_site_is_asked_by_its_own_name() -> None:
    assert names_of("", public=False) == LOOPBACK_NAMES
    assert names_of("https://a.example", public=False) == LOOPBACK_NAMES
    assert names_of("", public=True) is None
    assert names_of("https://A.example:8443", public=True) == LOOPBACK_NAMES | {"a.example"}
