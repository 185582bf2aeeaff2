"""@corestore/networker's tests, and multifeed's that use it: all over a DHT of their own."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from hypermultifeed.corestore import Corestore
from hypermultifeed.keys import NoiseKeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.network.dht import DhtNode
from hypermultifeed.network.networker import Networker, PeerJoined, PeerLeft
from hypermultifeed.storage import memory

HOST = "127.0.0.1"


@pytest.fixture
async def create(stack: Any) -> Any:
    node = await stack.enter_async_context(await DhtNode.listen(HOST))

    async def create(**options: Any) -> tuple[Corestore, Networker]:
        store = await stack.enter_async_context(Corestore(memory()))
        options |= {"host": HOST, "allow_loopback": True, "mdns": False}
        network = Networker(store, bootstrap=[str(node.address)], **options)
        return store, await stack.enter_async_context(network)

    return create


async def test_simple_replication(create: Any) -> None:
    """networker "simple replication"."""
    (store1, network1), (store2, network2) = await create(), await create()
    core1 = await store1.get()
    core2 = await store2.get(core1.key)
    await network1.configure(core1.discovery_key)
    await network2.configure(core2.discovery_key)
    await core1.append(b"hello")
    assert await core2.get(0) == b"hello"


async def test_multiple_top_level_cores(create: Any) -> None:
    """networker "replicate multiple top-level cores"."""
    (store1, network1), (store2, network2) = await create(), await create()
    core1, core2 = await store1.get(), await store1.get()
    core3, core4 = await store2.get(core1.key), await store2.get(core2.key)
    for network, cores in ((network1, (core1, core2)), (network2, (core2, core3))):
        for core in cores:
            await network.configure(core.discovery_key)
    await core1.append(b"hello")
    await core2.append(b"world")
    assert await core3.get(0) == b"hello"
    assert await core4.get(0) == b"world"
    assert len(network1.peers) == len(network2.peers) == 1


async def test_multiple_receivers(create: Any) -> None:
    """networker "replicate to multiple receivers"."""
    (store1, network1), (store2, network2), (store3, network3) = [await create() for _ in range(3)]
    core1 = await store1.get()
    copies = [await store.get(core1.key) for store in (store2, store3)]
    for network in (network1, network2, network3):
        await network.configure(core1.discovery_key)
    await core1.append(b"hello")
    for copy in copies:
        assert await copy.get(0) == b"hello"


async def test_sub_cores(create: Any) -> None:
    """networker "replicate sub-cores"."""
    (store1, network1), (store2, network2) = await create(), await create()
    core1 = await store1.get()
    core3 = await store2.get(core1.key)
    await network1.configure(core1.discovery_key)
    await network2.configure(core3.discovery_key)
    core2 = await store1.namespace("sub").default()
    core4 = await store2.namespace("other").get(core2.key)
    await core1.append(b"hello")
    await core2.append(b"world")
    assert await core3.get(0) == b"hello"
    assert await core4.get(0) == b"world"


async def test_custom_keypair(create: Any) -> None:
    """networker "can replicate using a custom keypair"."""
    pairs = [NoiseKeyPair.generate() for _ in range(2)]
    (store1, network1), (store2, network2) = [await create(key_pair=pair) for pair in pairs]
    core1 = await store1.get()
    core3 = await store2.get(core1.key)
    await network1.configure(core1.discovery_key)
    await network2.configure(core3.discovery_key)
    core2 = await store1.get()
    core4 = await store2.get(core2.key)
    await core1.append(b"hello")
    await core2.append(b"world")
    assert await core3.get(0) == b"hello"
    assert await core4.get(0) == b"world"
    keys = [pair.public_key for pair in pairs]
    assert [network1.public_key, network2.public_key] == keys
    assert [peer.remote_public_key for peer in network1.peers] == keys[1:]
    assert [peer.remote_public_key for peer in network2.peers] == keys[:1]


async def test_join_status(create: Any) -> None:
    """networker "join status only emits flushed after all handshakes"."""
    (store1, network1), (store2, network2), (store3, network3) = [await create() for _ in range(3)]
    core1 = await store1.get()
    core2 = await store2.get(core1.key)
    await core1.append(b"hello")
    await network1.configure(core1.discovery_key)
    await network2.configure(core1.discovery_key)
    assert network2.status(core1.discovery_key).flushed
    assert len(core2.peers) >= 1
    core3 = await store3.get(core1.key)
    await network3.configure(core1.discovery_key, flush=False)
    assert not network3.status(core1.discovery_key).flushed
    assert await network3.flushed(core1.discovery_key)
    assert len(network3.peers) >= 2
    assert await core3.get(0) == b"hello"


async def test_destroy_multiple_times(create: Any) -> None:
    """networker "can destroy multiple times"."""
    _, network = await create()
    await network.close()
    await network.close()
    assert network.closed


async def test_peers(create: Any) -> None:
    """networker "peers are correctly added/removed"."""
    network1, network2, network3 = [(await create())[1] for _ in range(3)]
    topic = os.urandom(32)
    await network1.configure(topic)
    with network1.events() as events:
        for number, network in enumerate((network2, network3), start=1):
            await network.configure(topic, announce=False)
            event = await anext(events)
            assert isinstance(event, PeerJoined)
            assert event.peer.remote_public_key == network.public_key
            assert len(network1.peers) == number
        for number, network in enumerate((network2, network3), start=1):
            await network.close()
            event = await anext(events)
            assert isinstance(event, PeerLeft)
            assert event.peer.remote_public_key == network.public_key
            assert len(network1.peers) == 2 - number


async def exchange(create: Any, encoding: str, messages: list[Any], copies: int) -> None:
    """The second and third send to the first, which has ``copies`` extensions of that name."""
    received: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()

    def on_message(message: Any, peer: Any) -> None:
        received.put_nowait((message, peer.remote_public_key))

    network1, network2, network3 = [(await create())[1] for _ in range(3)]
    for _ in range(copies):
        network1.register_extension("test-extension", encoding=encoding, on_message=on_message)
    topic = os.urandom(32)
    await network1.configure(topic)
    for network, message in zip((network2, network3), messages, strict=True):
        extension = network.register_extension("test-extension", encoding=encoding)
        with network.events() as events:
            await network.configure(topic, announce=False)
            event = await anext(events)
            assert event.peer.remote_public_key == network1.public_key
            extension.send(message, event.peer)
        for _ in range(copies):
            assert await received.get() == (message, network.public_key)


async def test_stream_wide_extensions(create: Any) -> None:
    """networker "can register stream-wide extensions"."""
    await exchange(create, "utf-8", ["hello", "world"], 1)


async def test_extensions_with_the_same_name(create: Any) -> None:
    """networker "can register extensions with the same name"."""
    await exchange(create, "utf-8", ["hello", "world"], 2)


async def test_other_encodings(create: Any) -> None:
    """networker "can use other encodings"."""
    await exchange(create, "json", [{"message": "hello"}, {"message": "world"}], 1)


async def test_bidirectional_extensions(create: Any) -> None:
    """networker "bidirectional extension send/receive"."""
    (_, network1), (_, network2) = await create(), await create()
    answered: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()

    def answer(message: str, peer: Any) -> None:
        assert message == "hello"
        ours.send("world", peer)

    ours = network1.register_extension("test-extension", encoding="utf-8", on_message=answer)
    theirs = network2.register_extension(
        "test-extension",
        encoding="utf-8",
        on_message=lambda message, peer: answered.set_result((message, peer.remote_public_key)),
    )
    topic = os.urandom(32)
    await network1.configure(topic)
    with network2.events() as events:
        await network2.configure(topic, announce=False)
        theirs.send("hello", (await anext(events)).peer)
    assert await answered == ("world", network1.public_key)


async def test_onauthentication_hook(create: Any) -> None:
    """networker "onauthentication hook"."""
    seen: list[bytes] = []
    (_, network1), (_, network2) = await create(on_authenticate=seen.append), await create()
    topic = os.urandom(32)
    await network1.configure(topic)
    await network2.configure(topic)
    assert set(seen) == {network2.public_key}
    assert len(network1.peers) == 1


# --- multifeed's examples -----------------------------------------------------------------------


async def side(stack: Any, create: Any, name: str) -> list[Multifeed]:
    """Two multifeeds on one networker, each with a writer who says the name."""
    store, network = await create()
    multis = []
    for topic in (b"\x08" * 32, b"\x09" * 32):
        multi = await stack.enter_async_context(Multifeed(store, key=topic, value_encoding="json"))
        await (await multi.writer("local")).append([name, topic[0]])
        await network.swarm(multi)
        await network.flushed(multi.discovery_key)
        multis.append(multi)
    return multis


async def values(multi: Multifeed, feeds: int) -> list[Any]:
    with multi.events() as added:
        while len(multi.feeds()) < feeds:
            await anext(added)
    return sorted([await feed.get(0) for feed in multi.feeds()])


async def test_corestore_networker_example(stack: Any, create: Any) -> None:
    """multifeed/corestore "corestore networker example"."""
    sides = [await side(stack, create, name) for name in ("first", "second")]
    for multis in sides:
        for multi in multis:
            number = multi.key[0]
            assert await values(multi, 2) == [["first", number], ["second", number]]


async def test_multiple_topics_example(stack: Any, create: Any) -> None:
    """multifeed/new-basic "multiple topics example"."""
    sides = [await side(stack, create, name) for name in ("a", "b", "c")]
    for multis in sides:
        for multi in multis:
            number = multi.key[0]
            assert await values(multi, 3) == [["a", number], ["b", number], ["c", number]]
