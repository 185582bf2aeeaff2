from __future__ import annotations

import pytest

from hypermultifeed.errors import CorruptStorageError, StorageError
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import Storage, memory

OWNER = KeyPair.from_seed(b"\x01" * 32)


def stored() -> Storage:
    storage = memory()("relaxed")
    Log.open(storage, "a/", key_pair=OWNER).append([b"one", b"two"])
    return storage


@pytest.mark.parametrize(
    ("file", "offset", "raw", "where"),
    [
        ("a/key", 32, b"\0", 0),
        ("a/secret_key", 0, b"\xff", 0),
        ("a/secret_key", 63, b"\xff", 0),
        ("a/tree", 0, b"\0", 0),
        ("a/tree", 3, b"\1", 0),
        ("a/tree", 6, b"\1", 5),
        ("a/signatures", 6, b"\1", 5),
        ("a/bitfield", 5, b"\0\1", 5),
    ],
)
def test_what_is_wrong_is_said_with_file_and_place(
    file: str, offset: int, raw: bytes, where: int
) -> None:
    storage = stored()
    storage.commit([Write(file, offset, raw)])
    with pytest.raises(CorruptStorageError) as caught:
        Log.open(storage, "a/")
    assert (caught.value.file, caught.value.offset) == (file, where)


def test_a_feed_is_not_created_unless_allowed() -> None:
    storage = memory()("relaxed")
    with pytest.raises(StorageError, match="no feed"):
        Log.open(storage, key_pair=OWNER, create=False)
    assert storage.list_files() == []


def test_a_file_without_its_whole_header_is_begun_anew() -> None:
    storage = memory()("relaxed")
    Log.open(storage, key_pair=OWNER)
    for file in ("bitfield", "signatures", "tree"):
        storage.commit([Write(file, 7, None)])
    assert Log.open(storage).append([b"x"]) == 0
    assert Log.open(storage).get(0) == b"x"


@pytest.mark.parametrize("page_bytes", [3072, 3073, 3328, 4096])
def test_pages_of_other_sizes_are_kept(page_bytes: int) -> None:
    storage = memory()("relaxed")
    Log.open(storage, key_pair=OWNER)
    storage.commit([Write("bitfield", 5, page_bytes.to_bytes(2, "big"))])
    Log.open(storage).append([b"%d" % index for index in range(9000)])
    assert storage.size("bitfield") == 32 + 2 * page_bytes
    log = Log.open(storage)
    assert (log.length, log.count(), log.get(8500)) == (9000, 9000, b"8500")
