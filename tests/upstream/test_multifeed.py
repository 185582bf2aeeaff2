"""The suites of multifeed 6.0.0 and of hypermultifeed, by their titles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.errors import NotReadyError, ReplicationError
from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))


async def holds(feed: Any, *values: Any) -> None:
    """Wait until the feed has these values, and check them."""
    assert [await feed.get(index) for index in range(len(values))] == list(values)


async def feed_of(multi: Multifeed, writer: Any) -> Any:
    """Wait until ``multi`` knows the writer's feed."""
    with multi.events() as added:
        while (feed := multi.feed(writer.key)) is None:
            await anext(added)
    return feed


async def written(multi: Multifeed, name: str | None, *values: Any) -> Any:
    writer = await multi.writer(name)
    await writer.extend(values)
    return writer


# --- basic -----------------------------------------------------------------------------------


async def test_no_feeds(multifeed: Any) -> None:
    """multifeed/basic "no feeds"."""
    multi = await multifeed()
    assert list(multi.feeds()) == []


async def test_create_writer(multifeed: Any) -> None:
    """multifeed/basic "create writer"."""
    multi = await multifeed()
    writer = await multi.writer()
    assert await writer.append({"hello": "world"}) == 0
    assert await writer.get(0) == {"hello": "world"}
    assert list(multi.feeds()) == [writer]


async def test_get_feed_by_key(multifeed: Any) -> None:
    """multifeed/basic "get feed by key"."""
    multi = await multifeed()
    writer = await multi.writer()
    assert multi.feed(writer.key) is writer
    assert multi.feed(writer.key.hex()) is writer
    assert multi.feed(OTHER_KEY) is None


async def test_get_localfeed_by_name(multifeed: Any) -> None:
    """multifeed/basic "get localfeed by name"."""
    multi = await multifeed()
    first = await multi.writer("bob")
    assert await multi.writer("bob") is first
    assert await multi.writer("alice") is not first
    assert len(multi.feeds()) == 2


async def test_replicate_two_multifeeds_one_empty(multifeed: Any, replicate: Any) -> None:
    """multifeed/basic "replicate two multifeeds, one empty"."""
    ours, theirs = await multifeed(), await multifeed()
    writer = await written(ours, None, "foo", "bar")
    joined = replicate(ours, theirs)
    await joined.right.remote_feeds()
    await joined.ended()
    assert len(ours.feeds()) == len(theirs.feeds()) == 1
    await holds(theirs.feed(writer.key), "foo", "bar")


async def test_replicate_two_empty_multifeeds(multifeed: Any, replicate: Any) -> None:
    """multifeed/basic "replicate two empty multifeeds"."""
    ours, theirs = await multifeed(), await multifeed()
    joined = replicate(ours, theirs)
    assert len(await joined.left.remote_feeds()) == 0
    assert len(await joined.right.remote_feeds()) == 0
    await joined.ended()
    assert list(ours.feeds()) == list(theirs.feeds()) == []


async def test_replicate_two_multifeeds(multifeed: Any, replicate: Any) -> None:
    """multifeed/basic "replicate two multifeeds"."""
    ours, theirs = await multifeed(), await multifeed()
    with ours.events() as at_ours, theirs.events() as at_theirs:
        mine = await written(ours, None, "foo")
        yours = await written(theirs, None, "bar", "baz")
        await replicate(ours, theirs).ended()
        names = [
            [(event.name, event.feed.key) for event in [await anext(at), await anext(at)]]
            for at in (at_ours, at_theirs)
        ]
    assert names == [
        [("0", mine.key), ("1", yours.key)],
        [("0", yours.key), ("1", mine.key)],
    ]
    assert len(ours.feeds()) == len(theirs.feeds()) == 2
    assert ours.feed(yours.key).length == 2
    await holds(ours.feed(yours.key), "bar", "baz")
    assert theirs.feed(mine.key).length == 1
    await holds(theirs.feed(mine.key), "foo")


async def test_live_replicate_two_multifeeds(multifeed: Any, replicate: Any) -> None:
    """multifeed/basic "live replicate two multifeeds"."""
    ours, theirs = await multifeed(), await multifeed()
    mine, yours = await written(ours, None, "foo"), await written(theirs, None, "bar", "baz")
    joined = replicate(ours, theirs, live=True)
    await asyncio.gather(joined.left.remote_feeds(), joined.right.remote_feeds())
    await holds(ours.feed(yours.key), "bar", "baz")
    await holds(theirs.feed(mine.key), "foo")
    assert len(ours.feeds()) == len(theirs.feeds()) == 2
    await mine.append("later")
    assert await theirs.feed(mine.key).get(1) == "later"
    assert not joined.task.done()


