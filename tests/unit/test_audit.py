from __future__ import annotations

from typing import TYPE_CHECKING

from hypermultifeed.feed import audit as audit_module
from hypermultifeed.feed.audit import BAD_MAX
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import Storage, memory

if TYPE_CHECKING:
    import pytest

OWNER = KeyPair.from_seed(b"\x01" * 32)


def stored(length: int) -> Storage:
    storage = memory()("relaxed")
    Log.open(storage, key_pair=OWNER).append([b"%04d" % index for index in range(length)])
    return storage


def damage(storage: Storage, file: str, *places: int) -> None:
    for place in places:
        byte = storage.read(file, place, 1)[0]
        storage.commit([Write(file, place, bytes([byte ^ 1]))])


def test_a_whole_feed() -> None:
    storage = stored(100)
    before = {name: storage.read(name, 0, 10**6) for name in storage.list_files()}
    assert Log.open(storage).audit() == (100, 0, ())
    assert {name: storage.read(name, 0, 10**6) for name in storage.list_files()} == before


def test_damaged_blocks_are_counted_named_and_forgotten() -> None:
    storage = stored(100)
    damage(storage, "data", 4 * 7, 4 * 50 + 3)
    log = Log.open(storage)
    assert log.audit() == (98, 2, (7, 50))
    assert log.damaged == {7, 50}
    assert log.audit() == (98, 0, ())
    assert Log.open(storage).count() == 98


def test_blocks_read_before_are_hashed_all_the_same() -> None:
    storage = stored(10)
    log = Log.open(storage)
    log.get_run(0, 10)
    damage(storage, "data", 0)
    assert log.audit() == (9, 1, (0,))


def test_a_report_names_only_the_first() -> None:
    storage = stored(BAD_MAX + 50)
    storage.commit([Write("data", 0, bytes(4 * (BAD_MAX + 50)))])
    assert Log.open(storage).audit() == (0, BAD_MAX + 50, tuple(range(BAD_MAX)))


def test_nodes_are_made_again_where_the_blocks_are_whole() -> None:
    storage, whole = stored(100), stored(100)
    damage(storage, "tree", 32 + 40 * 5, 32 + 40 * 12, 32 + 40 * 71)
    assert Log.open(storage).audit() == (100, 0, ())
    assert storage.read("tree", 0, 10**6) == whole.read("tree", 0, 10**6)


def test_nothing_counts_below_a_damaged_node_that_cannot_be_made_again() -> None:
    storage = stored(100)
    damage(storage, "tree", 32 + 40 * 4)  # the leaf of block 2
    damage(storage, "data", 4 * 3)  # and block 3, its sibling
    log = Log.open(storage)
    assert log.audit() == (98, 2, (2, 3))
    assert not log.has_tree_node(4)
    assert not log.has_tree_node(6)
    assert log.has_tree_node(5)
    source = Log.open(stored(100))
    for index in (2, 3):
        proof = source.proof(index, digest=log.digest(index))
        log.put(index, source.get(index), proof.nodes, proof.signature)
    assert log.audit() == (100, 0, ())
    assert log.append([b"on"]) == 100


def test_very_large_parts_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "REPAIR_BLOCKS_MAX", 1)
    storage = stored(4)
    damage(storage, "tree", 32 + 40 * 1)
    assert Log.open(storage).audit() == (0, 4, (0, 1, 2, 3))
