"""A lookup as its owner sees it, without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.operations import PeersFound
from hypermultifeed.errors import ClosedError, DiscoveryError
from hypermultifeed.network.dht_lookup import RESULTS_MAX, Lookup


class Walk:
    """Stands for the query of a node."""

    def __init__(self) -> None:
        self.on_reply: Any = None
        self.on_end: Any = None
        self.error: DiscoveryError | None = None
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def end(self, error: DiscoveryError | None = None) -> None:
        self.error = error
        self.on_end(self)


def found(port: int) -> PeersFound:
    return PeersFound(Address("10.0.0.1", port), [Address("10.0.0.2", port)], [], None)


@pytest.fixture
def walk() -> Walk:
    return Walk()


@pytest.fixture
def lookup(walk: Walk) -> Lookup:
    lookup = Lookup(lambda: walk)  # type: ignore[arg-type, return-value]
    lookup.begin()
    return lookup


async def test_results_come_in_order_until_the_end(walk: Walk, lookup: Lookup) -> None:
    first = asyncio.ensure_future(anext(lookup))
    await asyncio.sleep(0)
    walk.on_reply(found(1))
    assert await first == found(1)
    for port in (2, 3):
        walk.on_reply(found(port))
    walk.end()
    assert [one async for one in lookup] == [found(2), found(3)]
    assert [one async for one in lookup] == []


async def test_an_error_comes_after_the_results(walk: Walk, lookup: Lookup) -> None:
    walk.on_reply(found(1))
    walk.end(DiscoveryError("no node took it"))
    assert await anext(lookup) == found(1)
    for wait in (anext, Lookup.finished):
        with pytest.raises(DiscoveryError, match="took"):
            await wait(lookup)


async def test_one_can_wait_for_the_end_alone(walk: Walk, lookup: Lookup) -> None:
    end = asyncio.ensure_future(lookup.finished())
    follower = asyncio.ensure_future(anext(lookup))
    await asyncio.sleep(0)
    walk.on_reply(found(1))
    assert await follower == found(1)
    assert not end.done()
    walk.on_reply(found(2))
    walk.end()
    await end
    assert [one async for one in lookup] == [found(2)]


async def test_what_nobody_fetches_is_bounded(walk: Walk, lookup: Lookup) -> None:
    for port in range(1, RESULTS_MAX + 4):
        walk.on_reply(found(port))
    walk.end()
    assert len([one async for one in lookup]) == RESULTS_MAX
    assert lookup.dropped == 3


async def test_leaving_the_block_ends_the_walk(walk: Walk, lookup: Lookup) -> None:
    with lookup as same:
        walk.on_reply(found(1))
        waiting = asyncio.ensure_future(same.finished())
        await asyncio.sleep(0)
    assert walk.cancelled
    await waiting
    assert [one async for one in lookup] == [found(1)]
    lookup.close()


async def test_closed_before_it_began(walk: Walk) -> None:
    lookup = Lookup(lambda: walk)  # type: ignore[arg-type, return-value]
    lookup.close()
    lookup.begin()
    assert walk.on_end is None
    assert [one async for one in lookup] == []


async def test_the_node_closes_before_it_began(walk: Walk) -> None:
    lookup = Lookup(lambda: walk)  # type: ignore[arg-type, return-value]
    waiting = asyncio.ensure_future(anext(lookup))
    await asyncio.sleep(0)
    lookup.end(ClosedError("the node is closed"))
    with pytest.raises(ClosedError):
        await waiting


async def test_the_node_has_too_much_to_do() -> None:
    def refuse() -> Any:
        raise DiscoveryError("too many operations")

    lookup = Lookup(refuse)
    lookup.begin()
    with pytest.raises(DiscoveryError, match="too many"):
        await lookup.finished()
