from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from hypermultifeed.encoding import runs
from hypermultifeed.errors import (
    BlockMissingError,
    CorruptStorageError,
    ForkError,
    NotWritableError,
    StorageError,
    VerificationError,
)
from hypermultifeed.feed.files import Write
from hypermultifeed.feed.log import Log
from hypermultifeed.feed.remote_bitfield import RemoteBitfield
from hypermultifeed.keys import KeyPair, discovery_key
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypermultifeed.feed.files import File
    from hypermultifeed.storage import Storage

OWNER = KeyPair.from_seed(b"\x01" * 32)


def block(index: int) -> bytes:
    return b"block-%d" % index


def writer(length: int = 0, storage: Storage | None = None) -> Log:
    log = Log.open(storage or memory()("relaxed"), key_pair=OWNER)
    log.append([block(index) for index in range(length)])
    return log


def reader(storage: Storage | None = None) -> Log:
    return Log.open(storage or memory()("relaxed"), key=OWNER.public_key)


def give(source: Log, target: Log, index: int, *, only_hash: bool = False) -> None:
    proof = source.proof(index, digest=target.digest(index), hash=only_hash)
    value = None if only_hash else source.get(index)
    target.put(index, value, proof.nodes, proof.signature)


class CountingStorage:
    """Counts commits, and fails when told to."""

    def __init__(self) -> None:
        self.inner = memory()("relaxed")
        self.commits: list[Sequence[Write]] = []
        self.failing = False

    def file(self, name: str) -> File:
        return self.inner.file(name)

    def commit(self, writes: Sequence[Write]) -> None:
        if self.failing:
            raise StorageError("no space left")
        self.commits.append(writes)
        self.inner.commit(writes)


# -- opening ----------------------------------------------------------------------------------


def test_a_new_feed_has_its_keys_and_headers_only() -> None:
    storage = memory()("relaxed")
    log = Log.open(storage, "ab/", key_pair=OWNER)
    assert storage.list_files() == [
        "ab/bitfield", "ab/key", "ab/secret_key", "ab/signatures", "ab/tree",
    ]  # fmt: skip
    assert (log.key, log.secret_key) == (OWNER.public_key, OWNER.secret_key)
    assert log.discovery_key == discovery_key(OWNER.public_key)
    assert (log.length, log.byte_length, log.signed_root) == (0, 0, None)
    assert log.live
    assert log.writable


def test_opening_a_whole_feed_writes_nothing() -> None:
    storage = CountingStorage()
    Log.open(storage, key_pair=OWNER).append([b"a", b"b"])
    commits = len(storage.commits)
    log = Log.open(storage)
    assert log.get_run(0, 2) == [b"a", b"b"]
    assert log.writable
    assert len(storage.commits) == commits


def test_a_derived_secret_key_is_not_stored_but_used() -> None:
    storage = memory()("relaxed")
    Log.open(storage, key_pair=OWNER, store_secret_key=False).append([b"a"])
    assert "secret_key" not in storage.list_files()
    assert not Log.open(storage).writable
    assert Log.open(storage, key_pair=OWNER, store_secret_key=False).append([b"b"]) == 1


def test_keys_must_fit() -> None:
    other = KeyPair.from_seed(b"\x02" * 32)
    with pytest.raises(ValueError, match="different feeds"):
        Log.open(memory()("relaxed"), key=other.public_key, key_pair=OWNER)
    with pytest.raises(ValueError, match="32 bytes"):
        Log.open(memory()("relaxed"), key=b"short")
    storage = memory()("relaxed")
    writer(1, storage)
    with pytest.raises(StorageError, match="another feed"):
        Log.open(storage, key_pair=other)


# -- appending --------------------------------------------------------------------------------


def test_an_append_is_one_commit_however_many_blocks() -> None:
    storage = CountingStorage()
    log = Log.open(storage, key_pair=OWNER)
    for blocks in ([b"1"], [b"2", b"3"], [b"x"] * 9000):
        before = len(storage.commits)
        log.append(blocks)
        assert len(storage.commits) == before + 1
    log.append([])
    assert len(storage.commits) == before + 1
    assert log.length == 9003


def test_a_single_append_writes_little() -> None:
    storage = CountingStorage()
    log = Log.open(storage, key_pair=OWNER)
    log.append([block(index) for index in range(1000)])
    log.append([b"next"])
    written = sum(len(write.data or b"") for write in storage.commits[-1])
    assert written < 400


