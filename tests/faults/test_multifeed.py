"""Peers that misuse the exchange of feed lists harm that exchange; connections and others live."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tests.faults.hostile import (
    CLOSE,
    DATA,
    HAVE,
    OPEN,
    OPTIONS,
    REQUEST,
    Hostile,
    attacked,
    dialled,
    serving,
    until,
    until_feed,
    writer_log,
)
from tests.faults.virtual_time import virtual_time

from hypermultifeed import mux as mux_module
from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import (
    ClientMismatchError,
    RemoteProtocolError,
    ReplicationTimeoutError,
    VersionMismatchError,
)
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import ACCEPT_TIMEOUT_S, Multifeed
from hypermultifeed.replication.manifest import (
    EXTENSIONS,
    HANDSHAKE,
    MANIFEST,
    REPLICATE_FEEDS,
    REQUEST_FEEDS,
)
from hypermultifeed.storage import files, memory
from hypermultifeed.stream import ReplicationStream, link
from hypermultifeed.wire.messages import decode_close, encode_have, encode_options, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.hostile import Server

ROOT = b"\x07" * 32
OTHER = b"\x08" * 32
MIB = 1 << 20


def answering(multi: Multifeed) -> Callable[[], ReplicationStream]:
    return lambda: multi.replicate(False)  # noqa: FBT003


def key_of(number: int) -> bytes:
    return KeyPair.from_seed(number.to_bytes(32, "big")).public_key


async def bring(hostile: Hostile, root: bytes, seed: int) -> bytes:
    """As an honest peer: offer one feed of one block, and serve it."""
    log = writer_log([b"brought"], seed=seed)
    hostile.extend(root, MANIFEST, {"keys": [log.key.hex()]})
    while log.key.hex() not in await hostile.hear_extension(REQUEST_FEEDS):
        pass
    hostile.extend(root, REPLICATE_FEEDS, [log.key.hex()])
    await hostile.join_feed(log.key)
    hostile.on(log.key, HAVE, encode_have(0))
    request = await hostile.hear_request()
    hostile.on(log.key, DATA, hostile.answer_frame(log, request))
    await hostile.flush()
    return log.key


async def check_served(multi: Multifeed, server: Server) -> None:
    """An honest peer that comes now exchanges everything."""
    async with Multifeed(memory(), key=multi.key) as theirs:
        feed = await theirs.writer("honest")
        await feed.append(b"hello")
        stream = theirs.replicate(True)  # noqa: FBT003
        running = asyncio.create_task(dialled(stream, server))
        copy = await until_feed(multi, feed.key)
        await until(lambda: copy.downloaded() == 1)
        await stream.close()
        await running


# --- what is said --------------------------------------------------------------------------------

SHAPES: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"x"',
    "list": b"[]",
    "object": b"{}",
    "list of numbers": b"[1,2]",
    "list of objects": b"[{}]",
    "nested list": b"[[[]]]",
    "keys null": b'{"keys":null}',
    "keys a number": b'{"keys":5}',
    "keys an object": b'{"keys":{"length":3}}',
    "keys of all kinds": b'{"keys":[null,1,"x",[],{}]}',
    "no JSON": b"{",
    "nothing": b"",
    "not UTF-8": b'{"keys":["\xff\xfe"]}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "long number": b"[" + b"9" * MIB + b"]",
    "NaN": b'{"keys":[NaN]}',
    "prototype": b'{"__proto__":{"keys":[]},"keys":[]}',
    "same key twice": b'{"keys":[],"keys":[],"version":"4.0.0","version":"5.0.0"}',
    "lone surrogate": b'{"keys":["\\ud800"],"client":"\\udfff"}',
    "eight million bytes": b'"' + b"x" * (8 * MIB - 100) + b'"',
}


@pytest.mark.parametrize("name", EXTENSIONS)
@virtual_time
async def test_wrong_shapes_and_bombs_harm_one_multifeed_only(name: str) -> None:
    """On a stream that two multifeeds share: the other one goes on, the connection stays."""
    for shape in SHAPES.values():
        async with Multifeed(memory(), key=ROOT) as ours, Multifeed(memory(), key=OTHER) as other:

            def both() -> ReplicationStream:
                stream = ReplicationStream(False)  # noqa: FBT003
                ours.replicate(False, stream=stream)  # noqa: FBT003
                return other.replicate(False, stream=stream)  # noqa: FBT003

            async with attacked(both) as (hostile, server):
                await hostile.join_multifeed(ROOT)
                hostile.extend(ROOT, name, shape)
                await hostile.flush()
                await hostile.join_multifeed(OTHER)
                key = await bring(hostile, OTHER, 5)
                copy = await until_feed(other, key)
                await until(lambda: copy.downloaded() == 1)  # noqa: B023
                assert server.errors == []
                assert ours.feeds() == []
                assert other.stats.failed_exchanges == 0


@virtual_time
async def test_wrong_shapes_on_a_stream_of_its_own_end_that_stream_with_a_code() -> None:
    """Again and again; the next peer is served as ever."""
    async with Multifeed(memory(), key=ROOT) as ours, serving(answering(ours)) as server:
        for shape in (b"null", b"{", b"[" * 100_000):
            for name in EXTENSIONS:
                async with await Hostile().connect(server.address) as hostile:
                    await hostile.join_multifeed(ROOT)
                    hostile.extend(ROOT, name, shape)
                    await hostile.flush()
                    assert isinstance(await server.error(), RemoteProtocolError)
        await check_served(ours, server)


@virtual_time
async def test_breaking_the_exchange_in_a_loop_is_stopped() -> None:
    """After a few failures the peer's Opens of that multifeed are refused."""
    async with Multifeed(memory(), key=ROOT) as ours, Multifeed(memory(), key=OTHER) as other:

        def both() -> ReplicationStream:
            stream = ReplicationStream(False)  # noqa: FBT003
            ours.replicate(False, stream=stream)  # noqa: FBT003
            return other.replicate(False, stream=stream)  # noqa: FBT003

        async with attacked(both) as (hostile, server):
            for _ in range(50):
                hostile.open(ROOT)
                hostile.on(ROOT, OPTIONS, encode_options(EXTENSIONS, ack=False))
                hostile.extend(ROOT, HANDSHAKE, b"null")
                hostile.shut(ROOT)
                await hostile.flush()
            await hostile.settle()
            assert ours.stats.failed_exchanges == mux_module.FAILURES_MAX
            assert server.errors == []


