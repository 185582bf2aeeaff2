"""corestore 5.8.2: its whole suite."""

from __future__ import annotations

from typing import Any

from hypermultifeed.corestore import Corestore
from hypermultifeed.keys import KeyPair


async def check(core: Any, *blocks: bytes) -> None:
    """The core has exactly these blocks (waits for them)."""
    assert [await core.get(index) for index in range(len(blocks))] == list(blocks)
    assert core.length == len(blocks)


async def written(core: Any, *blocks: bytes) -> Any:
    for block in blocks:
        await core.append(block)
    return core


async def test_ram_based_corestore_different_get_options(corestore: Any) -> None:
    """corestore "ram-based corestore, different get options"."""
    store = await corestore()
    default = await store.default()
    await default.append(b"hello")
    pair = KeyPair(public_key=default.key, secret_key=default.secret_key)
    assert await store.get(default.key) is default
    assert await store.get(key=default.key.hex()) is default
    assert await store.get(key_pair=pair) is default
    assert await store.get(name="default") is default
    assert store.list()[default.discovery_key] is default


async def _simple(ours: Any, theirs: Any, replicate: Any) -> None:
    first, second = await ours.default(), await ours.get()
    copies = [await theirs.get(first.key), await theirs.get(key=second.key)]
    await written(first, b"hello", b"world")
    await written(second, b"cat", b"dog")
    await replicate(ours, theirs).ended()
    await check(copies[0], b"hello", b"world")
    await check(copies[1], b"cat", b"dog")


async def test_ram_based_corestore_simple_replication(corestore: Any, replicate: Any) -> None:
    """corestore "ram-based corestore, simple replication"."""
    await _simple(await corestore(), await corestore(), replicate)


async def test_raf_based_corestore_simple_replication(
    corestore: Any, replicate: Any, tmp_path: Any
) -> None:
    """corestore "raf-based corestore, simple replication"."""
    ours, theirs = await corestore(tmp_path / "ours"), await corestore(tmp_path / "theirs")
    await _simple(ours, theirs, replicate)


async def test_ram_based_corestore_replicating_with_different_default_keys(
    corestore: Any, replicate: Any
) -> None:
    """corestore "ram-based corestore, replicating with different default keys"."""
    ours, theirs = await corestore(), await corestore()
    core, other, _ = await ours.default(), await theirs.default(), await ours.get()
    copy = await theirs.get(core.key)
    assert core.key != other.key
    await written(core, b"cat", b"dog")
    await replicate(ours, theirs).ended()
    await check(copy, b"cat", b"dog")


async def test_ram_based_corestore_sparse_replication(corestore: Any, replicate: Any) -> None:
    """corestore "ram-based corestore, sparse replication"."""
    ours, theirs = await corestore(sparse=True), await corestore(sparse=True)
    first, second = await ours.default(), await ours.get()
    copies = [await theirs.get(first.key), await theirs.get(second.key)]
    replicate(ours, theirs, live=True)
    await written(first, b"hello", b"world")
    await written(second, b"cat", b"dog")
    assert [copy.downloaded() for copy in copies] == [0, 0]
    await check(copies[0], b"hello", b"world")
    await check(copies[1], b"cat", b"dog")


async def test_ram_based_corestore_sparse_replication_with_different_default_keys(
    corestore: Any, replicate: Any
) -> None:
    """corestore "ram-based corestore, sparse replication with different default keys"."""
    ours, theirs = await corestore(sparse=True), await corestore(sparse=True)
    core, _ = await ours.default(), await theirs.default()
    replicate(ours, theirs, live=True)
    await written(core, b"cat", b"dog")
    copy = await theirs.get(core.key)  # only now: the connection is there already
    assert (copy.length, core.length) == (0, 2)
    await check(copy, b"cat", b"dog")


async def test_raf_based_corestore_close_and_reopen(tmp_path: Any) -> None:
    """corestore "raf-based corestore, close and reopen"."""
    async with Corestore(tmp_path / "store") as store:
        core = await written(await store.default(), b"hello")
    assert core.closed
    async with Corestore(tmp_path / "store") as store:
        again = await store.default()
        assert again.key == core.key
        assert again.writable
        await check(again, b"hello")


async def test_raf_based_corestore_close_and_reopen_with_keypair_option(tmp_path: Any) -> None:
    """corestore "raf-based corestore, close and reopen with keypair option"."""
    pair = KeyPair.generate()
    async with Corestore(tmp_path / "store") as store:
        core = await written(await store.get(key_pair=pair), b"hello")
    assert core.closed
    async with Corestore(tmp_path / "store") as store:
        again = await store.get(pair.public_key)  # the secret key was stored
        assert again.writable
        await check(again, b"hello")


async def test_live_replication_with_an_additional_core(corestore: Any, replicate: Any) -> None:
    """corestore "live replication with an additional core"."""
    ours, theirs = await corestore(), await corestore()
    await theirs.get((await ours.default()).key)
    replicate(ours, theirs, live=True)
    added = await ours.get()
    copy = await theirs.get(added.key)
    await written(added, b"hello", b"world")
    await check(copy, b"hello", b"world")


async def test_namespaced_corestores_use_separate_default_keys(corestore: Any) -> None:
    """corestore "namespaced corestores use separate default keys"."""
    store = await corestore()
    cores = [await store.namespace(name).default() for name in ("store2", "store3")]
    assert cores[0].key != cores[1].key
    assert await store.namespace("store2").default() is cores[0]


async def test_namespaced_corestores_will_not_increment_reference_multiple_times(
    corestore: Any,
) -> None:
    """corestore "namespaced corestores will not increment reference multiple times"."""
    # Reference counts are internal; what they are for: one object for one core, in every namespace.
    store = await corestore()
    first, second = store.namespace("store2"), store.namespace("store3")
    core = await first.default()
    assert [await second.get(core.key) for _ in range(3)] == [core, core, core]
    assert list(store.list()) == [core.discovery_key]


async def test_namespaced_corestores_can_be_nested(corestore: Any) -> None:
    """corestore "namespaced corestores can be nested"."""
    store = await corestore()
    child = store.namespace("store2")
    spaces = [store, child, store.namespace("a"), child.namespace("a")]
    assert len({(await space.default()).key for space in spaces}) == 4


async def test_caching_works_correctly_when_reopening_by_discovery_key(tmp_path: Any) -> None:
    """corestore "caching works correctly when reopening by discovery key"."""
    async with Corestore(tmp_path / "store") as store:
        core = await written(await store.default(), b"hello")
    async with Corestore(tmp_path / "store") as store:
        assert not store.list()
        again = await store.get(discovery_key=core.discovery_key)
        assert store.list()[core.discovery_key] is again
        assert await store.default() is again
        await check(again, b"hello")


async def test_can_check_if_cores_are_loaded(corestore: Any) -> None:
    """corestore "can check if cores are loaded"."""
    store = await corestore()
    first, second = await store.default(), await store.get()
    loaded = store.list()
    assert loaded[first.discovery_key] is first
    assert loaded[second.discovery_key] is second
    assert bytes(32) not in loaded
    assert len(loaded) == 2


async def test_top_level_corestore_replicates_all_opened_cores(
    corestore: Any, replicate: Any
) -> None:
    """corestore "top-level corestore replicates all opened cores"."""
    ours, theirs = await corestore(), await corestore()
    await ours.default()
    core = await ours.namespace("inner").default()
    replicate(ours, theirs, live=True)
    copy = await theirs.get(core.key)
    await written(core, b"hello", b"world")
    await check(copy, b"hello", b"world")
