"""A hypercore replicated between us and JavaScript over TCP, whoever dials and whoever writes."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import BlockTooLargeError
from hypermultifeed.feed.layout import BLOCK_BYTES_MAX
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.storage import memory

from .js_peer import JsError, JsPeer
from .wire import DIALLERS, Dialler, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.stream import ReplicationStream

LARGEST_BLOCK = 8_388_535
"""JavaScript appends it and it replicates: with its proof it just fills a frame of 8 MiB."""

any_dialler = pytest.mark.parametrize("dialler", DIALLERS)


def blocks(count: int, prefix: str = "block-") -> list[bytes]:
    return [f"{prefix}{i}".encode() for i in range(count)]


def replicate(core: Hypercore, **options: Any) -> Callable[[bool], ReplicationStream]:
    return lambda initiator: core.replicate(initiator, **options)


async def values(core: Hypercore) -> list[Any]:
    return [await core.get(i) for i in range(core.length)]


async def js_feed(js: JsPeer, key: bytes | None = None, name: str = "f", **options: Any) -> bytes:
    """Open a feed in memory over there: a writer without a key, else a reader."""
    info = await js.call("open", feed=name, key=key and key.hex(), options=options)
    return bytes.fromhex(info["key"])


# -- whole feeds ------------------------------------------------------------------------------


@any_dialler
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
async def test_javascript_fetches_all_of_ours_and_ends(dialler: Dialler, count: int) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await core.extend(blocks(count))
        await js_feed(js, core.key)
        async with wire(
            js, replicate(core, live=False), dialler=dialler, feeds=["f"], options={"live": False}
        ) as link:
            await link.both_end()
        assert await js.read("f") == blocks(count)
        assert await js.call("audit", feed="f") == {"valid": count, "invalid": 0}
        if count:
            assert (await js.call("verify", feed="f", index=count - 1))["valid"]


@any_dialler
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
async def test_we_fetch_all_of_javascript_and_end(dialler: Dialler, count: int) -> None:
    async with JsPeer("hypercore") as js:
        key = await js_feed(js)
        await js.append("f", blocks(count))
        async with Hypercore(memory(), key=key) as core:
            async with wire(
                js,
                replicate(core, live=False),
                dialler=dialler,
                feeds=["f"],
                options={"live": False},
            ) as link:
                await link.both_end()
            assert await values(core) == blocks(count)
            assert not core.writable


async def test_large_feed_both_ways() -> None:
    count = 20_000
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(blocks(count))
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        await js.call("fill", feed="theirs", count=count, prefix="block-")
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                stream = ours.replicate(initiator, live=False)
                return theirs.replicate(initiator, stream=stream, live=False)

            async with wire(js, make, feeds=["ours", "theirs"], options={"live": False}) as link:
                await link.both_end()
            assert await values(theirs) == blocks(count)
            assert await js.call("audit", feed="ours") == {"valid": count, "invalid": 0}


@any_dialler
@pytest.mark.parametrize("sizes", [[0], [0, 0, 0], [1, 0, 65_536, 0, 300_000], [1 << 20] * 5])
async def test_sizes_both_ways(dialler: Dialler, sizes: list[int]) -> None:
    chosen = random.Random(1)
    written = [chosen.randbytes(size) for size in sizes]
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(written)
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", written)
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                stream = ours.replicate(initiator, live=False)
                return theirs.replicate(initiator, stream=stream, live=False)

            async with wire(
                js, make, dialler=dialler, feeds=["ours", "theirs"], options={"live": False}
            ) as link:
                await link.both_end()
            assert await values(theirs) == written
        assert await js.read("ours") == written


@any_dialler
async def test_largest_block_both_ways(dialler: Dialler) -> None:
    largest = hashlib.shake_256(b"largest").digest(LARGEST_BLOCK)
    our_largest = largest[:BLOCK_BYTES_MAX]
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        with pytest.raises(BlockTooLargeError):
            await ours.append(our_largest + b".")
        await ours.append(our_largest)
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", [largest])
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                return theirs.replicate(initiator, stream=ours.replicate(initiator))

            feeds = ["ours", "theirs"]
            async with wire(js, make, dialler=dialler, feeds=feeds, options={"live": True}):
                assert await theirs.get(0) == largest
                assert await js.get("ours", 0) == our_largest


# -- live -------------------------------------------------------------------------------------


@any_dialler
async def test_live_appends_on_both_ends(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                return theirs.replicate(initiator, stream=ours.replicate(initiator))

            feeds = ["ours", "theirs"]
            async with wire(js, make, dialler=dialler, feeds=feeds, options={"live": True}):
                for number in range(30):
                    await ours.append(b"ours %d" % number)
                    await js.append("theirs", [b"theirs %d" % number, b""])
                    assert await theirs.get(2 * number) == b"theirs %d" % number
                    assert await js.get("ours", number) == b"ours %d" % number
                assert (await js.call("wait", feed="ours", downloaded=30))["length"] == 30
                await theirs.download(0, 60)
                assert theirs.length == 60


async def test_feed_joins_a_live_stream_later() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "later")
        await js.append("later", [b"late"])
        async with Hypercore(memory(), key=key) as later:
            options = {"live": True}
            async with wire(js, replicate(ours), feeds=["ours", "later"], options=options) as link:
                await ours.append(b"soon")
                assert await js.get("ours", 0) == b"soon"
                later.replicate(initiator=True, stream=link.stream)
                # JavaScript starts a feed whose channel was opened first by itself.
                assert await later.get(0) == b"late"


# -- parts of feeds ---------------------------------------------------------------------------


@any_dialler
async def test_we_fetch_single_blocks_of_a_sparse_feed(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js:
        key = await js_feed(js)
        await js.append("f", blocks(500))
        async with (
            Hypercore(memory(), key=key, sparse=True) as core,
            wire(js, replicate(core), dialler=dialler, feeds=["f"], options={"live": True}),
        ):
            for index in (499, 0, 250, 251, 7):
                assert await core.get(index) == b"block-%d" % index
            await asyncio.gather(*(core.get(i) for i in range(300, 310)))
            assert sum(core.has(i) for i in range(500)) == 15
            await core.download(100, 120)
            assert sum(core.has(i) for i in range(500)) == 35


@any_dialler
async def test_javascript_fetches_single_blocks_of_ours(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await core.extend(blocks(500))
        await js_feed(js, core.key, sparse=True)
        async with wire(js, replicate(core), dialler=dialler, feeds=["f"], options={"live": True}):
            for index in (499, 0, 250, 251, 7):
                assert await js.get("f", index) == b"block-%d" % index
            await js.call("download", feed="f", range={"start": 100, "end": 120})
            assert (await js.call("info", feed="f"))["downloaded"] == 25


async def test_update_and_seek_both_ways() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        sizes = [10, 0, 300, 5, 77] * 40
        written = [bytes([i % 256]) * size for i, size in enumerate(sizes)]
        await ours.extend(written)
        await js_feed(js, ours.key, "ours", sparse=True)
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", written)
        async with Hypercore(memory(), key=key, sparse=True) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                return theirs.replicate(initiator, stream=ours.replicate(initiator))

            async with wire(js, make, feeds=["ours", "theirs"], options={"live": True}):
                await theirs.update()
                assert theirs.length == 200
                await js.call("update", feed="ours", options={"ifAvailable": True})
                assert (await js.call("info", feed="ours"))["length"] == 200
                total = sum(sizes)
                for offset in (0, 9, 10, 309, 310, 5000, total - 1, total):
                    index, rest = await theirs.seek(offset)
                    answer = await js.call("seek", feed="ours", bytes=offset)
                    assert answer == {"index": index, "offset": rest}
                    assert sum(sizes[:index]) + rest == offset
                assert not any(theirs.has(i) for i in range(200))


@any_dialler
async def test_cleared_blocks_are_not_offered(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(blocks(40))
        await ours.clear(10, 30)
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", blocks(40))
        await js.call("clear", feed="theirs", start=10, end=30)
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                return theirs.replicate(initiator, stream=ours.replicate(initiator))

            feeds = ["ours", "theirs"]
            async with wire(js, make, dialler=dialler, feeds=feeds, options={"live": True}):
                await theirs.download(0, 10)
                await theirs.download(30, 40)
                info = await js.call("wait", feed="ours", downloaded=20)
                assert (info["length"], info["downloaded"]) == (40, 20)
                assert [i for i in range(40) if theirs.has(i)] == [*range(10), *range(30, 40)]


async def test_clear_while_connected() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(blocks(40))
        await js_feed(js, ours.key, "ours", sparse=True)
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", blocks(40))
        async with Hypercore(memory(), key=key, sparse=True) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                return theirs.replicate(initiator, stream=ours.replicate(initiator))

            async with wire(js, make, feeds=["ours", "theirs"], options={"live": True}):
                assert await theirs.get(39) == b"block-39"
                assert await js.get("ours", 39) == b"block-39"
                await ours.clear(0, 20)
                await js.call("clear", feed="theirs", start=0, end=20)
                assert await theirs.get(20) == b"block-20"
                assert await js.get("ours", 20) == b"block-20"
                with pytest.raises(JsError, match="Block not available"):
                    await js.get("ours", 3, options={"ifAvailable": True})
                with pytest.raises(TimeoutError):
                    await theirs.get(3, timeout_s=0.2)
                # The connection lives on.
                await ours.append(b"on")
                assert await js.get("ours", 40) == b"on"


async def test_javascript_fetches_from_holes_of_ours() -> None:
    """A sparse copy of ours serves what it has; whatever JavaScript asks first."""
    present = sorted(random.Random(5).sample(range(600), 200))
    async with (
        JsPeer("hypercore") as writer,
        JsPeer("hypercore") as reader,
        Hypercore(memory(), key=await _filled(writer, 600), sparse=True) as core,
    ):
        async with wire(writer, replicate(core), feeds=["f"], options={"live": True}):
            await asyncio.gather(*(core.get(i) for i in present))
        await js_feed(reader, core.key)
        async with wire(reader, replicate(core), feeds=["f"], options={"live": True}):
            info = await reader.call("wait", feed="f", downloaded=200)
            assert info["downloaded"] == 200
            assert await reader.call("audit", feed="f") == {"valid": 200, "invalid": 0}
            for index in (present[0], present[77], present[-1]):
                assert await reader.get("f", index) == b"block-%d" % index


async def _filled(js: JsPeer, count: int) -> bytes:
    key = await js_feed(js)
    await js.append("f", blocks(count))
    return key


@any_dialler
async def test_two_copies_complete_each_other(dialler: Dialler) -> None:
    async with (
        JsPeer("hypercore") as js,
        Hypercore(memory()) as source,
        Hypercore(memory(), key=source.key, sparse=True) as ours,
    ):
        await source.extend(blocks(200))
        await js_feed(js, source.key, sparse=True)
        async with wire(js, replicate(source), feeds=["f"], options={"live": True}):
            await js.call("download", feed="f", range={"start": 100, "end": 200})
        left, right = source.replicate(initiator=True), ours.replicate(initiator=False)
        from hypermultifeed.stream import link  # noqa: PLC0415

        linked = asyncio.create_task(link(left, right))
        await ours.download(0, 100)
        await left.close()
        await linked
        async with wire(js, replicate(ours), dialler=dialler, feeds=["f"], options={"live": True}):
            await ours.download(0, 200)
            await js.call("download", feed="f", range={"start": 0, "end": 200})
        assert await values(ours) == blocks(200)
        assert await js.call("audit", feed="f") == {"valid": 200, "invalid": 0}


# -- through others ---------------------------------------------------------------------------


async def test_javascript_to_javascript_through_us() -> None:
    async with JsPeer("hypercore") as writer, JsPeer("hypercore") as reader:
        key = await js_feed(writer)
        await writer.append("f", blocks(300))
        await js_feed(reader, key)
        options = {"live": True}
        async with (
            Hypercore(memory(), key=key) as core,
            wire(writer, replicate(core), feeds=["f"], options=options),
            wire(reader, replicate(core), dialler="javascript", feeds=["f"], options=options),
        ):
            await reader.call("wait", feed="f", downloaded=300)
            await writer.append("f", [b"later"])
            assert await reader.get("f", 300) == b"later"
            assert await reader.call("audit", feed="f") == {"valid": 301, "invalid": 0}


async def test_us_to_us_through_javascript() -> None:
    async with (
        JsPeer("hypercore") as js,
        Hypercore(memory()) as source,
        Hypercore(memory(), key=source.key) as copy,
    ):
        await source.extend(blocks(300))
        await js_feed(js, source.key)
        options = {"live": True}
        async with (
            wire(js, replicate(source), feeds=["f"], options=options),
            wire(js, replicate(copy), dialler="javascript", feeds=["f"], options=options),
        ):
            await copy.download(0, 300)
            await source.append(b"later")
            assert await copy.get(300) == b"later"
        assert await values(copy) == [*blocks(300), b"later"]


# -- modes, switches, refusals ----------------------------------------------------------------


@any_dialler
@pytest.mark.parametrize(
    "options", [{"encrypted": False}, {"encrypted": False, "noise": False}], ids=["clear", "plain"]
)
async def test_plain_modes_by_opt_in(dialler: Dialler, options: dict[str, bool]) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await core.extend(blocks(20))
        await js_feed(js, core.key)
        async with wire(
            js,
            replicate(core, live=False, **options),
            dialler=dialler,
            feeds=["f"],
            options={"live": False, **options},
        ) as link:
            await link.both_end()
        assert await js.read("f") == blocks(20)


@any_dialler
async def test_a_plain_peer_is_refused_without_opt_in(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await core.extend(blocks(20))
        await js_feed(js, core.key)
        plain = {"live": False, "encrypted": False, "noise": False}
        async with wire(js, replicate(core), dialler=dialler, feeds=["f"], options=plain) as link:
            assert await link.our_error() is not None
        assert (await js.call("info", feed="f"))["length"] == 0


@any_dialler
async def test_a_peer_without_the_key_gets_nothing(dialler: Dialler) -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await core.extend(blocks(5))
        other = await js_feed(js)
        assert other != core.key
        async with wire(
            js, replicate(core), dialler=dialler, feeds=["f"], options={"live": True}
        ) as link:
            seen = await js.event("discovery-key")
            assert seen["discoveryKey"] == core.discovery_key.hex()
            state = await js.call("connection", connection=link.connection)
            assert state["bytesReceived"] < 1000
            assert not link.run.done()


async def test_upload_and_download_switches() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(blocks(10))
        await js_feed(js, ours.key, "ours")
        key = await js_feed(js, None, "theirs")
        await js.append("theirs", blocks(10))
        async with Hypercore(memory(), key=key) as theirs:

            def make(initiator: bool) -> ReplicationStream:
                stream = ours.replicate(initiator, upload=False)
                return theirs.replicate(initiator, stream=stream)

            async with wire(js, make, feeds=["ours", "theirs"], options={"live": True}):
                assert await theirs.get(9) == b"block-9"
                assert (await js.call("info", feed="ours"))["length"] == 0

            options = {"live": True, "upload": False}
            async with wire(js, replicate(theirs), feeds=["theirs"], options=options):
                await js.append("theirs", [b"kept"])
                with pytest.raises(TimeoutError):
                    await theirs.get(10, timeout_s=0.3)


async def test_switched_while_connected() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as ours:
        await ours.extend(blocks(10))
        await js_feed(js, ours.key)
        await js.call("setDownloading", feed="f", value=False)
        async with wire(js, replicate(ours), feeds=["f"], options={"live": True}):
            assert (await js.call("wait", feed="f", peers=1))["length"] == 0
            await js.call("setDownloading", feed="f", value=True)
            assert (await js.call("wait", feed="f", downloaded=10))["length"] == 10


# -- acknowledgements and extensions ----------------------------------------------------------


async def test_javascript_acknowledges_to_us() -> None:
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await js_feed(js, core.key)
        indexes: asyncio.Queue[int] = asyncio.Queue()

        def note(start: int, length: int) -> None:
            for index in range(start, start + length):
                indexes.put_nowait(index)

        def make(initiator: bool) -> ReplicationStream:
            stream = core.replicate(initiator, ack=True)
            stream.on_ack = note
            return stream

        async with wire(js, make, feeds=["f"], options={"live": True}):
            await core.extend(blocks(10))
            async with asyncio.timeout(10):
                assert sorted([await indexes.get() for _ in range(10)]) == list(range(10))


async def test_we_acknowledge_to_javascript() -> None:
    async with JsPeer("hypercore") as js:
        key = await js_feed(js)
        await js.call("acks", feed="f")
        async with (
            Hypercore(memory(), key=key) as core,
            wire(js, replicate(core), feeds=["f"], options={"live": True, "ack": True}),
        ):
            await js.append("f", blocks(10))
            seen: list[int] = []
            while len(seen) < 10:
                event = await js.event("ack")
                seen += range(event["start"], event["start"] + event["length"])
            assert sorted(seen) == list(range(10))
            assert all(core.has(i) for i in range(10))


@any_dialler
@pytest.mark.parametrize(
    ("encoding", "message"),
    [("json", {"n": [1, "ü"]}), ("utf-8", "Grüße 🎈"), ("utf-8", "")],
)
async def test_extension_both_ways(dialler: Dialler, encoding: str, message: Any) -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    async with JsPeer("hypercore") as js, Hypercore(memory()) as core:
        await js_feed(js, core.key)
        for name in ("a", "chat", "z"):
            if name != "a":  # the ids differ on the two sides
                await js.call("extension", feed="f", name=name, encoding=encoding)
            if name != "z":
                extension = core.register_extension(
                    name,
                    encoding=encoding,
                    on_message=lambda message, _peer: received.put_nowait(message),
                )
        async with wire(js, replicate(core), dialler=dialler, feeds=["f"], options={"live": True}):
            await core.append(b"so that both are known to be open")
            await js.get("f", 0)
            extension.broadcast(message)
            event = await js.event("extension")
            assert (event["name"], event["message"]) == ("chat", {"value": message})
            assert await js.call("broadcast", feed="f", name="chat", message=message)
            async with asyncio.timeout(10):
                assert await received.get() == message
