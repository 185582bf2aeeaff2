from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed import corestore as corestore_module
from hypermultifeed.core_names import core_folder
from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import (
    ClosedError,
    CorruptStorageError,
    NotReadyError,
    StorageError,
    StorageLockedError,
)
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from pathlib import Path

PAIR = KeyPair.from_seed(b"\x21" * 32)
ROOT = b"\x07" * 32


async def test_constructor_does_no_io(tmp_path: Path) -> None:
    store = Corestore(tmp_path / "store")
    assert not (tmp_path / "store").exists()
    await store.close()
    assert not (tmp_path / "store").exists()


async def test_get_before_ready_and_after_close() -> None:
    store = Corestore(memory())
    with pytest.raises(NotReadyError):
        await store.get()
    with pytest.raises(NotReadyError):
        store.replicate(True)  # noqa: FBT003
    await store.ready()
    core = await store.default()
    await asyncio.gather(store.close(), store.close())
    assert store.closed
    assert core.closed
    assert dict(store.list()) == {}
    for call in (store.get(), store.ready()):
        with pytest.raises(ClosedError):
            await call
    with pytest.raises(ClosedError):
        store.replicate(True)  # noqa: FBT003


async def test_concurrent_openings_are_one() -> None:
    store = Corestore(memory())
    await asyncio.gather(store.ready(), store.ready())
    cores = await asyncio.gather(*(store.get(name="x") for _ in range(50)))
    assert len({id(core) for core in cores}) == 1
    await store.close()


async def test_cancelled_caller_does_not_spoil_the_opening_for_others() -> None:
    async with Corestore(memory()) as store:
        first = asyncio.create_task(store.get(name="x"))
        second = asyncio.create_task(store.get(name="x"))
        await asyncio.sleep(0)
        first.cancel()
        core = await second
        assert not core.closed


async def test_failed_opening_can_be_tried_again() -> None:
    factory = memory()
    first = Corestore(factory)
    await first.ready()
    second = Corestore(factory)
    with pytest.raises(StorageLockedError):
        await second.ready()
    await first.close()
    await second.ready()
    await second.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {"key": b"\x01" * 32, "name": "x"},
        {"key_pair": PAIR, "name": "x"},
        {"key": "zz"},
        {"key": b"short"},
        {"discovery_key": "00"},
        {"name": ""},
        {"name": "x" * 5000},
    ],
)
async def test_unclear_requests_are_refused(arguments: dict[str, Any]) -> None:
    async with Corestore(memory()) as store:
        with pytest.raises(ValueError, match=r".+"):
            await store.get(**arguments)
        assert dict(store.list()) == {}


@pytest.mark.parametrize("storage", [5, None, b"x"])
async def test_unusable_storage_is_refused(storage: Any) -> None:
    with pytest.raises(TypeError, match="storage"):
        Corestore(storage)


