"""hypercore 9.12.0, suites streams, value-encoding and extensions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hypermultifeed.hypercore import Hypercore, PeerOpened
from hypermultifeed.storage import memory

WORDS = ["hello", "multiple", "worlds"]


async def taken(values: Any, count: int) -> list[Any]:
    """The first values of an endless stream."""
    found = []
    async for value in values:
        found.append(value)
        if len(found) == count:
            break
    return found


# --- streams ---------------------------------------------------------------------------------


async def test_create_read_stream_to_create_write_stream(core: Any) -> None:
    """hypercore/streams "createReadStream to createWriteStream"."""
    source, copy = await core(), await core()
    await source.extend([b"hello", b"world"])
    await copy.extend([block async for block in source.read()])
    assert [block async for block in copy.read()] == [b"hello", b"world"]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(1, 2, WORDS[1:2]), (1, None, WORDS[1:]), (0, 2, WORDS[:2])],
    ids=["start, end", "start, no end", "no start, end"],
)
async def test_create_read_stream_with_start_end(
    core: Any, start: int, stop: int | None, expected: list[str]
) -> None:
    """hypercore/streams, all three ranges.

    "createReadStream with start, end"; "createReadStream with start, no end";
    "createReadStream with no start, end".
    """
    feed = await core(value_encoding="utf-8")
    await feed.extend(WORDS)
    assert [value async for value in feed.read(start, stop)] == expected


async def test_create_read_stream_with_live_true(core: Any) -> None:
    """hypercore/streams "createReadStream with live: true"."""
    feed = await core(value_encoding="utf-8")
    reading = asyncio.create_task(taken(feed.read(live=True), 5))
    await feed.append("a")
    await feed.append("b")
    await feed.extend(["c", "d", "e"])
    assert await reading == ["a", "b", "c", "d", "e"]


async def test_create_read_stream_with_live_true_after_append(core: Any) -> None:
    """hypercore/streams "createReadStream with live: true after append"."""
    feed = await core(value_encoding="utf-8")
    await feed.extend(["a", "b"])
    reading = asyncio.create_task(taken(feed.read(live=True), 5))
    await feed.extend(["c", "d", "e"])
    assert await reading == ["a", "b", "c", "d", "e"]


async def test_create_read_stream_with_live_true_and_tail_true(core: Any) -> None:
    """hypercore/streams "createReadStream with live: true and tail: true"."""
    feed = await core(value_encoding="utf-8")
    await feed.extend(["a", "b"])
    reading = asyncio.create_task(taken(feed.read(live=True, tail=True), 3))
    await feed.extend(["c", "d", "e"])
    assert await reading == ["c", "d", "e"]


async def test_create_write_stream_with_max_block_size(core: Any) -> None:
    """hypercore/streams "createWriteStream with maxBlockSize"."""
    feed = await core()
    size, mebibyte = 100 * 1024, bytes(1024 * 1024)
    await feed.extend(mebibyte[at : at + size] for at in range(0, len(mebibyte), size))
    assert feed.length == 11
    sizes = [len(block) async for block in feed.read()]
    assert sizes == [size] * 10 + [1024 * 1024 - 10 * size]


# --- value encodings -------------------------------------------------------------------------


async def test_basic_value_encoding(core: Any) -> None:
    """hypercore/value-encoding "basic value encoding"."""
    feed = await core(value_encoding="json")
    await feed.append({"hello": "world"})
    assert await feed.get(0) == {"hello": "world"}


async def test_value_encoding_read_stream() -> None:
    """hypercore/value-encoding "value encoding read-stream"."""
    storage = memory()
    async with Hypercore(storage, value_encoding="json") as feed:
        await feed.append({"hello": "world"})
        assert [value async for value in feed.read()] == [{"hello": "world"}]
    async with Hypercore(storage, value_encoding="utf-8") as feed:
        assert [value async for value in feed.read()] == ['{"hello":"world"}\n']


async def test_value_encoding_write_stream(core: Any) -> None:
    """hypercore/value-encoding "value encoding write-stream"."""
    feed = await core(value_encoding="json")
    await feed.extend(iter([[1, 2, 3]]))  # a list is a value here, not a batch
    assert feed.length == 1
    assert await feed.get(0) == [1, 2, 3]


# --- extensions ------------------------------------------------------------------------------

MESSAGE = bytes([4, 20])


async def echoed(core: Any, replicate: Any, message: Any, reply: Any, **options: Any) -> None:
    """One core broadcasts, the other answers; both get what was sent."""
    first = await core()
    second = await core(first.key)
    received: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def answer(got: Any, peer: Any) -> None:
        received.put_nowait(("second", got))
        theirs.send(reply, peer)

    if options.pop("others", False):  # names only one side has shift the numbers of the rest
        first.register_extension("aa")
        second.register_extension("bb")
    ours = first.register_extension(
        "example", on_message=lambda got, _peer: received.put_nowait(("first", got)), **options
    )
    theirs = second.register_extension("example", on_message=answer, **options)
    with first.events() as events:
        replicate(first, second, live=True)
        while not isinstance(await anext(events), PeerOpened):
            pass
    ours.broadcast(message)
    assert await received.get() == ("second", message)
    assert await received.get() == ("first", reply)


async def test_send_and_receive_extension_messages(core: Any, replicate: Any) -> None:
    """hypercore/extensions "send and receive extension messages"."""
    await echoed(core, replicate, MESSAGE, MESSAGE)


async def test_send_and_receive_extension_messages_with_encoding(core: Any, replicate: Any) -> None:
    """hypercore/extensions "send and receive extension messages with encoding"."""
    await echoed(core, replicate, {"hi": "second"}, {"hi": "first"}, encoding="json")


async def test_send_and_receive_extension_messages_with_multiple_extensions(
    core: Any, replicate: Any
) -> None:
    """hypercore/extensions "send and receive extension messages with multiple extensions"."""
    await echoed(core, replicate, MESSAGE, MESSAGE, others=True)


class Shout:
    """A codec of one's own."""

    name = "shout"

    def encode(self, value: Any) -> bytes:
        return str(value).upper().encode()

    def decode(self, data: bytes) -> Any:
        return data.decode() + "!"


async def test_extension_encoding(core: Any, replicate: Any) -> None:
    """hypercore/extensions "extension encoding"."""
    first = await core()
    second = await core(first.key)
    received: asyncio.Queue[Any] = asyncio.Queue()
    ours = first.register_extension("dummy", encoding=Shout())
    second.register_extension(
        "dummy", encoding=Shout(), on_message=lambda got, _peer: received.put_nowait(got)
    )
    with first.events() as events:
        replicate(first, second, live=True)
        while not isinstance(await anext(events), PeerOpened):
            pass
    ours.broadcast("hello")
    assert await received.get() == "HELLO!"


async def test_an_extension_handler_that_raises_harms_nobody(
    core: Any, replicate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed = await core()
    clone = await core(feed.key)

    def fail(_message: bytes, _peer: object) -> None:
        raise RuntimeError("a mistake of the application")

    ours = feed.register_extension("example")
    clone.register_extension("example", on_message=fail)
    replicate(feed, clone, live=True)
    await feed.append(b"first")
    await clone.get(0)
    ours.broadcast(MESSAGE)
    await feed.append(b"second")
    assert await clone.get(1) == b"second"
    assert "a mistake of the application" in caplog.text
