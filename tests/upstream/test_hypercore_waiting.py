"""hypercore 9.12.0, suites head, get, update, timeouts, selections, set-uploading-downloading."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import BlockMissingError
from hypermultifeed.hypercore import PeerOpened

if TYPE_CHECKING:
    from collections.abc import Callable

FOUR = [b"hi", b"ho", b"hi", b"ho"]


async def filled(core: Any, blocks: list[bytes], **options: Any) -> Any:
    feed = await core(**options)
    await feed.extend(blocks)
    return feed


async def begun(coroutine: Any) -> asyncio.Task[Any]:
    """A task that has run until its first wait, and is not done."""
    task = asyncio.create_task(coroutine)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


# --- head ------------------------------------------------------------------------------------


async def test_head_without_update_does_not_update(core: Any, replicate: Any) -> None:
    """hypercore/head "head without update does not update"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    with pytest.raises(BlockMissingError):
        await clone.head()


async def test_head_with_update_waits_for_an_update(core: Any, replicate: Any) -> None:
    """hypercore/head "head with update waits for an update"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    head = await begun(clone.head(update=True))
    replicate(feed, clone, live=True)
    assert await head == b"hello"


async def test_head_with_update_if_available_will_wait_only_if_an_update_is_available(
    core: Any, replicate: Any
) -> None:
    """hypercore/head "head with update/ifAvailable will wait only if an update is available"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    assert await clone.head(update=True, if_available=True) == b"hello"


async def test_head_with_update_if_available_will_not_wait_forever(core: Any) -> None:
    """hypercore/head "head with update/ifAvailable will not wait forever"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    with pytest.raises(BlockMissingError):
        await clone.head(update=True, if_available=True)


# --- get -------------------------------------------------------------------------------------


async def test_get_with_if_available_waits_correctly(core: Any, replicate: Any) -> None:
    """hypercore/get "get with ifAvailable waits correctly"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    assert await clone.get(0, if_available=True) == b"hello"


async def test_get_with_if_available_returns_null_for_unavailable_index(
    core: Any, replicate: Any
) -> None:
    """hypercore/get "get with ifAvailable returns null for unavilable index"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    replicate(feed, clone, live=True)
    with pytest.raises(BlockMissingError) as caught:
        await clone.get(1, if_available=True)
    assert caught.value.index == 1


async def test_get_with_if_available_does_not_wait_forever(core: Any) -> None:
    """hypercore/get "get with ifAvailable does not wait forever"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key)
    with pytest.raises(BlockMissingError):
        await clone.get(0, if_available=True)


async def test_get_with_top_level_if_available_option_does_not_wait_forever(core: Any) -> None:
    """hypercore/get "get with top-level ifAvailable option does not wait forever"."""
    feed = await filled(core, [b"hello"])
    clone = await core(feed.key, if_available=True)
    with pytest.raises(BlockMissingError):
        await clone.get(0)


async def test_if_available_ends_with_the_last_peer(core: Any, replicate: Any) -> None:
    """Whoever waits for what a peer is going to say learns that it is gone."""
    feed = await filled(core, FOUR)
    clone = await core(feed.key, sparse=True)
    waiters: list[Callable[[], Any]] = [
        lambda: clone.get(9, if_available=True),
        lambda: clone.update(if_available=True),
        lambda: clone.head(update=True, if_available=True),
        lambda: clone.seek(9, if_available=True),
    ]
    for waits in waiters:
        stream = clone.replicate(initiator=True)
        waiting = await begun(waits())
        await stream.close()
        with pytest.raises(BlockMissingError):
            await waiting


# --- timeouts --------------------------------------------------------------------------------


async def test_get_before_timeout(core: Any) -> None:
    """hypercore/timeouts "get before timeout"."""
    feed = await core()
    waiting = await begun(feed.get(0, timeout_s=20.0))
    await feed.append(b"hi")
    assert await waiting == b"hi"


async def test_get_after_timeout(core: Any) -> None:
    """hypercore/timeouts "get after timeout"."""
    feed = await core()
    with pytest.raises(TimeoutError):
        await feed.get(42, timeout_s=0.01)
    await feed.append(b"hi")
    assert await feed.get(0, timeout_s=0.01) == b"hi"


# --- update ----------------------------------------------------------------------------------


async def test_update(core: Any, replicate: Any) -> None:
    """hypercore/update "update"."""
    feed = await core()
    clone = await core(feed.key, sparse=True, eager_update=True)
    with clone.events() as events:
        replicate(feed, clone, live=True)
        await feed.extend(FOUR)
        while clone.length < 4:
            await anext(events)
    assert clone.downloaded() == 0


async def test_disable_eager_update(core: Any, replicate: Any) -> None:
    """hypercore/update "disable eager update"."""
    feed, other = await core(), await core()
    clone = await core(feed.key, sparse=True)
    witness = await core(other.key)
    joined = replicate(feed, clone, live=True)
    other.replicate(initiator=True, stream=joined.left)
    witness.replicate(initiator=False, stream=joined.right)
    await feed.extend(FOUR)
    await other.append(b"after")
    assert await witness.get(0) == b"after"  # sent after the announcement of the four
    assert clone.length == 0


async def test_update_if_available(core: Any, replicate: Any) -> None:
    """hypercore/update "update if available"."""
    feed = await filled(core, FOUR[:3])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    await clone.update(if_available=True)
    assert clone.length == feed.length == 3


async def test_update_if_available_no_peers(core: Any) -> None:
    """hypercore/update "update if available (no peers)"."""
    feed = await filled(core, FOUR[:3])
    clone = await core(feed.key, sparse=True)
    with pytest.raises(BlockMissingError):
        await clone.update(if_available=True)
    assert clone.length == 0


