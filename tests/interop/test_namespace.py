"""A network namespace for one test: what is in it, and what is not."""

from __future__ import annotations

import asyncio
import socket

import ifaddr
import pytest

from .namespace import add_interface, in_namespace, remove_interface


def addresses() -> set[str]:
    return {str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4}


@in_namespace()
async def test_there_is_only_loopback() -> None:
    assert addresses() == {"127.0.0.1"}
    with socket.socket(type=socket.SOCK_DGRAM) as outside, pytest.raises(OSError):  # noqa: PT011
        outside.sendto(b"x", ("192.0.2.1", 9))


@in_namespace()
async def test_interfaces_come_and_go() -> None:
    add_interface("lan0", "192.168.7.1/24")
    assert addresses() == {"127.0.0.1", "192.168.7.1"}
    remove_interface("lan0")
    assert addresses() == {"127.0.0.1"}


@in_namespace(loopback_source="127.0.0.2")
async def test_connections_over_loopback_come_from_another_address() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("peername")[0])
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
    assert await seen == "127.0.0.2"


def test_the_namespace_of_others_is_left_alone() -> None:
    before = addresses()

    @in_namespace()
    async def inside() -> None:
        add_interface("lan0", "192.168.7.1/24")
        process = await asyncio.create_subprocess_exec(
            "ip", "-brief", "address", stdout=asyncio.subprocess.PIPE
        )
        assert b"192.168.7.1" in (await process.communicate())[0]

    inside()
    assert addresses() == before


def test_what_fails_inside_fails_outside() -> None:
    @in_namespace()
    async def inside() -> None:
        assert addresses() == set()

    with pytest.raises(AssertionError):
        inside()
