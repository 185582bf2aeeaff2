from __future__ import annotations

import asyncio
import logging
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.interop.namespace import add_interface, in_namespace, remove_interface

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.mdns_packets import PORT
from hypermultifeed.network.lan import RESCAN_S, LanDiscovery
from hypermultifeed.network.multicast import Interface, Link, find_interfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPIC = bytes(range(32))
OTHER = bytes(32)
HOST = "192.168.7.1"


class Peer:
    """A discovery, what it has found, and what it has logged."""

    def __init__(self, *, allow_loopback: bool = False) -> None:
        self.found: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.interfaces: Sequence[Interface] | OSError | None = None
        self.allow_loopback = allow_loopback
        self.lan = LanDiscovery(
            lambda *peer: self.found.put_nowait(peer),
            allow_loopback=allow_loopback,
            randomness=random.Random(id(self)),
            interfaces=self._find,
        )

    def _find(self) -> Sequence[Interface]:
        if isinstance(self.interfaces, OSError):
            raise self.interfaces
        if self.interfaces is not None:
            return self.interfaces
        return find_interfaces(allow_loopback=self.allow_loopback)

    def join(self, port: int, topic: bytes = TOPIC) -> None:
        self.lan.join(topic, port, announce=True, lookup=True)


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hypermultifeed.lan")


@in_namespace()
@virtual_time
async def test_two_find_each_other_at_once_and_again_later() -> None:
    add_interface("lan0", f"{HOST}/24")
    here, there = Peer(), Peer()
    here.join(4001)  # before it is open
    await here.lan.open()
    await there.lan.open()
    there.join(4002)
    began = asyncio.get_running_loop().time()
    assert await here.found.get() == (TOPIC, Address(HOST, 4002))
    assert await there.found.get() == (TOPIC, Address(HOST, 4001))
    assert asyncio.get_running_loop().time() - began < 1
    assert await here.found.get() == (TOPIC, Address(HOST, 4002))
    assert 29 < asyncio.get_running_loop().time() - began < 62
    assert here.lan.stats.queries_sent >= 3
    await here.lan.close()
    await there.lan.close()


@in_namespace()
@virtual_time
async def test_a_topic_that_was_left_is_neither_found_nor_told_of() -> None:
    add_interface("lan0", f"{HOST}/24")
    here, there = Peer(), Peer()
    await here.lan.open()
    await there.lan.open()
    here.join(4001)
    here.lan.leave(TOPIC)
    await asyncio.sleep(1)  # what was said before has been heard
    there.join(4002)
    await asyncio.sleep(300)
    assert here.found.empty()
    assert there.found.empty()
    there.join(4002, OTHER)
    here.join(4001, OTHER)
    assert await here.found.get() == (OTHER, Address(HOST, 4002))
    await here.lan.close()
    await there.lan.close()


@in_namespace()
@virtual_time
async def test_loopback_is_used_only_if_allowed() -> None:
    allowed, other, strict = Peer(allow_loopback=True), Peer(allow_loopback=True), Peer()
    for port, peer in enumerate((allowed, other, strict), 4001):
        await peer.lan.open()
        peer.join(port)
    assert await allowed.found.get() == (TOPIC, Address("127.0.0.1", 4002))
    assert await other.found.get() == (TOPIC, Address("127.0.0.1", 4001))
    await asyncio.sleep(100)
    assert strict.found.empty()
    assert strict.lan.interfaces == []
    for peer in (allowed, other, strict):
        await peer.lan.close()


@in_namespace()
@virtual_time
async def test_interfaces_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    here, there = Peer(), Peer()
    for port, peer in enumerate((here, there), 4001):
        await peer.lan.open()
        peer.join(port)
    nothing = (logging.INFO, "No LAN discovery yet: no interface has a private address")
    works = (logging.INFO, "LAN discovery works again, on lan0")
    await asyncio.sleep(100)
    assert messages(caplog) == [nothing] * 2
    add_interface("lan0", f"{HOST}/24")
    began = asyncio.get_running_loop().time()
    assert await here.found.get() == (TOPIC, Address(HOST, 4002))
    assert await there.found.get() == (TOPIC, Address(HOST, 4001))
    assert asyncio.get_running_loop().time() - began <= RESCAN_S + 1
    remove_interface("lan0")  # and the same again, but it is another
    add_interface("lan0", f"{HOST}/24")
    await asyncio.sleep(2 * RESCAN_S)
    while not here.found.empty():
        here.found.get_nowait()
    await here.found.get()
    assert messages(caplog) == [nothing] * 2 + [works] * 2
    remove_interface("lan0")
    await asyncio.sleep(100)
    assert messages(caplog) == [nothing] * 2 + [works] * 2 + [nothing] * 2
    await here.lan.close()
    await there.lan.close()


