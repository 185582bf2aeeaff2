"""One real server on loopback."""

from __future__ import annotations

import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pkgstats.web.server import address_of, listening, refuse_public, serving


async def answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("here")


APP = Starlette(routes=[Route("/", answer)])


async def test_it_answers_while_its_block_lasts() -> None:
    listener = listening(port=0)
    async with serving(APP, listener) as address, httpx.AsyncClient(trust_env=False) as http:
        given = await http.get(address)
        assert given.text == "here"
        assert "server" not in given.headers
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(address)


async def test_an_error_in_its_block_ends_it_and_comes_out() -> None:
    listener = listening(port=0)
    with pytest.raises(KeyError):
        async with serving(APP, listener):
            raise KeyError
    assert listener.fileno() == -1


def test_only_this_machine_reaches_it_unless_told_otherwise() -> None:
    with listening(port=0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        assert address_of(listener) == f"http://127.0.0.1:{port}"


def test_a_port_that_is_taken_is_an_error() -> None:
    with listening(port=0) as first, pytest.raises(OSError, match=r"in use|access"):
        listening(port=first.getsockname()[1])


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_addresses_of_ipv6_are_written_in_brackets() -> None:
    try:
        listener = listening("::1", 0)
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with listener:
        assert address_of(listener).startswith("http://[::1]:")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_may_always_read(host: str) -> None:
    refuse_public(host, public=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "", "localhost.example"])  # noqa: S104
def test_others_may_read_only_if_that_was_asked_for(host: str) -> None:
    refuse_public(host, public=True)
    with pytest.raises(ValueError, match="say --public"):
        refuse_public(host, public=False)