GREETINGS: dict[str, tuple[object, type[Exception] | None]] = {
    "another major version": ({"client": "MULTIFEED", "version": "5.0.0"}, VersionMismatchError),
    "no version": ({"client": "MULTIFEED"}, VersionMismatchError),
    "version null": ({"client": "MULTIFEED", "version": None}, VersionMismatchError),
    "a later minor version": ({"client": "MULTIFEED", "version": "4.9.9"}, None),
    "another client": ({"client": "X", "version": "4.0.0"}, ClientMismatchError),
    "no client": ({"version": "4.0.0"}, ClientMismatchError),
    "much user data": (
        {"client": "MULTIFEED", "version": "4.0.0", "userData": "x" * MIB},
        RemoteProtocolError,
    ),
}


@pytest.mark.parametrize("name", GREETINGS)
@virtual_time
async def test_greetings(name: str) -> None:
    """Two documented errors tell both sides' values; minor versions and small data pass."""
    greeting, expected = GREETINGS[name]
    async with (
        Multifeed(memory(), key=ROOT) as ours,
        attacked(answering(ours)) as (
            hostile,
            server,
        ),
    ):
        await hostile.join_multifeed(ROOT, False)  # noqa: FBT003
        hostile.extend(ROOT, HANDSHAKE, greeting)
        await hostile.flush()
        if expected is None:
            assert await hostile.hear_extension(MANIFEST) == {"keys": []}
            return
        error = await server.error()
        assert isinstance(error, expected)
        if isinstance(error, VersionMismatchError):
            shown = greeting.get("version") or "none" if isinstance(greeting, dict) else ""
            assert (error.us_version, error.them_version) == ("4.0.0", shown)
        if isinstance(error, ClientMismatchError):
            assert error.us_client == "MULTIFEED"
        await check_served(ours, server)


