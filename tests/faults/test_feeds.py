"""Lies about one feed cost the liar that feed's channel; forks are kept apart and proved.

Where a test needs a peer that lies, it speaks byte by byte over a socket; peers that merely hold
other histories are real ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tracemalloc
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.faults.hostile import (
    DATA,
    HAVE,
    REQUEST,
    WANT,
    GoneError,
    Hostile,
    attacked,
    dialled,
    gets_all,
    serving,
    until,
    until_feed,
    writer_log,
)
from tests.faults.virtual_time import virtual_time

from hypermultifeed import crypto
from hypermultifeed.cli import main
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import (
    CorruptStorageError,
    ForkError,
    NotWritableError,
    RemoteProtocolError,
    VerificationError,
)
from hypermultifeed.feed import flat_tree, remote_bitfield
from hypermultifeed.feed.verification import signable
from hypermultifeed.hypercore import Forked, Hypercore, PeerRemoved
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.replication import wants
from hypermultifeed.replication.manifest import MANIFEST, REPLICATE_FEEDS, REQUEST_FEEDS
from hypermultifeed.storage import Write, memory
from hypermultifeed.stream import link
from hypermultifeed.wire.messages import (
    Data,
    MessageType,
    encode_data,
    encode_have,
    encode_request,
    encode_unhave,
    encode_want,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.faults.hostile import Server

    from hypermultifeed.feed.log import Log
    from hypermultifeed.stream import ReplicationStream

ROOT = b"\x07" * 32
PAIR = KeyPair.from_seed(b"\1" * 32)
VALUES = [b"block %d" % number for number in range(20)]
ALL = encode_have(0, wants.WANT_LENGTH)


def contents(core: Hypercore) -> dict[str, bytes]:
    """All files of a core's storage."""
    storage: Any = core._storage
    return {name: storage.read(name, 0, 1 << 24) for name in storage.list_files()}


def asking(core: Hypercore) -> Callable[[], ReplicationStream]:
    return lambda: core.replicate(False)  # noqa: FBT003


async def lie(
    hostile: Hostile, log: Log, change: Callable[[Data], Data], *, turns: int = 3
) -> None:
    """Announce everything, and answer requests with lies until the channel is closed."""
    await hostile.join_feed(log.key)
    hostile.on(log.key, HAVE, encode_have(0, log.length))
    await hostile.flush()
    for _ in range(turns):
        try:
            async with asyncio.timeout(1.0):
                request = await hostile.hear_request()
        except TimeoutError:
            return
        hostile.on(log.key, DATA, encode_data(*change(hostile.answer(log, request))))
        await hostile.flush()


async def check_completes(core: Hypercore, server: Server, log: Log) -> None:
    """An honest peer comes: the feed becomes whole."""
    async with Hypercore(memory(), key_pair=PAIR) as honest:
        await honest.extend([log.get(index) for index in range(log.length)])
        stream = honest.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(stream, server))
        await until(lambda: core.downloaded() == log.length)
        await stream.close()
        await running
    assert [core.log.get(index) for index in range(log.length)] == VALUES[: log.length]


# --- forgeries -----------------------------------------------------------------------------------


def other_feed(data: Data) -> Data:
    log = writer_log(VALUES, seed=9)
    proof = log.proof(data.index)
    return Data(data.index, log.get(data.index), proof.nodes, proof.signature)


def other_length(data: Data) -> Data:
    return data._replace(signature=writer_log(VALUES[:7]).signature()[1])


LIES: dict[str, Callable[[Data], Data]] = {
    "forged signature": lambda data: data._replace(signature=bytes(64)),
    "no signature": lambda data: data._replace(signature=None),
    "signature of another length": other_length,
    "another feed": other_feed,
    "wrong block": lambda data: data._replace(value=b"forged"),
    "empty block": lambda data: data._replace(value=b""),
    "wrong hash": lambda d: d._replace(nodes=[d.nodes[0]._replace(hash=bytes(32)), *d.nodes[1:]]),
    "wrong size": lambda d: d._replace(nodes=[d.nodes[0]._replace(size=2**50), *d.nodes[1:]]),
    "size above 2**52": lambda d: d._replace(nodes=[d.nodes[0]._replace(size=2**53 - 1)]),
    "wrong index": lambda d: d._replace(nodes=[d.nodes[0]._replace(index=9), *d.nodes[1:]]),
    "missing node": lambda data: data._replace(nodes=data.nodes[:-1]),
    "no nodes": lambda data: data._replace(nodes=[]),
    "extra node": lambda data: data._replace(nodes=[*data.nodes, data.nodes[0]]),
    "reversed nodes": lambda data: data._replace(nodes=data.nodes[::-1]),
}


