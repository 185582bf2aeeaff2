"""The sockets of a swarm: a TCP listener and a UDP socket on one port number.

One number for both is how this generation of peers is found: the DHT stores the port that our
datagrams come from, and others dial it with TCP. TCP listens on IPv4 and IPv6 at once where the
machine can; UDP is IPv4, as all addresses in the DHT are.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, Final

from hypermultifeed.discovery.addresses import Address, may_dial
from hypermultifeed.network.multicast import find_interfaces

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT_TRIES: Final = 8
"""Free TCP ports that are tried until one is free for UDP, too."""

BACKLOG: Final = 128
"""Connections that the system holds until we take them."""

_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - peers are to reach us
_UDP_ANYWHERE: Final = "0.0.0.0"  # noqa: S104
_ROUTED: Final = ("192.0.2.1", 9)
"""An address of documentation (RFC 5737): nothing is sent there, the route is only looked up."""

_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")
"""Private networks of IPv6 (RFC 4193)."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """A TCP socket that listens, and a UDP socket, with the same port number.

    Both are to be handed on or closed.
    """

    tcp: socket.socket
    udp: socket.socket

    @property
    def port(self) -> int:
        """The port number of both."""
        port: int = self.tcp.getsockname()[1]
        return port

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where TCP listens; one that takes IPv4 and IPv6 is named as both."""
        host = self.tcp.getsockname()[0]
        if host == "::" and not self.tcp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            return [(_UDP_ANYWHERE, self.port), ("::", self.port)]
        return [(host, self.port)]

    def close(self) -> None:
        """Close both. Idempotent."""
        self.tcp.close()
        self.udp.close()


async def bind(host: str = "0.0.0.0", port: int = 0) -> Sockets:  # noqa: S104
    """Open both sockets.

    Args:
        host: address or name of this machine; 0.0.0.0 and :: both mean all its addresses.
        port: the number; 0: one that is free.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    family, address = await _resolve(host)
    tries = 1 if port else PORT_TRIES
    while True:
        tries -= 1
        tcp = _listen(family, address, port)
        try:
            udp = _bind_udp(address, tcp.getsockname()[1])
        except OSError:
            tcp.close()
            if not tries:
                raise
        else:
            return Sockets(tcp, udp)


async def _resolve(host: str) -> tuple[socket.AddressFamily | None, str]:
    """The family and address to listen at; no family: both."""
    if host in _ANYWHERE:
        return None, host
    with suppress(ValueError):  # no name: nobody has to be asked, which would take a thread
        return (socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET), host
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _listen(family: socket.AddressFamily | None, address: str, port: int) -> socket.socket:
    if family is not None:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # IPv6 may be built in and switched off; IPv4 says what is wrong
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
            )
    return socket.create_server((_UDP_ANYWHERE, port), backlog=BACKLOG)


def _bind_udp(address: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)  # noqa: FBT003 - the socket module's own
        udp.bind((_udp_host(address), port))
    except OSError:
        udp.close()
        raise
    return udp


def _udp_host(address: str) -> str:
    """Where UDP belongs beside a TCP listener at ``address``."""
    if address in _ANYWHERE:
        return _UDP_ANYWHERE
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return address
    return "127.0.0.1" if ip.is_loopback else _UDP_ANYWHERE


def plain_address(name: Any) -> tuple[str, int] | None:
    """Host and port of a socket's name, IPv4 in its own form; None if it has none any more."""
    if not name:
        return None
    host = str(name[0])
    return host.removeprefix("::ffff:") if "." in host else host, int(name[1])


def is_loopback(host: str) -> bool:
    """Whether a numeric host is this machine's own."""
    with suppress(ValueError):
        return ip_address(host.partition("%")[0]).is_loopback
    return False


def is_local(host: str) -> bool:
    """Whether a numeric host is on a network of the user's: private, or link-local."""
    with suppress(ValueError):
        ip = ip_address(host.partition("%")[0])
        if isinstance(ip, IPv4Address):
            return may_dial(host, local=True, allow_loopback=False)
        return ip.is_link_local or ip in _UNIQUE_LOCAL
    return False


def local_address(bound: str, port: int) -> Address | None:
    """Our own address on a private network, for peers behind the same router; None without one.

    A public address needs no telling: the DHT sees it. What is told is where our packets to the
    outside leave from, because machines have other addresses that nobody else can reach.

    Args:
        bound: where we listen. port: at which port.
    """
    for host in _own_hosts() if bound in _ANYWHERE else [bound]:
        if is_local(host) and ":" not in host:
            return Address(host, port)
    return None


def _own_hosts() -> Iterator[str]:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ROUTED)
        yield probe.getsockname()[0]
    with suppress(OSError):
        for interface in find_interfaces(allow_loopback=False):
            yield interface.host