@in_namespace()
@virtual_time
async def test_all_networks_are_used() -> None:
    add_interface("lan0", f"{HOST}/24")
    add_interface("lan1", "10.0.0.1/24")
    here, there = Peer(), Peer()
    here.interfaces = here._find()[1:]
    for port, peer in enumerate((here, there), 4001):
        await peer.lan.open()
        peer.join(port)
    [shared] = here.lan.interfaces
    assert await there.found.get() == (TOPIC, Address(shared.host, 4001))
    assert await here.found.get() == (TOPIC, Address(shared.host, 4002))
    await here.lan.close()
    await there.lan.close()


@in_namespace()
@virtual_time
async def test_a_port_that_is_taken_is_said_once_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_interface("lan0", f"{HOST}/24")
    here = Peer()
    with socket.socket(type=socket.SOCK_DGRAM) as selfish:
        selfish.bind(("0.0.0.0", PORT))  # noqa: S104
        await here.lan.open()
        here.join(4001)
        await asyncio.sleep(100)
        [(level, said)] = messages(caplog)
        assert level == logging.WARNING
        assert said.startswith(f"No LAN discovery: no multicast on lan0 ({HOST}): [Errno 98]")
    await asyncio.sleep(RESCAN_S)
    assert messages(caplog)[1:] == [(logging.INFO, "LAN discovery works again, on lan0")]
    await here.lan.close()


@virtual_time
async def test_a_system_that_does_not_tell_its_interfaces(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = Peer()
    here.interfaces = OSError("no permission")
    await here.lan.open()
    here.join(4001)
    await asyncio.sleep(100)
    said = "No LAN discovery: the interfaces cannot be listed: no permission."
    assert messages(caplog) == [(logging.WARNING, f"{said} Trying again every 5 s.")]
    await here.lan.close()


@in_namespace()
@virtual_time
async def test_a_socket_that_is_lost_is_replaced() -> None:
    add_interface("lan0", f"{HOST}/24")
    here, there = Peer(), Peer()
    for port, peer in enumerate((here, there), 4001):
        await peer.lan.open()
        peer.join(port)
    await here.found.get()
    for link in here.lan._links.values():
        link.close()
    await asyncio.sleep(1)
    assert here.lan.interfaces == []
    await asyncio.sleep(100)
    assert [interface.name for interface in here.lan.interfaces] == ["lan0"]
    await here.found.get()
    await here.lan.close()
    await there.lan.close()


@in_namespace()
@virtual_time
async def test_closing_is_immediate_final_and_may_be_repeated() -> None:
    add_interface("lan0", f"{HOST}/24")
    here, there = Peer(), Peer()
    await here.lan.close()  # never opened
    for port, peer in enumerate((here, there), 4001):
        await peer.lan.open()
        await peer.lan.open()
        peer.join(port)
    await there.found.get()
    began = asyncio.get_running_loop().time()
    await here.lan.close()
    await here.lan.close()
    assert asyncio.get_running_loop().time() == began
    here.join(4001, OTHER)  # of no effect, and no error
    here.lan.leave(TOPIC)
    sent = here.lan.stats.queries_sent
    await asyncio.sleep(300)
    assert here.lan.stats.queries_sent == sent
    assert [task for task in asyncio.all_tasks() if task.get_name() == "LAN discovery"] != []
    await there.lan.close()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "LAN discovery"] == []


@in_namespace()
@virtual_time
async def test_closing_while_it_opens_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    add_interface("lan0", f"{HOST}/24")
    here, opened = Peer(), Link.open

    async def slow(*arguments: Any) -> Link:
        link = await opened(*arguments)
        await asyncio.sleep(3)
        return link

    monkeypatch.setattr(Link, "open", slow)
    opening = asyncio.create_task(here.lan.open())
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    await here.lan.close()
    assert asyncio.get_running_loop().time() == began
    await opening
    assert here.lan.interfaces == []
    await asyncio.sleep(1)  # a socket that was left open would be complained about
