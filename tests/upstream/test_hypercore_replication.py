"""hypercore 9.12.0, suite replicate.js: two and more peers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hypermultifeed.errors import BlockMissingError, ReplicationError, ReplicationTimeoutError
from hypermultifeed.hypercore import PeerAdded, PeerOpened, PeerRemoved, Uploaded
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.stream import ReplicationStream, link

FIVE = [b"a", b"b", b"c", b"d", b"e"]
EIGHT = [*FIVE, b"f", b"g", b"h"]


async def filled(core: Any, blocks: list[bytes], **options: Any) -> Any:
    feed = await core(**options)
    await feed.extend(blocks)
    return feed


async def blocks_of(feed: Any, start: int = 0, stop: int | None = None) -> list[bytes]:
    stop = feed.length if stop is None else stop
    return list(await asyncio.gather(*(feed.get(index) for index in range(start, stop))))


# --- basic -----------------------------------------------------------------------------------


async def test_replicate(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    gets = [asyncio.create_task(clone.get(index)) for index in range(5)]
    replicate(feed, clone, live=True)
    assert await asyncio.gather(*gets) == FIVE


async def test_replicate_twice(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate twice"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    await replicate(feed, clone).ended()
    assert await blocks_of(clone, 0, 5) == FIVE
    more = [b"f", b"g", b"h", b"i", b"j"]
    await feed.extend(more)
    await replicate(feed, clone).ended()
    assert await blocks_of(clone, 5, 10) == more


async def test_replicate_live(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate live"."""
    feed = await core()
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    gets = [asyncio.create_task(clone.get(index)) for index in range(3)]
    for block in FIVE[:3]:
        await feed.append(block)
    assert await asyncio.gather(*gets) == FIVE[:3]


async def test_download_while_get(core: Any, replicate: Any) -> None:
    """hypercore/replicate "download while get"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    download = asyncio.create_task(clone.download(0, 6))  # one more than there will be
    gets = [asyncio.create_task(clone.get(index)) for index in range(5)]
    replicate(feed, clone, live=True)
    assert await asyncio.gather(*gets) == FIVE
    assert not download.done()
    await feed.append(b"f")
    await download
    assert clone.has(5)


async def test_non_live(core: Any, replicate: Any) -> None:
    """hypercore/replicate "non live"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    await replicate(clone, feed).ended()
    assert clone.length == 5
    assert await blocks_of(clone) == FIVE


async def test_non_live_two_way(core: Any, replicate: Any) -> None:
    """hypercore/replicate "non live, two way"."""
    feed = await filled(core, FIVE)
    clone, second = await core(feed.key), await core(feed.key)
    await replicate(clone, feed).ended()
    assert await blocks_of(clone) == FIVE
    await replicate(clone, second).ended()
    assert await blocks_of(second, 0, 5) == FIVE


async def test_non_live_empty(core: Any, replicate: Any) -> None:
    """hypercore/replicate "non-live empty"."""
    feed = await core()
    clone = await core(feed.key)
    await replicate(feed, clone).ended()
    assert clone.length == 0


