"""LAN discovery for asyncio: multicast sockets on every interface around `discovery.mdns`.

Interfaces come and go, and there may be none, or no multicast, or another program that keeps the
port for itself. None of this is anybody's error: it is said once in the log, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.mdns import LanStats, Mdns
from hypermultifeed.network.multicast import Interface, Link, find_interfaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypermultifeed.discovery.addresses import Address
    from hypermultifeed.discovery.mdns_topic import Randomness

RESCAN_S: Final = 5.0
"""Seconds between two looks at the interfaces, and two attempts to open what would not open."""

_log = logging.getLogger("hypermultifeed.lan")


class LanDiscovery:
    """Finds peers on the networks of this machine, and lets them find us.

    Args:
        on_peer: called with a topic and an address each time that somebody says to be there. It
            is not verified, and the same peer is named again and again.
        allow_loopback: whether to report peers at 127.0.0.0/8, and to look for them if there is
            no network.
        randomness: where ids and times come from; the system's unless a test gives another.
        interfaces: what names the interfaces; the system unless a test gives another.

    Attributes:
        stats: counts.
    """

    def __init__(
        self,
        on_peer: Callable[[bytes, Address], None],
        *,
        allow_loopback: bool = False,
        randomness: Randomness | None = None,
        interfaces: Callable[[], Sequence[Interface]] | None = None,
    ) -> None:
        self._on_peer = on_peer
        self._mdns = Mdns(
            randomness=randomness or random.SystemRandom(), allow_loopback=allow_loopback
        )
        self._find_interfaces = interfaces or (
            lambda: find_interfaces(allow_loopback=allow_loopback)
        )
        self._links: dict[Interface, Link] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._works = True

    @property
    def stats(self) -> LanStats:
        """Counts since the start."""
        return self._mdns.stats

    @property
    def interfaces(self) -> list[Interface]:
        """The interfaces in use."""
        return list(self._links)

    async def open(self) -> None:
        """Start. Where there is no network yet, this is no error: it is watched for."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="LAN discovery")
            await self._rescan()

    async def close(self) -> None:
        """Stop at once; idempotent."""
        if self._watching is None:
            return
        watching, self._watching = self._watching, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for link in self._links.values():
            link.close()
        self._links.clear()
        watching.cancel()
        await asyncio.wait([watching])

    def join(self, topic: bytes, port: int, *, announce: bool, lookup: bool) -> None:
        """Announce a topic at our TCP ``port``, look for its peers, or both.

        May be called before `open`; joining again changes what was said before.

        Raises:
            ValueError: there is no such port to announce.
        """
        now = asyncio.get_running_loop().time()
        self._mdns.join(topic, port, now, announce=announce, lookup=lookup)
        self._act()

    def leave(self, topic: bytes) -> None:
        """Forget a topic."""
        self._mdns.leave(topic)
        self._act()

    # -- the interfaces ------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RESCAN_S)
            await self._rescan()

    async def _rescan(self) -> None:
        """Open what is new, close what is gone."""
        problem = None
        try:
            interfaces = self._find_interfaces()
        except OSError as error:
            interfaces, problem = [], f"the interfaces cannot be listed: {error}"
        for gone in self._links.keys() - set(interfaces):
            self._links.pop(gone).close()
        new = [interface for interface in interfaces if interface not in self._links]
        for interface in new:
            try:
                await self._open_link(interface)
            except OSError as error:
                problem = f"no multicast on {interface.name} ({interface.host}): {error}"
        self._say(problem)
        if not self._links.keys().isdisjoint(new):
            self._mdns.network_changed(asyncio.get_running_loop().time())
            self._act()

    async def _open_link(self, interface: Interface) -> None:
        link = await Link.open(interface, self._receive, self._lose)
        if self._watching is None:
            link.close()  # we were closed meanwhile
        else:
            self._links[interface] = link

    def _say(self, problem: str | None) -> None:
        """Log when it stops and when it begins to work, and nothing in between."""
        works = bool(self._links)
        if works == self._works or self._watching is None:
            return
        self._works = works
        if works:
            names = ", ".join(interface.name for interface in self._links)
            _log.info("LAN discovery works again, on %s", names)
        elif problem is None:
            _log.info("No LAN discovery yet: no interface has a private address")
        else:
            _log.warning("No LAN discovery: %s. Trying again every %d s.", problem, RESCAN_S)

    def _lose(self, link: Link) -> None:
        """A socket is closed; if that was not us, the next scan opens another."""
        if self._links.get(link.interface) is link:
            del self._links[link.interface]

    # -- packets -------------------------------------------------------------------------------

    def _receive(self, data: bytes, source: str) -> None:
        now = asyncio.get_running_loop().time()
        for peer in self._mdns.receive_datagram(data, source, now):
            self._on_peer(*peer)
        self._act()

    def _act(self) -> None:
        """Do what is due, send what there is to send, and come back when more is due."""
        if self._watching is None:
            return
        loop = asyncio.get_running_loop()
        self._mdns.handle_timer(loop.time())
        for data in self._mdns.datagrams_to_send():
            for link in self._links.values():
                link.send(data)
        at = self._mdns.get_timer()
        if self._timer is not None:
            if self._timer.when() == at:
                return
            self._timer.cancel()
        self._timer = None if at is None else loop.call_at(at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._act()
