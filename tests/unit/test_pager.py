from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import pytest

from hypermultifeed.errors import ClosedError, CorruptStorageError, StorageError
from hypermultifeed.storage.disk import FolderDisk
from hypermultifeed.storage.pager import (
    BULK_PAGE_SHIFT,
    SMALL_PAGE_SHIFT,
    PageCache,
    PagedFile,
    StoredFile,
    is_bulk,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Make(Protocol):
    def __call__(self, content: bytes, *, bulk: bool = False) -> StoredFile: ...


@pytest.fixture
def cache(tmp_path: Path) -> PageCache:
    return PageCache(FolderDisk(str(tmp_path)), clean_pages_max=3, descriptors_max=2)


@pytest.fixture
def stored(cache: PageCache, tmp_path: Path) -> Make:
    """Makes a file with pages of 16 bytes over these bytes on the disk."""

    def make(content: bytes, bulk: bool = False) -> StoredFile:
        name = f"file{len(list(tmp_path.iterdir()))}"
        (tmp_path / name).write_bytes(content)
        return StoredFile(name, 4, cache, number=0, size=len(content), bulk=bulk)

    return make


def checkpoint(file: StoredFile, folder: Path) -> None:
    """Do to the disk what a checkpoint does."""
    frozen = file.freeze()
    content = bytearray((folder / file.name).read_bytes())
    if frozen.cut is not None:
        del content[frozen.cut :]
        content.extend(bytes(frozen.cut - len(content)))
    for number, page in frozen.pages.items():
        offset = number * frozen.page_size
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(page)] = page
    (folder / file.name).write_bytes(content[: frozen.size].ljust(frozen.size, b"\0"))
    file.thaw()


def test_only_data_is_bulk() -> None:
    assert is_bulk("data")
    assert is_bulk("ab/cd/ef/data")
    assert not is_bulk("metadata")
    assert not is_bulk("data/tree")


def test_a_hole_reads_as_zeros_and_costs_nothing() -> None:
    file = PagedFile("data", BULK_PAGE_SHIFT)
    file.write(10 << 30, b"far away")
    assert file.size == (10 << 30) + 8
    assert file.read(5 << 30, 4) == bytes(4)
    assert file.read((10 << 30) - 2, 6) == b"\0\0far "
    assert sum(map(len, file.pages.values())) <= 1 << BULK_PAGE_SHIFT


def test_a_small_file_has_a_small_page() -> None:
    file = PagedFile("key", SMALL_PAGE_SHIFT)
    file.write(0, bytes(32))
    assert [len(page) for page in file.pages.values()] == [32]


def test_an_empty_write_creates_only() -> None:
    file = PagedFile("data", 4)
    before = file.exists
    file.write(100, b"")
    assert (before, file.exists, file.size) == (False, True, 0)
    assert file.pages == {}


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (0, -1), (-5, 2)])
def test_negative_places_are_refused(offset: int, size: int) -> None:
    file = PagedFile("data", 4)
    with pytest.raises(ValueError, match="negative"):
        file.read(offset, size)


@pytest.mark.parametrize("seed", range(5))
def test_a_file_is_as_a_bytearray(seed: int) -> None:
    rng = random.Random(seed)
    file = PagedFile("tree", 4)
    check_against_model(file, bytearray(), rng, lambda: None)


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_stored_file_is_as_a_bytearray_over_checkpoints(
    stored: Make, tmp_path: Path, seed: int, bulk: bool
) -> None:
    rng = random.Random(seed)
    content = rng.randbytes(rng.randrange(100))
    file = stored(content, bulk=bulk)

    def sometimes() -> None:
        if rng.random() < 0.2:
            checkpoint(file, tmp_path)

    check_against_model(file, bytearray(content), rng, sometimes)


def check_against_model(
    file: PagedFile, model: bytearray, rng: random.Random, between: Callable[[], None]
) -> None:
    for _ in range(300):
        offset = rng.randrange(len(model) + 30)
        if rng.random() < 0.15:
            file.cut(offset)
            del model[offset:]
        else:
            data = rng.randbytes(rng.choice([1, 5, 16, 40, 70]))
            file.write(offset, data)
            model.extend(bytes(max(0, offset - len(model))))
            model[offset : offset + len(data)] = data
        between()
        assert file.size == len(model)
        start, size = rng.randrange(len(model) + 5), rng.randrange(60)
        assert file.read(start, size) == model[start : start + size]
        assert file.read(0, 10_000) == model
        if rng.random() < 0.02:
            file.remove()
            model.clear()


def test_frozen_pages_do_not_change(stored: Make, tmp_path: Path) -> None:
    file = stored(b"")
    file.write(0, b"first")
    frozen = file.freeze()
    file.write(0, b"second")
    file.cut(3)
    assert bytes(frozen.pages[0]) == b"first"
    assert file.read(0, 10) == b"sec"
    file.thaw()
    assert file.read(0, 10) == b"sec"
    checkpoint(file, tmp_path)
    assert (tmp_path / file.name).read_bytes() == b"sec"


def test_what_was_cut_does_not_come_back_from_the_file(
    stored: Make,
) -> None:
    file = stored(b"x" * 100)
    file.cut(20)
    file.write(60, b"new")
    assert file.read(0, 100) == b"x" * 20 + bytes(40) + b"new"


def test_clean_pages_are_few_and_changed_ones_stay(cache: PageCache, stored: Make) -> None:
    file = stored(bytes(range(160)))
    file.write(0, b"changed")
    for number in range(1, 10):
        file.read(number * 16, 4)
    assert set(file.pages) == {0, 7, 8, 9}
    assert file.read(0, 7) == b"changed"
    assert cache.dirty_bytes > 0


def test_blocks_are_not_kept_once_they_are_in_the_file(stored: Make, tmp_path: Path) -> None:
    file = stored(b"", bulk=True)
    file.write(0, b"block" * 20)
    checkpoint(file, tmp_path)
    assert file.pages == {}
    assert file.read(0, 100) == b"block" * 20
    assert file.pages == {}


def test_descriptors_are_few(cache: PageCache, stored: Make) -> None:
    opened = [stored(b"content%d" % i, bulk=True) for i in range(5)]
    for _ in range(2):
        for number, file in enumerate(opened):
            assert file.read(0, 8) == b"content%d" % number
            assert sum(f.descriptor >= 0 for f in opened) <= 2
    cache.close()
    assert all(f.descriptor < 0 for f in opened)


def test_a_file_that_became_shorter_is_corrupt_not_zeros(stored: Make, tmp_path: Path) -> None:
    file = stored(b"0123456789")
    (tmp_path / file.name).write_bytes(b"0123")
    with pytest.raises(CorruptStorageError) as caught:
        file.read(0, 10)
    assert (caught.value.file, caught.value.offset) == (file.name, 4)


def test_a_file_that_vanished_is_a_storage_error(stored: Make, tmp_path: Path) -> None:
    file = stored(b"0123456789")
    (tmp_path / file.name).unlink()
    with pytest.raises(StorageError) as caught:
        file.read(2, 4)
    assert caught.value.file == file.name


def test_after_the_end_reading_is_refused_even_of_pages_that_were_held(
    cache: PageCache, stored: Make
) -> None:
    file = stored(b"0123456789")
    file.read(0, 4)
    cache.closed = ClosedError("the storage is closed")
    file.abandon()
    with pytest.raises(ClosedError):
        file.read(0, 4)