async def test_unnamed_cores_differ_and_survive(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        keys = {(await store.get()).key for _ in range(3)}
    assert len(keys) == 3
    async with Corestore(tmp_path) as store:
        for key in keys:
            assert (await store.get(key)).writable


async def test_namespaces() -> None:
    async with Corestore(memory()) as store:
        names = (store.name, store.namespace("a").name, store.namespace("a").namespace("b").name)
        assert names == ("default", "a", "a:b")
        assert store.namespace().name != store.namespace().name
        first, second = store.namespace("a"), store.namespace("b")
        core = await first.default()
        assert list(first.list()) == list(store.list()) == [core.discovery_key]
        assert dict(second.list()) == {}


async def test_closing_a_namespace_closes_what_it_alone_holds() -> None:
    async with Corestore(memory()) as store:
        first, second = store.namespace("a"), store.namespace("b")
        alone, shared = await first.default(), await first.get(name="shared")
        await second.get(name="shared")
        await first.close()
        assert first.closed
        assert (alone.closed, shared.closed) == (True, False)
        assert list(store.list()) == [shared.discovery_key]
        with pytest.raises(ClosedError):
            await first.default()
        again = await store.get(alone.key)
        assert again is not alone
        assert again.writable


async def test_core_closed_by_its_user_opens_anew() -> None:
    async with Corestore(memory()) as store:
        core = await store.default()
        await core.append(b"x")
        await core.close()
        assert dict(store.list()) == {}
        again = await store.default()
        assert again is not core
        assert await again.get(0) == b"x"


async def test_lost_master_key_is_an_error_and_not_a_new_identity(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        key = (await store.default()).key
    saved = (tmp_path / "master_key").read_bytes()
    for damage in (b"", saved[:31]):
        (tmp_path / "master_key").write_bytes(damage)
        with pytest.raises(CorruptStorageError) as caught:
            await Corestore(tmp_path).ready()
        assert caught.value.file == "master_key"
        assert (tmp_path / "master_key").read_bytes() == damage
    async with Corestore(tmp_path, master_key=saved) as store:
        assert (await store.default()).key == key


async def test_key_file_of_another_core_is_an_error(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        core = await store.default()
    file = f"{core_folder(core.discovery_key)}key"
    for content in (b"\x09" * 32, b"short"):
        (tmp_path / file).write_bytes(content)
        async with Corestore(tmp_path) as store:
            with pytest.raises(CorruptStorageError) as caught:
                await store.default()
            assert caught.value.file == file


async def test_files_are_private(tmp_path: Path) -> None:
    async with Corestore(tmp_path / "store") as store:
        await store.default()
        await store.get(key_pair=PAIR)
    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_value_encoding_and_core_class() -> None:
    class Core(Hypercore):
        pass

    async with Corestore(memory(), hypercore=Core) as store:
        core = await store.get(name="x", value_encoding="json")
        assert isinstance(core, Core)
        await core.append({"a": 1})
        assert await core.get(0) == {"a": 1}


# --- replication


async def test_stored_cores_are_opened_when_a_peer_asks(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        core = await store.get(name="stored")
        await core.append(b"x")
    async with Corestore(tmp_path) as ours, Corestore(memory()) as theirs:
        copy = await theirs.get(core.key)
        joined = asyncio.create_task(
            link(ours.replicate(True), theirs.replicate(False))  # noqa: FBT003
        )
        assert await copy.get(0) == b"x"
        assert dict(ours.list()) == {}  # nobody here holds it
        await ours.close()
        await joined


async def test_unknown_cores_are_refused_and_leave_nothing_behind() -> None:
    factory = memory()
    async with Corestore(factory) as ours, Corestore(memory()) as theirs:
        await theirs.get(b"\x05" * 32)
        left, right = ours.replicate(True, live=False), theirs.replicate(False, live=False)  # noqa: FBT003
        await link(left, right)
        assert left.stats.refused == 1
        assert ours.cores.storage.list_files() == ["master_key"]


async def test_namespace_replicates_its_own_cores_only() -> None:
    async with Corestore(memory()) as ours, Corestore(memory()) as theirs:
        inside = ours.namespace("in")
        shown, hidden = await inside.default(), await ours.default()
        await shown.append(b"x")
        await hidden.append(b"y")
        copies = [await theirs.get(core.key) for core in (shown, hidden)]
        await link(
            inside.replicate(True, live=False),  # noqa: FBT003
            theirs.replicate(False, live=False),  # noqa: FBT003
        )
        assert [copy.length for copy in copies] == [1, 0]


async def test_list_of_a_multifeed_is_never_offered_or_given(tmp_path: Path) -> None:
    async with Multifeed(tmp_path, key=ROOT) as multi:
        await multi.writer("local")
    for opened in (True, False):
        async with Corestore(tmp_path) as ours, Corestore(memory()) as theirs:
            name = f"@multifeed:{ROOT.hex()}:@multifeed:persist"
            secret = ours.cores.derive(name).public_key
            if opened:
                await Multifeed(ours, key=ROOT).ready()
            copy = await theirs.get(secret)
            left, right = ours.replicate(True, live=False), theirs.replicate(False, live=False)  # noqa: FBT003
            await link(left, right)
            assert copy.length == 0
            assert left.stats.refused == 1
            assert right.stats.refused == 0


async def test_core_whose_name_marks_it_private_is_never_offered() -> None:
    async with Corestore(memory()) as ours, Corestore(memory()) as theirs:
        left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
        joined = asyncio.create_task(link(left, right))
        await left.opened()
        private = await ours.get(name="x:@multifeed:persist")  # by name, not through a multifeed
        again = ours.replicate(True)  # noqa: FBT003
        for stream in (left, again):
            assert not stream.session.opened(private.discovery_key)
        await left.close()
        await joined


async def test_cores_that_are_not_to_be_shared_are_not() -> None:
    async with Corestore(memory()) as ours, Corestore(memory()) as theirs:
        shown, hidden = [await ours.get(name=name) for name in ("shown", "hidden")]
        for core in (shown, hidden):
            await core.append(b"x")
        copies = [await theirs.get(core.key) for core in (shown, hidden)]
        left = ours.replicate(True, live=False, share=lambda key: key != hidden.discovery_key)  # noqa: FBT003
        await link(left, theirs.replicate(False, live=False))  # noqa: FBT003
        assert [copy.length for copy in copies] == [1, 0]
        assert left.stats.refused == 1


async def test_keys_that_peers_know_us_by_stay_with_the_storage(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        pair = await store.cores.noise_key_pair()
        assert await store.cores.noise_key_pair() == pair
    assert (tmp_path / "noise_seed").stat().st_mode & 0o777 == 0o600
    async with Corestore(tmp_path) as store:
        assert await store.cores.noise_key_pair() == pair
    (tmp_path / "noise_seed").write_bytes(b"cut off")
    async with Corestore(tmp_path) as store:
        assert await store.cores.noise_key_pair() != pair
    assert (tmp_path / "noise_seed").stat().st_size == 32


async def test_cores_opened_for_peers_alone_are_capped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corestore_module, "PASSIVE_CORES_MAX", 2)
    async with Corestore(tmp_path) as store:
        keys = [(await store.get(name=str(number))).key for number in range(4)]
    async with Corestore(tmp_path) as ours:
        for part in (keys[:2], keys[2:]):
            async with Corestore(memory()) as theirs:
                for key in part:
                    await theirs.get(key)
                left = ours.replicate(True, live=False)  # noqa: FBT003
                await link(left, theirs.replicate(False, live=False))  # noqa: FBT003
                assert left.stats.refused == 0
        async with Corestore(memory()) as theirs:
            for key in keys:
                await theirs.get(key)
            left = ours.replicate(True, live=False)  # noqa: FBT003
            await link(left, theirs.replicate(False, live=False))  # noqa: FBT003
            assert left.stats.refused == 2


async def test_closing_the_store_ends_its_streams() -> None:
    async with Corestore(memory()) as ours, Corestore(memory()) as theirs:
        left, right = ours.replicate(True), theirs.replicate(False)  # noqa: FBT003
        joined = asyncio.create_task(link(left, right))
        await left.opened()
        await ours.close()
        await joined
        assert left.closed
        assert right.closed


async def test_unusable_store_does_not_end_with_an_unhandled_error() -> None:
    def broken(_durability: str) -> Any:
        raise StorageError("no disk")

    store = Corestore(broken)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="no disk"):
        await store.ready()
    await store.close()
