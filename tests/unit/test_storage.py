"""What both kinds of storage promise, tried on both; and the choice of a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import ClosedError, StorageError, StorageLockedError
from hypermultifeed.storage import StorageFactory, Write, files, memory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["files", "memory"])
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> StorageFactory:
    return memory() if request.param == "memory" else files(tmp_path / "store")


async def test_a_commit_is_visible_at_once(factory: StorageFactory) -> None:
    storage = factory("full")
    assert not storage.exists("ab/tree")
    assert storage.size("ab/tree") == 0
    assert storage.read("ab/tree", 0, 10) == b""
    storage.commit(
        [Write("ab/tree", 3, b"abc"), Write("key", 0, bytearray(b"key")), Write("data", 0, b"")]
    )
    assert storage.read("ab/tree", 0, 10) == b"\0\0\0abc"
    assert storage.read("ab/tree", 4, 1) == b"b"
    assert storage.read("key", 1, 2) == b"ey"
    assert storage.exists("data")
    assert storage.size("data") == 0
    storage.commit([Write("ab/tree", 4, None), Write("gone", 0, None)])
    assert storage.size("ab/tree") == 4
    assert not storage.exists("gone")
    await storage.sync()
    await storage.close()


async def test_writes_of_one_commit_are_done_in_order(factory: StorageFactory) -> None:
    storage = factory("full")
    storage.commit([Write("a", 0, b"first"), Write("a", 2, None), Write("a", 1, b"second")])
    assert storage.read("a", 0, 100) == b"fsecond"
    await storage.close()


async def test_closing_and_opening_again_finds_the_files(factory: StorageFactory) -> None:
    storage = factory("full")
    storage.commit([Write("master_key", 0, b"0" * 32), Write("ab/cd/data", 10, b"block")])
    await storage.close()
    storage = factory("relaxed")
    assert storage.list_files() == ["ab/cd/data", "master_key"]
    assert storage.read("ab/cd/data", 0, 100) == bytes(10) + b"block"
    assert storage.read("master_key", 0, 32) == b"0" * 32
    await storage.close()


async def test_handles_stay_right(factory: StorageFactory) -> None:
    storage = factory("full")
    file = storage.file("ab/tree")
    assert (file.name, file.exists, file.size, file.read(0, 5)) == ("ab/tree", False, 0, b"")
    storage.commit([Write("ab/tree", 0, b"tree")])
    assert (file.exists, file.size, file.read(0, 5)) == (True, 4, b"tree")
    storage.remove("ab/")
    assert (file.exists, file.size, file.read(0, 5)) == (False, 0, b"")
    storage.commit([Write("ab/tree", 0, b"again")])
    assert file.read(0, 5) == b"again"
    assert storage.file("ab/tree") is file
    await storage.close()


async def test_listing_and_removing_by_prefix(factory: StorageFactory) -> None:
    storage = factory("full")
    names = ["ab/one/data", "ab/one/tree", "ab/two/tree", "key"]
    storage.commit([Write(name, 0, b"x") for name in names])
    assert storage.list_files() == names
    assert storage.list_files("ab/one/") == names[:2]
    assert storage.list_files("ab/t") == ["ab/two/tree"]
    assert storage.list_files("nothing") == []
    storage.remove("ab/one/")
    storage.remove("nothing")
    assert storage.list_files() == names[2:]
    await storage.close()
    storage = factory("full")
    assert storage.list_files() == names[2:]
    storage.remove("ab/")
    await storage.close()
    storage = factory("full")
    assert storage.list_files() == ["key"]
    await storage.close()


async def test_nothing_works_after_close(factory: StorageFactory) -> None:
    storage = factory("full")
    storage.commit([Write("key", 0, b"key")])
    await storage.close()
    await storage.close()
    actions: list[Any] = [
        lambda: storage.file("key"),
        lambda: storage.exists("key"),
        lambda: storage.exists("never/asked/before"),
        lambda: storage.size("key"),
        lambda: storage.read("key", 0, 3),
        lambda: storage.commit([Write("key", 0, b"x")]),
        storage.list_files,
        lambda: storage.remove("key"),
    ]
    for action in actions:
        with pytest.raises(ClosedError):
            action()
    with pytest.raises(ClosedError):
        await storage.sync()


async def test_only_one_at_a_time(factory: StorageFactory) -> None:
    storage = factory("full")
    with pytest.raises(StorageLockedError):
        factory("full")
    await storage.close()
    await factory("full").close()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".hypermultifeed.storage.lock", ""])
async def test_names_that_leave_the_folder_are_refused(factory: StorageFactory, name: str) -> None:
    storage = factory("full")
    with pytest.raises(ValueError, match="not a name of a file"):
        storage.file(name)
    with pytest.raises(ValueError, match="not a name of a file"):
        storage.commit([Write("good", 0, b"x"), Write(name, 0, b"x")])
    assert storage.list_files() == []
    await storage.close()


@pytest.mark.parametrize("offset", [-1, 1 << 63, 1 << 70])
async def test_impossible_offsets_change_nothing(factory: StorageFactory, offset: int) -> None:
    storage = factory("full")
    for data in (b"x", None):
        with pytest.raises(StorageError, match="out of range"):
            storage.commit([Write("a", 0, b"x"), Write("a", offset, data)])
    assert storage.list_files() == []
    storage.commit([Write("a", 0, b"x")])
    await storage.close()


async def test_data_are_copied(factory: StorageFactory) -> None:
    storage = factory("full")
    for size in (100, 100_000):
        data = bytearray(b"x" * size)
        with memoryview(data) as view:
            storage.commit([Write("data", 0, view)])
        data[:] = b"y" * size
        assert storage.read("data", 0, size) == b"x" * size
    await storage.close()


async def test_views_of_anything_but_bytes_are_refused(factory: StorageFactory) -> None:
    storage = factory("full")
    view = memoryview(b"12345678").cast("I")
    with pytest.raises(StorageError, match="of bytes"):
        storage.commit([Write("data", 0, view)])
    assert storage.list_files() == []
    await storage.close()


def test_durability_has_two_names(factory: StorageFactory) -> None:
    wrong: Any = "fsync"
    with pytest.raises(ValueError, match=r"full.*relaxed"):
        factory(wrong)


async def test_memory_storages_are_apart() -> None:
    first, second = memory()("full"), memory()("full")
    first.commit([Write("key", 0, b"x")])
    assert not second.exists("key")
    await first.close()
    await second.close()


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


async def test_a_closed_folder_holds_the_files_and_nothing_else(tmp_path: Path) -> None:
    storage = files(tmp_path / "a" / "store")("full")
    storage.commit([Write("ab/cd/feed/tree", 0, b"tree"), Write("ab/cd/feed/data", 2, b"da")])
    storage.commit([Write("master_key", 0, b"key"), Write("ab/cd/feed/empty", 0, b"")])
    await storage.sync()
    await storage.close()
    assert tree(tmp_path) == {
        "a/store/ab/cd/feed/tree": b"tree",
        "a/store/ab/cd/feed/data": b"\0\0da",
        "a/store/ab/cd/feed/empty": b"",
        "a/store/master_key": b"key",
    }


async def test_a_symbolic_link_to_a_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    storage = files(tmp_path / "link")("full")
    storage.commit([Write("key", 0, b"key")])
    await storage.close()
    assert (tmp_path / "real" / "key").read_bytes() == b"key"


async def test_what_others_wrote_between_openings_is_seen(tmp_path: Path) -> None:
    factory = files(tmp_path)
    storage = factory("full")
    storage.commit([Write("data", 0, b"ours")])
    await storage.close()
    (tmp_path / "data").write_bytes(b"ours and theirs")
    storage = factory("full")
    assert storage.size("data") == 15
    storage.commit([Write("data", 15, b", and ours")])
    await storage.close()
    assert (tmp_path / "data").read_bytes() == b"ours and theirs, and ours"


def test_a_file_in_place_of_the_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot use"):
        files(tmp_path / "file" / "store")("full")
    with pytest.raises(StorageError):
        files(tmp_path / "file")("full")


async def test_a_folder_in_place_of_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    storage = files(tmp_path)("full")
    with pytest.raises(StorageError) as caught:
        storage.file("tree")
    assert caught.value.file == "tree"
    await storage.close()


FORK = """
import asyncio, os, sys
from hypermultifeed.errors import ClosedError, StorageLockedError
from hypermultifeed.storage import Write, files

storage = files(sys.argv[1])("full")
storage.commit([Write("key", 0, b"parent")])
handle = storage.file("key")
handle.read(0, 6)
if not os.fork():
    for action in (
        lambda: handle.read(0, 6),
        lambda: storage.commit([Write("key", 0, b"child")]),
        lambda: storage.size("key"),
        lambda: asyncio.run(storage.sync()),
    ):
        try:
            action()
        except ClosedError:
            continue
        os._exit(1)
    try:
        files(sys.argv[1])("full")
    except StorageLockedError as error:
        os._exit(0 if str(os.getppid()) in error.holder else 2)
    os._exit(3)
_, status = os.wait()
assert os.waitstatus_to_exitcode(status) == 0, status
assert handle.read(0, 6) == b"parent"
asyncio.run(storage.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
def test_a_forked_child_is_refused_and_the_parent_goes_on(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path)], check=True)
    assert [p.name for p in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"parent"
