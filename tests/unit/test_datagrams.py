"""A UDP socket in use: fairness, sending without waiting, and errors that are not its end."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.network import datagrams
from hypermultifeed.network.datagrams import PORT_UNREACHABLE, RECEIVE_MAX, Datagrams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "127.0.0.1"


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


class Inbox:
    """What came, and how many in each turn of the loop."""

    def __init__(self) -> None:
        self.turns: list[int] = []
        self.came: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()
        self._count = 0

    def on_datagram(self, data: bytes, sender: tuple[str, int]) -> None:
        self._count += 1
        if data == b"crash":
            raise RuntimeError("a bug")
        self.came.put_nowait((data, sender))

    def on_turn(self) -> None:
        self.turns.append(self._count)
        self._count = 0

    async def get(self) -> bytes:
        async with asyncio.timeout(5):
            return (await self.came.get())[0]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def port(inbox: Inbox) -> AsyncIterator[Datagrams]:
    used = Datagrams(bound(), 100, inbox.on_datagram, inbox.on_turn)
    yield used
    await used.close()


async def test_datagrams_come_with_their_sender(port: Datagrams, inbox: Inbox) -> None:
    with bound() as other:
        other.sendto(b"hello", port.address)
        assert await inbox.came.get() == (b"hello", other.getsockname())
        other.sendto(b"", port.address)
        assert await inbox.get() == b""


async def test_one_can_send_to_oneself(port: Datagrams, inbox: Inbox) -> None:
    port.send(b"echo", port.address)
    assert await inbox.get() == b"echo"
    assert port.lost == 0


async def test_longer_ones_are_cut_off(port: Datagrams, inbox: Inbox) -> None:
    with bound() as other:
        other.sendto(b"x" * 5000, port.address)
    assert len(await inbox.get()) == 101


async def test_a_flood_leaves_others_their_turn(port: Datagrams, inbox: Inbox) -> None:
    with bound() as other:
        for number in range(3 * RECEIVE_MAX):
            other.sendto(b"%d" % number, port.address)
        assert [int(await inbox.get()) for _ in range(3 * RECEIVE_MAX)] == [*range(3 * RECEIVE_MAX)]
    assert max(inbox.turns) <= RECEIVE_MAX
    assert len(inbox.turns) >= 2


@pytest.mark.parametrize("address", [(HOST, 0), ("255.255.255.255", 9)], ids=["port", "broadcast"])
async def test_what_cannot_be_sent_is_lost(port: Datagrams, address: tuple[str, int]) -> None:
    port.send(b"x", address)
    assert port.lost == 1


class Failing:
    """A socket that fails as it is told, and else is a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.error: OSError | None = None
        self._socket = sock

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        if self.error is not None:
            raise self.error
        return self._socket.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


@pytest.mark.parametrize("error", [BlockingIOError(11, "full"), PermissionError(1, "firewall")])
async def test_sending_never_waits_and_never_raises(inbox: Inbox, error: OSError) -> None:
    sock: Any = Failing(bound())
    port = Datagrams(sock, 100, inbox.on_datagram, inbox.on_turn)
    sock.error = error
    port.send(b"x", port.address)
    assert port.lost == 1
    sock.error = None
    port.send(b"y", port.address)
    assert await inbox.get() == b"y"
    await port.close()


async def test_errors_while_receiving_are_not_the_end(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by ICMP, and then the interface is gone for a while."""
    loop = asyncio.get_running_loop()
    errors = [ConnectionRefusedError(111, "refused"), *[OSError(100, "network is down")] * 200]
    receive = loop.sock_recvfrom

    async def failing(sock: socket.socket, size: int) -> Any:
        if errors:
            raise errors.pop()
        return await receive(sock, size)

    monkeypatch.setattr(datagrams, "ERROR_PAUSE_S", 0.0)
    monkeypatch.setattr(loop, "sock_recvfrom", failing)
    port = Datagrams(bound(), 100, inbox.on_datagram, inbox.on_turn)
    port.send(b"still here", port.address)
    assert await inbox.get() == b"still here"
    assert port.failures == 201
    await port.close()


async def test_refusals_do_not_hold_up_what_comes_after_them(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Windows tells of each datagram that came to a closed port, Python in three ways."""
    loop = asyncio.get_running_loop()
    unreachable = OSError(22, "refused")
    unreachable.winerror = PORT_UNREACHABLE  # type: ignore[attr-defined,unused-ignore]
    refusals = [ConnectionResetError(10054, "refused"), unreachable, None] * 200
    receive = loop.sock_recvfrom

    async def refused(sock: socket.socket, size: int) -> Any:
        if not refusals:
            return await receive(sock, size)
        refusal = refusals.pop()
        if refusal is not None:
            raise refusal
        return b"", None

    monkeypatch.setattr(datagrams, "ERROR_PAUSE_S", 3600.0)
    monkeypatch.setattr(loop, "sock_recvfrom", refused)
    port = Datagrams(bound(), 100, inbox.on_datagram, inbox.on_turn)
    async with asyncio.timeout(5):
        while refusals:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)
    port.send(b"next", port.address)
    assert await inbox.get() == b"next"
    assert (port.failures, inbox.came.qsize()) == (600, 0)
    assert "could not be handled" not in caplog.text
    await port.close()


async def test_a_bug_that_one_datagram_meets_harms_no_other(
    port: Datagrams, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    for data in (b"crash", b"next"):
        port.send(data, port.address)
    assert await inbox.get() == b"next"
    assert "could not be handled" in caplog.text


async def test_nothing_comes_after_close(inbox: Inbox) -> None:
    port = Datagrams(bound(), 100, inbox.on_datagram, inbox.on_turn)
    address = port.address
    await port.close()
    with bound() as other:
        other.sendto(b"too late", address)
    port.send(b"x", address)
    assert port.lost == 1
    assert inbox.came.empty()
