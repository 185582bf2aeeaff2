"""Names of hosts to addresses, without asking any name server."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.network import resolver
from hypermultifeed.network.resolver import NAME_ADDRESSES_MAX, is_ipv4, resolve, resolve_all

NAMES = {"one": ["10.0.0.1"], "two": ["10.0.0.2", "10.0.0.3", "10.0.0.2"], "many": ["10.1.1.1"]}
NAMES["many"] = [f"10.1.1.{last}" for last in range(100)]


@pytest.fixture(autouse=True)
async def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A resolver that knows NAMES; it never comes back from "hangs"."""
    asked = []

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        assert options == {"family": socket.AF_INET, "type": socket.SOCK_DGRAM}
        asked.append(host)
        if host == "hangs":
            await asyncio.Event().wait()
        if host not in NAMES:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (ip, port)) for ip in NAMES[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("host", ["127.0.0.1", "1.2.3.4", "255.255.255.255"])
async def test_addresses_need_no_resolving(host: str, names: list[str]) -> None:
    assert is_ipv4(host)
    assert await resolve(host, 5) == [Address(host, 5)]
    assert names == []


@pytest.mark.parametrize("host", ["", "one", "::1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 "])
async def test_everything_else_is_a_name(host: str) -> None:
    assert not is_ipv4(host)


async def test_a_name_has_its_addresses_once() -> None:
    assert await resolve("two", 7) == [Address("10.0.0.2", 7), Address("10.0.0.3", 7)]
    assert len(await resolve("many", 7)) == NAME_ADDRESSES_MAX


async def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(OSError, match="not known"):
        await resolve("nobody", 7)


async def test_of_several_those_that_can_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await resolve_all([]) == []
    hosts = [("one", 1), ("nobody", 2), ("1.2.3.4", 3), ("two", 4)]
    assert [str(address) for address in await resolve_all(hosts)] == [
        "10.0.0.1:1",
        "1.2.3.4:3",
        "10.0.0.2:4",
        "10.0.0.3:4",
    ]
    monkeypatch.setattr(resolver, "RESOLVE_TIMEOUT_S", 0.01)
    assert await resolve_all([("hangs", 1), ("one", 2)]) == [Address("10.0.0.1", 2)]
