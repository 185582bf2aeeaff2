"""Topics that were joined and left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from tests.faults.virtual_time import virtual_time

from hypermultifeed.network.topics import Topics

FIRST, SECOND = b"1" * 32, b"2" * 32
FEED, OTHER = b"f" * 32, b"o" * 32


class Multi:
    """Stands in for a multifeed: feeds by discovery key."""

    def __init__(self, *feeds: bytes) -> None:
        self._feeds = {one: SimpleNamespace(discovery_key=one) for one in feeds}

    def feeds(self) -> list[Any]:
        return list(self._feeds.values())

    def feed_by_discovery_key(self, wanted: bytes) -> Any:
        return self._feeds.get(wanted)


def joined(topics: Topics, topic: bytes, *feeds: bytes) -> Any:
    state: Any = topics.join(topic)
    state.multi = Multi(*feeds)
    return state


@virtual_time
async def test_joining_twice_is_joining_once() -> None:
    topics = Topics()
    first = topics.join(FIRST)
    assert topics.join(FIRST) is first
    second = topics.join(SECOND)
    assert (list(topics), len(topics)) == ([first, second], 2)
    assert FIRST in topics
    assert topics.get(FIRST) is first
    assert topics.leave(FIRST) is first
    assert topics.leave(FIRST) is None
    assert topics.get(FIRST) is None
    assert topics.join(FIRST) is not first


@virtual_time
async def test_what_came_with_a_topic_is_withheld_once_it_is_left() -> None:
    topics = Topics()
    state = joined(topics, FIRST, FEED)
    assert state.discovery_keys() == {FIRST, FEED}
    for one in (FIRST, FEED, OTHER):
        assert topics.is_shared(one)
    topics.leave(FIRST)
    assert [topics.is_shared(one) for one in (FIRST, FEED, OTHER)] == [False, False, True]
    joined(topics, FIRST, FEED)
    assert topics.is_shared(FEED)


@virtual_time
async def test_what_another_topic_has_too_is_not_withheld() -> None:
    topics = Topics()
    joined(topics, FIRST, FEED, SECOND)
    other = joined(topics, SECOND, FEED)
    topics.leave(FIRST)
    assert topics.is_shared(FEED)
    assert topics.is_shared(SECOND)  # a core that is joined by its own topic
    other.multi = None
    assert not topics.is_shared(FEED)


@virtual_time
async def test_flushed_comes_once_or_not_at_all() -> None:
    topics = Topics()
    first, second = topics.join(FIRST), topics.join(SECOND)
    for _ in range(2):  # the second time changes nothing
        first.flush(lambda _: asyncio.sleep(1))
    second.flush(lambda _: asyncio.sleep(1e6))
    assert await first.flushed
    topics.leave(SECOND)
    assert not await second.flushed
    third = topics.join(SECOND)
    topics.close()
    assert first.flushed.result()
    assert not await third.flushed
    assert list(topics) == []


@virtual_time
async def test_status_is_of_this_moment() -> None:
    topics = Topics()
    state = joined(topics, FIRST, FEED, OTHER)
    status = state.status(None, 3)
    assert (status.topic, status.feeds, status.peers, status.found) == (FIRST, 2, 3, 0)
    assert not status.flushed
    search: Any = SimpleNamespace(rounds=2, error=OSError("no"), candidates=7)
    state.flush(lambda _: asyncio.sleep(0))
    await state.flushed
    state.multi = None
    status = state.status(search, 0)
    assert (status.flushed, status.rounds, status.error, status.found) == (True, 2, "no", 7)
    assert status.feeds is None
