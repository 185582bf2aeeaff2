"""When a sync is over: from one situation to the next, and between real multifeeds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.cli.completion import (
    QUIET_S,
    SEARCH_PATIENCE_S,
    UPLOAD_QUIET_S,
    Completion,
    Situation,
    Verdict,
    situation_of,
)
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from hypermultifeed.hypercore import Hypercore

WAIT_S = 30.0
KEY = bytes.fromhex("07" * 32)

ALONE = Situation(greeted=0, busy=False, progress=0, searched=False)
BUSY = Situation(greeted=1, busy=True, progress=1, searched=True)
IDLE = Situation(greeted=1, busy=False, progress=2, searched=True)


def judged(*timeline: tuple[float, Situation]) -> list[Verdict]:
    completion = Completion(0.0, WAIT_S)
    return [completion.judge(situation, at) for at, situation in timeline]


def test_nobody_comes() -> None:
    searched = ALONE._replace(searched=True)
    said = judged((1, ALONE), (WAIT_S - 1, searched), (WAIT_S, searched))
    assert said == [Verdict.GO_ON, Verdict.GO_ON, Verdict.NOBODY]


def test_done_a_moment_after_the_last_block() -> None:
    said = judged((1, ALONE), (2, BUSY), (3, IDLE), (3 + QUIET_S / 2, IDLE), (3 + QUIET_S, IDLE))
    assert said == [Verdict.GO_ON] * 4 + [Verdict.DONE]


def test_what_comes_in_that_moment_prolongs_it() -> None:
    more = IDLE._replace(progress=3)
    said = judged((1, IDLE), (1 + QUIET_S - 0.1, more), (1 + QUIET_S, more))
    assert said == [Verdict.GO_ON] * 3
    another = IDLE._replace(greeted=2)
    said = judged((1, IDLE), (1 + QUIET_S - 0.1, another), (1 + QUIET_S, another))
    assert said == [Verdict.GO_ON] * 3


def test_other_peers_may_still_be_found() -> None:
    early = IDLE._replace(searched=False)
    said = judged((1, early), (1 + QUIET_S, early), (1 + SEARCH_PATIENCE_S, early))
    assert said == [Verdict.GO_ON, Verdict.GO_ON, Verdict.DONE]
    assert judged((1, early), (1 + QUIET_S, IDLE))[-1] is Verdict.DONE


def test_a_peer_that_promises_and_does_not_deliver() -> None:
    said = judged((1, BUSY), (WAIT_S, BUSY), (WAIT_S + 1, BUSY))
    assert said == [Verdict.GO_ON, Verdict.GO_ON, Verdict.STALLED]
    slow = [(10.0 * n, BUSY._replace(progress=n)) for n in range(20)]
    assert set(judged(*slow)) == {Verdict.GO_ON}


def test_a_peer_that_leaves_in_the_middle_may_come_back() -> None:
    gone = BUSY._replace(greeted=0, busy=False)
    said = judged((1, BUSY), (2, gone), (10, gone), (11, BUSY), (12, IDLE), (12 + QUIET_S, IDLE))
    assert said == [Verdict.GO_ON] * 5 + [Verdict.DONE]
    assert judged((1, BUSY), (2, gone), (2 + WAIT_S, gone))[-1] is Verdict.STALLED


def test_a_peer_that_leaves_when_all_is_done() -> None:
    gone = IDLE._replace(greeted=0)
    assert judged((1, IDLE), (1.1, gone), (1.1 + QUIET_S, gone))[-1] is Verdict.DONE


# --- between real multifeeds


async def filled(name: str, count: int) -> tuple[Multifeed, Hypercore]:
    multi = Multifeed(memory(), key=KEY)
    feed = await multi.writer(name)
    await feed.extend([b"%d" % number for number in range(count)])
    return multi, feed


def has_all(multi: Multifeed, *feeds: Hypercore) -> bool:
    found = [multi.feed(feed.key) for feed in feeds]
    return all(
        copy is not None and copy.downloaded() == feed.length
        for copy, feed in zip(found, feeds, strict=True)
    )


@pytest.mark.parametrize("count", [0, 1, 500])
async def test_busy_until_all_is_here_and_there(count: int) -> None:
    ours, our_feed = await filled("ours", count)
    theirs, their_feed = await filled("theirs", 2 * count)
    now = asyncio.get_running_loop().time
    assert situation_of(ours, now(), searched=True).greeted == 0
    left, right = ours.replicate(initiator=True), theirs.replicate(initiator=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(link(left, right))
        while True:
            situation = situation_of(ours, now(), searched=True)
            if situation.greeted and not situation.busy:
                break
            await asyncio.sleep(0)
        assert has_all(ours, our_feed, their_feed)
        assert has_all(theirs, our_feed, their_feed)
        await left.close()
    await asyncio.gather(ours.close(), theirs.close())


async def test_a_peer_that_does_not_want_ours_is_not_waited_for_long() -> None:
    ours, our_feed = await filled("ours", 10)
    theirs = Multifeed(memory(), key=KEY)
    await theirs.ready()
    now = asyncio.get_running_loop().time
    left = ours.replicate(initiator=True)
    right = theirs.replicate(initiator=False, download=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(link(left, right))
        await left.remote_feeds()
        while not any(peer.settled for peer in our_feed.peers):  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0)
        assert not situation_of(ours, now() + UPLOAD_QUIET_S + 1, searched=True).busy
        await left.close()
    await asyncio.gather(ours.close(), theirs.close())


async def test_blocks_that_no_peer_has_are_not_waited_for() -> None:
    ours, _ = await filled("ours", 0)
    theirs, their_feed = await filled("theirs", 10)
    await their_feed.clear(3, 5)
    now = asyncio.get_running_loop().time
    left, right = ours.replicate(initiator=True), theirs.replicate(initiator=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(link(left, right))
        while True:
            situation = situation_of(ours, now(), searched=True)
            if situation.greeted and not situation.busy:
                break
            await asyncio.sleep(0)
        copy = ours.feed(their_feed.key)
        assert copy is not None
        assert (copy.length, copy.downloaded()) == (10, 8)
        await left.close()
    await asyncio.gather(ours.close(), theirs.close())