@pytest.mark.parametrize("name", LIES)
@virtual_time
async def test_a_lie_closes_that_channel_and_stores_nothing(name: str) -> None:
    """The store stays byte for byte; the stream stays open; an honest peer completes the feed."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core:
        before = contents(core)
        async with attacked(asking(core)) as (hostile, server):
            with core.events() as events:
                await lie(hostile, log, LIES[name])
                while not isinstance(removed := await anext(events), PeerRemoved):
                    pass
            assert isinstance(removed.error, VerificationError)
            assert contents(core) == before
            assert core.length == 0
            assert server.errors == []
            await check_completes(core, server, log)


@virtual_time
async def test_a_hash_of_five_bytes_is_malformed() -> None:
    """The message itself is refused, with a code; nothing is stored."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        with pytest.raises(GoneError):
            await lie(hostile, log, lambda d: d._replace(nodes=[Node(1, bytes(5), 3)]))
        assert isinstance(await server.error(), RemoteProtocolError)
        assert core.length == 0
        await check_completes(core, server, log)


@virtual_time
async def test_a_lie_about_one_feed_leaves_the_others_on_that_stream_alone() -> None:
    """The liar's other feed goes on over the same connection, and grows."""
    bad, good = writer_log(VALUES), writer_log(VALUES, seed=2)
    async with Hypercore(memory(), bad.key) as first, Hypercore(memory(), good.key) as second:

        def both() -> ReplicationStream:
            return second.replicate(stream=first.replicate(False))  # noqa: FBT003

        async with attacked(both) as (hostile, server):
            await lie(hostile, bad, LIES["wrong block"])
            assert first.peers == []
            await hostile.join_feed(good.key)
            hostile.on(good.key, HAVE, encode_have(0, good.length))
            serving_good = asyncio.create_task(hostile.serve(good))
            await until(lambda: second.downloaded() == good.length)
            serving_good.cancel()
            assert server.errors == []