async def test_non_live_over_several_streams_at_once(core: Any, replicate: Any) -> None:
    """Each of them ends when the reader has everything, whichever brought it."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    await asyncio.gather(*(replicate(feed, clone).ended() for _ in range(3)))
    assert await blocks_of(clone) == FIVE


async def test_a_stream_that_was_closed_before_it_ran(core: Any, join: Any) -> None:
    """Closing races with starting; whichever is first, it is a clean end."""
    feed = await core()
    clone = await core(feed.key)
    left, right = feed.replicate(initiator=True), clone.replicate(initiator=False)
    joined = join(left, right)
    await asyncio.gather(left.close(), right.close())
    await joined.ended()
    assert not feed.peers
    assert not clone.peers


# --- shapes ----------------------------------------------------------------------------------


async def chain(core: Any, replicate: Any, blocks: list[bytes], **options: Any) -> list[Any]:
    """``feed - first - second``, all live."""
    feed = await filled(core, blocks, **options)
    first, second = await core(feed.key), await core(feed.key)
    replicate(feed, first, live=True)
    replicate(first, second, live=True)
    return [feed, first, second]


async def test_basic_3_way_replication(core: Any, replicate: Any) -> None:
    """hypercore/replicate "basic 3-way replication"."""
    _, first, second = await chain(core, replicate, FIVE)
    assert await first.get(0) == b"a"
    assert await second.get(0) == b"a"


async def test_basic_3_way_replication_sparse_and_not_sparse(core: Any, replicate: Any) -> None:
    """hypercore/replicate "basic 3-way replication sparse and not sparse"."""
    feed = await filled(core, FIVE)
    sparse, whole = await core(feed.key, sparse=True), await core(feed.key)
    replicate(feed, sparse, live=True)
    assert await sparse.get(0) == b"a"
    replicate(sparse, whole, live=True)
    assert await whole.get(0) == b"a"
    await sparse.get(4)  # whatever else was asked before this is answered would be here by now
    assert await whole.get(4) == b"e"
    assert [whole.has(index) for index in range(5)] == [True, False, False, False, True]
    assert sparse.downloaded() == 2


async def test_extra_data_and_factor_of_two(core: Any, replicate: Any) -> None:
    """hypercore/replicate "extra data + factor of two"."""
    feed = await filled(core, EIGHT)
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    assert await clone.get(1) == b"b"


async def test_3_way_another_index(core: Any, replicate: Any) -> None:
    """hypercore/replicate "3-way another index"."""
    _, first, second = await chain(core, replicate, FIVE[:2])
    assert await first.get(1) == b"b"
    assert await second.get(1) == b"b"


async def test_3_way_another_index_and_extra_data(core: Any, replicate: Any) -> None:
    """hypercore/replicate "3-way another index + extra data"."""
    _, first, second = await chain(core, replicate, FIVE)
    assert await first.get(1) == b"b"
    assert await second.get(1) == b"b"


async def test_3_way_another_index_and_extra_data_and_factor_of_two(
    core: Any, replicate: Any
) -> None:
    """hypercore/replicate "3-way another index + extra data + factor of two"."""
    _, first, second = await chain(core, replicate, EIGHT)
    assert await first.get(1) == b"b"
    assert await second.get(1) == b"b"


async def test_seek_while_replicating(core: Any, replicate: Any) -> None:
    """hypercore/replicate "seek while replicating"."""
    feed = await core()
    clone = await core(feed.key)
    seeks = [asyncio.create_task(clone.seek(9)), asyncio.create_task(clone.seek(16))]
    await feed.append(b"hello")
    await feed.extend([b"how", b"are", b"you", b"doing", b"?"])
    replicate(feed, clone, live=True)
    assert await asyncio.gather(*seeks) == [(2, 1), (4, 2)]


async def test_non_sparse_live_replication(core: Any, replicate: Any) -> None:
    """hypercore/replicate "non spare live replication"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    assert await blocks_of(clone, 0, 3) == FIVE[:3]
    with clone.events() as events:
        await feed.append(b"new")
        await until(events, clone, lambda: clone.has(3))  # nobody has asked for it
    assert await clone.get(3, wait=False) == b"new"


async def until(events: Any, feed: Any, condition: Any) -> None:
    """Read the feed's events until the condition holds."""
    while not condition():
        await anext(events)


async def test_can_wait_for_updates(core: Any, replicate: Any) -> None:
    """hypercore/replicate "can wait for updates"."""
    feed = await core()
    clone = await core(feed.key)
    update = asyncio.create_task(clone.update())
    replicate(feed, clone, live=True)
    await feed.extend(FIVE[:3])
    await update
    assert clone.length == 3


