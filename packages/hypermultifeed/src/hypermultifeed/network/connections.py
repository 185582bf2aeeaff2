"""The connections of a swarm: who is let in, who stays, and what is left when one is over."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypermultifeed.network.listening import plain_address
from hypermultifeed.network.swarm_connection import SwarmConnection
from hypermultifeed.peers.admission import Admission
from hypermultifeed.peers.duplicates import Duplicates, Verdict
from hypermultifeed.peers.peer_queue import BANS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypermultifeed.network.address_policy import AddressPolicy
    from hypermultifeed.network.dialling import Streams
    from hypermultifeed.peers.candidate import Candidate
    from hypermultifeed.peers.duplicates import Judgement
    from hypermultifeed.peers.peer_queue import PeerQueue

LINGER_S: Final = 5.0
"""How long what was written may take to go out, and a handler to return, after the end."""

CLOSE_S: Final = 0.5
"""The same when the whole swarm closes."""

_log = logging.getLogger("hypermultifeed.swarm")


@dataclass(slots=True)
class SwarmStats:
    """Counters.

    Attributes:
        asked: peers that were asked by a datagram whether they are there, before they were dialled.
        dialled: dials begun. failed: those that got no connection.
        accepted: connections that others made. refused: those turned away, by a limit or a rule.
        dropped: those that lost their place to a newcomer before they had authenticated.
        duplicates: connections closed because there was another one to the same peer.
        ourselves: connections that led back to us.
        banned: peers banned.
    """

    asked: int = 0
    dialled: int = 0
    failed: int = 0
    accepted: int = 0
    refused: int = 0
    dropped: int = 0
    duplicates: int = 0
    ourselves: int = 0
    banned: int = 0


class Connections:
    """All connections of one swarm; the `Owner` of each.

    Args:
        handler: called for each connection.
        queue: told how each one ends that we dialled.
        connections_max: authenticated ones at most.
        policy: with which addresses we have to do.
        stats: counters to count in.
        changed: called when a place may have become free, or a dial has come to something.
    """

    def __init__(
        self,
        handler: Callable[[SwarmConnection], Awaitable[None]],
        queue: PeerQueue,
        *,
        connections_max: int,
        policy: AddressPolicy,
        stats: SwarmStats,
        changed: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._queue = queue
        self._connections_max = connections_max
        self._policy = policy
        self._stats = stats
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[SwarmConnection, asyncio.Task[None]] = {}
        self._timers: dict[SwarmConnection, asyncio.TimerHandle] = {}
        self._admission: Admission[SwarmConnection] = Admission()
        self._duplicates: Duplicates[SwarmConnection] = Duplicates()
        self._authenticated = 0
        self._banned_keys: dict[bytes, None] = {}
        self._closed = False

    @property
    def all(self) -> list[SwarmConnection]:
        """Those that are open."""
        return list(self._tasks)

    @property
    def room(self) -> int:
        """How many more may authenticate."""
        return self._connections_max - self._authenticated

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.room <= 0

    # --- a connection's life

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection that somebody else made, or turn it away."""
        address = plain_address(writer.get_extra_info("peername"))
        if self._closed or self.full or address is None or not self._policy.allows_in(*address):
            self._stats.refused += 1
            writer.transport.abort()
            return
        self._stats.accepted += 1
        # asyncio does this only for sockets that say that they are TCP; accepted ones do not.
        sock = writer.get_extra_info("socket")
        with suppress(OSError):  # some systems refuse it where the peer has gone again
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = SwarmConnection(self, reader, writer, address=address)
        loser = self._admission.admit(connection, address[0])
        if loser is not None:
            self._stats.dropped += 1
            loser.abort()
            self._end_later(loser)
        self._tasks[connection] = self._loop.create_task(self._serve(connection))

    async def serve_dialled(self, candidate: Candidate, streams: Streams) -> None:
        """Serve a connection that we made, until it is over."""
        reader, writer = streams
        address = plain_address(writer.get_extra_info("peername")) or candidate.address
        connection = SwarmConnection(self, reader, writer, address=address, candidate=candidate)
        task = asyncio.current_task()
        assert task is not None
        self._tasks[connection] = task
        if self._closed or self.full or not self._policy.allows(*address):
            self._stats.refused += 1
            connection.abort()
        await self._serve(connection)

    async def _serve(self, connection: SwarmConnection) -> None:
        try:
            if not connection.closed:
                await self._handler(connection)
        except Exception:
            _log.exception("the handler of %r failed", connection)
        finally:
            self._over(connection)

    def _over(self, connection: SwarmConnection) -> None:
        del self._tasks[connection]
        self._cancel_timer(connection)
        self._admission.done(connection)
        if connection.remote_key is not None:
            self._authenticated -= 1
            self._duplicates.closed(connection, connection.remote_key)
        if connection.candidate is not None:
            connection.candidate.useful = connection.useful
        for candidate in connection.parked:
            candidate.useful = connection.useful
            self._queue.unpark(candidate, self._loop.time())
        connection.finish()
        connection.close()
        transport = connection.writer.transport
        if transport.get_write_buffer_size():
            self._loop.call_later(LINGER_S, transport.abort)
        self._loop.call_soon(self._changed)

    def _end(self, connection: SwarmConnection) -> None:
        """Close a connection; its handler is to notice."""
        connection.close()
        self._end_later(connection)

    def _end_later(self, connection: SwarmConnection) -> None:
        """Cancel the handler if it does not notice that its connection is closed."""
        task = self._tasks.get(connection)
        if task is not None and connection not in self._timers:
            self._timers[connection] = self._loop.call_later(LINGER_S, task.cancel)

    def _cancel_timer(self, connection: SwarmConnection) -> None:
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    async def close(self) -> None:
        """Close all, and let nobody in any more."""
        self._closed = True
        tasks = dict(self._tasks)
        for connection in tasks:
            connection.close()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=CLOSE_S)
        for connection, task in tasks.items():
            connection.abort()
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    # --- who is who

    def identify(self, connection: SwarmConnection, own_key: bytes, remote_key: bytes) -> bool:
        """See `SwarmConnection.identify`."""
        if connection.remote_key is not None or connection.closed:
            return not connection.closed
        if self.full or remote_key in self._banned_keys:
            self._stats.refused += 1
            return False
        judgement = self._duplicates.identify(
            connection,
            own_key,
            remote_key,
            initiator=connection.initiator,
            address=connection.address,
        )
        if judgement.verdict not in (Verdict.KEEP, Verdict.CONTESTED):
            self._reject(connection, judgement)
            return False
        connection.remote_key = remote_key
        connection.contested = judgement.verdict is Verdict.CONTESTED
        self._authenticated += 1
        self._admission.done(connection)
        if connection.candidate is not None:
            self._queue.greeted(connection.candidate, self._loop.time())
        for loser in judgement.losers:
            self._park(loser, connection)
            self._end(loser)
        self._loop.call_soon(self._changed)
        return True

    def _reject(self, connection: SwarmConnection, judgement: Judgement[SwarmConnection]) -> None:
        if judgement.verdict is Verdict.OURSELVES:
            self._stats.ourselves += 1
            if connection.candidate is not None:
                self._queue.ban(connection.candidate.address)
        elif judgement.winner is not None:
            self._park(connection, judgement.winner)
        else:
            self._stats.refused += 1

    def _park(self, loser: SwarmConnection, winner: SwarmConnection) -> None:
        """Dial the loser's address again only when the winner is gone."""
        self._stats.duplicates += 1
        winner.parked += loser.parked
        loser.parked.clear()
        if loser.candidate is not None:
            self._queue.park(loser.candidate)
            winner.parked.append(loser.candidate)

    def ban(self, connection: SwarmConnection) -> None:
        """See `SwarmConnection.ban`."""
        self._stats.banned += 1
        if connection.candidate is not None:
            self._queue.ban(connection.candidate.address)
        if connection.remote_key is not None:
            self._banned_keys[connection.remote_key] = None
            if len(self._banned_keys) > BANS_MAX:
                del self._banned_keys[next(iter(self._banned_keys))]
        connection.abort()
        self._end_later(connection)