async def test_get_localfeed_by_name_across_disk_loads(multifeed: Any, tmp_path: Path) -> None:
    """multifeed/basic "get localfeed by name across disk loads"."""
    async with Multifeed(tmp_path / "db", key=KEY, value_encoding="json") as multi:
        writer = await written(multi, "minuette", "tick")
        key = writer.key
        assert writer.writable
    multi = await multifeed(tmp_path / "db", key=KEY)
    assert [feed.key for feed in multi.feeds()] == [key]
    again = await multi.writer("minuette")
    assert again.key == key
    assert again.writable
    await again.append("tock")
    await holds(again, "tick", "tock")
    assert len(multi.feeds()) == 1


async def test_close(tmp_path: Path) -> None:
    """multifeed/basic "close"."""
    folder = tmp_path / "db"
    multi = Multifeed(folder, key=KEY)
    await multi.ready()
    await multi.writer("minuette")
    closed = [multi.closed]
    await asyncio.gather(multi.close(), multi.close())
    assert [*closed, multi.closed] == [False, True]
    assert list(multi.feeds()) == []
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


async def test_can_provide_custom_encryption_key(multifeed: Any) -> None:
    """multifeed/basic "can provide custom encryption key"."""
    multi = await multifeed(key=None, encryption_key=KEY)
    assert multi.key == KEY
    assert (await multifeed(key=KEY.hex())).key == KEY
    assert (await multifeed(key=KEY, encryption_key=KEY.hex())).key == KEY
    with pytest.raises(ValueError, match="key"):
        Multifeed(memory(), key=KEY, encryption_key=OTHER_KEY)


async def test_can_create_writer_with_custom_keypair(multifeed: Any) -> None:
    """multifeed/basic "can create writer with custom keypair"."""
    pair = KeyPair.from_seed(bytes(32))
    multi = await multifeed()
    writer = await multi.writer("moose", key_pair=pair)
    assert writer.key == pair.public_key
    assert writer.secret_key == pair.secret_key
    await writer.append("foo")
    await holds(writer, "foo")
    assert multi.feed(pair.public_key) is writer


# --- existing-protocol -----------------------------------------------------------------------


async def test_replicate_from_existing_protocols(multifeed: Any, join: Any) -> None:
    """multifeed/existing-protocol "replicate from existing protocols"."""
    ours, theirs = await multifeed(), await multifeed()
    mine, yours = await written(ours, None, "foo"), await written(theirs, None, "bar", "baz")
    left, right = (
        ReplicationStream(initiator=True, live=False),
        ReplicationStream(initiator=False, live=False),
    )
    ours.replicate(initiator=True, stream=left, live=False)
    theirs.replicate(initiator=False, stream=right, live=False)
    await join(left, right).ended()
    await holds(ours.feed(yours.key), "bar", "baz")
    await holds(theirs.feed(mine.key), "foo")
    assert len(ours.feeds()) == len(theirs.feeds()) == 2


# --- mux -------------------------------------------------------------------------------------


async def test_key_exchange_api(multifeed: Any, replicate: Any) -> None:
    """multifeed/mux "key exchange API"."""
    theirs = await multifeed()
    a, b, c = [await written(theirs, name, name) for name in "abc"]

    def all_but_b(key: bytes, *_: object) -> bool:
        return bool(key != b.key)

    ours = await multifeed(accept=all_but_b)
    joined = replicate(ours, theirs, live=True)
    await joined.left.remote_feeds()
    assert {feed.key for feed in ours.feeds()} == {a.key, c.key}
    await holds(ours.feed(a.key), "a")
    await holds(ours.feed(c.key), "c")
    assert ours.feed(b.key) is None


async def test_regression_ensure_were_receiving_remote_handshake(
    multifeed: Any, replicate: Any
) -> None:
    """multifeed/mux "regression: ensure we're receiving remote handshake"."""
    seen: dict[str, Any] = {}

    def policy(side: str) -> Any:
        def accept(key: bytes, peer: Any, _hints: Any) -> bool:
            seen[side] = (key, peer.user_data)
            return True

        return accept

    ours, theirs = [await multifeed(accept=policy(side)) for side in ("ours", "theirs")]
    mine, yours = await written(ours, None, "foo"), await written(theirs, None, "bar")
    joined = replicate(
        ours, theirs, live=True, user_data={"from": "us"}, theirs={"user_data": ["them"]}
    )
    await asyncio.gather(joined.left.remote_feeds(), joined.right.remote_feeds())
    assert seen == {"ours": (yours.key, ["them"]), "theirs": (mine.key, {"from": "us"})}


