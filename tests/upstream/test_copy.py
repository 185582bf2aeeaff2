"""hypercore 9.12.0, suite copy.js: blocks carried by hand from log to log."""

from __future__ import annotations

import random

import pytest

from hypermultifeed import crypto
from hypermultifeed.errors import VerificationError
from hypermultifeed.feed.log import Log
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

PAIR = KeyPair.from_seed(bytes([1]) * 32)


def writer() -> Log:
    return Log.open(memory()("relaxed"), key_pair=PAIR)


def reader() -> Log:
    return Log.open(memory()("relaxed"), key=PAIR.public_key)


def copy(index: int, source: Log, target: Log) -> None:
    """Carry one block over, with the proof that the target asks for."""
    proof = source.proof(index, digest=target.digest(index))
    target.put(index, source.get(index), proof.nodes, proof.signature)
    target.flush()
    assert target.get(index) == source.get(index)


def copy_hash(index: int, source: Log, target: Log) -> None:
    proof = source.proof(index, hash=True, digest=target.digest(index))
    target.put(index, None, proof.nodes, proof.signature)
    target.flush()
    assert target.has_tree_node(2 * index)
    assert not target.has(index)


def test_hash_copy() -> None:
    """hypercore/copy "hash copy"."""
    feed, clone = writer(), reader()
    feed.append([bytes([byte]) for byte in b"abcdefghij"])
    copy_hash(0, feed, clone)
    assert clone.length == 10
    copy_hash(4, feed, clone)
    copy(4, feed, clone)
    assert clone.byte_length == 10


def chaos(seed: int, steps: int) -> None:
    """Appends and copies in random order between a writer and two readers."""
    rng = random.Random(seed)
    feed, first, second = writer(), reader(), reader()
    copied = 0
    for step in range(steps):
        if rng.random() < 0.3:
            feed.append([b"%d" % step])
            continue
        source, target = rng.choice(
            [(feed, first), (feed, second), (first, second), (second, first)]
        )
        missing = [i for i in range(source.length) if source.has(i) and not target.has(i)]
        if missing:
            copy(rng.choice(missing), source, target)
            copied += 1
    assert copied
    for clone in (first, second):
        for index in range(feed.length):
            if not clone.has(index):
                copy(index, feed, clone)
        assert clone.length == feed.length
        assert clone.byte_length == feed.byte_length
        assert clone.audit().invalid == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chaos_monkey_generated(seed: int) -> None:
    """hypercore/copy, by seeds of our own.

    "chaos monkey generated #1"; "chaos monkey generated #2"; "chaos monkey generated #3".
    """
    chaos(seed, 60)


def test_chaos_monkey_randomized_4() -> None:
    """hypercore/copy "chaos monkey randomized #4"."""
    chaos(4, 200)


@pytest.mark.parametrize("seed", range(100, 105))
def test_chaos_monkey_randomized(seed: int) -> None:
    """hypercore/copy "chaos monkey randomized"."""
    chaos(seed, 300)


def test_3_way_static() -> None:
    """hypercore/replicate, a feed without signatures whose key is its tree hash.

    "3-way another index + extra data + factor of two + static".
    """
    feed = writer()
    feed.append([bytes([byte]) for byte in b"abcdefgh"])
    key = crypto.tree_hash((node.index, node.hash, node.size) for node in feed.root_hashes(7))
    first, second = (Log.open(memory()("relaxed"), key=key) for _ in range(2))
    first.put(1, feed.get(1), feed.proof(1, digest=first.digest(1)).nodes, None)
    assert (first.length, first.get(1), first.live) == (8, b"b", False)
    proof = first.proof(1, digest=second.digest(1))
    assert proof.signature is None
    with pytest.raises(VerificationError):
        second.put(1, b"x", proof.nodes, None)
    second.put(1, first.get(1), proof.nodes, None)
    assert (second.length, second.get(1), second.live) == (8, b"b", False)
