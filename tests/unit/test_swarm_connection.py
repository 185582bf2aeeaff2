"""One connection, as its user sees it."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

from tests.faults.virtual_time import virtual_time

from hypermultifeed.network.swarm_connection import SETTLE_S, SwarmConnection
from hypermultifeed.peers.candidate import Candidate

TOPIC = b"t" * 32


def connection(host: str = "198.51.100.1", candidate: Candidate | None = None) -> SwarmConnection:
    writer: Any = Mock(asyncio.StreamWriter)
    writer.is_closing.return_value = False
    return SwarmConnection(
        Mock(), asyncio.StreamReader(), writer, address=(host, 4711), candidate=candidate
    )


async def test_who_dialled() -> None:
    found = Candidate(("198.51.100.1", 4711), source=None, local=False)
    found.topics.add(TOPIC)
    ours, theirs = connection(candidate=found), connection()
    assert ours.initiator
    assert ours.topics == {TOPIC}
    assert not theirs.initiator
    assert not theirs.topics
    assert repr(ours) == "<SwarmConnection to 198.51.100.1:4711>"
    assert repr(theirs) == "<SwarmConnection from 198.51.100.1:4711>"
    found.topics.add(b"u" * 32)
    assert len(ours.topics) == 2


async def test_what_is_local() -> None:
    assert connection("192.168.0.1").local
    assert not connection().local
    neighbour = Candidate(("198.51.100.1", 4711), source=None, local=True)
    assert connection(candidate=neighbour).local


async def test_its_owner_decides() -> None:
    one = connection()
    owner: Any = one._owner
    owner.identify.return_value = True
    assert one.identify(b"own", b"remote")
    owner.identify.assert_called_once_with(one, b"own", b"remote")
    one.ban()
    owner.ban.assert_called_once_with(one)


@virtual_time
async def test_one_that_is_not_contested_is_settled_at_once() -> None:
    start = asyncio.get_running_loop().time()
    assert await connection().settled()
    assert asyncio.get_running_loop().time() == start


@virtual_time
async def test_one_that_the_peer_keeps_is_settled_after_a_while() -> None:
    one = connection()
    one.contested = True
    start = asyncio.get_running_loop().time()
    assert await one.settled()
    assert asyncio.get_running_loop().time() == start + SETTLE_S
    assert not one.contested
    assert await one.settled()


@virtual_time
async def test_one_that_the_peer_closes_is_not_used() -> None:
    one = connection()
    one.contested = True
    asyncio.get_running_loop().call_later(0.1, one.finish)
    start = asyncio.get_running_loop().time()
    assert not await one.settled()
    assert asyncio.get_running_loop().time() < start + 0.2
    assert one.closed
    await one.wait_closed()


async def test_closing() -> None:
    one = connection()
    writer: Any = one.writer
    one.close()
    writer.close.assert_called_once_with()
    writer.is_closing.return_value = True
    assert one.closed
    one.abort()
    writer.transport.abort.assert_called_once_with()