@virtual_time
async def test_a_channel_closed_for_a_lie_is_not_opened_again_by_itself() -> None:
    """No loop of lies: the victim asks once more with nothing assumed, then gives the peer up."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await lie(hostile, log, LIES["wrong block"], turns=10)
        await asyncio.sleep(3600.0)
        await hostile.settle()
        kinds = [kind for _, kind, _ in hostile.heard]
        assert kinds.count(REQUEST) <= 2
        assert kinds.count(MessageType.OPEN) == 1
        assert core.peers == []
        await check_completes(core, server, log)


@virtual_time
async def test_lying_again_and_again_costs_the_liar_a_request_each_time() -> None:
    """It may open the channel again and lie again: each time one answer is looked at."""
    log = writer_log(VALUES)
    async with (
        Multifeed(memory(), key=ROOT) as multi,
        attacked(lambda: multi.replicate(False)) as (hostile, server),  # noqa: FBT003
    ):
        await hostile.join_multifeed(ROOT)
        hostile.extend(ROOT, MANIFEST, {"keys": [log.key.hex()]})
        await hostile.hear_extension(REQUEST_FEEDS)
        hostile.extend(ROOT, REPLICATE_FEEDS, [log.key.hex()])
        for _ in range(50):
            await lie(hostile, log, LIES["wrong block"])
        copy = multi.feed(log.key)
        assert copy is not None
        assert copy.length == 0
        assert server.errors == []
        assert len(server.streams[0].session._owners) < 10
        await hostile.settle()
        assert [kind for _, kind, _ in hostile.heard].count(REQUEST) <= 100


# --- sizes and claims ----------------------------------------------------------------------------


@virtual_time
async def test_empty_and_largest_blocks_are_blocks() -> None:
    """What an honest writer may append arrives, whatever its size."""
    values = [b"", bytes(8 * 1024 * 1024 - 4096), b"", b"x"]
    async with Hypercore(memory()) as core, serving(asking(core)) as server:
        await core.extend(values)
        async with Hypercore(memory(), core.key) as copy:
            await gets_all(copy, server)
            assert [await copy.get(index) for index in range(4)] == values


def huge_claim(length: int) -> Data:
    """What a hostile owner can sign: a tree of made-up roots with one true block at the end."""
    roots = [Node(root, b"\x11" * 32, 7) for root in flat_tree.full_roots(length - 1)]
    leaf = Node(2 * length - 2, crypto.leaf_hash(b"value"), 5)
    tree_hash = crypto.tree_hash([*roots, leaf])
    signature = crypto.sign(signable(tree_hash, length), PAIR.secret_key)
    return Data(length - 1, b"value", roots, signature)


@virtual_time
async def test_a_signed_claim_of_thousands_of_millions_of_blocks_costs_little() -> None:
    """A hostile owner signs a feed of 2**32 - 1 blocks: no step takes them one by one."""
    claim = huge_claim(2**32 - 1)
    async with (
        Hypercore(memory(), PAIR.public_key) as core,
        attacked(asking(core)) as (hostile, server),
    ):
        await hostile.join_feed(core.key)
        hostile.on(core.key, HAVE, encode_have(claim.index))
        request = await hostile.hear_request()
        assert request.index == claim.index
        tracemalloc.start()
        try:
            hostile.on(core.key, DATA, encode_data(*claim))
            hostile.on(core.key, HAVE, encode_have(0, 10**12))
            await hostile.flush()
            await until(lambda: core.length == 2**32 - 1)
            assert await core.get(claim.index) == b"value"
            await asyncio.sleep(10.0)
            report = core.missing()
            assert report.missing == 2**32 - 2
            assert [count for _, count in report.peers] == [2**32 - 2]
            assert report.nowhere == 0
            assert (await core.audit()).valid == 1
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
        assert server.errors == []


@pytest.mark.parametrize(
    "have",
    [
        encode_have(0, 10**12),
        encode_have(2**53 - 10, 9),
        encode_have(2**53 - 1),
        encode_have(5, 2**53 - 1),
        encode_unhave(0, 2**53 - 1),
        encode_unhave(2**53 - 1, 2**53 - 1),
    ],
    ids=range(6),
)
@virtual_time
async def test_ranges_of_any_length_are_one_step(have: bytes) -> None:
    """Announced or withdrawn, a thousand times: held as ranges, and the feed goes on."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        tracemalloc.start()
        try:
            for kind in (HAVE, MessageType.UNHAVE):
                for _ in range(1000):
                    hostile.on(core.key, kind, have)
            await hostile.settle()
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
        assert server.errors == []
        await check_completes(core, server, log)


BITFIELDS = {
    "a gigabyte of ones from five bytes": b"\xff\xff\xff\xff\x0f",
    "one byte above the limit": b"\x87\x80\x20",
    "trailing garbage": b"\x03\x80",
    "a literal beyond the end": b"\x7e\x01",
    "many runs that add up": b"\x87\x80\x10" * 4,
}


@pytest.mark.parametrize("name", BITFIELDS)
@virtual_time
async def test_a_bitfield_that_unpacks_to_too_much_ends_the_stream(name: str) -> None:
    """The cap is one Want's worth; memory does not follow the claim."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        tracemalloc.start()
        try:
            hostile.on(core.key, HAVE, encode_have(0, 1 << 20, BITFIELDS[name]))
            await hostile.flush()
            assert isinstance(await server.error(), RemoteProtocolError)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()
        await check_completes(core, server, log)


@virtual_time
async def test_single_claims_far_apart_cost_a_bounded_amount() -> None:
    """Twenty thousand Haves, each in a page of its own."""
    log = writer_log(VALUES)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        tracemalloc.start()
        try:
            for number in range(20_000):
                hostile.on(core.key, HAVE, encode_have(number * 8192 + 17))
            await hostile.settle()
            assert tracemalloc.get_traced_memory()[1] < 48 << 20
        finally:
            tracemalloc.stop()
        await check_completes(core, server, log)


@virtual_time
async def test_claims_about_many_feeds_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a peer's claims is bounded over all feeds; closed ones give theirs back."""
    monkeypatch.setattr(remote_bitfield, "PAGES_PER_STREAM_MAX", 100)
    async with AsyncExitStack() as stack:
        keys = [KeyPair.from_seed(bytes([number]) * 32).public_key for number in range(5)]
        cores = [await stack.enter_async_context(Hypercore(memory(), key)) for key in keys]

        def all_of_them() -> ReplicationStream:
            stream = cores[0].replicate(False)  # noqa: FBT003
            for core in cores[1:]:
                core.replicate(stream=stream)
            return stream

        async with attacked(all_of_them) as (hostile, server):
            for key in keys:
                await hostile.join_feed(key)
                for number in range(200):
                    hostile.on(key, HAVE, encode_have(number * 8192 + 17))
            await hostile.settle()
            kept = [len(core.peers[0].remote._pages) for core in cores]
            assert sum(kept) == 100 + remote_bitfield.PAGES_FREE * len(keys)
            assert min(kept) == remote_bitfield.PAGES_FREE
            for key in keys:
                hostile.shut(key)
            await hostile.settle()
            assert server.streams[0].session.page_budget.left == 100
            assert server.errors == []


