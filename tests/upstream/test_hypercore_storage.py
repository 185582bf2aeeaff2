"""hypercore 9.12.0, suites compat, cache, stats, audit and default-storage."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed import crypto
from hypermultifeed.encoding.node import Node
from hypermultifeed.feed import flat_tree
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import KeyPair
from hypermultifeed.storage import memory

if TYPE_CHECKING:
    from pathlib import Path

PAIR = KeyPair.from_seed(bytes([1]) * 32)
LETTERS = [b"a", b"b", b"c", b"d", b"e", b"f"]
TREE_HEADER = bytes.fromhex("05025702000028") + b"\x07BLAKE2b"
SIGNATURES_HEADER = bytes.fromhex("05025701000040") + b"\x07Ed25519"


def expected_nodes(blocks: list[bytes]) -> dict[int, Node]:
    """Every node of the tree over these blocks, straight from the definition."""
    nodes = {2 * i: Node(2 * i, crypto.leaf_hash(b), len(b)) for i, b in enumerate(blocks)}
    stride = 1
    while stride < len(blocks):
        for at in range(stride * 2 - 1, 2 * len(blocks), stride * 4):
            left, right = nodes.get(at - stride), nodes.get(at + stride)
            if left and right:
                size = left.size + right.size
                nodes[at] = Node(at, crypto.parent_hash(size, left.hash, right.hash), size)
        stride *= 2
    return nodes


def expected_tree(blocks: list[bytes]) -> bytes:
    nodes = expected_nodes(blocks)
    absent = bytes(40)
    parts = [
        nodes[index].hash + nodes[index].size.to_bytes(8, "big") if index in nodes else absent
        for index in range(2 * len(blocks) - 1)
    ]
    return TREE_HEADER.ljust(32, b"\0") + b"".join(parts)


def signed(blocks: list[bytes]) -> tuple[bytes, bytes]:
    """The signature of these blocks, as now and as hypercore 8 made it."""
    nodes = expected_nodes(blocks)
    roots = [nodes[index] for index in flat_tree.full_roots(len(blocks))]
    tree_hash = crypto.tree_hash((root.index, root.hash, root.size) for root in roots)
    message = tree_hash + len(blocks).to_bytes(8, "big")
    return crypto.sign(message, PAIR.secret_key), crypto.sign(tree_hash, PAIR.secret_key)


# --- compat ----------------------------------------------------------------------------------


async def test_deterministic_data_and_tree(tmp_path: Path) -> None:
    """hypercore/compat "deterministic data and tree"."""
    for name in "12":
        async with Hypercore(tmp_path / name) as feed:  # whatever the key is
            await feed.extend(LETTERS)
        assert (tmp_path / name / "data").read_bytes() == b"abcdef"
        assert (tmp_path / name / "tree").read_bytes() == expected_tree(LETTERS)


async def test_deterministic_data_and_tree_after_replication(
    core: Any, replicate: Any, tmp_path: Path
) -> None:
    """hypercore/compat "deterministic data and tree after replication"."""
    feed = await core()
    await feed.extend(LETTERS)
    async with Hypercore(tmp_path / "clone", feed.key) as clone:
        await replicate(feed, clone).ended()
    assert (tmp_path / "clone" / "data").read_bytes() == b"abcdef"
    assert (tmp_path / "clone" / "tree").read_bytes() == expected_tree(LETTERS)


async def test_deterministic_signatures(tmp_path: Path) -> None:
    """hypercore/compat "deterministic signatures"."""
    async with Hypercore(tmp_path / "core", key_pair=PAIR) as feed:
        await feed.extend(LETTERS[:3])
        now, legacy = signed(LETTERS[:3])
        assert feed.signature(2) == (2, now)
        assert feed.verify(2, now)
        assert feed.verify(2, legacy)
        assert not feed.verify(1, now)
    stored = (tmp_path / "core" / "signatures").read_bytes()
    assert stored == SIGNATURES_HEADER.ljust(32, b"\0") + bytes(128) + now


async def test_deterministic_signatures_after_replication(
    core: Any, replicate: Any, tmp_path: Path
) -> None:
    """hypercore/compat "deterministic signatures after replication"."""
    feed = await core(key_pair=PAIR)
    await feed.extend(LETTERS[:3])
    async with Hypercore(tmp_path / "clone", feed.key) as clone:
        await replicate(feed, clone).ended()
    assert (tmp_path / "clone" / "data").read_bytes() == b"abc"
    assert (tmp_path / "clone" / "signatures").read_bytes()[-64:] == signed(LETTERS[:3])[0]


async def test_compat_signatures_work(core: Any, replicate: Any, tmp_path: Path) -> None:
    """hypercore/compat "compat signatures work"."""
    folder = tmp_path / "core"
    async with Hypercore(folder, key_pair=PAIR) as feed:
        await feed.extend(LETTERS[:3])
    legacy = signed(LETTERS[:3])[1]
    signatures = folder / "signatures"
    signatures.write_bytes(signatures.read_bytes()[:-64] + legacy)  # as hypercore 8 left it
    async with Hypercore(folder) as feed:
        clone = await core(feed.key)
        await replicate(feed, clone).ended()
        assert clone.length == 3
        assert clone.signature(2) == (2, legacy)
        await feed.append(b"d")
        await replicate(feed, clone).ended()
        assert clone.length == 4
        assert await clone.get(3) == b"d"


# --- stats -----------------------------------------------------------------------------------

TWOS = [b"aa", b"bb", b"cc", b"dd", b"ee"]


async def test_accurate_stat_totals(core: Any, replicate: Any) -> None:
    """hypercore/stats "accurate stat totals"."""
    feed = await core()
    await feed.extend(TWOS)
    clone = await core(feed.key)
    await replicate(feed, clone).ended()
    ours, theirs = feed.stats.totals, clone.stats.totals
    assert (ours.uploaded_blocks, ours.uploaded_bytes) == (5, 10)
    assert (theirs.downloaded_blocks, theirs.downloaded_bytes) == (5, 10)
    assert (ours.downloaded_blocks, theirs.uploaded_blocks) == (0, 0)


async def test_accurate_per_peer_stats(core: Any, replicate: Any) -> None:
    """hypercore/stats "accurate per-peer stats"."""
    feed = await core()
    await feed.extend(TWOS)
    clones = [await core(feed.key), await core(feed.key)]
    for clone in clones:
        replicate(feed, clone, live=True)
        await clone.update()
        await clone.download(0, 5)
    assert (feed.stats.totals.uploaded_blocks, feed.stats.totals.uploaded_bytes) == (10, 20)
    uploaded = [(peer.uploaded_blocks, peer.uploaded_bytes) for peer in feed.stats.peers]
    assert uploaded == [(5, 10), (5, 10)]
    for clone in clones:
        downloaded = [(peer.downloaded_blocks, peer.downloaded_bytes) for peer in clone.stats.peers]
        assert downloaded == [(5, 10)]


# --- audit -----------------------------------------------------------------------------------


async def test_basic_audit(core: Any) -> None:
    """hypercore/audit "basic audit"."""
    feed = await core()
    await asyncio.gather(feed.append(b"hello"), feed.append(b"world"))
    report = await feed.audit()
    assert (report.valid, report.invalid) == (2, 0)


async def test_basic_audit_with_bad_data(tmp_path: Path) -> None:
    """hypercore/audit "basic audit with bad data"."""
    folder = tmp_path / "core"
    async with Hypercore(folder) as feed:
        await feed.extend([b"hello", b"world"])
    (folder / "data").write_bytes(b"Hello" + b"world")
    async with Hypercore(folder) as feed:
        assert feed.has(0)
        report = await feed.audit()
        assert (report.valid, report.invalid) == (1, 1)
        assert not feed.has(0)
        report = await feed.audit()
        assert (report.valid, report.invalid) == (1, 0)


# --- default storage -------------------------------------------------------------------------


async def test_default_storage_works(tmp_path: Path) -> None:
    """hypercore/default-storage "default storage works"."""
    async with Hypercore(tmp_path / "core") as feed:
        await feed.append(b"a")
        assert await feed.get(0) == b"a"
        assert feed.length == 1
    async with Hypercore(str(tmp_path / "core")) as feed:
        assert feed.length == 1


async def test_destroying_storage_works(tmp_path: Path) -> None:
    """hypercore/default-storage "destroying storage works"."""
    async with Hypercore(tmp_path / "core") as feed:
        await feed.append(b"a")
        key = feed.key
    shutil.rmtree(tmp_path / "core")  # closed, a folder is all there is
    async with Hypercore(tmp_path / "core") as feed:
        assert feed.key != key
        assert feed.length == 0


# --- cache: there is none to configure, and what is read is right whatever is in memory ----------


@pytest.mark.parametrize("reopened", [False, True])
async def test_caches(reopened: bool) -> None:
    """hypercore/cache "can disable all caching"; "default options does not use data cache"."""
    storage = memory()
    feed = Hypercore(storage)
    await feed.ready()
    await feed.extend([b"hello", b"world"])
    if reopened:
        await feed.close()
        feed = Hypercore(storage)
        await feed.ready()
    assert [await feed.get(0), await feed.get(1)] == [b"hello", b"world"]
    await feed.close()
