from __future__ import annotations

import asyncio
import gc

import pytest

from hypermultifeed import events
from hypermultifeed.events import Publisher


async def test_nothing_said_after_subscribing_is_lost() -> None:
    publisher = Publisher[int]()
    publisher.publish(0)
    with publisher.subscribe() as first, publisher.subscribe() as second:
        publisher.publish(1)
        publisher.publish(2)
        assert [await anext(first), await anext(first)] == [1, 2]
        assert second.fetch() == [1, 2]
        assert second.fetch() == []


async def test_iteration_ends_when_the_publisher_closes() -> None:
    publisher = Publisher[int]()
    subscription = publisher.subscribe()
    waiting = asyncio.create_task(anext(publisher.subscribe(), "end"))
    await asyncio.sleep(0)
    publisher.publish(1)
    publisher.close()
    publisher.publish(2)
    assert [event async for event in subscription] == [1]
    assert [event async for event in publisher.subscribe()] == []
    assert await waiting == 1


async def test_waiting_task_ends_when_its_subscription_is_closed() -> None:
    subscription = Publisher[int]().subscribe()
    waiting = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)
    subscription.close()
    assert await waiting is None


async def test_cancelled_waiter_loses_no_event() -> None:
    publisher = Publisher[int]()
    subscription = publisher.subscribe()
    first, second, third = (asyncio.create_task(anext(subscription)) for _ in range(3))
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.sleep(0)
    publisher.publish(1)
    first.cancel()  # after it was woken
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_oldest_events_go_when_nobody_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "WAITING_EVENTS_MAX", 2)
    publisher = Publisher[int]()
    subscription = publisher.subscribe()
    for number in range(5):
        publisher.publish(number)
    assert subscription.fetch() == [3, 4]
    assert subscription.dropped == 3


async def test_forgotten_subscriptions_cost_nothing() -> None:
    publisher = Publisher[int]()
    for _ in range(10):
        publisher.subscribe()
    gc.collect()
    assert not publisher._subscriptions


async def test_a_watch_calls_back_and_keeps_nothing() -> None:
    publisher: Publisher[int] = Publisher()
    called: list[str] = []
    with publisher.watch(lambda: called.append("a")) as watch:
        publisher.publish(1)
        publisher.publish(2)
        assert called == ["a", "a"]
        assert watch.fetch() == []
    publisher.publish(3)
    assert called == ["a", "a", "a"]  # the third: it was closed
    other = publisher.watch(lambda: called.append("b"))
    publisher.close()
    other.close()
    assert called[3:] == ["b"]
    ended = publisher.watch(lambda: called.append("c"))
    assert called[4:] == ["c"]
    ended.close()
