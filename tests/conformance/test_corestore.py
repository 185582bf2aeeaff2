"""Corestore against corestore 5.8.2: names, keys, folders, and the bytes of every file."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.core_names import core_folder, derive_key_pair
from hypermultifeed.corestore import Corestore
from hypermultifeed.errors import StorageError
from hypermultifeed.keys import KeyPair, derive_seed, discovery_key
from hypermultifeed.storage import files, memory

if TYPE_CHECKING:
    from hypermultifeed.hypercore import Hypercore

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "corestore.json").read_text())
MASTER_KEY = bytes.fromhex(VECTORS["masterKey"])
DISK: dict[str, Any] = {entry["name"]: entry for entry in VECTORS["disk"]}
REOPEN: dict[str, Any] = {entry["how"]: entry for entry in VECTORS["reopen"]}


def content(entry: dict[str, Any]) -> bytes:
    if "zlib" in entry:
        return zlib.decompress(base64.b64decode(entry["zlib"]))
    return base64.b64decode(entry["base64"])


def write_folder(folder: Path, listed: dict[str, Any]) -> None:
    for name, entry in listed.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(entry))


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(listed: dict[str, Any]) -> dict[str, bytes]:
    return {name: content(entry) for name, entry in listed.items()}


@pytest.mark.parametrize("case", VECTORS["cores"], ids=lambda case: case["how"])
def test_names_give_the_keys_and_folders_of_the_original(case: dict[str, Any]) -> None:
    pair = derive_key_pair(MASTER_KEY, case["name"])
    assert pair.public_key.hex() == case["publicKey"]
    assert pair.secret_key.hex() == case["secretKey"]
    assert discovery_key(pair.public_key).hex() == case["discoveryKey"]
    assert core_folder(discovery_key(pair.public_key)) == case["folder"] + "/"
    assert (
        derive_seed(MASTER_KEY, VECTORS["derivationNamespace"], case["name"]).hex()
        == (case["seed"])
    )


async def test_every_way_to_ask_gives_the_core_of_the_original() -> None:
    by_how = {case["how"]: bytes.fromhex(case["publicKey"]) for case in VECTORS["cores"]}
    async with Corestore(memory(), master_key=MASTER_KEY) as store:
        a = store.namespace("a")
        asked: dict[str, Hypercore] = {
            "default()": await store.default(),
            "get({name:'default'})": await store.get(name="default"),
            "get({name:'foo'})": await store.get(name="foo"),
            "namespace('a').default()": await a.default(),
            "namespace('a').namespace('b').default()": await a.namespace("b").default(),
            "namespace('a').get({name:'foo'}) (namespace is ignored)": await a.get(name="foo"),
            "namespace(Buffer 01 02 ff).default()": (
                await store.namespace(b"\x01\x02\xff").default()
            ),
        }
        assert {how: core.key for how, core in asked.items()} == {how: by_how[how] for how in asked}


async def act(store: Corestore, name: str, entry: dict[str, Any]) -> None:
    if name == "named":
        await (await store.default()).append(b"x")
    elif name == "by-key":
        await store.get(entry["feedKey"])
    elif name == "by-keypair":
        await (await store.get(key_pair=KeyPair.from_seed(b"\x01" * 32))).append(b"x")
    elif name == "master-key-option":
        await store.default()


@pytest.mark.parametrize("name", sorted(set(DISK) - {"unnamed"}))
async def test_folders_have_the_bytes_of_the_original(name: str, tmp_path: Path) -> None:
    entry = DISK[name]
    listed = expected(entry["files"])
    folder = tmp_path / "store"
    folder.mkdir()
    option = None
    if "master_key" in listed:
        (folder / "master_key").write_bytes(listed["master_key"])
    else:
        option = entry["masterKey"]
    async with Corestore(folder, master_key=option) as store:
        await act(store, name, entry)
    assert read_folder(folder) == listed


async def test_unnamed_core_has_the_files_of_the_original(tmp_path: Path) -> None:
    """Its name is random, so only the shape can be compared."""
    sizes = sorted(
        (Path(name).name, entry["size"]) for name, entry in DISK["unnamed"]["files"].items()
    )
    async with Corestore(tmp_path / "store") as store:
        await (await store.get()).append(b"x")
    ours = read_folder(tmp_path / "store")
    assert sorted((Path(name).name, len(data)) for name, data in ours.items()) == sizes


@pytest.mark.parametrize("name", sorted(DISK))
async def test_folders_of_the_original_open_and_stay_as_they_are(name: str, tmp_path: Path) -> None:
    entry = DISK[name]
    write_folder(tmp_path, entry["files"])
    async with Corestore(tmp_path, master_key=entry.get("masterKey")) as store:
        for file in entry["files"]:
            if file.endswith("/key"):
                core = await store.get(discovery_key=file.split("/")[2])
                assert core.writable == (name != "by-key")
                assert core.length == (0 if name in ("by-key", "master-key-option") else 1)
    assert read_folder(tmp_path) == expected(entry["files"])


async def test_stored_cores_open_by_discovery_key_and_by_key(tmp_path: Path) -> None:
    for name, how in (
        ("named", "get({discoveryKey}) of the stored named feed"),
        ("by-keypair", "get({key}) of a feed stored by key pair"),
    ):
        folder = tmp_path / name
        write_folder(folder, DISK[name]["files"])
        (key_file,) = (file for file in DISK[name]["files"] if file.endswith("/key"))
        async with Corestore(folder) as store:
            if name == "named":
                core = await store.get(discovery_key=key_file.split("/")[2])
            else:
                core = await store.get(content(DISK[name]["files"][key_file]))
            assert (core.writable, core.length) == (REOPEN[how]["writable"], REOPEN[how]["length"])


async def test_another_master_key_leaves_the_core_readable(tmp_path: Path) -> None:
    """In JS it fails to open ("Not writable"); its blocks are good all the same."""
    entry = DISK["named"]
    write_folder(tmp_path, entry["files"])
    (key_file,) = (file for file in entry["files"] if file.endswith("/key"))
    async with Corestore(tmp_path, master_key=MASTER_KEY) as store:
        core = await store.get(content(entry["files"][key_file]))
        assert not core.writable
        assert core.length == 1
        await core.get(0)
    assert read_folder(tmp_path) == expected(entry["files"])


async def test_unknown_discovery_key_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """JS leaves a folder with three files."""
    async with Corestore(tmp_path / "store") as store:
        with pytest.raises(StorageError, match="no core is stored"):
            await store.get(discovery_key=b"\x05" * 32)
    assert set(read_folder(tmp_path / "store")) == {"master_key"}


async def test_one_object_for_one_core() -> None:
    assert VECTORS["caching"]["sameObjectForSameKey"]
    async with Corestore(memory()) as store:
        core = await store.default()
        assert await store.get(core.key) is core
        assert await store.get(name="default") is core
        await store.get()
        assert len(store.list()) == VECTORS["caching"]["listSizes"]["root"]


async def test_storage_factories_serve_as_well_as_folders(tmp_path: Path) -> None:
    async with Corestore(files(tmp_path / "store")) as store:
        key = (await store.default()).key
    async with Corestore(str(tmp_path / "store")) as store:
        assert (await store.default()).key == key
