"""Connections of a swarm: authenticated, duplicate, banned, one too many, over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.faults.virtual_time import virtual_time
from tests.swarms import LOOPBACK, Greeter, greeters, until

from hypermultifeed.network.connections import LINGER_S
from hypermultifeed.network.swarm import Swarm
from hypermultifeed.peers.duplicates import CONNECTIONS_PER_KEY

if TYPE_CHECKING:
    from hypermultifeed.network.swarm_connection import SwarmConnection


async def test_both_sides_know_each_other() -> None:
    async with greeters(1, 2) as (one, other):
        one.dial(other)
        await until(lambda: one.kept and other.kept)
        assert (one.remote_keys, other.remote_keys) == ([2], [1])
        assert (one.kept[0].initiator, other.kept[0].initiator) == (True, False)
        assert one.kept[0].address == other.address
        assert one.swarm.connections == one.kept
        assert (one.swarm.stats.dialled, other.swarm.stats.accepted) == (1, 1)


@pytest.mark.parametrize("keys", [(1, 2), (2, 1)])
async def test_who_dial_each_other_keep_the_same_connection(keys: tuple[int, int]) -> None:
    async with greeters(*keys) as (one, other):
        one.dial(other)
        other.dial(one)
        await until(lambda: one.swarm.stats.duplicates + other.swarm.stats.duplicates)
        await until(lambda: len(one.swarm.connections) == len(other.swarm.connections) == 1)
        small, large = sorted([one, other], key=lambda greeter: greeter.key)
        assert small.kept[0].initiator
        assert not large.kept[0].initiator


async def test_an_address_that_led_to_a_duplicate_is_dialled_when_the_other_is_gone() -> None:
    async with greeters(1, 2) as (small, large):
        small.dial(large)
        await until(lambda: large.kept)
        large.dial(small)
        await until(lambda: large.swarm.stats.duplicates == 1)
        assert large.swarm.stats.dialled == 1
        small.swarm._queue.ban(large.address)
        small.kept[0].close()
        await until(lambda: large.swarm.stats.dialled == 2)
        await until(lambda: large.kept and large.kept[0].initiator)


async def test_ourselves_is_noticed_and_not_dialled_again() -> None:
    async with greeters(1) as (one,):
        one.dial(one)
        await until(lambda: one.swarm.stats.ourselves)
        await until(lambda: not one.swarm.connections)
        assert one.address in one.swarm._queue.banned
        assert one.swarm.stats.dialled == 1
        assert one.seen == []


async def test_two_devices_with_one_key_are_served() -> None:
    async with greeters(5, 5, 1) as (device, twin, third), greeters(9) as (fourth,):
        for one in (device, twin):
            one.dial(third)
            one.dial(fourth)
            third.dial(one)
            fourth.dial(one)
        await until(lambda: len(third.swarm.connections) == len(fourth.swarm.connections) == 2)
        await until(lambda: third.remote_keys == fourth.remote_keys == [5, 5])
        assert device.remote_keys == twin.remote_keys == [1, 9]


async def test_one_key_has_a_few_connections_at_most() -> None:
    async with greeters(1, *[2] * (CONNECTIONS_PER_KEY + 2)) as (one, *others):
        for other in others:
            other.dial(one)
        await until(lambda: one.swarm.stats.refused)
        await until(lambda: len(one.kept) == CONNECTIONS_PER_KEY)


async def test_a_full_swarm_lets_nobody_in_and_dials_nobody() -> None:
    async with greeters(1, connections_max=2) as (full,), greeters(2, 3, 4) as others:
        for other in others[:2]:
            full.dial(other)
        await until(lambda: len(full.kept) == 2)
        others[2].dial(full)
        full.dial(others[2])
        await until(lambda: full.swarm.stats.refused == 1)
        assert full.swarm.stats.dialled == 2
        full.kept[0].ban()
        await until(lambda: 4 in full.remote_keys)


async def test_a_banned_peer_is_neither_dialled_nor_let_in() -> None:
    async with greeters(1, 2) as (one, other):
        one.dial(other)
        await until(lambda: one.kept)
        one.kept[0].ban()
        await until(lambda: not other.kept)
        other.dial(one)
        await until(lambda: one.swarm.stats.refused == 1)
        assert (one.swarm.stats.dialled, one.swarm.stats.banned) == (1, 1)
        assert not one.kept


async def test_an_error_of_the_handler_is_logged_and_ends_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(connection: SwarmConnection) -> None:
        raise ValueError("a handler of a test")

    async with Swarm(fail, **LOOPBACK) as swarm:
        reader, writer = await asyncio.open_connection(*swarm.addresses[0])
        assert await reader.read() == b""
        writer.close()
        assert "a handler of a test" in caplog.text
        assert swarm.connections == []


async def test_what_was_written_still_goes_out() -> None:
    async def talk(connection: SwarmConnection) -> None:
        connection.writer.write(b"x" * 1_000_000)

    async with Swarm(talk, **LOOPBACK) as swarm:
        reader, writer = await asyncio.open_connection(*swarm.addresses[0])
        assert len(await reader.read()) == 1_000_000
        writer.close()


async def test_a_connection_says_when_it_is_over() -> None:
    async with greeters(1, 2) as (one, other):
        one.dial(other)
        await until(lambda: one.kept and other.kept)
        ours, theirs = one.kept[0], other.kept[0]
        ours.close()
        await ours.wait_closed()
        await theirs.wait_closed()
        assert ours.closed
        assert not ours.identify(one.key, other.key)


@virtual_time
async def test_a_handler_that_does_not_notice_the_end_is_cancelled() -> None:
    loop = asyncio.get_running_loop()
    ended: list[float] = []

    class Deaf(Greeter):
        async def talk(self, connection: SwarmConnection) -> None:
            connection.writer.write(self.key)
            connection.identify(self.key, await connection.reader.readexactly(32))
            try:
                await asyncio.sleep(3600.0)
            finally:
                ended.append(loop.time())

    deaf = Deaf(1)
    async with deaf.swarm, greeters(2) as (other,):
        deaf.dial(other)
        await until(lambda: other.kept)
        start = loop.time()
        deaf.swarm.connections[0].ban()
        await until(lambda: ended)
        assert ended[0] - start == pytest.approx(LINGER_S, abs=0.1)


async def test_closing_ends_handlers_that_would_stay() -> None:
    ended: list[bool] = []

    async def stay(connection: SwarmConnection) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    swarm = Swarm(stay, **LOOPBACK)
    async with swarm:
        reader, writer = await asyncio.open_connection(*swarm.addresses[0])
        await until(lambda: swarm.connections)
    assert ended == [True]
    assert await reader.read() == b""
    writer.close()