def test_a_failed_append_changes_nothing() -> None:
    storage = CountingStorage()
    log = Log.open(storage, key_pair=OWNER)
    log.append([b"a", b"b", b"c"])
    before = log.signed_root
    storage.failing = True
    with pytest.raises(StorageError, match="no space"):
        log.append([b"d"])
    assert (log.length, log.byte_length, log.signed_root) == (3, 3, before)
    assert not log.has(3)
    assert not log.has_tree_node(6)
    assert log.get_run(0, 3) == [b"a", b"b", b"c"]
    assert before is not None
    assert log.proof(2).signature == before.signature


def test_blocks_may_be_any_kind_of_bytes() -> None:
    log = writer()
    log.append([b"a", bytearray(b"b"), memoryview(b"xcx")[1:2]])
    assert log.get_run(0, 3) == [b"a", b"b", b"c"]


def test_a_static_feed_takes_no_append() -> None:
    source = writer(3)
    key = source.signed_root.tree_hash if source.signed_root else b""
    log = Log.open(memory()("relaxed"), key=key)
    for index in range(3):
        log.put(index, block(index), source.proof(index).nodes, None)
    log.flush()
    assert not log.live
    assert log.length == 3
    assert log.proof(1).signature is None
    with pytest.raises(NotWritableError):
        log.append([b"x"])
    with pytest.raises(BlockMissingError):
        log.signature()


# -- putting ----------------------------------------------------------------------------------


def test_what_was_put_is_there_before_it_is_written_and_written_at_once() -> None:
    source, storage = writer(40), CountingStorage()
    log = Log.open(storage, key=OWNER.public_key)
    before = len(storage.commits)
    for index in range(20):
        give(source, log, index)
    assert len(storage.commits) == before
    assert log.get_run(3, 20) == [block(index) for index in range(3, 20)]
    assert [log.get(index) for index in range(20)] == [block(index) for index in range(20)]
    assert reader(storage.inner).length == 0
    log.flush()
    assert len(storage.commits) == before + 1
    assert len([write for write in storage.commits[-1] if write.file == "data"]) == 1
    log.flush()
    assert len(storage.commits) == before + 1
    again = reader(storage.inner)
    assert again.get_run(0, 20) == [block(index) for index in range(20)]
    assert (again.length, again.next_missing(0, 40)) == (40, 20)


def test_a_failed_flush_forgets_what_was_put() -> None:
    source, storage = writer(8), CountingStorage()
    log = Log.open(storage, key=OWNER.public_key)
    give(source, log, 0)
    log.flush()
    source.append([block(8)])
    give(source, log, 8)
    assert log.length == 9
    storage.failing = True
    with pytest.raises(StorageError):
        log.flush()
    assert (log.length, log.has(0), log.has(8)) == (8, True, False)
    assert log.get(0) == block(0)


def test_a_block_put_twice_is_stored_once() -> None:
    source, log = writer(5), reader()
    for _ in range(2):
        give(source, log, 2)
        log.flush()
    assert log.count() == 1


def test_a_proof_of_hashes_makes_the_feed_longer_without_blocks() -> None:
    source, log = writer(17), reader()
    give(source, log, 16, only_hash=True)
    assert (log.length, log.byte_length, log.count()) == (17, source.byte_length, 0)
    assert log.has_tree_node(32)


def test_an_owner_gets_lost_blocks_back_from_a_peer() -> None:
    full = writer(9)
    log = Log.open(memory()("relaxed"), key_pair=OWNER)  # from an old backup
    log.append([block(index) for index in range(4)])
    give(full, log, 8)
    assert log.length == 9
    assert log.append([b"tenth"]) == 9
    for index in range(4, 8):
        give(full, log, index)
    assert log.audit() == (10, 0, ())


# -- forks ------------------------------------------------------------------------------------


def forked(common: int, length: int) -> Log:
    log = writer(common)
    log.append([b"other-%d" % index for index in range(common, length)])
    return log


@pytest.mark.parametrize(("ours", "theirs"), [(5, 5), (5, 9), (9, 5), (8, 16), (17, 6)])
def test_a_fork_is_proved_by_both_signed_roots(ours: int, theirs: int) -> None:
    source, other, log = writer(ours), forked(4, theirs), reader()
    for index in range(ours):
        give(source, log, index)
    log.flush()
    before = log.signed_root
    proof = other.proof(4)
    with pytest.raises(ForkError) as caught:
        log.put(4, other.get(4), proof.nodes, proof.signature)
    error = caught.value
    assert error.key == OWNER.public_key
    assert error.theirs == other.signed_root
    assert error.ours[0] <= ours
    assert log.verify(error.ours[0] - 1, error.ours[2])
    assert log.fork is error
    assert log.signed_root == before
    assert log.get_run(0, ours) == [block(index) for index in range(ours)]


