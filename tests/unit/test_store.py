from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.errors import BlockMissingError, CorruptStorageError
from hypermultifeed.feed import store as store_module
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from hypermultifeed.storage import Storage

OWNER = KeyPair.from_seed(b"\x01" * 32)
BLOCKS = [bytes(index % 7) for index in range(700)]
OFFSETS = [sum(map(len, BLOCKS[:index])) for index in range(len(BLOCKS) + 1)]


def feed(storage: Storage | None = None) -> Log:
    log = Log.open(storage or memory()("relaxed"), key_pair=OWNER)
    log.append(BLOCKS)
    return log


def test_places_in_any_order() -> None:
    store = feed()._store
    for index in random.Random(3).sample(range(len(BLOCKS)), len(BLOCKS)):
        assert store.place(index) == (OFFSETS[index], len(BLOCKS[index]))
        assert store.offset(index) == OFFSETS[index]


def test_few_offsets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_GROUPS_MAX", 3)
    store = feed()._store
    for index in [*range(len(BLOCKS)), *range(0, len(BLOCKS), 100), *range(690, -1, -64)]:
        assert store.place(index) == (OFFSETS[index], len(BLOCKS[index]))
        assert len(store._recent) <= 3
        assert len(store._older) <= 3


def test_places_of_a_feed_that_grows_under_the_cache() -> None:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    for index, block in enumerate(BLOCKS[:200]):
        log.append([block])
        assert log._store.place(index) == (OFFSETS[index], len(block))
        assert log._store.place(index // 2)[0] == OFFSETS[index // 2]


def test_places_in_a_sparse_copy_with_and_without_flush() -> None:
    source, copy = feed(), Log.open(memory()("relaxed"), key=OWNER.public_key)
    for step, index in enumerate(random.Random(4).sample(range(len(BLOCKS)), 200)):
        proof = source.proof(index, digest=copy.digest(index))
        copy.put(index, BLOCKS[index], proof.nodes, proof.signature)
        assert copy._store.place(index) == (OFFSETS[index], len(BLOCKS[index]))
        if step % 3 == 0:
            copy.flush()
            assert copy._store.place(index) == (OFFSETS[index], len(BLOCKS[index]))
    missing = copy.next_missing(0, len(BLOCKS))
    if not copy.has_tree_node(2 * missing):
        with pytest.raises(BlockMissingError):
            copy._store.place(missing)


def test_a_run_is_one_read_of_the_same_bytes() -> None:
    log = feed()
    for start, stop in ((0, 700), (63, 65), (5, 5), (699, 700), (100, 420)):
        assert log.get_run(start, stop) == BLOCKS[start:stop]


def test_a_lost_node_is_named_by_file_and_place() -> None:
    storage = memory()("relaxed")
    store = feed(storage)._store
    storage.commit([Write("tree", 32 + 40 * 6, bytes(40))])
    with pytest.raises(CorruptStorageError) as caught:
        store.entry(6)
    assert (caught.value.file, caught.value.offset) == ("tree", 272)
    assert store.known(6) is None
    assert not store.bits.tree.get(6)


def test_lengths_with_a_signature() -> None:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    lengths = []
    for count in (1, 3, 2000, 1, 5):
        log.append([b"x"] * count)
        lengths.append(log.length)
    store = log._store
    assert store.signed_length_max == log.length
    assert list(store.signed_lengths(10**9)) == lengths[::-1]
    assert list(store.signed_lengths(lengths[2])) == lengths[1::-1]
    assert store.signature(2) == b""
