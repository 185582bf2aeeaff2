"""What a networker has joined, and what it has left: which cores peers may have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypermultifeed.network.report import TopicStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from hypermultifeed.multifeed import Multifeed
    from hypermultifeed.network.joined_topics import TopicStatus as Search


class Topic:
    """One joined topic.

    Attributes:
        topic: the discovery key.
        key: the root key or core's key that it was joined by, if it was.
        announce, lookup: what was asked for.
        multi: the multifeed that is replicated with those who share it.
        options: of its replication.
        flushed: True once everybody found at first has been tried; False when the topic is left
            before.
    """

    def __init__(self, topic: bytes) -> None:
        self.topic = topic
        self.key: bytes | None = None
        self.announce = self.lookup = False
        self.multi: Multifeed | None = None
        self.options: dict[str, Any] = {}
        self.flushed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushing: asyncio.Task[None] | None = None

    def flush(self, tried: Callable[[bytes], Awaitable[None]]) -> None:
        """Let ``flushed`` come true when ``tried(topic)`` returns. Only the first call counts."""
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(tried))

    async def _flush(self, tried: Callable[[bytes], Awaitable[None]]) -> None:
        await tried(self.topic)
        if not self.flushed.done():
            self.flushed.set_result(True)

    def end(self) -> None:
        """The topic is left: who waits for ``flushed`` is told."""
        if self._flushing is not None:
            self._flushing.cancel()
        if not self.flushed.done():
            self.flushed.set_result(False)

    def discovery_keys(self) -> frozenset[bytes]:
        """Of everything that is replicated because of this topic."""
        feeds = () if self.multi is None else self.multi.feeds()
        return frozenset([self.topic, *(feed.discovery_key for feed in feeds)])

    def status(self, search: Search | None, peers: int) -> TopicStatus:
        """Report, with what the swarm knows and how many peers share it."""
        error = None if search is None else search.error
        return TopicStatus(
            topic=self.topic,
            key=self.key,
            announce=self.announce,
            lookup=self.lookup,
            flushed=self.flushed.done() and self.flushed.result(),
            rounds=0 if search is None else search.rounds,
            error=None if error is None else str(error),
            found=0 if search is None else search.candidates,
            feeds=None if self.multi is None else len(self.multi.feeds()),
            peers=peers,
        )


class Topics:
    """All topics of a networker, in the order they were joined."""

    def __init__(self) -> None:
        self._joined: dict[bytes, Topic] = {}
        self._withheld: dict[bytes, frozenset[bytes]] = {}

    def __len__(self) -> int:
        return len(self._joined)

    def __iter__(self) -> Iterator[Topic]:
        return iter(list(self._joined.values()))

    def __contains__(self, topic: object) -> bool:
        return topic in self._joined

    def get(self, topic: bytes) -> Topic | None:
        """The topic, if it is joined."""
        return self._joined.get(topic)

    def join(self, topic: bytes) -> Topic:
        """The topic, joined now if it was not."""
        known = self._joined.get(topic)
        if known is None:
            self._withheld.pop(topic, None)
            known = self._joined[topic] = Topic(topic)
        return known

    def leave(self, topic: bytes) -> Topic | None:
        """Forget a topic; what came with it is withheld from peers until it is joined again."""
        known = self._joined.pop(topic, None)
        if known is not None:
            known.end()
            self._withheld[topic] = known.discovery_keys()
        return known

    def close(self) -> None:
        """Forget all."""
        for topic in self:
            topic.end()
        self._joined.clear()

    def is_shared(self, wanted: bytes) -> bool:
        """Whether peers may have that core: not if it came with topics that were left."""
        if wanted in self._joined or not any(wanted in gone for gone in self._withheld.values()):
            return True
        multis = (topic.multi for topic in self if topic.multi is not None)
        return any(multi.feed_by_discovery_key(wanted) for multi in multis)