@virtual_time
async def test_a_flood_of_requests_is_merged_refused_and_answered_in_turn() -> None:
    """The same block ten thousand times, blocks that are not there, and numbers out of range."""
    async with Hypercore(memory(), key_pair=PAIR) as core:
        await core.extend(VALUES)
        async with attacked(asking(core)) as (hostile, server):
            await hostile.join_feed(core.key)
            for _ in range(10_000):
                hostile.on(core.key, REQUEST, encode_request(3))
                hostile.on(core.key, REQUEST, encode_request(2**52))
                hostile.on(core.key, REQUEST, encode_request(1000))
            hostile.on(core.key, REQUEST, encode_request(4))
            await hostile.settle()
            kinds = [kind for _, kind, _ in hostile.heard]
            assert 2 <= kinds.count(DATA) < 1000
            assert core.stats.peers[0].refused < 2000
            assert server.errors == []
            async with Hypercore(memory(), core.key) as copy:
                await gets_all(copy, server)
                assert copy.downloaded() == core.length


@virtual_time
async def test_answers_that_wait_for_others_are_bounded_in_bytes() -> None:
    """A liar earns a wide window, then answers only what cannot be checked yet: 64 MiB of it."""
    log = writer_log([b"%d" % number for number in range(2000)])
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        hostile.on(core.key, HAVE, encode_have(0, log.length))
        [peer] = core.peers
        while peer.downloads.window < 64:
            request = await hostile.hear_request()
            hostile.on(core.key, DATA, encode_data(*hostile.answer(log, request)))
        junk = bytes(2 << 20)
        largest = said = 0
        with suppress(TimeoutError, GoneError):
            while said < 32:
                async with asyncio.timeout(0.2):
                    request = await hostile.hear_request()
                if request.nodes != 1 or not request.index % 2:
                    continue
                said += 1
                hostile.on(core.key, DATA, encode_data(request.index, junk, (), None))
                await hostile.flush()
                await asyncio.sleep(0.01)
                parked = peer.downloads._parked.values()
                largest = max(largest, sum(len(data.value or b"") for data in parked))
        assert 4 << 20 < largest <= 12 << 20
        assert server.errors == []


# --- stalls --------------------------------------------------------------------------------------


async def stall(hostile: Hostile, key: bytes, *, drip: bool) -> None:
    """Announce everything and answer nothing, or a byte a minute."""
    await hostile.join_feed(key)
    hostile.on(key, HAVE, ALL)
    await hostile.flush()
    if drip:
        hostile.on(key, DATA, encode_data(0, bytes(1000), (), None))
        for byte in bytes(hostile.connection.data_to_send()):
            await hostile.say_bytes(bytes([byte]))
            await asyncio.sleep(60.0)


@pytest.mark.parametrize("drip", [False, True])
@virtual_time
async def test_one_honest_peer_among_stalling_ones_is_enough(drip: bool) -> None:
    """Nine that announce all and send nothing or a byte a minute: the feed completes at once."""
    values = [b"%d" % number for number in range(500)]
    async with Hypercore(memory(), PAIR.public_key) as core, AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(asking(core)))
        stalling = []
        for _ in range(9):
            hostile = await Hostile().connect(server.address)
            stack.push_async_callback(hostile.close)
            stalling.append(asyncio.create_task(stall(hostile, core.key, drip=drip)))
        await asyncio.sleep(0.5)
        loop = asyncio.get_running_loop()
        began = loop.time()
        honest = await stack.enter_async_context(Hypercore(memory(), key_pair=PAIR))
        await honest.extend(values)
        stream = honest.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(stream, server))
        await until(lambda: core.downloaded() == 500)
        assert loop.time() - began < 10.0
        await stream.close()
        await running
        for task in stalling:
            task.cancel()
        await asyncio.gather(*stalling, return_exceptions=True)


