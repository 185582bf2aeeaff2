"""The topics that a swarm has joined, and those it is leaving."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypermultifeed.network.topic_search import TopicSearch
from hypermultifeed.peers.candidate import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.errors import HypermultifeedError
    from hypermultifeed.network.topic_search import Means
    from hypermultifeed.peers.peer_queue import PeerQueue

FLUSH_S: Final = 60.0
"""How long `flushed` waits for dials after the first round: bogus peers must not hold it up."""

CLOSE_S: Final = 2.0
"""How long taking back all announcements may take when the swarm closes."""


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """What is known about one topic.

    Attributes:
        announce, lookup: what was asked for.
        rounds: rounds of the DHT that have ended. error: why the latest failed, if it did.
        candidates: peers known for it now. connections: those connected that we dialled.
    """

    announce: bool
    lookup: bool
    rounds: int
    error: HypermultifeedError | None
    candidates: int
    connections: int


class JoinedTopics:
    """A search for each topic, and those who wait for its first results.

    Args:
        queue: takes peers of the topics that are looked up, and of no other.
        means: what to search with.
        is_full: whether no peer will be dialled for now.
    """

    def __init__(self, queue: PeerQueue, means: Means, is_full: Callable[[], bool]) -> None:
        self._queue = queue
        self._means = means
        self._is_full = is_full
        self._searches: dict[bytes, TopicSearch] = {}
        self._leaving: dict[bytes, asyncio.Task[None]] = {}
        self._flushing: dict[asyncio.Future[None], bytes] = {}

    def __contains__(self, topic: bytes) -> bool:
        return topic in self._searches

    def join(self, topic: bytes, *, announce: bool, lookup: bool) -> None:
        """See `Swarm.join`."""
        if lookup:
            self._queue.join(topic)
        else:
            self._queue.leave(topic)
        search = self._searches.get(topic)
        if search is None:
            search = self._searches[topic] = TopicSearch(topic, self._means)
        search.start(announce=announce, lookup=lookup, after=self._leaving.get(topic))

    async def leave(self, topic: bytes) -> bool:
        """See `Swarm.leave`."""
        search = self._searches.pop(topic, None)
        if search is None:
            return False
        self._queue.leave(topic)
        leaving = asyncio.create_task(search.stop())
        self._leaving[topic] = leaving
        leaving.add_done_callback(lambda done: self._left(topic, done))
        self.look()
        await asyncio.wait([leaving])
        return True

    def _left(self, topic: bytes, leaving: asyncio.Task[None]) -> None:
        if self._leaving.get(topic) is leaving:
            del self._leaving[topic]

    async def flushed(self, topic: bytes) -> None:
        """See `Swarm.flushed`."""
        search = self._searches.get(topic)
        if search is None:
            return
        await search.first_round()
        flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushing[flushed] = topic
        self.look()
        try:
            await asyncio.wait([flushed], timeout=FLUSH_S)
        finally:
            self._flushing.pop(flushed, None)

    def look(self) -> None:
        """Wake those who wait for what has happened by now."""
        for flushed, topic in list(self._flushing.items()):
            if not flushed.done() and (self._is_full() or not self._queue.untried(topic)):
                flushed.set_result(None)

    async def close(self) -> None:
        """Leave all topics, in :data:`CLOSE_S` at most."""
        searches, self._searches = self._searches, {}
        for topic in searches:
            self._queue.leave(topic)
        self.look()
        leaving = [
            *self._leaving.values(),
            *(asyncio.create_task(search.stop(CLOSE_S)) for search in searches.values()),
        ]
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=CLOSE_S)
            for task in late:
                task.cancel()

    def status(self) -> dict[bytes, TopicStatus]:
        """See `Swarm.status`."""
        return {topic: self._status(search) for topic, search in self._searches.items()}

    def _status(self, search: TopicSearch) -> TopicStatus:
        found = [one for one in self._queue if search.topic in one.topics]
        connected = [one for one in found if one.state is State.CONNECTED]
        return TopicStatus(
            announce=search.announce,
            lookup=search.lookup,
            rounds=search.rounds,
            error=search.error,
            candidates=len(found),
            connections=len(connected),
        )
