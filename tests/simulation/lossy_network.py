"""TCP over a network that loses, reorders and repeats packets, on the event loop's clock.

A replication runs on TCP, which hides lost, swapped and repeated packets from it. What shows are
stalls, bursts, slow links, connections that die without a word, and dials that fail. So the
packets are simulated below it, with numbers, acknowledgements and retransmission, and a
replication gets the two ends of the byte stream.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

LOSS = 0.2
"""Packets that do not arrive, of data and of acknowledgements."""

REPEATED = 0.05
"""Packets that the network delivers twice."""

SEGMENT_BYTES = 1460
WINDOW = 32
"""Packets under way."""

RTO_S = 0.2
"""Time to the first retransmission of a packet; each further one takes twice as long."""

SEND_BUFFER_BYTES = 1 << 16
CONNECT_LIMIT_S = 10.0
SYN_AT_S = (0.0, 1.0, 3.0, 7.0)


class Path:
    """The network between two machines; while not ``up``, no packet gets through."""

    def __init__(self, choice: random.Random) -> None:
        self.up = True
        self.packets = 0
        self._choice = choice
        self._latency_s = choice.uniform(0.002, 0.15)
        self._bytes_per_s = choice.choice((50_000, 500_000, 5_000_000))
        self._free_at = 0.0

    def carry(self, size: int, deliver: Callable[..., None], *arguments: Any) -> None:
        """Deliver one packet, or lose it, or deliver it twice; later ones may overtake it."""
        loop = asyncio.get_running_loop()
        for _ in range(1 + (self._choice.random() < REPEATED)):
            self.packets += 1
            self._free_at = max(loop.time(), self._free_at) + size / self._bytes_per_s
            if self._choice.random() >= LOSS:
                jitter = self._choice.uniform(0.0, self._latency_s)
                when = self._free_at + self._latency_s + jitter
                loop.call_at(when, self._deliver, deliver, arguments)

    def _deliver(self, deliver: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if self.up:
            deliver(*arguments)


class Endpoint:
    """One end of a connection: what asyncio's reader, writer, transport and socket are.

    Args:
        path: the way to the other end.
        address: of the other end, as this end sees it.
    """

    peer: Endpoint

    def __init__(self, path: Path, address: tuple[str, int]) -> None:
        self.transport = self
        self._path = path
        self._extra = {"peername": address, "socket": self}
        self._unsent = bytearray()
        self._unacknowledged: set[int] = set()
        self._next_number = 0
        self._ending = self._ended = False
        self._received = bytearray()
        self._early: dict[int, bytes] = {}
        self._expected = 0
        self._remote_ended = False
        self._is_closed = self._is_reset = False
        self._changed = asyncio.Event()

    async def read(self, n: int = -1, /) -> bytes:
        while not self._received:
            if self._is_reset:
                raise ConnectionResetError
            if self._remote_ended:
                return b""
            await self._wait()
        piece = bytes(self._received[:n])
        del self._received[:n]
        return piece

    def write(self, data: Any, /) -> None:
        if not self._ending:
            self._unsent += data
            self._send()

    async def drain(self) -> None:
        while len(self._unsent) > SEND_BUFFER_BYTES and not self._is_reset:
            await self._wait()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._ending = True
        self._send()

    def close(self) -> None:
        self._is_closed = True
        self.write_eof()

    async def wait_closed(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self._is_closed or self._is_reset

    def abort(self) -> None:
        self._is_closed = True
        self.kill()

    def get_extra_info(self, name: str) -> Any:
        return self._extra[name]

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    family = None

    def setsockopt(self, *_: int) -> None:
        pass

    def kill(self) -> None:
        """The process is gone; the machine answers what still comes with a reset."""
        self._forget()
        self._path.carry(40, self.peer.reset)

    def reset(self) -> None:
        """The other end is gone."""
        self._forget()

    # --- packets

    def _send(self) -> None:
        while len(self._unacknowledged) < WINDOW and not self._is_reset:
            segment = bytes(self._unsent[:SEGMENT_BYTES])
            if not segment and (self._ended or not self._ending):
                break
            self._ended = not segment  # an empty one stands for the end
            del self._unsent[:SEGMENT_BYTES]
            self._unacknowledged.add(self._next_number)
            self._transmit(self._next_number, segment, RTO_S)
            self._next_number += 1

    def _transmit(self, number: int, segment: bytes, timeout_s: float) -> None:
        if number in self._unacknowledged:
            self._path.carry(40 + len(segment), self.peer.receive, number, segment)
            loop = asyncio.get_running_loop()
            loop.call_later(timeout_s, self._transmit, number, segment, 2 * timeout_s)

    def receive(self, number: int, segment: bytes) -> None:
        """One packet has come, in whatever order."""
        if self._is_reset or (self._is_closed and segment):
            self._path.carry(40, self.peer.reset)
            return
        if number >= self._expected:
            self._early[number] = segment
        while (found := self._early.pop(self._expected, None)) is not None:
            self._expected += 1
            self._received += found
            self._remote_ended = self._remote_ended or not found
        self._path.carry(40, self.peer.acknowledge, number)
        self._changed.set()

    def acknowledge(self, number: int) -> None:
        """A packet of ours has arrived."""
        self._unacknowledged.discard(number)
        self._send()
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _forget(self) -> None:
        self._is_reset = True
        self._unsent.clear()
        self._unacknowledged.clear()
        self._changed.set()


async def connect(
    path: Path, own: tuple[str, int], other: tuple[str, int], is_listening: Callable[[], bool]
) -> tuple[Endpoint, Endpoint]:
    """Dial from the address ``own``; returns our end and the other one.

    Raises:
        ConnectionRefusedError: nobody listens there.
        TimeoutError: no answer came through.
    """
    answer = asyncio.get_running_loop().create_future()

    def back() -> None:
        if not answer.done():
            answer.set_result(is_listening())

    async with asyncio.timeout(CONNECT_LIMIT_S):
        for waited, when in zip((0.0, *SYN_AT_S), SYN_AT_S, strict=False):
            await asyncio.wait([answer], timeout=when - waited)
            path.carry(40, path.carry, 40, back)
        if not await answer:
            raise ConnectionRefusedError
    ours, theirs = Endpoint(path, other), Endpoint(path, own)
    ours.peer, theirs.peer = theirs, ours
    return ours, theirs
