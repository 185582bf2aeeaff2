"""One port number for TCP and UDP, on IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from unittest.mock import patch

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.network import listening
from hypermultifeed.network.listening import (
    bind,
    is_local,
    is_loopback,
    local_address,
    plain_address,
)

ANYWHERE = "0.0.0.0"  # noqa: S104 - for a moment

dual_stack = pytest.mark.skipif(
    not socket.has_dualstack_ipv6(), reason="this machine has no IPv6 beside IPv4"
)


def reached(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as client:
        return client.connect_ex((host, port)) == 0


async def test_both_sockets_have_one_port() -> None:
    with closing(await bind("127.0.0.1")) as sockets:
        assert sockets.port == sockets.udp.getsockname()[1] > 0
        assert sockets.addresses == [("127.0.0.1", sockets.port)]
        assert sockets.udp.getsockname()[0] == "127.0.0.1"
        assert reached("127.0.0.1", sockets.port)
        assert not sockets.udp.getblocking()


@dual_stack
@pytest.mark.parametrize("host", [ANYWHERE, "::", ""])
async def test_everywhere_is_ipv4_and_ipv6(host: str) -> None:
    with closing(await bind(host)) as sockets:
        assert sockets.addresses == [(ANYWHERE, sockets.port), ("::", sockets.port)]
        assert reached("127.0.0.1", sockets.port)
        assert reached("::1", sockets.port)
        assert sockets.udp.getsockname() == (ANYWHERE, sockets.port)


async def test_everywhere_without_ipv6() -> None:
    with patch("socket.has_dualstack_ipv6", return_value=False):
        sockets = await bind()
    with closing(sockets):
        assert sockets.addresses == [(ANYWHERE, sockets.port)]
        assert reached("127.0.0.1", sockets.port)


@dual_stack
async def test_ipv6_alone() -> None:
    with closing(await bind("::1")) as sockets:
        assert sockets.addresses == [("::1", sockets.port)]
        assert sockets.udp.getsockname() == ("127.0.0.1", sockets.port)
        assert not reached("127.0.0.1", sockets.port)


async def test_a_name() -> None:
    with closing(await bind("localhost")) as sockets:
        assert is_loopback(sockets.addresses[0][0])


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_port_that_is_taken_is_an_error(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(OSError, match=r"[Aa]ddress already in use|access"):
            await bind("127.0.0.1", other.getsockname()[1])


async def test_another_port_is_tried_if_udp_does_not_get_it() -> None:
    tried: list[int] = []
    real = listening._bind_udp

    def udp_is_taken_twice(address: str, port: int) -> socket.socket:
        tried.append(port)
        if len(tried) < 3:
            raise OSError("taken")
        return real(address, port)

    with patch.object(listening, "_bind_udp", udp_is_taken_twice):
        sockets = await bind("127.0.0.1")
    with closing(sockets):
        assert sockets.port == tried[2]


async def test_at_last_it_gives_up() -> None:
    with (
        patch.object(listening, "_bind_udp", side_effect=OSError("taken")) as tried,
        pytest.raises(OSError, match="taken"),
    ):
        await bind("127.0.0.1")
    assert tried.call_count == listening.PORT_TRIES


async def test_a_host_that_is_not_ours() -> None:
    with pytest.raises(OSError):  # noqa: PT011 - its text is the system's
        await bind("192.0.2.1")


@dual_stack
async def test_ipv4_peers_have_their_own_form() -> None:
    seen: asyncio.Queue[object] = asyncio.Queue()

    def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(plain_address(writer.get_extra_info("peername")))
        writer.close()

    sockets = await bind()
    sockets.udp.close()
    async with await asyncio.start_server(accept, sock=sockets.tcp):
        for host in ("127.0.0.1", "::1"):
            _, writer = await asyncio.open_connection(host, sockets.port)
            assert await seen.get() == (host, writer.get_extra_info("sockname")[1])
            writer.close()


def test_plain_address() -> None:
    assert plain_address(("::ffff:192.0.2.1", 5, 0, 0)) == ("192.0.2.1", 5)
    assert plain_address(("fe80::1%2", 5, 0, 2)) == ("fe80::1%2", 5)
    assert plain_address(None) is None
    assert plain_address(()) is None


def test_kinds_of_hosts() -> None:
    assert [is_loopback(host) for host in ("127.1.2.3", "::1", "192.0.2.1", "a name")] == [
        True, True, False, False,
    ]  # fmt: skip
    locals_ = ["10.0.0.1", "192.168.1.1", "169.254.0.1", "fe80::1%eth0", "fd00::1"]
    assert all(map(is_local, locals_))
    assert not any(map(is_local, ["8.8.8.8", "127.0.0.1", "::1", "2606:4700::1", "a name"]))


def test_our_private_address() -> None:
    with patch.object(listening, "_own_hosts", return_value=iter(["203.0.113.1", "10.1.2.3"])):
        assert local_address(ANYWHERE, 7) == Address("10.1.2.3", 7)
    assert local_address("192.168.0.9", 7) == Address("192.168.0.9", 7)
    assert local_address("127.0.0.1", 7) is None
    assert local_address("203.0.113.1", 7) is None
    assert local_address("fd00::1", 7) is None


def test_our_hosts_are_numbers_of_this_machine() -> None:
    for host in listening._own_hosts():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
