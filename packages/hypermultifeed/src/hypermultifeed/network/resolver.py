"""Names of hosts to IPv4 addresses, asynchronously."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

RESOLVE_TIMEOUT_S: Final = 10.0
"""How long several names may take together; those that are late are left out."""

NAME_ADDRESSES_MAX: Final = 8
"""Addresses taken from one name."""


def is_ipv4(host: str) -> bool:
    """Whether a host is an address already."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True


async def resolve(host: str, port: int) -> list[Address]:
    """The IPv4 addresses of a host, at least one.

    Raises:
        OSError: it has none, or nobody knows the name.
    """
    if is_ipv4(host):
        return [Address(host, port)]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    addresses = [Address(str(where[0]), int(where[1])) for *_, where in found]
    return list(dict.fromkeys(addresses))[:NAME_ADDRESSES_MAX]


async def resolve_all(hosts: Iterable[tuple[str, int]]) -> list[Address]:
    """The addresses of those hosts that can be resolved in time, in the order of the hosts."""
    tasks = [asyncio.ensure_future(resolve(*host)) for host in hosts]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, timeout=RESOLVE_TIMEOUT_S)
    finally:
        for task in tasks:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [one for result in results if not isinstance(result, BaseException) for one in result]
