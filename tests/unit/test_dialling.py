"""Dials run at once, end in time, and are counted."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import Mock, patch

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.network import dialling
from hypermultifeed.network.connections import SwarmStats
from hypermultifeed.network.dialling import CONNECT_TIMEOUT_S, Dialler, connect
from hypermultifeed.peers.asking import ASKS_BURST, ASKS_PER_SECOND
from hypermultifeed.peers.backoff import PATIENT_WAIT_S
from hypermultifeed.peers.dial_budget import DIALS_AT_ONCE, DIALS_PER_TOPIC
from hypermultifeed.peers.peer_queue import ASK_ABOVE, CROWDED_S, PeerQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hypermultifeed.network.dialling import Streams
    from hypermultifeed.peers.candidate import Candidate

TOPIC = b"t" * 32


class Net:
    """A transport: hosts answer after a time, refuse (None), or never answer (absent)."""

    def __init__(self, **seconds: float | None) -> None:
        self.seconds = seconds
        self.calls: list[tuple[str, float]] = []
        self.under_way = self.most = 0

    async def connect(self, host: str, port: int) -> Streams:
        self.calls.append((host, now()))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            wait = self.seconds.get(host, 3600.0)
            await asyncio.sleep(wait or 0.0)
            if wait is None:
                raise ConnectionRefusedError(host)
        finally:
            self.under_way -= 1
        writer = Mock(asyncio.StreamWriter)
        writer.transport.is_closing = lambda: writer.transport.abort.called
        return asyncio.StreamReader(), writer


def now() -> float:
    return asyncio.get_running_loop().time()


class Scene:
    """A dialler on a `Net`; each connection lasts ``lasts`` seconds."""

    def __init__(self, net: Net, *, lasts: float = 1e6, greets: bool = True) -> None:
        self.net = net
        self.lasts = lasts
        self.greets = greets
        self.stats = SwarmStats()
        self.queue = PeerQueue(Random(1), now())
        self.queue.join(TOPIC)
        self.served: list[tuple[str, float]] = []
        self.writers: dict[str, Any] = {}
        self.places = DIALS_AT_ONCE
        self.asked: list[tuple[str, float]] = []
        self.there: set[str] = set()
        self.failures: list[tuple[tuple[str, int], OSError]] = []
        self.dialler = Dialler(
            self.queue,
            self.serve,
            places=lambda: self.places,
            ask=self.ask,
            stats=self.stats,
            on_failed=lambda *failure: self.failures.append(failure),
        )

    async def serve(self, candidate: Candidate, streams: Streams) -> None:
        host = candidate.address[0]
        self.served.append((host, now()))
        self.writers[host] = streams[1]
        if self.greets:
            self.queue.greeted(candidate, now())
        await asyncio.sleep(self.lasts)

    def ask(self, candidate: Candidate) -> None:
        host = candidate.address[0]
        self.asked.append((host, now()))
        if host in self.there:
            self.queue.replied(candidate)

    def add(self, host: str, **more: Any) -> None:
        self.queue.add((host, 1), now(), **{"topic": TOPIC, "source": "x", **more})
        self.dialler.pump()

    async def __aenter__(self) -> Self:
        self.patch = patch.object(dialling, "TRANSPORTS", (self.net.connect,))
        self.patch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dialler.close()
        self.patch.stop()


@virtual_time
async def test_a_peer_is_dialled_and_served() -> None:
    async with Scene(Net(a=0.5)) as scene:
        start = now()
        scene.add("a")
        await asyncio.sleep(1.0)
        assert scene.served == [("a", start + 0.5)]
        assert (scene.stats.dialled, scene.stats.failed, scene.queue.dialling) == (1, 0, 0)


@virtual_time
async def test_dials_go_on_at_once() -> None:
    async with Scene(Net(**{f"p{n}": 1.0 for n in range(20)})) as scene:
        for number in range(20):
            scene.add(f"p{number}")
        await asyncio.sleep(1.5)
        assert len(scene.served) == scene.net.most == 20


@virtual_time
async def test_a_peer_that_refuses_is_retried_and_then_left() -> None:
    async with Scene(Net(a=None)) as scene:
        start = now()
        scene.add("a")
        await asyncio.sleep(3600.0)
        times = [when - start for _, when in scene.net.calls]
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert len(times) == scene.stats.failed == 4
        assert 0.6 < waits[0] < 1.4 < 3.2 < waits[1] < 6.7 < 9.8 < waits[2] < 20.0
        assert len(scene.queue) == 0
        assert {type(error) for _, error in scene.failures} == {ConnectionRefusedError}


@virtual_time
async def test_a_peer_that_does_not_answer_has_ten_seconds() -> None:
    async with Scene(Net()) as scene:
        scene.add("a")
        await asyncio.sleep(CONNECT_TIMEOUT_S - 0.1)
        assert scene.stats.failed == 0
        await asyncio.sleep(0.2)
        assert scene.stats.failed == 1


@virtual_time
async def test_a_peer_that_was_lost_is_dialled_again_at_once() -> None:
    async with Scene(Net(a=0.0), lasts=60.0) as scene:
        scene.add("a")
        await asyncio.sleep(100.0)
        (_, first), (_, second) = scene.served
        assert 60.0 < second - first < 60.5


@virtual_time
async def test_places_are_freed_for_those_who_wait() -> None:
    """Black holes, and peers that connect and never say who they are."""
    silent = {f"p{number}": 0.1 for number in range(0, DIALS_PER_TOPIC, 2)}
    async with Scene(Net(**silent, good=0.1), greets=False) as scene:
        for number in range(DIALS_PER_TOPIC):
            scene.add(f"p{number}")
        scene.add("good")
        await asyncio.sleep(CROWDED_S - 0.1)
        assert "good" not in dict(scene.served)
        await asyncio.sleep(0.5)
        assert "good" in dict(scene.served)


@virtual_time
async def test_a_silent_peer_loses_its_place_when_it_is_wanted() -> None:
    hosts = {f"p{number}": 0.0 for number in range(DIALS_PER_TOPIC + 1)}
    async with Scene(Net(**hosts), greets=False) as scene:
        for host in hosts:
            scene.add(host)
        await asyncio.sleep(CROWDED_S + 0.1)
        aborted = [one for one in scene.writers.values() if one.transport.abort.called]
        assert len(aborted) == DIALS_PER_TOPIC
        assert len(scene.served) == DIALS_PER_TOPIC
        await asyncio.sleep(CROWDED_S)
        assert len(scene.served) == DIALS_PER_TOPIC + 1, "those that do not notice are cancelled"


@virtual_time
async def test_nobody_is_dialled_while_that_is_not_wished() -> None:
    async with Scene(Net(a=0.0)) as scene:
        scene.places = 0
        scene.add("a")
        await asyncio.sleep(60.0)
        assert scene.net.calls == []
        scene.places = DIALS_AT_ONCE
        scene.dialler.pump()
        await asyncio.sleep(0.1)
        assert len(scene.served) == 1


@virtual_time
async def test_where_many_wait_they_are_asked_and_who_is_there_is_dialled_soon() -> None:
    async with Scene(Net(good=0.1)) as scene:
        scene.there = {"good"}
        for number in range(DIALS_PER_TOPIC + ASK_ABOVE):
            scene.add(f"p{number}")
        assert scene.asked == []
        for number in range(500):
            scene.add(f"q{number}", source=number % 5)
        scene.add("good")
        start = now()
        await asyncio.sleep(500 / ASKS_PER_SECOND + CROWDED_S + 0.5)
        assert "good" in dict(scene.served)
        assert scene.stats.asked == len(scene.asked) <= ASKS_BURST + 6 * ASKS_PER_SECOND
        assert max(when for _, when in scene.asked) > start, "not all at once"


@virtual_time
async def test_nobody_is_asked_while_nobody_may_be_dialled() -> None:
    async with Scene(Net()) as scene:
        scene.places = 0
        for number in range(2 * ASK_ABOVE):
            scene.add(f"p{number}")
        await asyncio.sleep(10.0)
        assert scene.asked == []


@virtual_time
async def test_close_ends_dials_and_connections() -> None:
    async with Scene(Net(a=0.0)) as scene:
        scene.add("a")
        scene.add("b")
        await asyncio.sleep(1.0)
        assert scene.net.under_way == 1
        await scene.dialler.close()
        assert scene.net.under_way == 0
        scene.add("c")
        await asyncio.sleep(2 * PATIENT_WAIT_S)
        assert [host for host, _ in scene.net.calls] == ["a", "b"]


@virtual_time
async def test_transports_are_tried_in_turn() -> None:
    first, second = Net(a=None, b=0.0, c=None), Net(a=0.0, c=None)
    with patch.object(dialling, "TRANSPORTS", (first.connect, second.connect)):
        for host in ("a", "b"):
            await connect(host, 1)
        with pytest.raises(ConnectionRefusedError):
            await connect("c", 1)
    assert [host for host, _ in second.calls] == ["a", "c"]


@pytest.fixture
async def server() -> AsyncIterator[int]:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1]


async def test_tcp(server: int) -> None:
    reader, writer = await connect("127.0.0.1", server)
    assert await reader.read() == b"hello"
    writer.close()


async def test_tcp_by_name(server: int) -> None:
    with patch("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", server))]):
        _, writer = await connect("peer.example", server)
    assert writer.get_extra_info("peername") == ("127.0.0.1", server)
    writer.close()
