"""One connection of a networker, against a peer that does what a test says, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.virtual_time import virtual_time
from tests.networks import until

from hypermultifeed.keys import discovery_key
from hypermultifeed.network import peer as network_peer
from hypermultifeed.network.peer import PARKED_S, NetworkPeer
from hypermultifeed.replication.channels import ChannelHandler
from hypermultifeed.stream import ReplicationStream, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

KEY = b"\x07" * 32
OTHER = b"\x08" * 32
TOPIC = discovery_key(KEY)


class Connection:
    """Stands in for a swarm's."""

    address = ("127.0.0.1", 1)
    initiator = True
    local = False

    def __init__(self, *, stays: bool = True, contested: bool = False) -> None:
        self.stays = stays
        self.contested = contested
        self.identified: list[tuple[bytes, bytes]] = []
        self.settling: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def identify(self, own_key: bytes, remote_key: bytes) -> bool:
        self.identified.append((own_key, remote_key))
        return self.stays

    async def settled(self) -> bool:
        return await self.settling


class Host:
    def __init__(self) -> None:
        self.joined: set[bytes] = set()
        self.welcomed: list[NetworkPeer] = []
        self.tasks: list[asyncio.Task[None]] = []

    def is_joined(self, topic: bytes) -> bool:
        return topic in self.joined

    def welcome(self, peer: NetworkPeer) -> None:
        peer.present = True
        self.welcomed.append(peer)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))


class Pair:
    def __init__(self, **connection: Any) -> None:
        self.host = Host()
        self.connection = Connection(**connection)
        stream, self.remote = ReplicationStream(True), ReplicationStream(False)  # noqa: FBT003
        self.peer = NetworkPeer(self.connection, stream, self.host)  # type: ignore[arg-type]

    def open(self, key: bytes = KEY) -> None:
        self.peer.stream.session.open(key, ChannelHandler())

    def remote_open(self, key: bytes = KEY) -> None:
        self.remote.session.open(key, ChannelHandler())

    async def parked(self, key: bytes = KEY) -> None:
        await until(lambda: self.peer.stream.session.remote_opened(discovery_key(key)))


@asynccontextmanager
async def connected(**connection: Any) -> AsyncIterator[Pair]:
    pair = Pair(**connection)
    running = asyncio.create_task(link(pair.peer.stream, pair.remote))
    try:
        await pair.peer.shook.wait()
        await pair.remote.opened()
        yield pair
    finally:
        await pair.peer.stream.close()
        await asyncio.wait([running])
        assert running.exception() is None
        await asyncio.gather(*pair.host.tasks)


@virtual_time
async def test_open_for_an_unknown_key_waits_and_pairs_when_it_is_joined() -> None:
    async with connected() as pair:
        assert pair.host.welcomed == [pair.peer]
        pair.remote_open()
        await pair.parked()
        await asyncio.sleep(PARKED_S - 1)
        pair.host.joined.add(TOPIC)
        assert pair.peer.topics == frozenset()
        pair.open()
        await asyncio.sleep(PARKED_S + 1)
        channel = pair.remote.session.channel(TOPIC)
        assert channel is not None
        assert channel.ready
        assert pair.peer.topics == {TOPIC}
        assert pair.peer.stream.stats.refused == 0
        assert pair.peer._parked == {}


@virtual_time
async def test_open_that_nobody_answers_is_refused_after_a_while() -> None:
    async with connected() as pair:
        for key in (KEY, OTHER):
            pair.remote_open(key)
            await pair.parked(key)
            await asyncio.sleep(PARKED_S / 2 - 0.5)
        assert pair.remote.session.opened(TOPIC)
        await asyncio.sleep(2)
        assert not pair.remote.session.opened(TOPIC)
        assert pair.remote.session.opened(discovery_key(OTHER))
        await asyncio.sleep(PARKED_S)
        assert pair.remote.session.channels == []
        assert pair.peer.stream.stats.refused == 2
        assert pair.peer._timer is None


