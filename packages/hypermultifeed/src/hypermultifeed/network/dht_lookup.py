"""A walk through the DHT for the peers of a topic, while it runs."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from hypermultifeed.discovery.operations import PeersFound
    from hypermultifeed.discovery.query import Query
    from hypermultifeed.errors import HypermultifeedError

RESULTS_MAX: Final = 256
"""Answers kept for one lookup whose owner does not fetch them; further ones are dropped."""


class Lookup:
    """A walk through the DHT: an async iterator of what each node knows, and a context manager.

    It goes on whether its results are fetched or not. Leaving the ``with`` block, or `close`, ends
    it. Iteration ends when all that were asked have answered.

    Attributes:
        dropped: answers that were lost because nobody fetched them.
    """

    def __init__(self, begin: Callable[[], Query[PeersFound]]) -> None:
        """Made by `DhtNode`, which calls `begin` once there are nodes to ask."""
        self.dropped = 0
        self._begin = begin
        self._query: Query[PeersFound] | None = None
        self._over = False
        self._error: HypermultifeedError | None = None
        self._found: deque[PeersFound] = deque()
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PeersFound:
        """The next answer.

        Raises:
            DiscoveryError: nobody answered; of an announcement also: nobody stored it.
            ClosedError: the node was closed before it began.
        """
        while not self._found:
            if self._over:
                self._raise_error()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._found.popleft()

    async def finished(self) -> None:
        """Wait for the end; answers that were not fetched can still be.

        Raises:
            DiscoveryError, ClosedError: as in iteration.
        """
        while not self._over:
            self._news.clear()
            await self._news.wait()
        self._raise_error()

    def close(self) -> None:
        """Ask nobody else; what has come can still be fetched. Idempotent."""
        if self._query is not None:
            self._query.cancel()
        self.end(None)

    def begin(self) -> None:
        """For the node: ask."""
        if self._over:
            return
        try:
            self._query = self._begin()
        except DiscoveryError as error:
            self.end(error)
            return
        self._query.on_reply = self._take
        self._query.on_end = lambda query: self.end(query.error)

    def end(self, error: HypermultifeedError | None) -> None:
        """For the node: it is over."""
        if not self._over:
            self._over = True
            self._error = error
            self._news.set()

    def _take(self, found: PeersFound) -> None:
        if len(self._found) >= RESULTS_MAX:
            self.dropped += 1
        else:
            self._found.append(found)
        self._news.set()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
