"""Dials whom the queue of peers names, several at once.

`TRANSPORTS` is where another transport than TCP would be added: each is tried in its turn until
one gets through, within the time that one dial has.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from hypermultifeed.stream import READ_SIZE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypermultifeed.network.connections import SwarmStats
    from hypermultifeed.peers.candidate import Candidate
    from hypermultifeed.peers.peer_queue import PeerQueue

CONNECT_TIMEOUT_S: Final = 10.0
"""How long connecting may take, as in JS; less while others wait for the place (`PeerQueue`)."""

_log = logging.getLogger("hypermultifeed.swarm")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect_tcp(host: str, port: int) -> Streams:
    """Connect by TCP.

    Raises:
        OSError: nobody is there.
    """
    return await asyncio.open_connection(host, port, limit=READ_SIZE)


TRANSPORTS: Final[tuple[Callable[[str, int], Awaitable[Streams]], ...]] = (connect_tcp,)
"""Ways to a peer, the best first."""


async def connect(host: str, port: int) -> Streams:
    """Connect by the first transport that gets through.

    Raises:
        OSError: none did; why the last one did not.
    """
    failure = OSError("there is no transport")
    for transport in TRANSPORTS:
        try:
            return await transport(host, port)
        except OSError as error:
            failure = error
    raise failure


class Dialler:
    """The dials of one swarm, and the connections that come of them.

    Args:
        queue: whom to dial.
        serve: gets a candidate and its streams; returns when the connection is over.
        places: how many dials may go on at once now; 0: nobody is wanted.
        ask: asks by a datagram whether a candidate is there, and tells the queue if it is; None:
            there is no way to.
        stats: counters to count in.
        on_failed: gets an address that could not be reached, and why.
    """

    def __init__(
        self,
        queue: PeerQueue,
        serve: Callable[[Candidate, Streams], Awaitable[None]],
        *,
        places: Callable[[], int],
        ask: Callable[[Candidate], None] | None = None,
        stats: SwarmStats,
        on_failed: Callable[[tuple[str, int], OSError], None],
    ) -> None:
        self._stats = stats
        self._on_failed = on_failed
        self._queue = queue
        self._serve = serve
        self._places = places
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Candidate, asyncio.Task[None]] = {}
        self._connecting: dict[Candidate, asyncio.Timeout] = {}
        self._greeting: dict[Candidate, asyncio.StreamWriter] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def pump(self) -> None:
        """Dial whoever is due; to be called whenever something has changed."""
        if self._closed:
            return
        now, places = self._loop.time(), self._places()
        if not places:
            self._arm(None)
            return
        for candidate in self._queue.overdue(now, places):
            self._give_up(candidate)
        while self._queue.dialling < places and (found := self._queue.next(now)) is not None:
            name = f"dial {found.address}"
            self._tasks[found] = self._loop.create_task(self._dial(found), name=name)
        while self._ask is not None and (unsure := self._queue.next_to_ask(now)) is not None:
            self._stats.asked += 1
            self._ask(unsure)
        self._arm(self._queue.get_timer(now, places))

    async def close(self) -> None:
        """Dial nobody any more, and end what has come of the dials."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arm(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self.pump)

    async def _dial(self, candidate: Candidate) -> None:
        self._stats.dialled += 1
        try:
            streams = await self._connect(candidate)
            self._queue.connected(candidate, self._loop.time())
            self._greeting[candidate] = streams[1]
            try:
                await self._serve(candidate, streams)
            finally:
                del self._greeting[candidate]
        except OSError as error:
            self._stats.failed += 1
            _log.debug("no connection to %s: %s", candidate.address, error)
            self._on_failed(candidate.address, error)
            if isinstance(error, ConnectionRefusedError):
                self._queue.answered(candidate)
        finally:
            del self._tasks[candidate]
            self._queue.ended(candidate, self._loop.time())
            self._loop.call_soon(self.pump)

    async def _connect(self, candidate: Candidate) -> Streams:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S) as timeout:
                self._connecting[candidate] = timeout
                return await connect(*candidate.address)
        finally:
            del self._connecting[candidate]

    def _give_up(self, candidate: Candidate) -> None:
        """End a dial that takes long while others wait."""
        timeout = self._connecting.get(candidate)
        if timeout is not None:
            now = self._loop.time()
            if (timeout.when() or 0.0) > now:  # else it is ending
                timeout.reschedule(now)
        elif candidate in self._greeting:
            transport = self._greeting[candidate].transport
            if transport.is_closing():  # and who uses it has not noticed
                self._tasks[candidate].cancel()
            transport.abort()
