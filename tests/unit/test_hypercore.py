"""The asyncio face of one core."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import (
    BlockMissingError,
    BlockTooLargeError,
    ClosedError,
    NotReadyError,
    NotWritableError,
    ReplicationTimeoutError,
    StorageError,
    StreamClosedError,
)
from hypermultifeed.hypercore import (
    Appended,
    Downloaded,
    Hypercore,
    PeerAdded,
    PeerOpened,
    PeerRemoved,
    Uploaded,
)
from hypermultifeed.keys import KeyPair, discovery_key
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from hypermultifeed.storage import Durability, Storage, Write

PAIR = KeyPair.from_seed(bytes([1]) * 32)


class SlowStorage:
    """Storage in memory whose sync waits until it is let go, or fails."""

    def __init__(self) -> None:
        self.inner: Storage = memory()("full")
        self.commits = 0
        self.syncs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail = False

    def __call__(self, durability: Durability) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def commit(self, writes: list[Write]) -> None:
        self.commits += 1
        self.inner.commit(writes)

    async def sync(self) -> None:
        self.syncs += 1
        await self.gate.wait()
        if self.fail:
            raise StorageError("the disk is gone")


@asynccontextmanager
async def replicating(a: Hypercore, b: Hypercore, **options: Any) -> AsyncIterator[Any]:
    left = a.replicate(initiator=True, **options)
    right = b.replicate(initiator=False, **options)
    task = asyncio.create_task(link(left, right))
    try:
        yield left
    finally:
        await left.close()
        await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a state between two steps, told by no event
        await asyncio.sleep(0)


# --- life ----------------------------------------------------------------------------------------


async def test_the_constructor_does_nothing_and_everything_needs_ready(tmp_path: Path) -> None:
    core = Hypercore(tmp_path / "core")
    assert not (tmp_path / "core").exists()
    for use in (
        lambda: core.length,
        lambda: core.key,
        lambda: core.writable,
        lambda: core.peers,
        lambda: core.has(0),
        lambda: core.replicate(initiator=True),
    ):
        with pytest.raises(NotReadyError):
            use()
    with pytest.raises(NotReadyError):
        await core.append(b"x")
    with pytest.raises(NotReadyError):
        await core.get(0)
    await core.ready()
    await core.ready()
    assert core.length == 0
    await core.close()


async def test_keys_are_bytes_or_hex_and_must_fit() -> None:
    async with Hypercore(memory(), PAIR.public_key.hex()) as core:
        assert core.key == PAIR.public_key
        assert core.discovery_key == discovery_key(PAIR.public_key)
        assert not core.writable
        assert core.secret_key is None
        with pytest.raises(NotWritableError):
            await core.append(b"x")
    with pytest.raises(ValueError, match="64"):
        Hypercore(memory(), "xyz")
    with pytest.raises(ValueError, match="key pair"):
        Hypercore(memory(), bytes(32), key_pair=PAIR)


async def test_reopening_finds_the_same_core() -> None:
    storage = memory()
    async with Hypercore(storage) as core:
        key = core.key
        await core.extend([b"a", b"b"])
    async with Hypercore(storage) as core:
        assert (core.key, core.length, core.writable) == (key, 2, True)
        assert [block async for block in core.read()] == [b"a", b"b"]
    with pytest.raises(StorageError):
        await Hypercore(memory(), create=False).ready()


async def test_a_shared_storage_stays_open() -> None:
    storage = memory()("full")
    async with Hypercore(storage, prefix="aa/bb/one/") as one:
        await one.append(b"1")
    async with Hypercore(storage, prefix="aa/bb/two/") as two:
        await two.append(b"2")
    assert storage.read("aa/bb/one/data", 0, 9) == b"1"
    assert storage.read("aa/bb/two/data", 0, 9) == b"2"
    await storage.close()


async def test_after_close_everything_says_so() -> None:
    core = Hypercore(memory())
    await core.ready()
    waiting = [
        asyncio.create_task(wait)
        for wait in (core.get(0), core.update(), core.seek(3), core.download(0, 2))
    ]
    await asyncio.sleep(0)
    await asyncio.gather(core.close(), core.close())
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ClosedError)
    with pytest.raises(ClosedError):
        await core.get(0)
    with pytest.raises(ClosedError):
        await core.append(b"x")
    with pytest.raises(ClosedError):
        await core.ready()
    with pytest.raises(ClosedError):
        core.replicate(initiator=True)


# --- appending -----------------------------------------------------------------------------------


async def test_appends_at_once_share_one_signature_and_one_sync() -> None:
    storage = SlowStorage()
    async with Hypercore(storage) as core:
        commits, syncs = storage.commits, storage.syncs
        indexes = await asyncio.gather(*(core.append(b"%d" % n) for n in range(50)))
        assert indexes == list(range(50))
        assert storage.commits - commits == 1
        assert storage.syncs - syncs == 1
        assert await core.extend([b"x", b"y"]) == range(50, 52)
        assert await core.extend([]) == range(52, 52)


async def test_a_refused_append_does_not_harm_those_beside_it() -> None:
    async with Hypercore(memory()) as core:
        results = await asyncio.gather(
            core.append(b"a"),
            core.append(bytes(9 << 20)),
            core.append(b"b"),
            return_exceptions=True,
        )
        assert results[0] == 0
        assert isinstance(results[1], BlockTooLargeError)
        assert results[2] == 1
        assert core.length == 2


async def test_a_cancelled_append_before_its_turn_is_not_made() -> None:
    storage = SlowStorage()
    async with Hypercore(storage) as core:
        storage.gate.clear()
        first = asyncio.create_task(core.append(b"first"))
        await until(lambda: core.length > 0)
        second = asyncio.create_task(core.append(b"second"))
        third = asyncio.create_task(core.append(b"third"))
        await asyncio.sleep(0)
        second.cancel()
        storage.gate.set()
        assert await first == 0
        assert await third == 1
        assert await core.get(1) == b"third"


async def test_a_cancelled_append_under_way_leaves_the_others_their_durability() -> None:
    storage = SlowStorage()
    async with Hypercore(storage) as core:
        storage.gate.clear()
        both = [asyncio.create_task(core.append(b"%d" % n)) for n in range(2)]
        await until(lambda: core.length > 0)
        both[0].cancel()
        await asyncio.sleep(0)
        assert not both[1].done()
        storage.gate.set()
        assert await both[1] == 1
        assert core.length == 2


async def test_an_append_that_cannot_be_made_durable_is_not_acknowledged() -> None:
    storage = SlowStorage()
    core = Hypercore(storage)
    await core.ready()
    storage.fail = True
    with pytest.raises(StorageError):
        await core.append(b"lost")
    storage.fail = False
    await core.close()


async def test_nothing_is_announced_or_sent_before_it_is_durable() -> None:
    storage = SlowStorage()
    async with (
        Hypercore(storage) as core,
        Hypercore(memory(), core.key) as copy,
        replicating(core, copy),
    ):
        await core.append(b"0")
        assert await copy.get(0) == b"0"
        storage.gate.clear()
        appending = asyncio.create_task(core.append(b"1"))
        getting = asyncio.create_task(copy.get(1))
        await until(lambda: core.length > 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not appending.done()
        assert copy.length == 1
        storage.gate.set()
        assert await appending == 1
        assert await getting == b"1"


async def test_on_write_sees_every_block() -> None:
    seen: list[tuple[int, bytes, bool]] = []

    def note(index: int, block: bytes, peer: object) -> None:
        seen.append((index, block, peer is None))

    async with Hypercore(memory(), on_write=note) as core:
        await core.extend([b"a", b"b"])
        async with Hypercore(memory(), core.key, on_write=note) as copy, replicating(core, copy):
            await copy.download(0, 2)
    assert sorted(seen) == [(0, b"a", False), (0, b"a", True), (1, b"b", False), (1, b"b", True)]


# --- reading -------------------------------------------------------------------------------------


async def test_get_without_waiting_and_with_a_limit() -> None:
    async with Hypercore(memory()) as core:
        with pytest.raises(BlockMissingError) as caught:
            await core.get(3, wait=False)
        assert caught.value.index == 3
        with pytest.raises(ReplicationTimeoutError):
            await core.get(3, timeout_s=0)
        with pytest.raises(IndexError):
            await core.get(-1)
        waiting = asyncio.create_task(core.get(0))
        await asyncio.sleep(0)
        await core.append(b"here")
        assert await waiting == b"here"


async def test_values_are_decoded_also_by_another_encoding() -> None:
    async with Hypercore(memory(), value_encoding="json") as core:
        await core.append({"a": 1})
        assert await core.get(0) == {"a": 1}
        assert await core.get(0, value_encoding="binary") == b'{"a":1}\n'
        assert await core.head() == {"a": 1}
        assert await core.head(value_encoding="utf-8") == '{"a":1}\n'


async def test_cancelling_a_wait_takes_the_request_back() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key, sparse=True) as copy,
    ):
        waits = [copy.get(5), copy.download(0, 9), copy.update(9), copy.seek(40)]
        tasks = [asyncio.create_task(wait) for wait in waits]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await core.extend([bytes(8)] * 9)
        async with replicating(core, copy):
            assert await copy.get(1) == bytes(8)
            assert copy.downloaded() == 1


async def test_reading_along_fetches_ahead_and_follows() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key, sparse=True) as copy,
        replicating(core, copy),
    ):
        await core.extend([b"%d" % n for n in range(200)])
        await copy.update()
        assert [b async for b in copy.read(10, 150)] == [b"%d" % n for n in range(10, 150)]
        assert not copy.has(150)
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def follow() -> None:
            async for block in copy.read(198, live=True):
                got.put_nowait(block)

        following = asyncio.create_task(follow())
        assert [await got.get(), await got.get()] == [b"198", b"199"]
        await core.append(b"200")
        assert await got.get() == b"200"
        following.cancel()
        tail = core.read(tail=True, live=True)
        step = asyncio.ensure_future(anext(tail))
        await asyncio.sleep(0)
        await core.append(b"201")
        assert await step == b"201"
        await tail.aclose()  # type: ignore[attr-defined]


async def test_clearing_and_fetching_again() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key) as copy,
        replicating(core, copy),
    ):
        await core.extend([b"a", b"b", b"c"])
        await copy.download(0, 3)
        assert await copy.clear(0, 2) == 2
        assert copy.downloaded() <= 3
        assert await copy.get(0) == b"a"
        assert copy.length == 3


# --- replicating ---------------------------------------------------------------------------------


async def test_events_tell_what_happens() -> None:
    async with Hypercore(memory()) as core, Hypercore(memory(), core.key) as copy:
        await core.append(b"abc")
        with core.events() as at_core, copy.events() as at_copy:
            async with replicating(core, copy):
                await copy.download(0, 1)
            there, here = at_core.fetch(), at_copy.fetch()
        assert [type(event) for event in there] == [PeerAdded, PeerOpened, Uploaded, PeerRemoved]
        kinds = [type(event) for event in here]
        assert kinds == [PeerAdded, PeerOpened, Downloaded, Appended, PeerRemoved]
        downloaded = here[2]
        assert isinstance(downloaded, Downloaded)
        assert (downloaded.start, downloaded.stop, downloaded.name) == (0, 1, "downloaded")
        assert here[3] == Appended(1)


async def test_counters_and_the_missing() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key, sparse=True) as copy,
        replicating(core, copy),
    ):
        await core.extend([b"abc"] * 4)
        await copy.get(2)
        assert copy.stats.totals.downloaded_bytes == 3
        assert core.stats.peers[0].uploaded_blocks == 1
        report = copy.missing()
        assert (report.length, report.have, report.missing, report.nowhere) == (4, 1, 3, 0)
        assert [count for _, count in report.peers] == [3]


async def test_one_stream_for_two_cores_and_never_twice() -> None:
    async with (
        Hypercore(memory()) as a,
        Hypercore(memory()) as b,
        Hypercore(memory(), a.key) as a_copy,
        Hypercore(memory(), b.key) as b_copy,
    ):
        await a.append(b"a")
        await b.append(b"b")
        async with replicating(a, a_copy) as left:
            assert a.replicate(stream=left) is left
            assert len(a.peers) == 1
            assert await a_copy.get(0) == b"a"
            b.replicate(stream=left)
            right = a_copy.peers[0].stream
            assert isinstance(right, ReplicationStream)
            b_copy.replicate(stream=right)
            assert await b_copy.get(0) == b"b"
        with pytest.raises(StreamClosedError):
            a.replicate(stream=left)
        with pytest.raises(TypeError):
            a.replicate()


async def test_a_core_may_be_kept_from_a_peer() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key) as copy,
        Hypercore(memory()) as other,
    ):
        await core.append(b"secret")
        asked: list[tuple[bytes, bytes | None]] = []

        def refuse(key: bytes, remote: bytes | None) -> bool:
            asked.append((key, remote))
            return False

        left = core.replicate(initiator=True, on_authenticate=refuse)
        right = copy.replicate(initiator=False)
        other.replicate(stream=left)
        task = asyncio.create_task(link(left, right))
        with copy.events() as events:
            async for event in events:
                if isinstance(event, PeerRemoved):
                    break
        assert asked == [(core.key, right.public_key)]
        assert copy.length == 0
        assert not left.closed
        await left.close()
        await task


async def test_extensions_of_a_core() -> None:
    async with Hypercore(memory()) as core, Hypercore(memory(), core.key) as copy:
        got: asyncio.Queue[Any] = asyncio.Queue()
        core.register_extension(
            "x", encoding="json", on_message=lambda m, p: got.put_nowait((m, p))
        )
        extension = copy.register_extension("x", encoding="json")
        async with replicating(core, copy):
            await core.append(b"")
            await copy.get(0)
            assert extension.broadcast({"n": 1}) == 1
            message, peer = await got.get()
            assert message == {"n": 1}
            assert peer is core.peers[0]
            with pytest.raises(ValueError, match="x"):
                core.register_extension("x")


async def test_switches_and_eager_updates() -> None:
    async with (
        Hypercore(memory()) as core,
        Hypercore(memory(), core.key, sparse=True, eager_update=True) as copy,
        replicating(core, copy),
    ):
        with copy.events() as events:
            await core.extend([b"a", b"b"])
            while copy.length < 2:
                await anext(events)
            await core.append(b"c")
            while copy.length < 3:
                await anext(events)
        assert copy.downloaded() == 0
        core.set_uploading(False)
        assert not core.uploading
        copy.set_downloading(False)
        assert not copy.downloading
        waiting = asyncio.create_task(copy.get(1))
        copy.set_downloading(True)
        core.set_uploading(True)
        assert await waiting == b"b"