@virtual_time
async def test_a_peer_that_never_greets_is_left_after_the_deadline() -> None:
    """On a stream for this multifeed alone, though bytes keep coming."""
    async with (
        Multifeed(memory(), key=ROOT) as ours,
        attacked(answering(ours)) as (
            hostile,
            server,
        ),
    ):
        failing = asyncio.create_task(server.error())
        while not failing.done():
            await hostile.say_bytes(bytes(hostile.connection._cipher.encrypt([b"\0"])))  # type: ignore[union-attr]
            await asyncio.wait([failing], timeout=1.0)
        assert isinstance(await failing, ReplicationTimeoutError)
        await check_served(ours, server)


@virtual_time
async def test_keys_in_a_manifest_are_taken_one_by_one() -> None:
    """Bad ones are left out and counted; the good one among them is asked for, once."""
    good = key_of(1)
    bad: list[Any] = [
        "zz" * 32,
        good.hex()[:-2],
        good.hex() + "00",
        "0" * 64,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        ROOT.hex(),
        good.hex() + "\n",
        "../../../etc/passwd",
        None,
        7,
        [good.hex()],
        {"key": good.hex()},
    ]
    async with (
        Multifeed(memory(), key=ROOT) as ours,
        attacked(answering(ours)) as (
            hostile,
            server,
        ),
    ):
        await hostile.join_multifeed(ROOT)
        for keys in (bad, [*bad, good.hex(), *bad, good.hex()]):
            hostile.extend(ROOT, MANIFEST, {"keys": keys})
        assert await hostile.hear_extension(REQUEST_FEEDS) == []
        assert await hostile.hear_extension(REQUEST_FEEDS) == [good.hex()]
        assert ours.stats.skipped_keys == 3 * len(bad) + 1
        assert server.errors == []


@virtual_time
async def test_our_own_feed_offered_by_others_stays_ours() -> None:
    """A peer that offers a feed we write gets no second copy made of it."""
    async with (
        Multifeed(memory(), key=ROOT) as ours,
        attacked(answering(ours)) as (
            hostile,
            server,
        ),
    ):
        mine = await ours.writer("mine")
        await hostile.join_multifeed(ROOT)
        hostile.extend(ROOT, MANIFEST, {"keys": [mine.key.hex(), mine.key.hex().upper()]})
        hostile.extend(ROOT, REPLICATE_FEEDS, [mine.key.hex()])
        await hostile.settle()
        assert ours.feeds() == [mine]
        assert await mine.append(b"x") == 0
        assert server.errors == []


@virtual_time
async def test_messages_out_of_order_have_no_effect() -> None:
    """Grants of what was not asked for, lists before the greeting, a second greeting."""
    async with (
        Multifeed(memory(), key=ROOT) as ours,
        attacked(answering(ours)) as (
            hostile,
            server,
        ),
    ):
        mine = await ours.writer("mine")
        greeting = {"client": "MULTIFEED", "version": "4.0.0"}
        await hostile.join_multifeed(ROOT, False)  # noqa: FBT003
        hostile.extend(ROOT, REPLICATE_FEEDS, [key_of(1).hex()])
        hostile.extend(ROOT, REQUEST_FEEDS, [mine.key.hex()])
        assert await hostile.hear_extension(REPLICATE_FEEDS) == []
        for _ in range(5):
            hostile.extend(ROOT, HANDSHAKE, greeting)
        hostile.extend(ROOT, REPLICATE_FEEDS, [key_of(2).hex()])
        hostile.extend(ROOT, REQUEST_FEEDS, [])
        await hostile.hear_extension(REPLICATE_FEEDS)
        await hostile.settle()
        names = [hostile.extension_name(body) for n, t, body in hostile.heard if t == 15]
        assert names.count(MANIFEST) == 1
        assert ours.feeds() == [mine]
        assert ours.stats.ignored_messages == 5
        assert server.errors == []


