"""What calls on a feed give, against hypercore 9.12."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.errors import (
    BlockMissingError,
    BlockTooLargeError,
    NotWritableError,
    StorageError,
)
from hypermultifeed.feed.layout import BLOCK_BYTES_MAX
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "behaviour.json").read_text())
SITUATIONS = {case["situation"]: case for case in VECTORS["situations"]}
OWNER = KeyPair.from_seed(b"\x01" * 32)


def writer(blocks: int = 3) -> Log:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    log.append([b"block-%d" % index for index in range(blocks)])
    return log


def reader() -> Log:
    return Log.open(memory()("relaxed"), key=OWNER.public_key)


@pytest.mark.parametrize("case", VECTORS["seek"], ids=lambda case: str(case["sizes"])[:40])
def test_seek(case: dict[str, Any]) -> None:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    log.append([bytes(size) for size in case["sizes"]])
    assert log.byte_length == case["byteLength"]
    for row in case["results"]:
        if "error" in row:
            assert row["error"] == "Out of bounds"
            with pytest.raises(ValueError, match=f"byte {row['bytes']}"):
                log.seek(row["bytes"])
        else:
            assert log.seek(row["bytes"]) == (row["index"], row["offset"]), row
    places = [list(log._store.place(index)) for index in range(log.length)]
    assert places == case["blockOffsets"]


def test_open() -> None:
    files = memory()("relaxed")
    assert SITUATIONS["createIfMissing:false on an empty folder"]["error"]
    with pytest.raises(StorageError, match="no feed is stored here"):
        Log.open(files, create=False)
    with pytest.raises(StorageError, match="no feed is stored here"):
        Log.open(files)  # JS makes up a key here; ours come from the caller
    assert files.list_files() == []
    Log.open(files, key_pair=OWNER).append([b"a", b"b", b"c"])
    expected = SITUATIONS["createIfMissing:false on an existing feed"]["result"]
    log = Log.open(files, create=False)
    assert {"length": log.length, "writable": log.writable} == expected
    assert SITUATIONS["open with another key"]["error"]
    with pytest.raises(StorageError, match="another feed is stored here"):
        Log.open(files, key=b"\x04" * 32)


def test_append() -> None:
    assert SITUATIONS["append to a reader"]["error"]
    with pytest.raises(NotWritableError):
        reader().append([b"no"])
    log = writer()
    # [3, 4, 6, 6]: one block, a batch of two, an empty batch, one block
    results = [log.append([b"x"]), log.append([b"y", b"z"]), log.append([]), log.append([b"!"])]
    assert results == SITUATIONS["append returns the index of its first block"]["result"]
    assert SITUATIONS["append a block of 8388609 bytes"]["error"]
    before = (log.length, log.byte_length, log.signed_root)
    with pytest.raises(BlockTooLargeError):
        log.append([b"small", bytes(BLOCK_BYTES_MAX + 1)])
    assert (log.length, log.byte_length, log.signed_root) == before
    log.append([bytes(BLOCK_BYTES_MAX)])  # JS takes 8388608, which no frame can carry
    assert log.audit().invalid == 0  # in JS the refused block spoils all that follow


def test_get() -> None:
    assert SITUATIONS["get past the end with wait:false"]["error"] == "Block not downloaded"
    log = writer()
    for index in (3, 4, -1, 2**53):
        with pytest.raises(BlockMissingError) as caught:
            log.get(index)
        assert caught.value.index == index
    assert log.get(log.length - 1).decode() == SITUATIONS["head"]["result"]
    assert [value.decode() for value in log.get_run(0, 3)] == SITUATIONS["getBatch(0,3)"]["result"]
    with pytest.raises(BlockMissingError):
        log.get_run(1, 4)
    assert log.get_run(2, 2) == []


def test_proofs_and_signatures() -> None:
    log = writer()
    assert SITUATIONS["proof of a missing block"]["error"]
    with pytest.raises(BlockMissingError):
        log.proof(3)
    assert SITUATIONS["signature past the end"]["error"]
    for index in (3, -1):
        with pytest.raises(BlockMissingError):
            log.signature(index)
    index, signature = log.signature(0)
    assert {"index": index, "signature": signature.hex()} == SITUATIONS[
        "signature(0) of a 3 block batch"
    ]["result"]
    assert SITUATIONS["verify(1) with the signature of 2"]["error"]
    assert log.verify(2, signature)
    assert not log.verify(1, signature)
    with pytest.raises(BlockMissingError):
        log.verify(3, signature)


def test_has_and_count() -> None:
    log = writer()
    log.clear(1, 2)
    assert SITUATIONS["has/downloaded"]["result"][:1] == [True]
    assert [log.has(index) for index in range(4)] == [True, False, True, False]
    assert (log.count(), log.count(0, 2), log.count(2), log.count(1, 2)) == (2, 1, 1, 0)
    assert (log.next_missing(0, 3), log.next_stored(1, 3)) == (1, 2)
