"""hypercore 9.12.0, suite seek.js."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hypermultifeed.errors import BlockMissingError

WORDS = [b"hello", b"how", b"are", b"you", b"doing", b"?"]


async def test_seek_to_byte_offset(core: Any) -> None:
    """hypercore/seek "seek to byte offset"."""
    feed = await core()
    await feed.extend(WORDS)
    assert await feed.seek(9) == (2, 1)


async def test_seek_twice(core: Any) -> None:
    """hypercore/seek "seek twice"."""
    feed = await core()
    await feed.extend(WORDS)
    found = await asyncio.gather(feed.seek(9), feed.seek(16))
    assert list(found) == [(2, 1), (4, 2)]


async def test_seek_many_times(core: Any) -> None:
    """hypercore/seek "seek many times"."""
    feed = await core()
    blocks = [b"foo", b"b", b"ar", b"baz"]
    await feed.extend(blocks)
    places = [(i, offset) for i, block in enumerate(blocks) for offset in range(len(block))]
    found = await asyncio.gather(*(feed.seek(offset) for offset in range(9)))
    assert found == places


async def test_seek_waits(core: Any) -> None:
    """hypercore/seek "seek waits"."""
    feed = await core()
    seeking = [asyncio.create_task(feed.seek(9)), asyncio.create_task(feed.seek(16))]
    done, _ = await asyncio.wait(seeking, timeout=0)
    assert not done
    await feed.append(WORDS[0])
    await feed.extend(WORDS[1:])
    assert await asyncio.gather(*seeking) == [(2, 1), (4, 2)]


async def test_seek_works_for_sparse_trees(core: Any, replicate: Any) -> None:
    """hypercore/seek "seek works for sparse trees"."""
    feed = await core()
    await feed.append(b"aa")
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    await clone.get(0)  # the first tree has one block,
    await feed.extend([b"aa"] * 15)
    await clone.get(15)  # the second is not connected with it
    assert await clone.seek(1) == (0, 1)
    assert await clone.seek(8) == (4, 0)
    assert clone.has(0)
    assert not clone.has(4)


async def test_seek_to_sibling(core: Any) -> None:
    """hypercore/seek "seek to sibling"."""
    feed = await core()
    await feed.extend([b"aa", b"aa"])
    found = await asyncio.gather(feed.seek(2), feed.seek(3), feed.seek(1))
    assert list(found) == [(1, 0), (1, 1), (0, 1)]


async def test_seek_to_0_and_byte_length(core: Any) -> None:
    """hypercore/seek "seek to 0 and byteLength"."""
    feed = await core()
    assert await feed.seek(0) == (0, 0)
    await feed.extend([b"a", b"b", b"c"])
    assert await feed.seek(0) == (0, 0)
    assert await feed.seek(feed.byte_length) == (3, 0)


async def test_seek_if_available(core: Any, replicate: Any) -> None:
    """hypercore/seek "seek ifAvailable"."""
    feed = await core()
    await feed.extend([b"a", b"b", b"c"])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    with pytest.raises(BlockMissingError):
        await clone.seek(4, if_available=True)
    assert await clone.seek(2, if_available=True) == (2, 0)


async def test_seek_if_available_multiple_peers(core: Any, replicate: Any) -> None:
    """hypercore/seek "seek ifAvailable multiple peers"."""
    # Agreed in meaning: while the only peer knows nothing, the seek fails; once it does, it finds.
    feed = await core()
    await feed.extend([b"a", b"b", b"c"])
    middle, far = await core(feed.key, sparse=True), await core(feed.key, sparse=True)
    replicate(middle, far, live=True)
    with pytest.raises(BlockMissingError):
        await far.seek(2, if_available=True)
    replicate(feed, middle, live=True)
    await middle.get(2)
    assert await far.seek(2) == (2, 0)


async def test_seek_if_available_with_many_inflight_requests(core: Any, replicate: Any) -> None:
    """hypercore/seek "seek ifAvailable with many inflight requests"."""
    feed = await core()
    await feed.extend([b"a"] * 100)
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    gets = [asyncio.create_task(clone.get(index)) for index in range(100)]
    assert await clone.seek(2, if_available=True) == (2, 0)
    assert await asyncio.gather(*gets) == [b"a"] * 100


async def test_seek_if_available_in_a_tree_with_holes(core: Any, replicate: Any) -> None:
    """The only peer knows the length, but not where the byte is: no, until it does."""
    feed = await core()
    await feed.extend([b"abc"] * 8)
    middle, far = await core(feed.key, sparse=True), await core(feed.key, sparse=True)
    replicate(feed, middle, live=True)
    await middle.get(7)
    replicate(middle, far, live=True)
    await far.update()
    with pytest.raises(BlockMissingError):
        await far.seek(1, if_available=True)
    waiting = asyncio.create_task(far.seek(1))
    await middle.get(0)
    assert await waiting == (0, 1)
    assert await far.seek(4, if_available=True) == (1, 1)