@virtual_time
async def test_feeds_that_were_never_offered_are_not_confirmed_to_exist() -> None:
    """A feed of another multifeed in the same store is asked for: answered like an unknown one."""
    async with (
        Corestore(memory()) as store,
        Multifeed(store, key=ROOT) as ours,
        Multifeed(store, key=OTHER) as other,
    ):
        secret = await other.writer("secret")
        await secret.append(b"private")
        answers = []
        async with serving(answering(ours)) as server:
            for key in (secret.key, key_of(3)):
                async with await Hostile().connect(server.address) as hostile:
                    await hostile.join_multifeed(ROOT)
                    hostile.extend(ROOT, REQUEST_FEEDS, [key.hex()])
                    answers.append(await hostile.hear_extension(REPLICATE_FEEDS))
                    hostile.open(key)
                    hostile.on(key, REQUEST, encode_request(0))
                    await hostile.settle()
                    kinds = [kind for _, kind, _ in hostile.heard if kind in (OPEN, DATA, CLOSE)]
                    answers.append(kinds)
        assert answers[:2] == answers[2:]
        assert DATA not in answers[1]


# --- floods --------------------------------------------------------------------------------------


@virtual_time
async def test_a_flood_of_offers_that_the_policy_refuses_costs_nothing_lasting() -> None:
    """A hundred thousand keys from one peer: no file, little memory, one answer each time."""
    storage = memory()
    async with (
        Multifeed(storage, key=ROOT, accept=lambda *_: False) as ours,
        attacked(answering(ours)) as (hostile, server),
    ):
        before = sorted(ours.corestore.cores.storage.list_files())
        await hostile.join_multifeed(ROOT)
        await hostile.flush()
        tracemalloc.start()
        try:
            for start in range(1, 100_000, 20_000):
                keys = [
                    (number << 9 | 9).to_bytes(32, "big").hex()
                    for number in range(start, start + 20_000)
                ]
                hostile.extend(ROOT, MANIFEST, {"keys": keys})
                del keys
                assert await hostile.hear_extension(REQUEST_FEEDS) == []
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert ours.stats.skipped_keys == 100_000
        assert kept < 8 * MIB
        assert peak < 64 * MIB
        assert sorted(ours.corestore.cores.storage.list_files()) == before
        assert server.errors == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_a_flood_of_accepted_feeds_stops_at_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are granted: as many are opened as the quota says, with few descriptors."""
    monkeypatch.setattr(mux_module, "NEW_FEEDS_PER_STREAM_MAX", 300)

    @virtual_time
    async def flood() -> None:
        storage = files(tmp_path / "db")
        async with (
            Multifeed(storage, key=ROOT, durability="relaxed") as ours,
            attacked(answering(ours)) as (hostile, server),
        ):
            await hostile.join_multifeed(ROOT)
            await hostile.flush()
            before = len(os.listdir("/proc/self/fd"))
            keys = [key_of(number).hex() for number in range(1000)]
            hostile.extend(ROOT, MANIFEST, {"keys": keys})
            wanted = await hostile.hear_extension(REQUEST_FEEDS)
            assert len(wanted) == 300
            hostile.extend(ROOT, REPLICATE_FEEDS, keys)
            await hostile.flush()
            await until(lambda: len(ours.feeds()) == 300)
            await hostile.settle()
            assert len(ours.feeds()) == 300
            assert len(os.listdir("/proc/self/fd")) <= before + 80
            assert server.errors == []

    flood()


# --- several on one connection -------------------------------------------------------------------


@virtual_time
async def test_a_hundred_multifeeds_share_a_connection_some_only_on_one_side() -> None:
    """Those without a counterpart stay idle, for hours; joining later works at once."""
    async with AsyncExitStack() as stack:
        left_store = await stack.enter_async_context(Corestore(memory()))
        right_store = await stack.enter_async_context(Corestore(memory()))
        left, right = ReplicationStream(True), ReplicationStream(False)  # noqa: FBT003
        joined = asyncio.create_task(link(left, right))
        await left.opened()

        async def joining(store: Corestore, stream: ReplicationStream, number: int) -> Multifeed:
            multi = await stack.enter_async_context(Multifeed(store, key=key_of(number)))
            multi.replicate(stream.initiator, stream=stream)
            return multi

        ours = [await joining(left_store, left, number) for number in range(100)]
        theirs = {n: await joining(right_store, right, n) for n in range(50)}
        theirs |= {n: await joining(right_store, right, n) for n in range(200, 220)}
        await asyncio.sleep(3600.0)
        assert not left.closed
        for number in (0, 49):
            feed = await ours[number].writer("x")
            await feed.append(b"shared")
            copy = await until_feed(theirs[number], feed.key)
            await until(lambda: copy.downloaded() == 1)  # noqa: B023
        feed = await ours[99].writer("x")
        await feed.append(b"later")
        late = await joining(right_store, right, 99)
        copy = await until_feed(late, feed.key)
        await until(lambda: copy.downloaded() == 1)
        await left.close()
        await joined
        assert left.error is right.error is None


@virtual_time
async def test_after_leaving_nothing_more_is_sent() -> None:
    """Channels close at once; appends after that do not reach the peer, nor are asked for ones."""
    async with Multifeed(memory(), key=ROOT) as ours, Multifeed(memory(), key=OTHER) as other:

        def both() -> ReplicationStream:
            stream = ReplicationStream(False)  # noqa: FBT003
            ours.replicate(False, stream=stream)  # noqa: FBT003
            return other.replicate(False, stream=stream)  # noqa: FBT003

        mine = await ours.writer("mine")
        await mine.append(b"before")
        async with attacked(both) as (hostile, server):
            await hostile.join_multifeed(ROOT)
            assert await hostile.hear_extension(MANIFEST) == {"keys": [mine.key.hex()]}
            hostile.extend(ROOT, REQUEST_FEEDS, [mine.key.hex()])
            await hostile.hear_extension(REPLICATE_FEEDS)
            await hostile.join_feed(mine.key)
            hostile.on(mine.key, REQUEST, encode_request(0))
            await hostile.hear(DATA)
            ours.detach(server.streams[0])
            heard = len(hostile.heard)
            await mine.append(b"after")
            hostile.on(mine.key, REQUEST, encode_request(1))
            hostile.open(mine.key)
            hostile.on(mine.key, REQUEST, encode_request(1))
            hostile.open(ROOT)
            await hostile.settle()
            since = [(kind, body) for _, kind, body in hostile.heard[heard:]]
            assert {kind for kind, _ in since} <= {CLOSE}
            assert len([1 for kind, body in since if decode_close(body).discovery_key is None]) == 2
            assert server.errors == []


# --- code of ours that fails ---------------------------------------------------------------------


async def never(*_: object) -> bool:
    await asyncio.get_running_loop().create_future()
    return True


def broken(*_: object) -> bool:
    raise RuntimeError("a program's own mistake")


@pytest.mark.parametrize("accept", [never, broken, lambda *_: "yes", lambda *_: 1])
@virtual_time
async def test_a_policy_that_fails_means_no_and_holds_nobody_up(accept: Callable[..., Any]) -> None:
    """It raises, answers nonsense or never: no, after a while; feeds of our own still go out."""
    async with (
        Multifeed(memory(), key=ROOT, accept=accept) as ours,
        attacked(answering(ours)) as (hostile, server),
    ):
        mine = await ours.writer("mine")
        await hostile.join_multifeed(ROOT)
        hostile.extend(ROOT, MANIFEST, {"keys": [key_of(1).hex()]})
        hostile.extend(ROOT, REQUEST_FEEDS, [mine.key.hex()])
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await hostile.hear_extension(REPLICATE_FEEDS) == [mine.key.hex()]
        assert loop.time() - began < 1.0
        assert await hostile.hear_extension(REQUEST_FEEDS) == []
        assert loop.time() - began <= ACCEPT_TIMEOUT_S + 0.5
        assert ours.feeds() == [mine]
        assert server.errors == []
