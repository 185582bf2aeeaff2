"""The interfaces of this machine, and mDNS's multicast group on each of them, for asyncio.

Each interface has a socket of its own, bound to the group and the port, which other programs may
use as well. So what is sent leaves on a certain network, and of what arrives it is known which
network it came from: a sender that is not on that network is not heard.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import ifaddr

from hypermultifeed.discovery.addresses import may_dial
from hypermultifeed.discovery.mdns_packets import GROUP, PORT, TTL

if TYPE_CHECKING:
    from collections.abc import Callable

INTERFACES_MAX: Final = 16
"""Most interfaces used; a machine that runs containers may have hundreds."""

_IP_MULTICAST_ALL: Final = 49  # Linux's; the socket module has no name for it


class Interface(NamedTuple):
    """A network that we are on.

    Attributes:
        name: the system's.
        number: the system's too; one that went and came back has another.
        host: our IPv4 address there.
        network: whom we can meet there.
    """

    name: str
    number: int | None
    host: str
    network: IPv4Network


def find_interfaces(*, allow_loopback: bool) -> list[Interface]:
    """Return the interfaces on which peers can be met: those with a private or link-local address.

    Loopback counts only if it is allowed and there is nothing else: all who are on this machine
    also hear each other on its other interfaces.

    Raises:
        OSError: the system does not say.
    """
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            host = str(ip.ip)
            if ip.is_IPv4 and may_dial(host, local=True, allow_loopback=allow_loopback):
                network = IPv4Network((host, ip.network_prefix), strict=False)
                found.append(Interface(adapter.name, adapter.index, host, network))
                break
    outside = [interface for interface in found if not interface.network.is_loopback]
    return (outside or found)[:INTERFACES_MAX]


class Link(asyncio.DatagramProtocol):
    """The group on one interface.

    Args:
        interface: which.
        on_datagram: called with what a neighbour sent, and its address.
        on_lost: called when the socket is closed, whoever closed it.
    """

    def __init__(
        self,
        interface: Interface,
        on_datagram: Callable[[bytes, str], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        self.interface = interface
        self._on_datagram = on_datagram
        self._on_lost = on_lost
        self._clogged = False

    @classmethod
    async def open(
        cls,
        interface: Interface,
        on_datagram: Callable[[bytes, str], None],
        on_lost: Callable[[Link], None],
    ) -> Link:
        """Join the group.

        Raises:
            OSError: the port is taken, or the interface has no multicast.
        """
        link = cls(interface, on_datagram, on_lost)
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: link, sock=_open_socket(interface.host))
        return link

    def send(self, data: bytes) -> None:
        """Send to all on this network, ourselves included; or not, as on any network.

        What is not sent is not kept: all of it is said again sooner or later.
        """
        if not self._clogged:
            self._transport.sendto(data, (GROUP, PORT))

    def close(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    # -- asyncio.DatagramProtocol --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._clogged = True

    def resume_writing(self) -> None:
        """It has been sent."""
        self._clogged = False

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Pass on what a neighbour sent."""
        if IPv4Address(addr[0]) in self.interface.network:
            self._on_datagram(data, addr[0])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Say so."""
        self._on_lost(self)


def _open_socket(host: str) -> socket.socket:
    """Return a socket of the group on the interface with that address; raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
    try:
        sock.settimeout(0)  # asyncio wants it so
        _share_port(sock)
        # Bound to the group, it leaves packets that are meant for us alone to other programs.
        sock.bind(("" if sys.platform == "win32" else GROUP, PORT))
        us = socket.inet_aton(host)
        for option, value in (
            (socket.IP_MULTICAST_IF, us),
            (socket.IP_MULTICAST_TTL, TTL),
            (socket.IP_MULTICAST_LOOP, 1),  # peers on this machine
            (socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + us),
        ):
            sock.setsockopt(socket.IPPROTO_IP, option, value)
    except OSError:
        sock.close()
        raise
    return sock


def _share_port(sock: socket.socket) -> None:
    """Let others use the port too: JavaScript peers, and the system's own mDNS."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):  # what BSD and macOS want
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sys.platform == "linux":  # else it would hear what others have joined on other interfaces
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