async def test_update_if_available_no_one_has_it(core: Any, replicate: Any) -> None:
    """hypercore/update "update if available (no one has it)"."""
    feed = await filled(core, FOUR[:3])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    with pytest.raises(BlockMissingError):
        await clone.update(4, if_available=True)
    assert clone.length == 0


async def test_update_if_available_through_top_level_option(core: Any, replicate: Any) -> None:
    """hypercore/update "update if available through top-level option"."""
    feed = await filled(core, FOUR[:3])
    clone = await core(feed.key, sparse=True, if_available=True)
    replicate(feed, clone, live=True)
    with pytest.raises(BlockMissingError):
        await clone.update(4)
    assert clone.length == 0


async def test_update_with_block_data(core: Any, replicate: Any) -> None:
    """hypercore/update "update with block data"."""
    feed = await filled(core, FOUR)
    first, second = await core(feed.key, sparse=True), await core(feed.key, sparse=True)
    replicate(feed, first, live=True)
    replicate(first, second, live=True)
    assert await first.head(update=True) == b"ho"  # the update and its block
    assert first.has(3)
    await second.update()
    assert second.length == first.length == feed.length == 4


async def test_update_without_hash_option_should_not_download_block(
    core: Any, replicate: Any
) -> None:
    """hypercore/update "update without hash option should not download block"."""
    feed = await filled(core, FOUR[:3])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    await clone.update(if_available=True)
    assert (clone.length, clone.downloaded()) == (3, 0)
    assert clone.stats.totals.downloaded_blocks == 0


# --- selections: cancelling is cancelling the task that waits -----------------------------------


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, asyncio.CancelledError)


async def test_cancel(core: Any) -> None:
    """hypercore/selections "cancel"."""
    feed = await core()
    first, second = await begun(feed.get(0)), await begun(feed.get(0))
    await cancelled(first)
    await feed.append(b"a")
    assert await second == b"a"  # the other waiter is untouched


async def test_cancel_range(core: Any) -> None:
    """hypercore/selections "cancel range"."""
    feed = await core()
    gets = [await begun(feed.get(index)) for index in range(3)]
    await cancelled(*gets[:2])
    assert not gets[2].done()
    await feed.extend([b"a", b"b", b"c"])
    assert await gets[2] == b"c"


async def test_get_after_cancel(core: Any) -> None:
    """hypercore/selections "get after cancel"."""
    feed = await core()
    await cancelled(await begun(feed.get(0)))
    again = await begun(feed.get(0))
    await feed.append(b"a")
    assert await again == b"a"


async def test_cancel_download(core: Any, replicate: Any) -> None:
    """hypercore/selections "cancel download"."""
    feed = await filled(core, FOUR)
    clone = await core(feed.key, sparse=True)
    await cancelled(await begun(clone.download(0, 4)))
    replicate(feed, clone, live=True)
    await clone.update()
    await clone.download(2, 3)
    assert clone.downloaded() == 1  # the cancelled range is wanted no more


async def test_cancel_download_and_get(core: Any) -> None:
    """hypercore/selections "cancel download and get"."""
    feed = await core()
    download = await begun(feed.download(1, 9))
    await cancelled(download, await begun(feed.get(5)), await begun(feed.get(7)))
    await feed.extend([b"x"] * 9)
    await feed.download(1, 9)


async def test_cancel_seek(core: Any) -> None:
    """hypercore/selections "cancel seek"."""
    feed = await core()
    await cancelled(await begun(feed.seek(10)))
    await feed.append(b"12 bytes long")
    assert await feed.seek(10) == (0, 10)


# --- switches --------------------------------------------------------------------------------


async def test_set_downloading(core: Any, replicate: Any) -> None:
    """hypercore/set-uploading-downloading "setDownloading"."""
    feed = await filled(core, [b"a", b"b"])
    clone = await core(feed.key)
    clone.set_downloading(downloading=False)
    with clone.events() as events:
        replicate(feed, clone, live=True)
        waiting = await begun(clone.get(0))
        while not isinstance(await anext(events), PeerOpened):
            pass
    assert not waiting.done()
    clone.set_downloading(downloading=True)
    assert await waiting == b"a"
    with pytest.raises(BlockMissingError):
        await clone.get(9, if_available=True)


async def test_set_uploading(core: Any, replicate: Any) -> None:
    """hypercore/set-uploading-downloading "setUploading"."""
    feed = await filled(core, [b"a", b"b"])
    clone = await core(feed.key)
    feed.set_uploading(uploading=False)
    with clone.events() as events:
        replicate(feed, clone, live=True)
        waiting = await begun(clone.get(0))
        while not isinstance(await anext(events), PeerOpened):
            pass
    assert not waiting.done()
    feed.set_uploading(uploading=True)
    assert await waiting == b"a"
    with pytest.raises(BlockMissingError):
        await clone.get(9, if_available=True)


async def test_get_block_while_not_uploading(core: Any, replicate: Any) -> None:
    """hypercore/set-uploading-downloading "get block while not uploading"."""
    feed = await filled(core, [b"a", b"b", b"c", b"d"])
    clone = await core(feed.key, sparse=True)
    replicate(feed, clone, live=True)
    assert await clone.get(0) == b"a"
    feed.set_uploading(uploading=False)
    waiting = await begun(clone.get(3))
    feed.set_uploading(uploading=True)
    assert await waiting == b"d"
    assert feed.uploading
    assert clone.peers[0].remote_uploading
