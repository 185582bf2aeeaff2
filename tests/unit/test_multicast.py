from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Network

import ifaddr
import pytest
from tests.interop.namespace import add_interface, in_namespace

from hypermultifeed.discovery.mdns_packets import GROUP, PORT
from hypermultifeed.network.multicast import INTERFACES_MAX, Interface, Link, find_interfaces

LOOPBACK = Interface("lo", 1, "127.0.0.1", IPv4Network("127.0.0.0/8"))


# -- which interfaces --------------------------------------------------------------------------


def adapter(name: str, *addresses: str) -> ifaddr.Adapter:
    ips = []
    for address in addresses:
        host, _, prefix = address.partition("/")
        given = (host, 0, 0) if ":" in host else host
        ips.append(ifaddr.IP(given, int(prefix), name))
    return ifaddr.Adapter(name, name, ips, index=len(name))


def names(
    monkeypatch: pytest.MonkeyPatch, *adapters: ifaddr.Adapter, allow_loopback: bool = False
) -> list[tuple[str, str, str]]:
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    found = find_interfaces(allow_loopback=allow_loopback)
    return [(one.name, one.host, str(one.network)) for one in found]


LO = adapter("lo", "::1/128", "127.0.0.1/8")
WIFI = adapter("wlan0", "fe80::1/64", "192.168.7.9/24")
PUBLIC = adapter("eth0", "198.51.100.4/24", "2001:db8::4/64")


def test_networks_with_private_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    both = adapter("eth1", "198.51.100.4/24", "10.1.2.3/20")
    assert names(monkeypatch, LO, WIFI, PUBLIC, both) == [
        ("wlan0", "192.168.7.9", "192.168.7.0/24"),
        ("eth1", "10.1.2.3", "10.1.0.0/20"),
    ]


def test_loopback_counts_if_allowed_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lo = ("lo", "127.0.0.1", "127.0.0.0/8")
    assert names(monkeypatch, LO, PUBLIC) == []
    assert names(monkeypatch, LO, PUBLIC, allow_loopback=True) == [lo]
    assert lo not in names(monkeypatch, LO, WIFI, allow_loopback=True)


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [adapter(f"br{number}", f"172.17.{number}.1/24") for number in range(200)]
    assert len(names(monkeypatch, *many)) == INTERFACES_MAX


@in_namespace()
async def test_the_systems_interfaces() -> None:
    assert find_interfaces(allow_loopback=False) == []
    assert find_interfaces(allow_loopback=True) == [LOOPBACK]
    add_interface("lan0", "192.168.7.1/24")
    [lan] = find_interfaces(allow_loopback=True)
    assert (lan.name, lan.host, str(lan.network)) == ("lan0", "192.168.7.1", "192.168.7.0/24")
    assert lan.number == socket.if_nametoindex("lan0")


# -- sockets -----------------------------------------------------------------------------------


class Ear:
    """What a link hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
        self.lost: asyncio.Queue[Link] = asyncio.Queue()

    async def open(self, interface: Interface) -> Link:
        return await Link.open(
            interface, lambda *heard: self.heard.put_nowait(heard), self.lost.put_nowait
        )


async def closed(ear: Ear, *links: Link) -> None:
    for link in links:
        link.close()
    for _ in links:
        await ear.lost.get()


@in_namespace()
async def test_all_on_a_network_hear_what_is_sent_and_from_whom() -> None:
    ear, other = Ear(), Ear()
    here, there = await ear.open(LOOPBACK), await other.open(LOOPBACK)
    here.send(b"hello")
    assert await ear.heard.get() == await other.heard.get() == (b"hello", "127.0.0.1")
    await closed(ear, here)
    await closed(other, there)


@in_namespace()
async def test_networks_are_told_apart() -> None:
    add_interface("lan0", "192.168.7.1/24")
    add_interface("lan1", "10.0.0.1/24")
    ear, other = Ear(), Ear()
    left, right = find_interfaces(allow_loopback=False)
    here, there = await ear.open(left), await other.open(right)
    here.send(b"left")
    there.send(b"right")
    assert await ear.heard.get() == (b"left", left.host)
    assert await other.heard.get() == (b"right", right.host)
    here.send(b"end")
    assert await ear.heard.get() == (b"end", left.host)
    assert other.heard.empty()
    await closed(ear, here)
    await closed(other, there)


@in_namespace()
async def test_who_is_not_on_the_network_is_not_heard() -> None:
    ear, all_ears = Ear(), Ear()
    narrow = LOOPBACK._replace(network=IPv4Network("127.0.0.1/32"))
    here, everywhere = await ear.open(narrow), await all_ears.open(LOOPBACK)
    with socket.socket(type=socket.SOCK_DGRAM) as outside:
        outside.bind(("127.9.9.9", 0))
        outside.sendto(b"spoofed", (GROUP, PORT))
        assert await all_ears.heard.get() == (b"spoofed", "127.9.9.9")
    here.send(b"end")
    assert await ear.heard.get() == (b"end", "127.0.0.1")
    await closed(ear, here)
    await closed(all_ears, everywhere)


@in_namespace()
async def test_packets_for_this_machine_alone_are_left_to_others() -> None:
    ear = Ear()
    with socket.socket(type=socket.SOCK_DGRAM) as system:
        system.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        system.bind(("0.0.0.0", PORT))  # noqa: S104 - as the system's own mDNS does
        system.settimeout(5)
        here = await ear.open(LOOPBACK)
        with socket.socket(type=socket.SOCK_DGRAM) as asker:
            asker.sendto(b"question", ("127.0.0.1", PORT))
        assert system.recv(100) == b"question"
        here.send(b"end")
        assert await ear.heard.get() == (b"end", "127.0.0.1")
    await closed(ear, here)


@in_namespace()
async def test_a_port_that_is_taken_and_an_interface_that_is_gone_are_errors() -> None:
    ear = Ear()
    with socket.socket(type=socket.SOCK_DGRAM) as selfish:
        selfish.bind(("0.0.0.0", PORT))  # noqa: S104
        with pytest.raises(OSError, match="in use"):
            await ear.open(LOOPBACK)
    with pytest.raises(OSError, match=r"[Nn]o such device|assign"):
        await ear.open(LOOPBACK._replace(host="192.168.7.1"))


@in_namespace()
async def test_what_cannot_be_sent_is_not_kept() -> None:
    ear = Ear()
    here = await ear.open(LOOPBACK)
    here.pause_writing()
    here.send(b"too much")
    here.resume_writing()
    here.send(b"end")
    assert await ear.heard.get() == (b"end", "127.0.0.1")
    await closed(ear, here)
