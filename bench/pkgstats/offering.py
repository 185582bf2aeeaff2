"""Offers requests at a rate, whether or not answers come in time; a process of its own.

    python offering.py ADDRESS RATE SECONDS < PATHS

Standard input has a JSON list of paths, asked for in turn. Latency is counted from the moment at
which a request was due, not from when it could be sent, so that a server that falls behind is seen
to. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter, deque
from urllib.parse import urlsplit

CONNECTIONS = 64
TICK_S = 0.002
PATIENCE_S = 30.0
NICE = 15
"""As the pages have it: who asks would be on another machine, and take no time from this one."""


class Asking(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._data = bytearray()
        self._missing = -1
        self._due = 0.0
        self._status = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._offer.free.append(self)

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._missing < 0:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._data[:end]).lower()
            self._status = int(head[9:12])
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._missing = end + 4 + int(length or 0)
        if len(self._data) >= self._missing:
            self._data.clear()
            self._missing = -1
            self._offer.answered(self, self._status, time.perf_counter() - self._due)

    def connection_lost(self, _: Exception | None) -> None:
        self._offer.lost()


class Offer:
    """All requests of a run."""

    def __init__(self, address: str, rate: float, seconds: float, paths: list[str]) -> None:
        host = urlsplit(address).netloc
        self._requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in paths]
        self._place = host.rpartition(":")
        self._rate = rate
        self._total = int(rate * seconds)
        self._sent = 0
        self._ended = False
        self._over = asyncio.Event()
        self.free: deque[Asking] = deque()
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0

    async def run(self) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        host, _, port = self._place
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Asking(self), host, int(port))
        self._began = time.perf_counter()
        while self._sent < self._total:
            self._send()
            await asyncio.sleep(TICK_S)
        async with asyncio.timeout(PATIENCE_S):
            await self._over.wait()
        took = time.perf_counter() - self._began
        self._ended = True
        return self._told(took)

    def _send(self) -> None:
        due = min(self._total, int((time.perf_counter() - self._began) * self._rate))
        while self._sent < due and self.free:
            request = self._requests[self._sent % len(self._requests)]
            self.free.popleft().ask(request, self._began + self._sent / self._rate)
            self._sent += 1

    def answered(self, one: Asking, status: int, seconds: float) -> None:
        self.seconds.append(seconds)
        self.statuses[status] += 1
        self.free.append(one)
        self._send()
        if len(self.seconds) == self._total:
            self._over.set()

    def lost(self) -> None:
        self.broken += not self._ended

    def _told(self, took: float) -> dict[str, object]:
        cuts = statistics.quantiles(self.seconds, n=1000)
        return {
            "offered a second": self._rate,
            "answered a second": len(self.seconds) / took,
            "requests": len(self.seconds),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "errors": self.broken + sum(n for one, n in self.statuses.items() if one >= 400),
            "p50_ms": cuts[499] * 1000,
            "p99_ms": cuts[989] * 1000,
            "max_ms": max(self.seconds) * 1000,
        }


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(NICE)
    offer = Offer(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), json.load(sys.stdin))
    print(json.dumps(asyncio.run(offer.run())))
