"""Whole folders of feeds: read as hypercore 9.12 reads them, written as it writes them."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import CorruptStorageError, NotWritableError
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair, discovery_key
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypermultifeed.storage import Storage

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "storage.json").read_text())
CASES = {case["name"]: case for case in VECTORS["cases"]}
OWNER = KeyPair.from_seed(b"\x01" * 32)


def content(file: dict[str, Any]) -> bytes | None:
    if "base64" in file:
        return base64.b64decode(file["base64"])
    if "zlib" in file:
        return zlib.decompress(base64.b64decode(file["zlib"]))
    return None


def folder(name: str) -> Storage:
    """A storage with a vector's files; those given only as digests are made as their note says."""
    case = CASES[name]
    files = {file: content(entry) for file, entry in case["files"].items()}
    missing = [file for file, raw in files.items() if raw is None]
    if missing:
        made = memory()("relaxed")
        writers[name if name in writers else "batch-8200"](made)
        files |= {file: made.read(file, 0, 10**8) for file in missing}
    storage = memory()("relaxed")
    storage.commit([Write(file, 0, raw) for file, raw in files.items() if raw is not None])
    assert_same_files(storage, name)
    return storage


def assert_same_files(storage: Storage, name: str) -> None:
    files = CASES[name]["files"]
    assert storage.list_files() == sorted(files)
    for file, entry in files.items():
        raw = storage.read(file, 0, 10**8)
        expected = content(entry)
        if expected is not None:
            assert raw == expected, file
        assert len(raw) == entry["size"], file
        assert hashlib.sha256(raw).hexdigest() == entry["sha256"], file


def block(index: int) -> bytes:
    return b"block-%d" % index


def new(storage: Storage, *, store_secret_key: bool = True) -> Log:
    return Log.open(storage, key_pair=OWNER, store_secret_key=store_secret_key)


def batches(*sizes: int) -> Callable[[Storage], object]:
    def write(storage: Storage) -> None:
        log = new(storage)
        for size in sizes:
            log.append([block(log.length + index) for index in range(size)])

    return write


def blocks(*values: bytes) -> Callable[[Storage], object]:
    return lambda storage: new(storage).append(values)


def cleared(start: int, stop: int, *then: bytes) -> Callable[[Storage], object]:
    def write(storage: Storage) -> None:
        batches(17)(storage)
        log = Log.open(storage)
        log.clear(start, stop)
        log.append(then)

    return write


def give(source: Log, target: Log, index: int, *, only_hash: bool = False) -> None:
    proof = source.proof(index, digest=target.digest(index), hash=only_hash)
    value = None if only_hash else source.get(index)
    target.put(index, value, proof.nodes, proof.signature)
    target.flush()


def reading(source: Callable[[Storage], object], *indexes: int) -> Callable[[Storage], object]:
    def write(storage: Storage) -> None:
        origin = memory()("relaxed")
        source(origin)
        log = Log.open(origin)
        target = Log.open(storage, key=log.key)
        for index in indexes:
            give(log, target, index)

    return write


def update_only(storage: Storage) -> None:
    origin = memory()("relaxed")
    batches(17)(origin)
    source = Log.open(origin)
    give(source, Log.open(storage, key=source.key), 16, only_hash=True)


def grown(storage: Storage) -> None:
    source = new(memory()("relaxed"))
    target = Log.open(storage, key=source.key)
    for index in (2, 20):
        source.append([block(source.length + more) for more in range(5 if index == 2 else 18)])
        give(source, target, index)


def generated(storage: Storage) -> None:
    seed = bytes.fromhex(CASES["generated-key"]["reopened"]["secretKey"])[:32]
    Log.open(storage, key_pair=KeyPair.from_seed(seed)).append([b"x"])


def static_clone(storage: Storage) -> None:
    source = Log.open(folder("static"))
    target = Log.open(storage, key=source.key)
    for index in range(3):
        give(source, target, index)


def audited(storage: Storage) -> None:
    batches(3)(storage)
    data = content(CASES["audited"]["files"]["data"])
    storage.commit([Write("data", 0, data)])
    assert Log.open(storage).audit()[:2] == (2, 1)


writers: dict[str, Callable[[Storage], object]] = {
    "batch-0": new,
    "batch-1": batches(1),
    "batch-3": batches(3),
    "batch-17": batches(17),
    "single-3": batches(1, 1, 1),
    "single-17": batches(*[1] * 17),
    "batch-1025": batches(1025),
    "mixed-1025": batches(1000, 24, 1),
    "batch-8200": batches(8200),
    "empty-blocks": blocks(b"", b"a", b"", b"", b"bc", b""),
    "only-empty-block": blocks(b""),
    "generated-key": generated,
    "no-store-secret": lambda storage: new(storage, store_secret_key=False).append([block(0)]),
    "json": blocks(b'{"a":1}\n', b'"x"\n', b"[1,2]\n", b"null\n", '{"é":"\u2028"}\n'.encode()),
    "clone-full-17": reading(batches(17), *range(17)),
    "sparse-17": reading(batches(17), 5, 16, 0),
    "sparse-update-only": update_only,
    "sparse-grown": grown,
    "sparse-8195": reading(batches(8200), 8195),
    "cleared-middle": cleared(5, 9),
    "cleared-tail": cleared(10, 17),
    "cleared-all": cleared(0, 17),
    "cleared-then-append": cleared(10, 17, b"tail"),
    "static-clone": static_clone,
    "audited": audited,
}