@virtual_time
async def test_a_peer_that_stalls_in_the_middle_is_passed_over() -> None:
    """It answers ten requests and stops; the others get what it holds, and it is asked last."""
    log = writer_log(VALUES * 20)
    async with Hypercore(memory(), log.key) as core, attacked(asking(core)) as (hostile, server):
        await hostile.join_feed(core.key)
        hostile.on(core.key, HAVE, encode_have(0, log.length))
        for _ in range(10):
            request = await hostile.hear_request()
            hostile.on(core.key, DATA, encode_data(*hostile.answer(log, request)))
            await hostile.flush()
        await asyncio.sleep(0.5)
        assert 0 < core.downloaded() < log.length
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Hypercore(memory(), key_pair=PAIR) as honest:
            await honest.extend([log.get(index) for index in range(log.length)])
            stream = honest.replicate(True)  # noqa: FBT003
            running = asyncio.create_task(dialled(stream, server))
            await until(lambda: core.downloaded() == log.length)
            assert loop.time() - began < 10.0
            slow = next(peer for peer in core.peers if peer.stats.expired)
            assert slow.downloads.retry_at > loop.time()
            await stream.close()
            await running


# --- forks ---------------------------------------------------------------------------------------


@asynccontextmanager
async def replicating(ours: Multifeed, theirs: Multifeed) -> AsyncIterator[ReplicationStream]:
    left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
    joined = asyncio.create_task(link(left, right))
    try:
        yield left
    finally:
        await left.close()
        await joined


async def two_histories(stack: AsyncExitStack) -> tuple[Multifeed, Multifeed, Hypercore]:
    """One key pair on two machines that share three blocks; the second has a healthy feed too."""
    machines = []
    for name, count in (("first", 3), ("second", 5)):
        multi = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        writer = await multi.writer("w", key_pair=PAIR)
        await writer.extend([b"same 0", b"same 1", b"same 2"])
        await writer.extend([b"%s %d" % (name.encode(), number) for number in range(count)])
        machines.append(multi)
    healthy = await machines[1].writer("healthy")
    await healthy.extend([b"well 0", b"well 1"])
    return machines[0], machines[1], healthy


async def fetched(multi: Multifeed, key: bytes, length: int) -> Hypercore:
    feed = await until_feed(multi, key)
    await until(lambda: feed.downloaded() == length)
    return feed


