from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed import mux as mux_module
from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import (
    ReplicationError,
    ReplicationTimeoutError,
    VersionMismatchError,
)
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.replication import channels, manifest
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream, link

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.hypercore import Hypercore

ROOT = b"\x07" * 32
OTHER_ROOT = b"\x08" * 32
SAFETY_S = 20.0


def opened(storage: Any = None, **options: Any) -> Multifeed:
    options.setdefault("key", ROOT)
    return Multifeed(memory() if storage is None else storage, value_encoding="json", **options)


def streams(left: Multifeed, right: Multifeed, **options: Any) -> tuple[Any, Any]:
    return left.replicate(True, **options), right.replicate(False, **options)  # noqa: FBT003


async def feed_of(multi: Multifeed, key: bytes) -> Hypercore:
    with multi.events() as added:
        while (feed := multi.feed(key)) is None:
            await anext(added)
    return feed


async def exchanged(ours: Multifeed, theirs: Multifeed, **options: Any) -> None:
    left = ours.replicate(True)  # noqa: FBT003
    right = theirs.replicate(False, **options)  # noqa: FBT003
    joined = asyncio.create_task(link(left, right))
    await left.remote_feeds()
    await left.close()
    await joined


async def test_more_feeds_than_a_peer_may_open_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels both sides have agreed on are neither refused nor counted as a flood."""
    monkeypatch.setattr(channels, "MAX_PENDING_OPENS", 4)
    monkeypatch.setattr(channels, "OPEN_BURST", 4)
    async with opened() as ours, opened() as theirs:
        for multi, count in ((ours, 30), (theirs, 20)):
            for number in range(count):
                await (await multi.writer(str(number))).append(number)
        left, right = streams(ours, theirs, live=False)
        await link(left, right)
        assert left.stats.refused == right.stats.refused == 0
        assert [feed.downloaded() for feed in ours.feeds() + theirs.feeds()] == [1] * 100


async def test_peer_that_does_not_greet_in_time_ends_a_stream_of_ours() -> None:
    async with opened() as ours, opened(key=OTHER_ROOT) as theirs:
        await ours.writer("x")
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        await left.opened()
        mux = ours._muxes[left]
        assert mux._timer is not None
        mux._on_timeout()  # instead of waiting for it
        with pytest.raises(ReplicationError):
            await joined
        assert isinstance(left.error, ReplicationTimeoutError)
        assert str(left.error) == "Multifeed handshake remote timeout"
        assert len(ours.feeds()) == 1
        assert theirs.feeds() == []


async def test_greeting_stops_the_timer_and_none_means_for_ever() -> None:
    async with opened() as ours, opened() as theirs:
        left, right = ours.replicate(True, handshake_timeout_s=None), theirs.replicate(False)  # noqa: FBT003
        joined = asyncio.create_task(link(left, right))
        await right.remote_feeds()
        for mux in (ours._muxes[left], theirs._muxes[right]):
            assert mux.greeted
            assert mux._timer is None
        await left.close()
        await joined


async def test_an_exchange_tells_when_all_is_agreed_on() -> None:
    async with opened() as ours, opened() as theirs:
        yours = await theirs.writer("x")
        assert ours.exchanges() == []
        left, right = streams(ours, theirs)
        (exchange,) = ours.exchanges()
        assert (exchange.stream, exchange.settled, exchange.agreed) == (left, False, frozenset())
        joined = asyncio.create_task(link(left, right))
        await feed_of(ours, yours.key)
        while not exchange.settled:  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0)
        assert exchange.greeted
        assert exchange.agreed == {yours.key}
        await left.close()
        await joined
        assert ours.exchanges() == []


async def test_unmatched_multifeed_on_a_shared_stream_harms_nobody() -> None:
    async with opened() as ours, opened(key=OTHER_ROOT) as extra, opened() as theirs:
        yours = await theirs.writer("x")
        left, right = streams(ours, theirs)
        assert extra.replicate(True, stream=left) is left  # noqa: FBT003
        assert extra.replicate(True, stream=left) is left  # noqa: FBT003 - again: nothing happens
        joined = asyncio.create_task(link(left, right))
        copy = await feed_of(ours, yours.key)
        assert extra._muxes[left]._timer is None
        for multi in (ours, extra):
            multi._muxes[left]._on_timeout()  # it must not strike
        await yours.append("still here")
        assert await copy.get(0) == "still here"
        await left.close()
        await joined


@pytest.mark.parametrize("refused_by_a_store", [False, True])
async def test_later_join_on_a_live_connection_works_at_once(refused_by_a_store: bool) -> None:
    async with Corestore(memory()) as left_store, Corestore(memory()) as right_store:
        left, right = ReplicationStream(True), ReplicationStream(False)  # noqa: FBT003
        if refused_by_a_store:
            left_store.replicate(True, stream=left)  # noqa: FBT003
            right_store.replicate(False, stream=right)  # noqa: FBT003
        async with opened(left_store) as ours:
            mine = await ours.writer("x")
            ours.replicate(True, stream=left)  # noqa: FBT003
            joined = asyncio.create_task(link(left, right))
            await left.opened()
            for _ in range(2):  # join, leave, and join again
                async with opened(right_store) as theirs:
                    theirs.replicate(False, stream=right)  # noqa: FBT003
                    assert (await feed_of(theirs, mine.key)).key == mine.key
                    yours = await theirs.writer("y")
                    assert (await feed_of(ours, yours.key)).key == yours.key
            await left.close()
            await joined


async def test_detach_stops_replicating_at_once() -> None:
    async with opened() as ours, opened() as theirs:
        mine = await ours.writer("x")
        await mine.append(0)
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        copy = await feed_of(theirs, mine.key)
        await copy.get(0)
        assert ours.detach(left)
        assert not ours.detach(left)
        with copy.events() as events:
            await mine.append(1)
            while copy.peers:
                await anext(events)
        assert copy.length == 1
        assert not left.closed
        ours.replicate(True, stream=left)  # noqa: FBT003 - and on again
        theirs.detach(right)
        theirs.replicate(False, stream=right)  # noqa: FBT003
        assert await copy.get(1) == 1
        await left.close()
        await joined


async def test_feed_channel_closed_by_the_peer_opens_again() -> None:
    async with opened() as ours, opened() as theirs:
        mine = await ours.writer("x")
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        copy = await feed_of(theirs, mine.key)
        with copy.events() as events:
            while not any(peer.opened for peer in copy.peers):
                await anext(events)
            channel = right.session.channel(mine.discovery_key)
            assert channel is not None
            channel.close()
        theirs._muxes[right].replicate([copy])
        await mine.append(1)
        assert await copy.get(0) == 1
        await left.close()
        await joined


async def test_quota_of_a_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mux_module, "NEW_FEEDS_PER_STREAM_MAX", 2)
    async with opened() as theirs, opened() as ours:
        for name in "abcde":
            await theirs.writer(name)
        await exchanged(ours, theirs)
        assert len(ours.feeds()) == 2
        assert ours.stats.skipped_keys == 3
        await exchanged(ours, theirs)  # a new stream, and those known do not count
        assert len(ours.feeds()) == 4


async def test_version_mismatch_is_the_streams_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as ours, opened() as theirs:
        monkeypatch.setattr(
            "hypermultifeed.replication.multifeed_sync.encode_handshake",
            lambda _: b'{"client":"MULTIFEED","version":"5.0.0"}',
        )
        left, right = streams(ours, theirs)
        with pytest.raises(ReplicationError):
            await link(left, right)
        found = [s.error for s in (left, right) if isinstance(s.error, VersionMismatchError)]
        assert found
        assert (found[0].us_version, found[0].them_version) == ("4.0.0", "5.0.0")


async def test_bad_message_ends_that_multifeed_and_not_a_shared_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        opened() as ours,
        opened() as theirs,
        opened(key=OTHER_ROOT) as more_ours,
        opened(key=OTHER_ROOT) as more_theirs,
    ):
        mine = await more_ours.writer("x")
        left, right = streams(ours, theirs)
        more_ours.replicate(True, stream=left)  # noqa: FBT003
        more_theirs.replicate(False, stream=right)  # noqa: FBT003
        mux = theirs._muxes[right]
        joined = asyncio.create_task(link(left, right))
        await right.remote_feeds()
        await feed_of(more_theirs, mine.key)
        for _ in range(5):
            exchange = mux._exchange
            if exchange is None:
                mux._open()
                exchange = mux._exchange
                assert exchange is not None
            exchange._sync._messages.append((manifest.MANIFEST, b"null"))
            exchange._send()
            await mine.append("alive")
            await (await feed_of(more_theirs, mine.key)).get(mine.length - 1)
        assert ours.stats.failed_exchanges == 3
        at_ours = ours._muxes[left]
        assert isinstance(at_ours.error, ReplicationError)
        assert at_ours._exchange is None
        assert not left.closed
        await left.close()
        await joined


def _bounded(test: Callable[..., Any]) -> Callable[..., Any]:
    """No test waits for time to pass; this only ends one that hangs."""

    @functools.wraps(test)
    async def run(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(SAFETY_S):
            await test(*arguments, **named)

    return run


for _name, _test in list(globals().items()):
    if _name.startswith("test_") and inspect.iscoroutinefunction(_test):
        globals()[_name] = _bounded(_test)
