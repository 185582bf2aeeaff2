"""hypercore 9.12.0, suite basic.js: append, get, life cycle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hypermultifeed.errors import (
    BlockMissingError,
    ClosedError,
    CorruptStorageError,
    FeedError,
    HypermultifeedError,
    StorageError,
)
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

GREETINGS = [{"hello": "world"}, {"hello": "verden"}, {"hello": "welt"}]


async def test_append(core: Any) -> None:
    """hypercore/basic "append"."""
    feed = await core(value_encoding="json")
    await asyncio.gather(feed.append(GREETINGS[0]), feed.extend(GREETINGS[1:]))
    assert (feed.length, feed.byte_length) == (3, 54)
    assert [await feed.get(index) for index in range(3)] == GREETINGS


async def test_flush(core: Any) -> None:
    """hypercore/basic "flush"."""
    feed = await core()
    await feed.append(b"hello")  # awaited is flushed: there is no separate call
    assert feed.length == 1
    assert await feed.extend([]) == range(1, 1)
    assert feed.length == 1


async def test_verify(core: Any) -> None:
    """hypercore/basic "verify"."""
    feed = await core()
    pair = KeyPair(public_key=feed.key, secret_key=feed.secret_key)
    evil = await core(key_pair=pair)
    await feed.append(b"test")
    await evil.append(b"t\0st")
    index, signature = feed.signature(0)
    assert index == 0
    assert feed.verify(0, signature)
    assert not evil.verify(0, signature)


async def test_root_hashes(core: Any) -> None:
    """hypercore/basic "rootHashes"."""
    feed = await core()
    evil = await core(key_pair=KeyPair(public_key=feed.key, secret_key=feed.secret_key))
    await feed.append(b"test")
    await evil.append(b"t\0st")
    roots, forged = feed.root_hashes(0), evil.root_hashes(0)
    assert len(roots) == len(forged) == 1
    assert roots[0].index == forged[0].index == 0
    assert roots[0].hash != forged[0].hash


async def test_pass_in_secret_key(core: Any) -> None:
    """hypercore/basic "pass in secret key"."""
    pair = KeyPair.generate()
    feed = await core(key_pair=pair)
    assert (feed.key, feed.secret_key) == (pair.public_key, pair.secret_key)
    assert feed.writable


async def test_check_existing_key() -> None:
    """hypercore/basic "check existing key"."""
    storage = memory()
    async with Hypercore(storage) as feed:
        await feed.append(b"hi")
    other = Hypercore(storage, bytes(32))
    with pytest.raises((StorageError, FeedError)):
        await other.ready()


async def test_create_from_existing_keys(core: Any) -> None:
    """hypercore/basic "create from existing keys"."""
    feed = await core()
    await feed.append(b"hi")
    pair = KeyPair(public_key=feed.key, secret_key=feed.secret_key)
    storage = memory()
    async with Hypercore(storage, key_pair=pair) as other:
        assert (other.key, other.secret_key) == (feed.key, feed.secret_key)
    async with Hypercore(storage) as again:  # both were stored
        assert (again.key, again.secret_key) == (feed.key, feed.secret_key)
        assert again.writable


async def test_head(core: Any) -> None:
    """hypercore/basic "head"."""
    feed = await core(value_encoding="json")
    with pytest.raises(BlockMissingError):
        await feed.head()
    await feed.append(GREETINGS[0])
    assert await feed.head() == GREETINGS[0]
    await feed.extend(GREETINGS[1:])
    assert await feed.head() == GREETINGS[2]
    await feed.append("blender")
    assert await feed.head(value_encoding="utf-8") == '"blender"\n'


async def test_append_no_cache(tmp_path: Any) -> None:
    """hypercore/basic "append, no cache"."""
    async with Hypercore(tmp_path / "core", value_encoding="json") as feed:
        await feed.append(GREETINGS[0])
        await feed.extend(GREETINGS[1:])
    async with Hypercore(tmp_path / "core", value_encoding="json") as feed:  # nothing in memory
        assert (feed.length, feed.byte_length) == (3, 54)
        assert [await feed.get(index) for index in range(3)] == GREETINGS


async def test_onwrite(core: Any) -> None:
    """hypercore/basic "onwrite"."""
    written: list[tuple[int, bytes, object]] = []
    feed = await core(on_write=lambda index, block, peer: written.append((index, block, peer)))
    await feed.extend([b"hello", b"world"])
    assert written == [(0, b"hello", None), (1, b"world", None)]


async def test_close_emitter_and_callback() -> None:
    """hypercore/basic "close, emitter and callback"."""
    async with Hypercore(memory()) as feed:
        closed = [feed.closed]
        await asyncio.gather(feed.close(), feed.close())
        closed.append(feed.closed)
    await feed.close()
    assert closed == [False, True]


async def test_close_calls_pending_callbacks(core: Any) -> None:
    """hypercore/basic "close calls pending callbacks"."""
    feed = await core()

    async def read() -> None:
        async for _ in feed.read(0, live=True):
            pass

    waiting = [asyncio.create_task(feed.get(0)), asyncio.create_task(read())]
    waiting += [asyncio.create_task(feed.download(0, 1)), asyncio.create_task(feed.update())]
    waiting += [asyncio.create_task(feed.seek(3))]
    done, _ = await asyncio.wait(waiting, timeout=0)
    assert not done
    await feed.close()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ClosedError)
    with pytest.raises(ClosedError):
        await read()
    with pytest.raises(ClosedError):
        await feed.get(0)
    with pytest.raises(ClosedError):
        await feed.append(b"late")


async def test_get_batch(core: Any) -> None:
    """hypercore/basic "get batch"."""
    feed = await core(value_encoding="utf-8")
    await feed.extend(["a", "be", "cee", "d"])
    for start, stop in ((0, 4), (1, 3), (2, 4)):
        batch = [value async for value in feed.read(start, stop)]
        assert batch == ["a", "be", "cee", "d"][start:stop]


async def test_append_returns_the_seq() -> None:
    """hypercore/basic "append returns the seq"."""
    storage = memory()
    async with Hypercore(storage) as feed:
        assert await feed.append(b"a") == 0
        assert await feed.extend([b"b", b"c"]) == range(1, 3)
        assert await feed.extend([b"d"]) == range(3, 4)
    async with Hypercore(storage) as feed:
        assert await feed.append(b"e") == 4
        assert feed.length == 5


async def test_append_and_create_write_streams_preserve_seq(core: Any) -> None:
    """hypercore/basic "append and createWriteStreams preserve seq"."""
    feed = await core()  # extend() takes what a write stream would be fed with
    assert await feed.extend(iter([b"a", b"b", b"c"])) == range(3)
    assert await feed.append(b"d") == 3
    assert await feed.extend(iter([b"e", b"f"])) == range(4, 6)
    assert await feed.append(b"g") == 6
    assert feed.length == 7


async def test_closing_all_streams_on_close(tmp_path: Any) -> None:
    """hypercore/basic "closing all streams on close"."""
    folder = tmp_path / "core"
    async with Hypercore(folder) as feed:
        await feed.append(b"block")
    names = ["bitfield", "data", "key", "secret_key", "signatures", "tree"]
    assert sorted(path.name for path in folder.iterdir()) == names
    async with Hypercore(folder) as feed:  # no lock, no file is left behind by the first
        assert await feed.get(0) == b"block"


async def test_writes_are_batched(core: Any) -> None:
    """hypercore/basic "writes are batched"."""
    written: list[list[Any]] = []
    inner = memory()

    def factory(durability: Any) -> Any:
        storage: Any = inner(durability)
        commit = storage.commit

        def counted(writes: Any) -> None:
            written.append([write for write in writes if write.file == "data"])
            commit(writes)

        storage.commit = counted
        return storage

    feed = await core(storage=factory)
    written.clear()
    await feed.extend([b"ab", b"cd"])
    await feed.extend([b"ef", b"gh"])
    data = [(write.offset, bytes(write.data)) for batch in written for write in batch]
    assert data == [(0, b"abcd"), (4, b"efgh")]
    assert len(written) == 2


async def test_cancel_get(core: Any) -> None:
    """hypercore/basic "cancel get"."""
    feed = await core()
    waiting = asyncio.create_task(feed.get(42))
    await asyncio.wait([waiting], timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await feed.append(b"a")
    assert await feed.get(0) == b"a"


async def test_onwait(core: Any) -> None:
    """hypercore/basic "onwait"."""
    feed = await core()
    await feed.append(b"a")
    assert await feed.get(0, wait=False) == b"a"  # wait=False tells what would have to wait
    with pytest.raises(BlockMissingError) as caught:
        await feed.get(42, wait=False)
    assert caught.value.index == 42
    assert isinstance(caught.value, HypermultifeedError)
    assert not isinstance(caught.value, CorruptStorageError)
