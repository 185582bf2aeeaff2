"""A UDP socket that takes datagrams fairly, sends without waiting, and outlives its errors.

Not asyncio's datagram transport: on Windows that stops receiving at the first refusal by ICMP
(Python 3.11), and everywhere it queues without bound what cannot be sent at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    Address = tuple[str, int]

RECEIVE_MAX: Final = 32
"""Datagrams taken in one turn of the event loop, so that a flood leaves others their turn."""

ERROR_PAUSE_S: Final = 0.01
"""How much longer to wait after each failure to receive in a row."""

ERROR_PAUSE_MAX_S: Final = 1.0
"""Longest pause after a failure: an interface that is back is noticed as soon as this."""

PORT_UNREACHABLE: Final = 1234
"""How Windows numbers a refusal by ICMP, where asyncio gives no kind of error to it."""

_log = logging.getLogger("hypermultifeed.datagrams")


class Datagrams:
    """An IPv4 UDP socket in use.

    Args:
        sock: bound; it is closed with this object.
        datagram_bytes_max: longer ones may arrive cut off, but one byte longer than this.
        on_datagram: gets each datagram and its sender.
        on_turn: called after those of one turn of the event loop.

    Attributes:
        lost: datagrams that could not be sent.
        failures: errors while receiving.
    """

    def __init__(
        self,
        sock: socket.socket,
        datagram_bytes_max: int,
        on_datagram: Callable[[bytes, Address], None],
        on_turn: Callable[[], None],
    ) -> None:
        sock.setblocking(False)  # noqa: FBT003 - that is how it is called
        self.lost = 0
        self.failures = 0
        self._socket = sock
        self._size = datagram_bytes_max + 1
        self._on_datagram = on_datagram
        self._on_turn = on_turn
        self._loop = asyncio.get_running_loop()
        self._receiving = self._loop.create_task(self._receive())

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        host, port = self._socket.getsockname()
        return host, port

    def send(self, data: bytes, address: Address) -> None:
        """Send at once or not at all: nobody is promised that a datagram arrives."""
        try:
            self._socket.sendto(data, address)
        except OSError as error:  # no room, no route, no permission, no such port
            self.lost += 1
            _log.debug("sending to %s failed: %s", address, error)

    async def close(self) -> None:
        """Stop receiving and close the socket."""
        self._receiving.cancel()
        await asyncio.gather(self._receiving, return_exceptions=True)
        self._socket.close()

    async def _receive(self) -> None:
        failures = 0
        while True:
            try:
                self._take(*await self._loop.sock_recvfrom(self._socket, self._size))
                for _ in range(RECEIVE_MAX - 1):
                    self._take(*self._socket.recvfrom(self._size))
                failures = 0
            except (BlockingIOError, InterruptedError):
                failures = 0  # everything is read
            except OSError as error:  # refused by ICMP, an interface that went down
                self.failures += 1
                _log.debug("receiving failed: %s", error)
                if not _is_refusal(error):
                    failures += 1
                    await asyncio.sleep(min(failures * ERROR_PAUSE_S, ERROR_PAUSE_MAX_S))
            self._on_turn()
            await asyncio.sleep(0)

    def _take(self, data: bytes, sender: Address | None) -> None:
        if sender is None:  # how Python 3.13 tells of a refusal on Windows
            self.failures += 1
            return
        try:
            self._on_datagram(data, sender)
        except Exception:  # a bug of ours that one datagram met must not end all the others
            _log.exception("a datagram from %s could not be handled", sender)


def _is_refusal(error: OSError) -> bool:
    """Whether it tells of one datagram that we sent to a closed port, as Windows does of each.

    There may be many, and nothing is wrong with the socket.
    """
    return isinstance(error, ConnectionError) or getattr(error, "winerror", 0) == PORT_UNREACHABLE
