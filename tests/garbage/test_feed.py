"""Damaged folders and lying peers: documented errors, never wrong bytes, bounded memory."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermultifeed import crypto
from hypermultifeed.encoding.node import Node
from hypermultifeed.errors import (
    BlockMissingError,
    CorruptStorageError,
    FeedError,
    ForkError,
    NotWritableError,
    StorageError,
    VerificationError,
)
from hypermultifeed.feed import flat_tree
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.feed.verification import signable
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypermultifeed.storage import Storage

OWNER = KeyPair.from_seed(b"\x03" * 32)
BLOCKS = [b"", b"one", b"two" * 9, b"3", b"four", b"", b"six", b"seven", b"8", b"nine", b"ten"]
FILES = ["tree", "data", "signatures", "bitfield", "key", "secret_key"]


def source() -> Log:
    log = Log.open(memory()("relaxed"), key_pair=OWNER)
    for start, stop in ((0, 1), (1, 4), (4, 9), (9, 11)):
        log.append(BLOCKS[start:stop])
    return log


def give(log: Log, target: Log, index: int) -> None:
    proof = log.proof(index, digest=0)
    target.put(index, log.get(index), proof.nodes, proof.signature)


def fill(target: Log) -> None:
    log = source()
    for index in random.Random(5).sample(range(len(BLOCKS)), len(BLOCKS)):
        if not target.has(index):
            give(log, target, index)
    target.flush()


def image(*, own: bool) -> dict[str, bytes]:
    """The files of a feed of our own, or of a whole copy."""
    storage = memory()("relaxed")
    if own:
        log = Log.open(storage, key_pair=OWNER)
        for start, stop in ((0, 1), (1, 4), (4, 9), (9, 11)):
            log.append(BLOCKS[start:stop])
    else:
        fill(Log.open(storage, key=OWNER.public_key))
    return {name: storage.read(name, 0, 10**6) for name in storage.list_files()}


IMAGES = {own: image(own=own) for own in (True, False)}


def storage_of(files: dict[str, bytes]) -> Storage:
    storage = memory()("relaxed")
    storage.commit([Write(name, 0, raw) for name, raw in files.items()])
    return storage


def damages() -> Iterator[tuple[str, bytes | None, str]]:
    """One file changed, cut, blank or gone."""
    for name, raw in IMAGES[True].items():
        used = len(raw.rstrip(b"\0")) if name != "bitfield" else 40
        places = (
            [*range(min(used, 2000)), *range(1056, 1064)] if name == "bitfield" else range(used)
        )
        for at in places:
            changed = bytes([raw[at] ^ (0x80 >> at % 8)])
            yield name, raw[:at] + changed + raw[at + 1 :], f"bit of byte {at}"
        for size in {*range(0, len(raw), max(1, len(raw) // 40)), len(raw) - 1}:
            yield name, raw[:size], f"cut to {size}"
            yield name, raw[:size] + bytes(len(raw) - size), f"zeros from {size}"
        yield name, bytes(len(raw)), "zeros"
        yield name, None, "gone"
    for name in FILES[:4]:
        for other in FILES[:4]:
            if other != name:
                yield name, IMAGES[True][other], f"a copy of {other}"


def open_or_none(storage: Storage) -> Log | None:
    """The feed, or None if it says which of its files is at fault."""
    try:
        return Log.open(storage, key=OWNER.public_key)
    except StorageError as error:
        if error.file not in FILES:
            raise
        return None


def read_what_there_is(log: Log) -> set[int]:
    """Every block is right, or said to be missing or damaged."""
    read = set()
    for index in range(len(BLOCKS) + 2):
        try:
            value = log.get(index)
        except (BlockMissingError, CorruptStorageError):
            continue
        assert value == BLOCKS[index]
        read.add(index)
    return read


@pytest.mark.parametrize("own", [True, False], ids=["own", "copy"])
def test_any_damage_to_one_file_is_found_and_mended_by_a_peer(own: bool) -> None:
    count = mended = 0
    for name, raw, _what in damages():
        if not own and name == "secret_key":
            continue
        files = IMAGES[own] | ({} if raw is None else {name: raw})
        if raw is None:
            files = {file: content for file, content in files.items() if file != name}
        count += 1
        storage = storage_of(files)
        log = open_or_none(storage)
        if log is None:
            continue
        read_what_there_is(log)
        log.audit()
        have = read_what_there_is(log)
        assert have == {index for index in range(len(BLOCKS)) if log.has(index)}
        fill(log)
        again = Log.open(storage, key=OWNER.public_key)
        assert again.audit() == (len(BLOCKS), 0, ())
        assert again.get_run(0, len(BLOCKS)) == BLOCKS
        if again.writable:
            assert again.append([b"goes on"]) == len(BLOCKS)
        mended += 1
    assert count > 1000
    assert mended > count // 2


def test_an_owner_with_damaged_blocks_appends_nothing_until_they_are_back() -> None:
    storage = storage_of(IMAGES[True])
    storage.commit([Write("data", 5, b"!")])
    log = Log.open(storage)
    with pytest.raises(CorruptStorageError) as caught:
        log.get(2)
    assert (caught.value.file, caught.value.offset) == ("data", 3)
    with pytest.raises(BlockMissingError):
        log.get(2)
    with pytest.raises(NotWritableError, match="damaged"):
        log.append([b"x"])
    give(source(), log, 2)
    assert log.append([b"x"]) == len(BLOCKS)


def test_half_the_nodes_of_a_large_feed_are_made_again() -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, key_pair=OWNER)
    log.append([b"%d" % index for index in range(500)])
    tree = bytearray(storage.read("tree", 0, 10**6))
    for node in range(1, 511, 4):  # all parents of two blocks in the first half but the roots
        tree[32 + 40 * node] ^= 1
    storage.commit([Write("tree", 0, tree)])
    log = Log.open(storage)
    assert log.audit() == (500, 0, ())
    assert Log.open(storage).audit() == (500, 0, ())
    assert storage.read("tree", 0, 10**6) != bytes(tree)


# -- peers ------------------------------------------------------------------------------------

NODES = st.builds(
    Node,
    st.one_of(st.integers(0, 40), st.integers(0, 2**53 - 1)),
    st.one_of(st.binary(min_size=32, max_size=32), st.binary(max_size=40)),
    st.one_of(st.integers(0, 40), st.integers(0, 2**64)),
)


@settings(max_examples=100, deadline=None)
@given(
    index=st.one_of(st.integers(0, 20), st.integers(-1, 2**53)),
    value=st.one_of(st.none(), st.binary(max_size=20)),
    nodes=st.lists(NODES, max_size=8),
    signature=st.one_of(st.none(), st.binary(min_size=64, max_size=64), st.binary(max_size=70)),
    known=st.sets(st.integers(0, len(BLOCKS) - 1)),
)
def test_any_data_is_refused_or_true(
    index: int, value: bytes | None, nodes: list[Node], signature: bytes | None, known: set[int]
) -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, key=OWNER.public_key)
    for block in known:
        give(source(), log, block)
    log.flush()
    before = {name: storage.read(name, 0, 10**6) for name in storage.list_files()}
    try:
        log.put(index, value, nodes, signature)
    except VerificationError:
        log.flush()
        assert {name: storage.read(name, 0, 10**6) for name in storage.list_files()} == before
    read_what_there_is(log)


def mutations(index: int) -> Iterator[tuple[bytes | None, list[Node], bytes | None]]:
    """An honest answer with one thing wrong."""
    log = source()
    proof = log.proof(index)
    value, nodes, signature = log.get(index), proof.nodes, proof.signature
    yield value + b"!", nodes, signature
    yield value, nodes, None
    yield value, nodes, bytes(64)
    yield value, nodes, b"short"
    yield value, [*nodes, Node(4094, bytes(32), 1)], signature
    yield None, nodes, signature
    yield value, nodes * 70, signature
    for older in range(len(BLOCKS)):
        try:
            other = log.signature(older)[1]
        except FeedError:
            continue
        if other != signature:
            yield value, nodes, other
    for place, node in enumerate(nodes):
        for wrong in (
            node._replace(index=node.index + 1),
            node._replace(index=2**53 - 1),
            node._replace(hash=node.hash[:5]),
            node._replace(hash=bytes(32)),
            node._replace(size=node.size + 1),
            node._replace(size=2**53),
            node._replace(size=2**64),
            node._replace(size=-1),
        ):
            yield value, [*nodes[:place], wrong, *nodes[place + 1 :]], signature
        yield value, nodes[:place] + nodes[place + 1 :], signature
        yield value, [*nodes[: place + 1], *nodes[place:]], signature


@pytest.mark.parametrize("index", range(len(BLOCKS)))
@pytest.mark.parametrize("known", [(), (3,), (9, 10)], ids=str)
def test_every_single_lie_in_an_answer_is_refused(index: int, known: tuple[int, ...]) -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, key=OWNER.public_key)
    for block in known:
        give(source(), log, block)
    log.flush()
    before = {name: storage.read(name, 0, 10**6) for name in storage.list_files()}
    for value, nodes, signature in mutations(index):
        if index in known or (known and value == BLOCKS[index]):
            continue  # it may end at a known node before it comes to the lie
        with pytest.raises(VerificationError):
            log.put(index, value, nodes, signature)
        log.flush()
        assert {name: storage.read(name, 0, 10**6) for name in storage.list_files()} == before


def signed_claim(length: int, size: int = 7) -> tuple[bytes, list[Node], bytes]:
    """What a hostile owner can sign: a tree of made-up roots with one true block at the end."""
    roots = [Node(root, b"\x11" * 32, size) for root in flat_tree.full_roots(length - 1)]
    value = b"value"
    leaf = Node(2 * length - 2, crypto.leaf_hash(value), len(value))
    tree_hash = crypto.tree_hash([*roots, leaf])
    return value, roots, crypto.sign(signable(tree_hash, length), OWNER.secret_key)


def test_a_claim_of_hundreds_of_millions_of_blocks_costs_a_few_pages() -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, key=OWNER.public_key)
    value, roots, signature = signed_claim(2**28 + 1)
    tracemalloc.start()
    log.put(2**28, value, roots, signature)
    log.flush()
    log = Log.open(storage)
    assert log.length == 2**28 + 1
    assert log.get(2**28) == value
    assert log.next_missing(0, log.length) == 0
    assert log.count() == 1
    assert log.count(5, 10**6) == 0
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("length", "size"), [(2**32 + 1, 7), (2**50 + 1, 7), (5, 2**43), (2**30 + 1, 2**52)]
)
def test_claims_that_no_disk_can_hold_are_refused(length: int, size: int) -> None:
    log = Log.open(memory()("relaxed"), key=OWNER.public_key)
    value, roots, signature = signed_claim(length, size)
    with pytest.raises(VerificationError):
        log.put(length - 1, value, roots, signature)
    assert log.length == 0


@given(raw=st.binary(max_size=200), name=st.sampled_from(FILES))
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_a_file(raw: bytes, name: str) -> None:
    storage = storage_of(IMAGES[True] | {name: raw})
    try:
        log = Log.open(storage, key_pair=OWNER)
        read_what_there_is(log)
        log.audit()
        read_what_there_is(log)
    except StorageError:
        return


@pytest.mark.parametrize("digest", [0, None], ids=["whole proof", "short proof"])
def test_a_fork_by_the_owner_changes_nothing(digest: int | None) -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, key=OWNER.public_key)
    give(source(), log, 10)
    log.flush()
    before = {name: storage.read(name, 0, 10**6) for name in storage.list_files()}
    other = Log.open(memory()("relaxed"), key_pair=OWNER)
    other.append([*BLOCKS[:10], b"another eleventh", b"and a twelfth"])
    for index in (10, 11):
        proof = other.proof(index, digest=log.digest(index) if digest is None else digest)
        with pytest.raises((ForkError, VerificationError)) as caught:
            log.put(index, other.get(index), proof.nodes, proof.signature)
        if digest == 0:  # a proof shortened by what we have cannot show that we have another
            assert isinstance(caught.value, ForkError)
            assert caught.value.ours == log.signed_root
            assert caught.value.theirs == other.signed_root
            assert log.fork is not None
        log.flush()
        assert {name: storage.read(name, 0, 10**6) for name in storage.list_files()} == before
    give(source(), log, 4)
    assert log.get(4) == BLOCKS[4]