# --- regression ------------------------------------------------------------------------------


async def test_concurrency_of_writer_creation(stack: Any) -> None:
    """multifeed/regression "concurrency of writer creation"."""
    multi = Multifeed(memory(), key=KEY)
    stack.push_async_callback(multi.close)
    writing = asyncio.create_task(multi.writer("minuette"))
    await multi.ready()
    listed = list(multi.feeds())
    writer = await writing
    assert listed == []
    assert list(multi.feeds()) == [writer]


@pytest.mark.parametrize("blocks", [10, 1_000])
async def test_mf_with_no_writer_replicate_to_mf_with_1_writer(
    multifeed: Any, replicate: Any, blocks: int
) -> None:
    """multifeed/regression "MF with no writer replicate to MF with 1 writer"."""
    ours, theirs = await multifeed(), await multifeed()
    writer = await written(theirs, "local", *[{"n": n} for n in range(blocks)])
    await replicate(ours, theirs).ended()
    assert [feed.key for feed in ours.feeds()] == [writer.key]
    copy = ours.feed(writer.key)
    assert (copy.length, writer.length) == (blocks, blocks)
    assert [value async for value in copy.read(0, blocks)] == [{"n": n} for n in range(blocks)]
    assert not copy.writable


async def test_announce_new_feed_on_existing_connections(multifeed: Any, replicate: Any) -> None:
    """multifeed/regression "announce new feed on existing connections"."""
    one, two, three = await multifeed(), await multifeed(), await multifeed()
    first, second = await written(one, None, "one"), await written(two, None, "two")
    replicate(one, two, live=True)
    await holds(await feed_of(one, second), "two")
    await holds(await feed_of(two, first), "one")

    third = await written(three, None, "three")
    replicate(three, two, live=True)
    await holds(await feed_of(one, third), "three")
    await holds(await feed_of(three, first), "one")
    assert len(one.feeds()) == len(two.feeds()) == len(three.feeds()) == 3


async def test_replicate_before_multifeed_is_ready(multifeed: Any, replicate: Any) -> None:
    """multifeed/regression "replicate before multifeed is ready"."""
    multi = Multifeed(memory(), key=KEY)
    with pytest.raises(NotReadyError):
        multi.replicate(initiator=True)
    async with multi:  # nothing is broken by the attempt
        theirs = await multifeed(key=KEY)
        await replicate(multi, theirs).ended()


async def test_mfs_with_different_root_keys_cannot_replicate(
    multifeed: Any, replicate: Any
) -> None:
    """multifeed/regression "MFs with different root keys cannot replicate"."""
    ours, theirs = await multifeed(key=KEY), await multifeed(key=OTHER_KEY)
    await written(ours, None, "foo")
    joined = replicate(ours, theirs, live=True, handshake_timeout_s=0.05)
    with pytest.raises(ReplicationError):
        await joined.ended()
    assert len(ours.feeds()) == 1
    assert list(theirs.feeds()) == []


async def test_ensure_encryption_key_is_not_written_to_disk(tmp_path: Path) -> None:
    """multifeed/regression "ensure encryption key is not written to disk"."""
    # JS's own layout holds it inside the "name" files, and one folder has to serve both. So here:
    # nowhere else, and nobody but the owner can read it there.
    folder = tmp_path / "db"
    async with Multifeed(folder, key=KEY) as multi:
        await written(multi, "local", b"foo")
    files = [path for path in folder.rglob("*") if path.is_file()]
    holding = [p for p in files if KEY in p.read_bytes() or KEY.hex().encode() in p.read_bytes()]
    assert {path.name for path in holding} == {"name"}
    for path in holding:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_minimal_swarm_example(corestore: Any, join: Any, stack: Any) -> None:
    """multifeed/new-basic "minimal swarm example"."""
    multis = [
        await stack.enter_async_context(
            Multifeed(await corestore(), key=KEY, value_encoding="json")
        )
        for _ in range(2)
    ]
    writers = [await written(multi, "local", {"node": n}) for n, multi in enumerate(multis)]
    with multis[0].events() as added:
        join(multis[0].replicate(initiator=True), multis[1].replicate(initiator=False))
        event = await anext(added)
    assert (event.name, event.feed.key) == ("1", writers[1].key)
    await holds(event.feed, {"node": 1})
    await holds(await feed_of(multis[1], writers[0]), {"node": 0})
