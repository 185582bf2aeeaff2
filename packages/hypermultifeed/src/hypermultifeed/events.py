"""Events as values: a publisher, and subscriptions that lose nothing said after they began.

    with multi.events() as added:      # subscribed from this line on
        ...
        event = await anext(added)

An async generator would not do: it starts at its first ``anext``, and what was said before is
lost to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")
S = TypeVar("S", bound="Subscription[Any]")

WAITING_EVENTS_MAX: Final = 65_536
"""Events kept for one subscription whose owner does not fetch them; then the oldest go."""


class Subscription(Generic[T]):
    """Events of one publisher from the subscription's start on, in order.

    An async iterator that ends when its publisher closes (what was said before still comes) or
    when it is closed itself. Leaving its ``with`` block closes it. Several tasks may fetch from
    one subscription; each event goes to one of them.

    Attributes:
        dropped: events lost because nobody fetched them in time.
    """

    def __init__(self) -> None:
        self._events: deque[T] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.dropped = 0

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

    async def __anext__(self) -> T:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake_one()  # it was for us; another one may take the event
                else:
                    self._waiters.remove(waiter)
                raise
        return self._events.popleft()

    def fetch(self) -> list[T]:
        """Return what has come so far, without waiting."""
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Take no more events; iteration ends after those that are here. Idempotent."""
        self._closed = True
        while self._waiters:
            self._wake_one()

    def _put(self, event: T) -> None:
        if self._closed:
            return
        if len(self._events) >= WAITING_EVENTS_MAX:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class Watch(Subscription[T]):
    """Calls back at every event, and at the end; keeps none.

    For those who look for themselves what is new, and for whom a queue would only fill up.
    """

    def __init__(self, on_event: Callable[[], None]) -> None:
        super().__init__()
        self._on_event = on_event

    def close(self) -> None:
        """Call back for the last time. Idempotent."""
        if not self._closed:
            super().close()
            self._on_event()

    def _put(self, event: T) -> None:
        del event
        if not self._closed:
            self._on_event()


class Publisher(Generic[T]):
    """Says events to all its subscriptions; a forgotten subscription costs nothing."""

    __slots__ = ("_closed", "_subscriptions")

    def __init__(self) -> None:
        self._subscriptions: WeakSet[Subscription[T]] | None = None
        self._closed = False

    def subscribe(self) -> Subscription[T]:
        """Return a subscription that begins now (and ends now if the publisher is closed)."""
        return self._add(Subscription())

    def watch(self, on_event: Callable[[], None]) -> Watch[T]:
        """Return a watch that begins now (and ends now if the publisher is closed)."""
        return self._add(Watch(on_event))

    @property
    def is_heard(self) -> bool:
        """Whether there is any subscription; events that come in thousands are else not made."""
        return bool(self._subscriptions)

    def publish(self, event: T) -> None:
        """Give ``event`` to every subscription."""
        for subscription in list(self._subscriptions or ()):
            subscription._put(event)  # noqa: SLF001

    def close(self) -> None:
        """End every subscription. Idempotent."""
        self._closed = True
        for subscription in list(self._subscriptions or ()):
            subscription.close()

    def _add(self, subscription: S) -> S:
        if self._closed:
            subscription.close()
        else:
            if self._subscriptions is None:
                self._subscriptions = WeakSet()
            self._subscriptions.add(subscription)
        return subscription