@pytest.mark.parametrize("name", writers)
def test_what_we_write_is_what_js_writes(name: str) -> None:
    storage = memory()("relaxed")
    writers[name](storage)
    assert_same_files(storage, name)


def ranges(have: Callable[[int], bool], stop: int) -> list[list[int]]:
    found: list[list[int]] = []
    for index in filter(have, range(stop)):
        if found and found[-1][1] == index:
            found[-1][1] += 1
        else:
            found.append([index, index + 1])
    return found


def describe(log: Log) -> dict[str, Any]:
    roots = log.root_hashes(log.length - 1) if log.length else []
    return {
        "key": log.key.hex(),
        "discoveryKey": log.discovery_key.hex(),
        "secretKey": log.secret_key and log.secret_key.hex(),
        "length": log.length,
        "byteLength": log.byte_length,
        "live": log.live,
        "writable": log.writable,
        "downloaded": log.count(),
        "haveRanges": ranges(log.has, log.length),
        "treeRanges": ranges(log.has_tree_node, 2 * log.length + 64),
        "treeRoots": [
            {"index": node.index, "hash": node.hash.hex(), "size": node.size} for node in roots
        ],
    }


DIFFERENT = {
    "crash-short-tree": "the lost node is made again from the block: JS loses the block",
    "crash-short-tree-2": "opened at the length that is left: JS cannot open it",
    "crash-old-bitfield": "the fourth block is found again: JS loses it, and signs another fourth",
    "missing-last-signature": "signed again: JS takes it for a static feed that never signs",
    "no-key-but-data": "refused: JS forgets the blocks and makes up a new feed",
    "truncated": "blocks beyond the length are not counted",
}


@pytest.mark.parametrize("name", sorted(CASES.keys() - DIFFERENT.keys()))
def test_what_js_wrote_is_what_we_read(name: str) -> None:
    storage = folder(name)
    log = Log.open(storage)
    assert describe(log) == CASES[name]["reopened"]
    assert_same_files(storage, name)  # opening it changed nothing
    for index in filter(log.has, range(log.length)):
        log.get(index)  # hashed against its leaf
    assert log.audit().invalid == 0
    assert log.claimed_length == (17 if name == "overwritten" else log.length)


def test_a_node_that_a_crash_lost_is_made_again() -> None:
    storage = folder("crash-short-tree")
    log = Log.open(storage)
    assert (log.length, log.byte_length) == (3, 21)
    assert log.get_run(0, 3) == [block(index) for index in range(3)]
    assert log.audit() == (3, 0, ())
    assert storage.read("tree", 0, 10**5) == content(CASES["single-3"]["files"]["tree"])


def test_what_leads_to_no_signature_is_lost_and_said_to_be() -> None:
    log = Log.open(folder("crash-short-tree-2"))
    assert (log.length, log.claimed_length) == (2, 4)
    with pytest.raises(NotWritableError, match="blocks 2 to 3"):
        log.append([b"another third block"])
    source = new(memory()("relaxed"))
    for index in range(4):
        source.append([block(index)])
    give(source, log, 3)  # a peer has kept them
    log.append([b"the fifth"])
    assert (log.length, log.next_missing(0, 5)) == (5, 2)


def test_a_loss_can_be_accepted() -> None:
    storage = folder("crash-short-tree-2")
    log = Log.open(storage)
    log.accept_loss()
    assert Log.open(storage).claimed_length == 2
    assert log.append([b"another third block"]) == 2
    assert Log.open(storage).get(2) == b"another third block"


def test_blocks_whose_bits_were_not_written_any_more_are_found_again() -> None:
    storage = folder("crash-old-bitfield")
    log = Log.open(storage)
    assert (log.length, log.byte_length, log.count()) == (4, 28, 4)
    assert log.get(3) == block(3)
    again = Log.open(storage)
    assert (again.length, again.count()) == (4, 4)


def test_a_lost_signature_is_made_again() -> None:
    storage = folder("missing-last-signature")
    log = Log.open(storage)
    assert describe(log) == CASES["batch-3"]["reopened"]
    assert_same_files(storage, "batch-3")


def test_a_feed_without_its_key_is_not_made_anew() -> None:
    storage = folder("no-key-but-data")
    with pytest.raises(CorruptStorageError) as caught:
        Log.open(storage)
    assert caught.value.file == "key"
    with pytest.raises(CorruptStorageError):
        Log.open(storage, key=discovery_key(OWNER.public_key))
    assert_same_files(storage, "no-key-but-data")
    log = Log.open(storage, key=OWNER.public_key)  # whoever knows it gets everything back
    assert (log.length, log.writable) == (3, False)


def test_a_truncated_feed_is_signed_again_and_has_no_blocks_beyond_its_end() -> None:
    storage = folder("truncated")
    log = Log.open(storage)
    js = CASES["truncated"]["reopened"]
    assert describe(log) == js | {"live": True, "downloaded": 9, "haveRanges": [[0, 9]]}
    assert log.append([b"other"]) == 9
    assert Log.open(storage).get_run(0, 10) == [*map(block, range(9)), b"other"]