async def check_quarantined(third: Multifeed, history: list[bytes]) -> Hypercore:
    feed = third.feed(PAIR.public_key)
    assert feed is not None
    assert isinstance(feed.fork, ForkError)
    for length, tree_hash, signature in (feed.fork.ours, feed.fork.theirs):
        assert crypto.verify(signable(tree_hash, length), signature, PAIR.public_key)
    assert feed.fork.ours[1] != feed.fork.theirs[1]
    assert [await feed.get(index) for index in range(feed.length)] == history
    with pytest.raises(ForkError):
        await feed.get(feed.length + 100)
    return feed


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("order", ["shorter first", "longer first"])
@virtual_time
async def test_a_fork_quarantines_that_feed_alone(
    order: str, restart: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A third node meets both histories, in each order, also with a restart in between.

    What came first stays and can be read; both signed roots are kept, over a restart too; there
    is an event and one line in the log; the healthy feed on the same stream goes on.
    """
    caplog.set_level(logging.WARNING)
    async with AsyncExitStack() as stack:
        first, second, healthy = await two_histories(stack)
        if order == "longer first":
            writer = await first.writer("w")
            await writer.extend([b"first %d" % number for number in range(3, 9)])
            assert writer.length == 12
            known, met = second, first
        else:
            known, met = first, second
        written = await known.writer("w")
        history = [await written.get(index) for index in range(written.length)]
        storage = memory()
        third = await stack.enter_async_context(Multifeed(storage, key=ROOT))
        async with replicating(third, known):
            await fetched(third, PAIR.public_key, written.length)
        if restart:
            await third.close()
            third = await stack.enter_async_context(Multifeed(storage, key=ROOT))
        feed = third.feed(PAIR.public_key)
        assert feed is not None
        with feed.events() as events:
            async with replicating(third, met) as stream:
                async for event in events:
                    if isinstance(event, Forked):
                        break
                well = await (await met.writer("more")).append(b"later")
                more = await met.writer("more")
                copy = await fetched(third, more.key, well + 1)
                assert await copy.get(well) == b"later"
                if met is second:
                    await fetched(third, healthy.key, 2)
                    await healthy.append(b"well 2")
                    await fetched(third, healthy.key, 3)
                assert not stream.closed
        await check_quarantined(third, history)
        assert caplog.text.count("is forked") == 1
        await third.close()
        third = await stack.enter_async_context(Multifeed(storage, key=ROOT))
        feed = await check_quarantined(third, history)
        async with replicating(third, met):  # and nothing more is taken
            await (await met.writer("w")).append(b"even more")
            await (await met.writer("more")).append(b"the last")
            await fetched(third, more.key, 2)
        assert feed.length == len(history)
        fourth = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        async with replicating(fourth, third):  # what came first is passed on
            copied = await fetched(fourth, PAIR.public_key, len(history))
            assert [await copied.get(index) for index in range(copied.length)] == history


@virtual_time
async def test_histories_of_one_length_are_told_apart_once_one_grows() -> None:
    """Nothing is asked while both have the same length; the next block shows the fork."""
    async with AsyncExitStack() as stack:
        first, second, _ = await two_histories(stack)
        await (await first.writer("w")).extend([b"a", b"b"])
        third = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        async with replicating(third, first):
            feed = await fetched(third, PAIR.public_key, 8)
        async with replicating(third, second):
            await until(lambda: any(peer.remote_length == 8 for peer in feed.peers))
            assert feed.fork is None
            await (await second.writer("w")).append(b"c")
            await until(lambda: feed.fork is not None)
        assert feed.length == 8


@virtual_time
async def test_a_sparse_reader_sees_a_fork_too() -> None:
    """It asks for proofs of length and for single blocks only."""
    for how in ("update", "get"):
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(Hypercore(memory(), key_pair=PAIR))
            second = await stack.enter_async_context(Hypercore(memory(), key_pair=PAIR))
            await first.extend([b"same", b"a", b"b", b"c"])
            await second.extend([b"same", b"1", b"2", b"3", b"4"])
            reader = await stack.enter_async_context(
                Hypercore(memory(), PAIR.public_key, sparse=True)
            )
            for source in (first, second):
                left, right = reader.replicate(True), source.replicate(False)  # noqa: FBT003
                joined = asyncio.create_task(link(left, right))
                if source is first:
                    assert await reader.get(3) == b"c"
                else:
                    with pytest.raises(ForkError):
                        await (reader.update() if how == "update" else reader.get(4))
                await left.close()
                await joined
            assert reader.fork is not None
            assert await reader.get(3) == b"c"


@virtual_time
async def test_whoever_waits_for_a_forked_feed_is_told() -> None:
    """A live reader, a get and a download end with the proof instead of waiting for ever."""
    async with AsyncExitStack() as stack:
        first, second, _ = await two_histories(stack)
        third = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        async with replicating(third, first):
            feed = await fetched(third, PAIR.public_key, 6)

            async def follow() -> None:
                async for _ in feed.read(0, live=True):
                    pass

            waiting = [
                asyncio.create_task(follow()),
                asyncio.create_task(feed.get(50)),
                asyncio.create_task(feed.download(6, 50)),
            ]
            await asyncio.sleep(1.0)
            async with replicating(third, second):
                for task in waiting:
                    with pytest.raises(ForkError):
                        await task


def test_the_command_line_tells_of_a_fork(tmp_path: Path) -> None:
    """`feeds` marks the feed; `doctor` shows both signed roots and says what it means."""

    @virtual_time
    async def prepared() -> None:
        async with AsyncExitStack() as stack:
            first, second, _ = await two_histories(stack)
            third = await stack.enter_async_context(Multifeed(tmp_path / "db", key=ROOT))
            async with replicating(third, first):
                feed = await fetched(third, PAIR.public_key, 6)
            async with replicating(third, second):
                await until(lambda: feed.fork is not None)

    prepared()
    run = CliRunner()
    folder = ["--dir", str(tmp_path / "db")]
    listed = run.invoke(main, [*folder, "feeds", "--json"])
    facts = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [fact["forked"] for fact in facts if fact["key"] == PAIR.public_key.hex()] == [True]
    assert "forked" in run.invoke(main, [*folder, "feeds"]).stdout
    told = run.invoke(main, [*folder, "doctor", "--json"])
    assert told.exit_code == 5
    found = [json.loads(line) for line in told.stdout.splitlines()]
    [fork] = [fact["fork"] for fact in found if fact["fork"]]
    assert (fork["ours"]["length"], fork["theirs"]["length"]) == (6, 8)
    for side in fork.values():
        message = signable(bytes.fromhex(side["tree_hash"]), side["length"])
        assert crypto.verify(message, bytes.fromhex(side["signature"]), PAIR.public_key)
    person = run.invoke(main, [*folder, "doctor"]).stdout
    assert "forked" in person
    assert "new writer" in person


# --- rollback ------------------------------------------------------------------------------------


async def rolled_back(stack: AsyncExitStack, folder: Path) -> tuple[Multifeed, Multifeed]:
    """A writer put back to an old copy of its folder, and a reader that has seen more."""
    writer = await stack.enter_async_context(Multifeed(folder / "db", key=ROOT))
    feed = await writer.writer("w")
    await feed.extend([b"old 0", b"old 1"])
    await writer.close()
    shutil.copytree(folder / "db", folder / "backup")
    reader = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
    async with Multifeed(folder / "db", key=ROOT) as writer:
        feed = await writer.writer("w")
        await feed.extend([b"new 2", b"new 3"])
        async with replicating(reader, writer):
            await fetched(reader, feed.key, 4)
    restored = await stack.enter_async_context(Multifeed(folder / "backup", key=ROOT))
    return restored, reader


@virtual_time
async def test_a_rolled_back_writer_gets_its_blocks_back_before_it_appends(tmp_path: Path) -> None:
    """Meeting a peer first, it learns what it had signed, and goes on from there: no fork."""
    async with AsyncExitStack() as stack:
        restored, reader = await rolled_back(stack, tmp_path)
        feed = await restored.writer("w")
        assert feed.length == 2
        async with replicating(restored, reader):
            await until(lambda: feed.downloaded() == 4)
            assert await feed.append(b"next 4") == 4
            copy = await fetched(reader, feed.key, 5)
        assert await copy.get(4) == b"next 4"
        assert feed.fork is copy.fork is None


@virtual_time
async def test_a_rolled_back_writer_that_appends_at_once_has_forked(tmp_path: Path) -> None:
    """Its readers keep what they have, and hold the proof."""
    async with AsyncExitStack() as stack:
        restored, reader = await rolled_back(stack, tmp_path)
        feed = await restored.writer("w")
        await feed.extend([b"other 2", b"other 3", b"other 4"])
        copy = reader.feed(feed.key)
        assert copy is not None
        async with replicating(reader, restored):
            await until(lambda: copy.fork is not None)
        assert [await copy.get(index) for index in range(4)] == [
            b"old 0",
            b"old 1",
            b"new 2",
            b"new 3",
        ]


# --- damage found while replicating --------------------------------------------------------------


def damage(core: Hypercore, index: int) -> None:
    """Change a byte of a block behind the core's back, as a disk may."""
    storage: Any = core._storage
    offset = core.log._store.offset(index)
    core.log._store.mark_unchecked(index)
    storage.commit([Write(f"{core._prefix}data", offset, b"\xff")])


@virtual_time
async def test_a_damaged_block_of_a_remote_feed_is_fetched_again_when_read() -> None:
    """With a peer that has it the reader notices nothing; without one it is told, once."""
    async with Hypercore(memory(), key_pair=PAIR) as source:
        await source.extend(VALUES)
        async with Hypercore(memory(), source.key) as copy:
            for read in ("get", "read", "audit"):
                left, right = copy.replicate(True), source.replicate(False)  # noqa: FBT003
                joined = asyncio.create_task(link(left, right))
                await until(lambda: copy.downloaded() == 20)
                damage(copy, 7)
                if read == "get":
                    assert await copy.get(7) == VALUES[7]
                elif read == "read":
                    assert [value async for value in copy.read(0, 20)] == VALUES
                else:
                    assert (await copy.audit()).bad == (7,)
                await until(lambda: copy.downloaded() == 20)
                assert await copy.get(7) == VALUES[7]
                await left.close()
                await joined
            damage(copy, 7)
            with pytest.raises(CorruptStorageError):
                await copy.get(7)
            left, right = copy.replicate(True), source.replicate(False)  # noqa: FBT003
            joined = asyncio.create_task(link(left, right))
            assert await copy.get(7) == VALUES[7]
            await left.close()
            await joined


@virtual_time
async def test_a_damaged_block_that_was_served_is_found_and_mended() -> None:
    """The asker refuses it; the holder, told so by the closed channel, forgets it and has it
    fetched again; on their next stream the asker gets everything.
    """
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(Hypercore(memory(), key_pair=PAIR))
        await source.extend(VALUES)
        middle = await stack.enter_async_context(Hypercore(memory(), source.key))
        last = await stack.enter_async_context(Hypercore(memory(), source.key))

        async def linked(a: Hypercore, b: Hypercore, reached: Callable[[], bool]) -> None:
            left, right = a.replicate(True), b.replicate(False)  # noqa: FBT003
            joined = asyncio.create_task(link(left, right))
            await until(reached)
            assert not left.closed
            await left.close()
            await joined

        await linked(middle, source, lambda: middle.downloaded() == 20)
        damage(middle, 7)
        await linked(last, middle, lambda: not middle.has(7))
        for index in range(20):
            assert not last.has(index) or await last.get(index) == VALUES[index]
        assert not last.has(7)
        await linked(middle, source, lambda: middle.downloaded() == 20)
        await linked(last, middle, lambda: last.downloaded() == 20)
        assert [await last.get(index) for index in range(20)] == VALUES


@virtual_time
async def test_an_owner_with_damage_appends_nothing_until_a_peer_has_mended_it() -> None:
    """Appending on damaged blocks would sign what cannot be read any more."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        theirs = await stack.enter_async_context(Multifeed(memory(), key=ROOT))
        feed = await ours.writer("w")
        await feed.extend(VALUES)
        async with replicating(theirs, ours):
            await fetched(theirs, feed.key, 20)
        damage(feed, 7)
        with pytest.raises(CorruptStorageError):
            await feed.get(7)
        with pytest.raises(NotWritableError):
            await feed.append(b"more")
        async with replicating(theirs, ours):
            await until(lambda: feed.downloaded() == 20)
        assert await feed.get(7) == VALUES[7]
        assert await feed.append(b"more") == 20


# --- code of ours that fails ---------------------------------------------------------------------


@virtual_time
async def test_handlers_that_raise_harm_no_stream() -> None:
    """Hooks of one core fail; the other core on the same stream is replicated whole."""

    def broken(*_: object) -> Any:
        raise RuntimeError("a program's own mistake")

    class Broken:
        name = "broken"

        def encode(self, value: object) -> bytes:
            return bytes(str(value), "ascii")

        def decode(self, data: bytes) -> object:
            raise KeyError("no such thing")

    async with AsyncExitStack() as stack:
        open_core = stack.enter_async_context
        source = await open_core(Hypercore(memory(), key_pair=PAIR))
        other = await open_core(Hypercore(memory()))
        copy = await open_core(Hypercore(memory(), source.key, on_write=broken))
        fine = await open_core(Hypercore(memory(), other.key))
        await source.extend(VALUES)
        await other.extend(VALUES)
        copy.register_extension("x", encoding=Broken(), on_message=broken, on_error=broken)
        said = source.register_extension("x", encoding="utf-8")
        left = copy.replicate(True)  # noqa: FBT003
        fine.replicate(stream=left)
        right = source.replicate(False, ack=True)  # noqa: FBT003
        other.replicate(stream=right, ack=True)
        right.on_ack = broken
        joined = asyncio.create_task(link(left, right))
        await until(lambda: bool(fine.downloaded()))
        said.broadcast("hello")
        await until(lambda: fine.downloaded() == 20)
        await other.append(b"later")
        assert await fine.get(20) == b"later"
        await left.close()
        await joined
        assert left.error is right.error is None


@virtual_time
async def test_a_policy_that_raises_keeps_its_core_back() -> None:
    """Default is no; the stream lives."""

    def broken(*_: object) -> bool:
        raise RuntimeError("a program's own mistake")

    async with Hypercore(memory(), key_pair=PAIR) as core:
        await core.extend(VALUES)
        stream = core.replicate(False, on_authenticate=broken)  # noqa: FBT003
        async with serving(lambda: stream) as server, await Hostile().connect(server.address) as h:
            h.open(core.key)
            h.on(core.key, WANT, encode_want(0, 1 << 20))
            h.on(core.key, REQUEST, encode_request(0))
            await h.settle()
            assert {kind for _, kind, _ in h.heard} <= {MessageType.CLOSE}
            assert not stream.closed