def test_a_fork_is_remembered_if_it_is_kept() -> None:
    storage, other = memory()("relaxed"), forked(4, 9)
    log = writer(5, storage)
    log.keep_fork()
    assert "fork" not in storage.list_files()
    proof = other.proof(4)
    with pytest.raises(ForkError) as caught:
        log.put(4, other.get(4), proof.nodes, proof.signature)
    assert Log.open(storage).fork is None
    log.keep_fork()
    again = Log.open(storage)
    assert again.fork is not None
    assert (again.fork.ours, again.fork.theirs) == (caught.value.ours, caught.value.theirs)
    for damage in (Write("fork", 150, b"?"), Write("fork", 100, None)):
        storage.commit([damage])
        assert Log.open(storage).fork is None


def test_the_owner_of_two_histories_hears_of_it_too() -> None:
    log, other = writer(6), forked(5, 8)
    proof = other.proof(5)
    with pytest.raises(ForkError):
        log.put(5, other.get(5), proof.nodes, proof.signature)


def test_a_contradiction_that_nobody_signed_is_no_fork() -> None:
    log, other = writer(6), forked(5, 6)
    with pytest.raises(VerificationError) as caught:
        log.put(5, other.get(5), other.proof(5).nodes, log.proof(5).signature)
    assert not isinstance(caught.value, ForkError)


# -- queries ----------------------------------------------------------------------------------


def test_what_a_peer_has_and_we_have_not() -> None:
    log, remote = reader(), RemoteBitfield()
    source = writer(20)
    for index in (0, 1, 2, 5):
        give(source, log, index)
    remote.set_range(1, 6)
    remote.set_range(10**9, 10**12)
    assert log.next_wanted(remote, 0, 20) == 3
    assert log.next_wanted(remote, 5, 20) == 6
    assert log.next_wanted(remote, 7, 20) == -1
    assert log.next_wanted(remote, 7, 10**10) == 10**9


def test_bits_for_a_have() -> None:
    log = writer(17)
    assert log.have_bitfield(0, 2**20) == bytes.fromhex("0b0280")
    assert log.have_bitfield(8, 2**20) == runs.encode(b"\xff\x80")
    assert log.have_bitfield(2**20, 2**20) == b""
    assert writer().have_bitfield(0, 2**20) == b""
    for start, length in ((1, 8), (-8, 8), (0, 2**20 + 1), (0, -1)):
        with pytest.raises(ValueError, match="no bitfield"):
            log.have_bitfield(start, length)


def test_seek_in_a_sparse_copy_says_which_block_would_tell() -> None:
    source, log = writer(16), reader()
    give(source, log, 0)
    assert log.seek(3) == (0, 3)
    assert log.seek(source.byte_length) == (16, 0)
    with pytest.raises(BlockMissingError) as caught:
        log.seek(100)
    assert caught.value.index == 8
    assert log.seek_span(100) == range(8, 16)
    give(source, log, 13, only_hash=True)
    assert log.seek_span(60) == range(8, 12)
    assert [log.seek(at) for at in (90, 100)] == [source.seek(at) for at in (90, 100)]


def test_signatures() -> None:
    log = writer(1)
    log.append([block(1), block(2)])
    assert log.signature() == log.signature(1) == log.signature(2)
    assert log.signature(0)[0] == 0
    assert log.signature(1)[0] == 2
    assert log.verify(*log.signature(0))
    assert not log.verify(1, log.signature(2)[1])
    assert [node.index for node in log.root_hashes(2)] == [1, 4]


# -- damage -----------------------------------------------------------------------------------


def test_damage_is_found_by_reading_and_forgotten_on_disk_too() -> None:
    storage = memory()("relaxed")
    source, log = writer(9), reader(storage)
    for index in range(9):
        give(source, log, index)
    log.flush()
    data = bytearray(storage.read("data", 0, 100))
    data[3] ^= 1
    storage.commit([Write("data", 0, data)])
    log = reader(storage)
    with pytest.raises(CorruptStorageError):
        log.get_run(0, 9)
    assert not log.has(0)
    assert log.damaged == {0}
    log.flush()
    assert not reader(storage).has(0)
    give(source, log, 0)
    assert log.damaged == set()
    assert log.get_run(0, 9) == [block(index) for index in range(9)]


def test_many_small_feeds_cost_little_memory() -> None:
    storage = memory()("relaxed")
    prefixes = [f"{number:04}/" for number in range(300)]
    for number, prefix in enumerate(prefixes):
        pair = KeyPair.from_seed(number.to_bytes(32, "big"))
        Log.open(storage, prefix, key_pair=pair).append([b"tiny"])
    tracemalloc.start()
    logs = [Log.open(storage, prefix) for prefix in prefixes]
    each = tracemalloc.get_traced_memory()[0] / len(logs)
    tracemalloc.stop()
    assert all(log.length == 1 for log in logs)
    assert each < 10_000