async def test_replicate_while_clearing(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate while clearing"."""
    feed = await core()
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    await feed.extend(FIVE[:3])
    assert await clone.get(1) == b"b"
    await feed.clear(2, 3)
    assert not feed.has(2)
    with pytest.raises(BlockMissingError):
        await clone.get(2, if_available=True)
    with pytest.raises(TimeoutError):
        await clone.get(2, timeout_s=0)


async def test_replicate_while_cancelling(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate while cancelling"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key, sparse=True)
    waiting = asyncio.create_task(clone.get(0))
    await asyncio.wait([waiting], timeout=0)
    replicate(feed, clone, live=True)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await clone.get(1) == b"b"  # the connection goes on, and the cancelled was not fetched
    assert not clone.has(0)


async def test_shared_stream_non_live(core: Any, join: Any) -> None:
    """hypercore/replicate "shared stream, non live"."""
    a, b = await filled(core, [b"a", b"b"]), await filled(core, [b"c", b"d"])
    a_copy, b_copy = await core(a.key), await core(b.key)
    left = a.replicate(initiator=True, live=False)
    b_copy.replicate(initiator=True, stream=left, live=False)
    right = a_copy.replicate(initiator=False, live=False)
    b.replicate(initiator=False, stream=right, live=False)
    await join(left, right).ended()
    assert await blocks_of(a_copy, 0, 2) == [b"a", b"b"]
    assert await blocks_of(b_copy, 0, 2) == [b"c", b"d"]


async def test_get_total_downloaded_chunks(core: Any, replicate: Any) -> None:
    """hypercore/replicate "get total downloaded chunks"."""
    feed = await filled(core, FIVE[:4])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    ranges: list[tuple[int, ...]] = [(), (0,), (2,), (0, 1), (0, 3), (2, 4)]
    await clone.get(1)
    assert [clone.downloaded(*range_) for range_ in ranges] == [1, 1, 0, 0, 1, 0]
    await clone.get(3)
    assert [clone.downloaded(*range_) for range_ in ranges] == [2, 2, 1, 0, 1, 1]


async def test_feed_has_a_range_of_chunks(core: Any, replicate: Any) -> None:
    """hypercore/replicate "feed has a range of chuncks"."""
    feed = await filled(core, FIVE[:4])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    for index in range(3):
        await clone.get(index)
    assert clone.has(1)
    assert not clone.has(3)
    assert clone.has(0, clone.length - 1)
    assert not clone.has(0, clone.length)
    assert clone.has(1, 3)
    assert not clone.has(3, 4)


async def test_feed_has_a_large_range(core: Any, replicate: Any) -> None:
    """hypercore/replicate "feed has a large range"."""
    feed = await core()
    for _ in range(3):
        await feed.extend(EIGHT)
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    assert len(await blocks_of(clone, 0, 20)) == 20
    assert clone.downloaded() == 20
    assert not any(clone.has(start, 24) for start in (5, 12, 20))
    assert all(clone.has(start, 20) for start in (0, 3, 8, 19))
    assert all(clone.has(start, 16) for start in (0, 3, 8))


# --- switches --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param({}, {"download": False}, id="no download"),
        pytest.param({"upload": False}, {}, id="no upload"),
    ],
)
async def test_replicate_no_download_no_upload(
    core: Any, replicate: Any, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """hypercore/replicate "replicate no download"; "replicate no upload"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    other = await filled(core, FIVE)
    other_copy = await core(other.key)
    # A second core on the same stream, opened after: when it is here, the first had its chance.
    left, right = feed.replicate(initiator=True, **ours), clone.replicate(initiator=False, **theirs)
    other.replicate(initiator=True, stream=left)
    other_copy.replicate(initiator=False, stream=right)
    waiting = asyncio.create_task(clone.get(0))
    joined = replicate_streams(left, right)
    assert await blocks_of(other_copy, 0, 5) == FIVE
    assert not waiting.done()
    assert clone.downloaded() == 0
    waiting.cancel()
    await left.close()
    await right.close()
    await asyncio.gather(joined, return_exceptions=True)


def replicate_streams(left: ReplicationStream, right: ReplicationStream) -> asyncio.Task[None]:
    return asyncio.create_task(link(left, right))


async def test_sparse_mode_two_downloads(core: Any, replicate: Any) -> None:
    """hypercore/replicate "sparse mode, two downloads"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    await clone.update()
    await clone.download(0, 4)
    assert clone.downloaded() == 4
    await clone.download(4, 5)
    assert clone.has(0, 5)


async def test_download_blocks(core: Any, replicate: Any) -> None:
    """hypercore/replicate "download blocks"."""
    feed = await filled(core, [*EIGHT, b"i", b"j"])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    wanted = {0, 3, 4, 9}
    await asyncio.gather(*(clone.download(index, index + 1) for index in wanted))
    assert clone.length == 10
    assert {index for index in range(10) if clone.has(index)} == wanted


async def test_replicate_from_very_sparse(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate from very sparse"."""
    feed = await core()
    length = 100_000
    await feed.extend([b"a"] * length)
    sparse, whole = await core(feed.key, sparse=True), await core(feed.key)
    replicate(feed, sparse, live=True)
    await sparse.download(length - 30, length)
    with whole.events() as events:
        replicate(whole, sparse, live=True)
        await until(events, whole, lambda: whole.downloaded() == 30)
    assert whole.has(length - 30, length)


async def test_first_get_hash_then_get_block(core: Any, replicate: Any) -> None:
    """hypercore/replicate "first get hash, then get block"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    assert await clone.seek(2) == (2, 0)  # brings the hash of block 2
    assert not clone.has(2)
    assert await clone.get(2) == b"c"


# --- security, events ------------------------------------------------------------------------


async def test_allow_push(core: Any, replicate: Any) -> None:
    """hypercore/replicate "allow push"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key, sparse=True, allow_push=True)
    waiting = asyncio.create_task(clone.get(0))
    with feed.events() as at_feed, clone.events() as at_clone:
        joined = replicate(feed, clone, live=True)
        while not isinstance(await anext(at_feed), Uploaded):
            pass
        waiting.cancel()  # the answer is under way: with allow_push it is kept
        await until(at_clone, clone, lambda: clone.has(0))
    assert not joined.task.done()


async def test_replicate_with_onwrite(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate with onwrite"."""
    written: dict[int, bytes] = {}
    peers = set()

    def on_write(index: int, block: bytes, peer: Any) -> None:
        written[index] = bytes(block)
        peers.add(peer is None)

    feed = await filled(core, FIVE)
    clone = await core(feed.key, on_write=on_write)
    await replicate(feed, clone).ended()
    assert written == dict(enumerate(FIVE))
    assert peers == {False}


async def test_peer_add_and_peer_remove_are_emitted(core: Any, replicate: Any) -> None:
    """hypercore/replicate "peer-add and peer-remove are emitted"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    with feed.events() as at_feed, clone.events() as at_clone:
        await replicate(clone, feed).ended()
        for events in (at_feed, at_clone):
            seen = [type(event) for event in events.fetch()]
            assert [seen.count(kind) for kind in (PeerAdded, PeerOpened, PeerRemoved)] == [1, 1, 1]
            assert seen.index(PeerAdded) < seen.index(PeerOpened) < seen.index(PeerRemoved)
    assert len(feed.peers) == len(clone.peers) == 0


async def test_destroy_replication_stream_before_handshake(core: Any) -> None:
    """hypercore/replicate "destroy replication stream before handshake"."""
    feed = await filled(core, FIVE[:3])
    first = feed.replicate(initiator=True)
    await first.close()
    second = feed.replicate(initiator=True)
    await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])
    await second.close()
    assert len(feed.peers) == 0
    with pytest.raises(BlockMissingError):  # nobody is still being waited for
        await feed.get(7, if_available=True)


async def test_double_replicate(core: Any, join: Any) -> None:
    """hypercore/replicate "double replicate"."""
    feed = await filled(core, [b"hi"])
    clone = await core(feed.key)
    left, right = (
        feed.replicate(initiator=True, live=False),
        clone.replicate(initiator=False, live=False),
    )
    assert feed.replicate(initiator=True, stream=left, live=False) is left
    await join(left, right).ended()
    assert await clone.get(0) == b"hi"
    assert len(feed.peers) == len(clone.peers) == 0
    with pytest.raises(BlockMissingError):
        await clone.get(1, if_available=True)


async def test_replicate_with_feed_authentication(core: Any, join: Any) -> None:
    """hypercore/replicate "replicate with feed authentication"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    pairs = [NoiseKeyPair.generate(), NoiseKeyPair.generate()]
    seen: list[tuple[str, bytes, bytes]] = []

    def at(name: str) -> Any:
        def authenticate(key: bytes, remote: bytes) -> bool:
            seen.append((name, key, remote))
            return True

        return authenticate

    left = feed.replicate(initiator=True, live=False, key_pair=pairs[0], on_authenticate=at("feed"))
    right = clone.replicate(
        initiator=False, live=False, key_pair=pairs[1], on_authenticate=at("clone")
    )
    await join(left, right).ended()
    assert sorted(seen) == [
        ("clone", feed.key, pairs[0].public_key),
        ("feed", feed.key, pairs[1].public_key),
    ]


async def test_replicate_with_noise_disabled(core: Any, join: Any) -> None:
    """hypercore/replicate "replicate with NOISE disabled"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key)
    plain: dict[str, Any] = {"noise": False, "encrypted": False}
    left, right = (ReplicationStream(initiator=side, live=False, **plain) for side in (True, False))
    feed.replicate(initiator=True, stream=left, live=False)
    clone.replicate(initiator=False, stream=right, live=False)
    await join(left, right).ended()
    assert await clone.get(2) == b"c"
    assert left.remote_public_key is None
    assert right.remote_public_key is None


async def test_replicate_and_close_through_stream(core: Any, replicate: Any) -> None:
    """hypercore/replicate "replicate and close through stream"."""
    feed = await filled(core, FIVE[:3])
    clone = await core(feed.key)
    joined = replicate(feed, clone, live=True)
    await clone.get(0)
    assert len(feed.peers) == 1
    await joined.left.close()
    await joined.ended()
    assert len(feed.peers) == len(clone.peers) == 0


async def test_request_timeouts(core: Any, join: Any, with_timers: None) -> None:
    """hypercore/replicate "request timeouts"."""
    # Decided on a clock of its own in the pure layer's tests; here: a silent peer ends the stream
    # with the documented error.
    feed = await core()
    left = feed.replicate(initiator=True, timeout_s=0.05)
    right = ReplicationStream(initiator=False, timeout_s=0)
    joined = join(left, right)
    with pytest.raises(ReplicationTimeoutError):
        await joined.ended()


async def test_regression_replicate_without_timeout(core: Any, replicate: Any) -> None:
    """hypercore/replicate "regression: replicate without timeout"."""
    feed = await filled(core, FIVE)
    clone = await core(feed.key)
    replicate(feed, clone, live=True, timeout_s=0)
    assert await blocks_of(clone, 0, 5) == FIVE


async def test_events_replicating_events_fired(core: Any, replicate: Any) -> None:
    """hypercore/replicate "events: replicating events fired (normal)"."""
    feed = await core()
    clone = await core(feed.key)
    with feed.events() as events:
        replicate(feed, clone, live=True)
        assert isinstance(await anext(events), PeerAdded)


async def test_events_replicating_events_once_for_multiple_feeds(core: Any, join: Any) -> None:
    """hypercore/replicate "events: replicating events once for multiple feeds"."""
    feed = await filled(core, [b"hi"])
    clone = await core(feed.key)
    left, right = (
        ReplicationStream(initiator=True, live=False),
        ReplicationStream(initiator=False, live=False),
    )
    with feed.events() as events:
        feed.replicate(initiator=True, stream=left, live=False)
        feed.replicate(initiator=True, stream=left, live=False)
        clone.replicate(initiator=False, stream=right, live=False)
        await join(left, right).ended()
        seen = [type(event) for event in events.fetch()]
    assert seen.count(PeerAdded) == 1


async def test_events_replicating_events_not_fired_if_canceled_before_ready(core: Any) -> None:
    """hypercore/replicate "events: replicating events not fired if canceled before ready"."""
    feed = await core()
    stream = ReplicationStream(initiator=True)
    await stream.close()
    with pytest.raises(ReplicationError):
        feed.replicate(initiator=True, stream=stream)
    assert len(feed.peers) == 0