@virtual_time
async def test_open_that_was_taken_back_and_repeated_waits_anew() -> None:
    async with connected() as pair:
        pair.remote_open()
        await pair.parked()
        await asyncio.sleep(PARKED_S - 1)
        pair.peer.close_channels([TOPIC, discovery_key(OTHER)])
        channel = pair.remote.session.channel(TOPIC)
        assert channel is not None
        channel.close()
        await until(lambda: not pair.peer.stream.session.remote_opened(TOPIC))
        pair.remote_open()
        await pair.parked()
        await asyncio.sleep(PARKED_S - 1)
        assert pair.remote.session.opened(TOPIC)
        await asyncio.sleep(2)
        assert not pair.remote.session.opened(TOPIC)


@pytest.mark.parametrize(("knew", "joined"), [(True, True), (True, False), (False, True)])
@virtual_time
async def test_comes_back_when_a_peer_that_knows_a_key_does_not_start_again(
    knew: bool, joined: bool
) -> None:
    async with connected() as pair:
        if joined:
            pair.host.joined.add(TOPIC)
        if knew:
            pair.remote_open()
            await pair.parked()
            pair.peer.stream.session.refuse(TOPIC)
            await until(lambda: not pair.remote.session.channels)
        pair.open()
        await asyncio.sleep(1)  # the peer, as a JavaScript store, closes what it does not know
        comes_back = knew and joined
        assert pair.peer.stream.closed is comes_back
        assert pair.peer.verdict is comes_back


@virtual_time
async def test_channel_that_was_open_and_is_closed_is_no_reason_to_come_back() -> None:
    async with connected() as pair:
        pair.host.joined.add(TOPIC)
        pair.open()
        pair.remote_open()
        await until(lambda: pair.peer.topics)
        young = pair.peer.verdict
        await asyncio.sleep(1)
        assert (young, pair.peer.verdict) == (False, True)
        channel = pair.remote.session.channel(TOPIC)
        assert channel is not None
        channel.close()
        await asyncio.sleep(60)
        assert not pair.peer.stream.closed
        pair.open()  # once more: the peer, which knew it, does not answer
        await asyncio.sleep(60)
        assert pair.peer.stream.closed


@virtual_time
async def test_connection_that_shared_nothing_counts_as_a_failure() -> None:
    async with connected() as pair:
        assert pair.peer.verdict is False
        await asyncio.sleep(3600)
        assert pair.peer.verdict is False
    assert Pair().peer.verdict is None  # nobody was there at all


@virtual_time
async def test_what_the_swarm_turns_away_is_closed_at_once() -> None:
    async with connected(stays=False) as pair:
        assert pair.connection.identified == [(pair.peer.stream.public_key, pair.remote.public_key)]
        assert pair.host.welcomed == []
        await pair.peer.stream.wait_closed()
        assert pair.peer.stream.error is None


@pytest.mark.parametrize("stays", [True, False])
@virtual_time
async def test_nothing_begins_before_it_is_clear_that_a_connection_stays(stays: bool) -> None:
    async with connected(contested=True) as pair:
        pair.remote_open()
        await pair.parked()
        assert pair.host.welcomed == []
        pair.connection.settling.set_result(stays)
        await asyncio.gather(*pair.host.tasks)
        assert pair.host.welcomed == [pair.peer] * stays
        assert pair.remote.session.opened(TOPIC)


@virtual_time
async def test_what_is_remembered_of_a_peer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_peer, "OPENED_MAX", 3)
    monkeypatch.setattr(network_peer, "PARKED_MAX", 5)
    async with connected() as pair:
        for number in range(10):
            key = bytes([number]) * 32
            pair.remote_open(key)
        await until(lambda: len(pair.remote.session.channels) == 5)
        assert len(pair.peer._parked) == 5
        assert pair.peer._opened == {discovery_key(bytes([number]) * 32) for number in range(3)}


@virtual_time
async def test_status_gives_rates_since_the_last_one() -> None:
    async with connected() as pair:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(2)
        first = pair.peer.status(loop.time())
        assert first.received_per_s == pytest.approx(first.bytes_received / 2)
        assert (first.address, first.initiator, first.topics) == (("127.0.0.1", 1), True, ())
        await asyncio.sleep(4)
        second = pair.peer.status(loop.time())
        assert (second.received_per_s, second.connected_s) == (0, 6)
        assert second.public_key == pair.remote.public_key
        assert pair.remote.public_key.hex()[:8] in repr(pair.peer)
    assert "unknown" in repr(Pair().peer)
