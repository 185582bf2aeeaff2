"""Clocks that jump: a machine that slept for hours goes on, and breaks nothing.

That the clock on the wall decides nothing is in `test_wire`; all timers run on a monotonic one.
Some systems count the time asleep in that, too: then hours pass between two events.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.faults.virtual_time import virtual_time

from hypermultifeed.errors import ReplicationTimeoutError
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import link

ROOT = b"\x07" * 32
ASLEEP_S = 8 * 3600.0
FEEDS = 5
BLOCKS = 300


async def replicated(ours: Multifeed, theirs: Multifeed, turns: int | None) -> bool:
    """Replicate, and sleep after some turns; whether all came over before the stream ended."""
    left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
    running = asyncio.create_task(link(left, right))
    loop: Any = asyncio.get_running_loop()
    turn = 0
    while not running.done() and not is_whole(theirs):
        await asyncio.sleep(0)
        if turn == turns:
            loop.now += ASLEEP_S
        turn += 1
    await left.close()
    [error] = await asyncio.gather(running, return_exceptions=True)
    assert error is None or isinstance(error, ReplicationTimeoutError)
    return is_whole(theirs)


def is_whole(copy: Multifeed) -> bool:
    return sum(feed.downloaded() for feed in copy.feeds()) == FEEDS * BLOCKS


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 12, 16, 20, 30, 50, 80])
@virtual_time
async def test_a_sleep_at_any_moment_costs_one_stream_at_most(turns: int) -> None:
    async with Multifeed(memory(), key=ROOT) as ours, Multifeed(memory(), key=ROOT) as theirs:
        for number in range(FEEDS):
            writer = await ours.writer(f"w{number}")
            await writer.extend([b"%d" % block for block in range(BLOCKS)])
        if not await replicated(ours, theirs, turns):
            assert await replicated(ours, theirs, None)
        for feed in theirs.feeds():
            assert [await feed.get(block) for block in range(BLOCKS)] == [
                b"%d" % block for block in range(BLOCKS)
            ]
