from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed import multifeed as multifeed_module
from hypermultifeed.core_names import core_folder, encode_name_file
from hypermultifeed.corestore import CoreRequest, Corestore
from hypermultifeed.errors import (
    ClosedError,
    StorageError,
)
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.keys import DEFAULT_KEY, KeyPair, discovery_key
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import Write, memory
from hypermultifeed.stream import link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hypermultifeed.mux import Peer

ROOT = b"\x07" * 32
OTHER_ROOT = b"\x08" * 32
PAIR = KeyPair.from_seed(b"\x21" * 32)
SAFETY_S = 20.0


def opened(storage: Any = None, **options: Any) -> Multifeed:
    options.setdefault("key", ROOT)
    return Multifeed(memory() if storage is None else storage, value_encoding="json", **options)


def streams(left: Multifeed, right: Multifeed, **options: Any) -> tuple[Any, Any]:
    return left.replicate(True, **options), right.replicate(False, **options)  # noqa: FBT003


async def feed_of(multi: Multifeed, key: bytes) -> Hypercore:
    with multi.events() as added:
        while (feed := multi.feed(key)) is None:
            await anext(added)
    return feed


def contents(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


async def entries(multi: Multifeed) -> list[Any]:
    """The list of feeds as it is on disk."""
    store = multi.corestore
    name = f"@multifeed:{multi.key.hex()}:@multifeed:persist".encode()
    core = await store.open(CoreRequest(name=name), value_encoding="json")
    return [await core.get(index) for index in range(core.length)]


# --- keys and life


async def test_spellings_of_the_root_key(caplog: pytest.LogCaptureFixture) -> None:
    for options in ({"key": ROOT}, {"key": ROOT.hex()}, {"encryption_key": ROOT.hex()}):
        assert Multifeed(memory(), **options).key == ROOT
    assert Multifeed(memory(), key=ROOT, encryption_key=ROOT.hex()).key == ROOT
    assert caplog.records == []
    for bad in ("zz", b"short", ROOT.hex() + "0"):
        with pytest.raises(ValueError, match="key"):
            Multifeed(memory(), key=bad)
    with pytest.raises(ValueError, match="two different"):
        Multifeed(memory(), key=ROOT, encryption_key=OTHER_ROOT)


async def test_without_a_key_the_known_one_is_used_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Multifeed(memory()) as multi:
        assert multi.key == DEFAULT_KEY
        await multi.writer("x")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_constructor_does_no_io(tmp_path: Path) -> None:
    multi = opened(tmp_path / "db")
    assert not (tmp_path / "db").exists()
    await multi.close()
    assert multi.closed
    with pytest.raises(ClosedError):
        await multi.ready()


async def test_ready_is_shared_and_idempotent() -> None:
    multi = opened()
    await asyncio.gather(multi.ready(), multi.ready())
    await multi.ready()
    await multi.close()


async def test_close_really_closes(tmp_path: Path) -> None:
    multi = opened(tmp_path / "db")
    await multi.ready()
    writer = await multi.writer("local")
    with multi.events() as added:
        await asyncio.gather(multi.close(), multi.close())
        assert [event async for event in added] == []
    assert multi.key == ROOT  # in JS it is gone
    assert multi.feeds() == []
    assert writer.closed
    with pytest.raises(ClosedError):
        await writer.append(1)
    for call in (multi.writer("x"), multi.ready()):
        with pytest.raises(ClosedError):
            await call
    with pytest.raises(ClosedError):
        multi.replicate(True)  # noqa: FBT003
    async with opened(tmp_path / "db"):
        pass  # nothing holds the folder


async def test_closing_a_shared_store_user_leaves_the_store_open() -> None:
    async with Corestore(memory()) as store:
        other = await store.default()
        one, two = opened(store), opened(store, key=OTHER_ROOT)
        await one.ready()
        await two.ready()
        first, second = await one.writer("w"), await two.writer("w")
        await one.close()
        assert (first.closed, second.closed, other.closed) == (True, False, False)
        async with opened(store) as again:
            assert [feed.key for feed in again.feeds()] == [first.key]
            assert (await again.writer("w")).writable
        await two.close()


async def test_close_while_opening_and_while_writing() -> None:
    multi = opened()
    opening = asyncio.create_task(multi.ready())
    await asyncio.sleep(0)
    await multi.close()
    await asyncio.gather(opening, return_exceptions=True)
    multi = opened()
    await multi.ready()
    writing = asyncio.create_task(multi.writer("x"))
    await asyncio.sleep(0)
    await multi.close()
    (outcome,) = await asyncio.gather(writing, return_exceptions=True)
    assert isinstance(outcome, (Hypercore, ClosedError, asyncio.CancelledError))


# --- writers


async def test_unnamed_writers_are_new_each_time_and_survive(tmp_path: Path) -> None:
    async with opened(tmp_path) as multi:
        keys = [(await multi.writer()).key for _ in range(3)]
        assert len(set(keys)) == 3
        assert [entry["name"] for entry in await entries(multi)] == ["0", "1", "2"]
        named = await multi.writer("0")  # not the first unnamed one
        assert named.key not in keys
    async with opened(tmp_path) as multi:
        assert [feed.key for feed in multi.feeds()] == [*keys, named.key]
        assert all(feed.writable for feed in multi.feeds())
        assert (await multi.writer("0")).key == named.key
        assert (await multi.writer()).key not in keys


async def test_names_of_others_never_name_a_writer(tmp_path: Path) -> None:
    async with opened(tmp_path) as ours, opened() as theirs:
        mine, yours = await ours.writer("a"), await theirs.writer("b")
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        copy = await feed_of(ours, yours.key)
        writer = await ours.writer("1")
        assert writer is not copy
        assert writer.writable
        assert [entry["name"] for entry in await entries(ours)] == ["a", "1", "1"]
        await left.close()
        await joined
    async with opened(tmp_path) as ours:
        assert (await ours.writer("1")).key == writer.key
        assert (await ours.writer("a")).key == mine.key


async def test_number_of_a_remote_feed_does_not_repeat_a_writers_name() -> None:
    async with opened() as ours, opened() as theirs:
        await ours.writer("1")
        yours = await theirs.writer("b")
        with ours.events() as added:
            joined = asyncio.create_task(link(*streams(ours, theirs)))
            event = await anext(added)
        assert (event.name, event.feed.key) == ("2", yours.key)
        await ours.close()
        await joined


async def test_thousand_callers_get_one_feed() -> None:
    async with opened() as multi:
        feeds = await asyncio.gather(*(multi.writer("same") for _ in range(1000)))
        assert len({id(feed) for feed in feeds}) == 1
        assert len(multi.feeds()) == len(await entries(multi)) == 1


@pytest.mark.parametrize(
    "name", ["", "x" * 1025, "a\x00b", "tab\t", "\x7f", "e\u0301", "\ud800", "é" * 513]
)
async def test_unusable_names_are_refused(name: str) -> None:
    async with opened() as multi:
        with pytest.raises(ValueError, match="name"):
            await multi.writer(name)
        assert multi.feeds() == []


@pytest.mark.parametrize("name", ["../x", "a/b", "é", "🎈", "x" * 1024, " ", "undefined", "1"])
async def test_odd_names_are_names_and_never_paths(name: str, tmp_path: Path) -> None:
    async with opened(tmp_path / "db") as multi:
        key = (await multi.writer(name)).key
    assert {path.parts[0] for path in contents(tmp_path)} == {"db"}
    async with opened(tmp_path / "db") as multi:
        assert (await multi.writer(name)).key == key


async def test_writer_with_a_key_pair(tmp_path: Path) -> None:
    other = KeyPair.from_seed(b"\x22" * 32)
    async with opened(tmp_path) as multi:
        writer = await multi.writer("moose", key_pair=PAIR)
        assert (writer.key, writer.secret_key) == (PAIR.public_key, PAIR.secret_key)
        assert await multi.writer("moose") is writer
        assert await multi.writer("moose", key_pair=PAIR) is writer
        with pytest.raises(ValueError, match="another key pair"):
            await multi.writer("moose", key_pair=other)
        unnamed = await multi.writer(key_pair=other)
        assert unnamed.key == other.public_key
        assert await multi.writer(key_pair=other) is unnamed
        assert len(multi.feeds()) == 2
    async with opened(tmp_path) as multi:
        assert (await multi.writer("moose")).key == PAIR.public_key
        assert (await multi.writer(key_pair=other)).key == other.public_key
        assert all(feed.writable for feed in multi.feeds())
        assert len(multi.feeds()) == 2


async def test_feed_looks_up_by_bytes_and_hex_only() -> None:
    async with opened() as multi:
        feed = await multi.writer("x")
        assert multi.feed(feed.key) is multi.feed(feed.key.hex()) is feed
        assert multi.feed(feed.discovery_key) is None
        with pytest.raises(ValueError, match="key"):
            multi.feed("x")


async def test_feeds_is_a_snapshot_in_order_of_arrival() -> None:
    async with opened() as multi:
        first = await multi.writer("z")
        snapshot = multi.feeds()
        second = await multi.writer("a")
        assert snapshot == [first]
        assert multi.feeds() == [first, second]


async def test_events_of_stored_feeds_come_at_ready(tmp_path: Path) -> None:
    async with opened(tmp_path) as multi:
        keys = [(await multi.writer(name)).key for name in "ab"]
    multi = opened(tmp_path)
    with multi.events() as added:
        await multi.ready()
        found = [(event.name, event.feed.key) for event in added.fetch()]
    assert found == list(zip("ab", keys, strict=True))
    assert all(feed.length == 0 for feed in multi.feeds())  # that is: open
    await multi.close()


async def test_own_core_class_and_encoding() -> None:
    class Core(Hypercore):
        pass

    async with Multifeed(memory(), key=ROOT, hypercore=Core, value_encoding="utf-8") as multi:
        writer = await multi.writer("x")
        assert isinstance(writer, Core)
        await writer.append("é")
        assert writer.byte_length == 2


# --- storage


async def test_damaged_entries_of_the_list_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as multi:
        good = await multi.writer("good")
    name = f"@multifeed:{ROOT.hex()}:@multifeed:persist".encode()
    bad: list[Any] = [
        None,
        5,
        [],
        {},
        {"key": "zz", "name": "x"},
        {"key": "AB" * 32, "name": "x"},
        {"key": "ab" * 32},
        {"key": "ab" * 32, "name": 5},
        {"key": good.key.hex(), "name": "twice"},
    ]
    async with Corestore(tmp_path) as store:
        core = await store.open(CoreRequest(name=name))
        await core.extend([json.dumps(entry).encode() for entry in bad] + [b"nope", b"\xff"])
    async with opened(tmp_path) as multi:
        assert [feed.key for feed in multi.feeds()] == [good.key]
        assert await multi.writer("good") is multi.feeds()[0]
    assert len(caplog.records) == len(bad) - 1 + 2


async def test_folder_of_another_root_key_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path, key=OTHER_ROOT) as multi:
        topic = multi.discovery_key.hex()
        await multi.writer("x")
    before = contents(tmp_path)
    with pytest.raises(StorageError, match="another root key") as caught:
        await opened(tmp_path).ready()
    assert topic[:16] in str(caught.value)
    assert OTHER_ROOT.hex() not in str(caught.value)  # it is a secret
    assert before == contents(tmp_path)
    async with Corestore(tmp_path) as store, opened(store) as multi:  # kept side by side on purpose
        await multi.writer("y")
    for root in (ROOT, OTHER_ROOT):
        async with opened(tmp_path, key=root) as multi:
            assert len(multi.feeds()) == 1


async def test_crash_before_the_list_was_made_is_no_other_root_key() -> None:
    factory = memory()
    async with Corestore(factory) as store:
        name = f"@multifeed:{ROOT.hex()}:@multifeed:persist"
        folder = core_folder(discovery_key(store.cores.derive(name).public_key))
        content = encode_name_file(name.encode())
        store.cores.storage.commit([Write(f"{folder}name", 0, content)])
    async with opened(factory) as multi:
        await multi.writer("x")


async def test_folder_with_other_cores_is_no_error(tmp_path: Path) -> None:
    async with Corestore(tmp_path) as store:
        await store.default()
    async with opened(tmp_path) as multi:
        assert multi.feeds() == []


async def test_failed_append_to_the_list_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as multi:

        async def fail(_values: object) -> None:
            raise StorageError("disk full")

        monkeypatch.setattr(multi._list, "extend", fail)
        with pytest.raises(StorageError, match="disk full"):
            await multi.writer("x")
        assert multi.feeds() == []
        monkeypatch.undo()
        await multi.writer("x")
        assert len(multi.feeds()) == 1


# --- replication


async def synced(left: Multifeed, right: Multifeed, **options: Any) -> None:
    await link(*streams(left, right, live=False, **options))


async def test_not_live_ends_with_equal_sets_and_blocks() -> None:
    async with opened() as ours, opened() as theirs:
        for multi, names in ((ours, "ab"), (theirs, "cde")):
            for name in names:
                await (await multi.writer(name)).extend([name, name])
        await synced(ours, theirs)
        assert {f.key for f in ours.feeds()} == {f.key for f in theirs.feeds()}
        for multi in (ours, theirs):
            assert [feed.downloaded() for feed in multi.feeds()] == [2] * 5
        await synced(ours, theirs)  # and once more with nothing to do


async def test_upload_and_download_switches() -> None:
    async with opened() as ours, opened() as theirs:
        mine, yours = await ours.writer("a"), await theirs.writer("b")
        await mine.append(1)
        await yours.append(2)
        left = ours.replicate(True, live=False, download=False)  # noqa: FBT003
        await link(left, theirs.replicate(False, live=False))  # noqa: FBT003
        assert (await feed_of(ours, yours.key)).downloaded() == 0
        assert (await feed_of(theirs, mine.key)).downloaded() == 1
        left = ours.replicate(True, live=False, upload=False)  # noqa: FBT003
        await mine.append(3)
        await link(left, theirs.replicate(False, live=False))  # noqa: FBT003
        assert (await feed_of(ours, yours.key)).downloaded() == 1
        assert (await feed_of(theirs, mine.key)).downloaded() == 1


async def test_remote_feeds_fires_for_every_batch() -> None:
    async with opened() as ours, opened() as theirs:
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        assert list(await left.remote_feeds()) == []
        writer = await theirs.writer("x")
        assert [feed.key for feed in await left.remote_feeds()] == [writer.key]
        await left.close()
        await joined


async def test_many_feeds_cost_little_memory() -> None:
    count = 150
    async with opened() as ours, opened() as theirs:
        await asyncio.gather(*(ours.writer(str(number)) for number in range(count)))
        left, right = streams(ours, theirs)
        tracemalloc.start()
        try:
            joined = asyncio.create_task(link(left, right))
            while len(await right.remote_feeds()) < count:
                pass
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Both ends of the channels, and the feeds with their files on one side.
        assert kept / count < 50_000
        await left.close()
        await joined


async def test_closing_a_multifeed_ends_its_own_streams_cleanly() -> None:
    async with opened() as ours, opened() as theirs:
        left, right = streams(ours, theirs)
        joined = asyncio.create_task(link(left, right))
        await left.remote_feeds()
        await ours.close()
        await joined
        assert right.closed


# --- policy


async def exchanged(ours: Multifeed, theirs: Multifeed, **options: Any) -> None:
    left = ours.replicate(True)  # noqa: FBT003
    right = theirs.replicate(False, **options)  # noqa: FBT003
    joined = asyncio.create_task(link(left, right))
    await left.remote_feeds()
    await left.close()
    await joined


async def test_policy_sees_key_peer_and_hints() -> None:
    asked: list[tuple[bytes, Peer, Mapping[str, Any]]] = []

    def accept(key: bytes, peer: Peer, hints: Mapping[str, Any]) -> bool:
        asked.append((key, peer, hints))
        return key == wanted.key

    async with opened() as theirs, opened(accept=accept) as ours:
        wanted, other = await theirs.writer("a"), await theirs.writer("b")
        await exchanged(ours, theirs, user_data={"who": "them"})
        assert [feed.key for feed in ours.feeds()] == [wanted.key]
    assert [key for key, _, _ in asked] == [wanted.key, other.key]
    for _, peer, hints in asked:
        assert peer.user_data == {"who": "them"}
        assert peer.public_key is not None
        assert len(peer.public_key) == 32
        assert hints == {}


async def slow_yes(*_: object) -> bool:
    await asyncio.sleep(0)
    return True


async def never(*_: object) -> bool:
    await asyncio.Event().wait()
    return True


def raising(*_: object) -> bool:
    raise RuntimeError("broken policy")


async def raising_later(*_: object) -> bool:
    await asyncio.sleep(0)
    raise RuntimeError("broken policy")


@pytest.mark.parametrize(
    ("accept", "count"),
    [
        (slow_yes, 3),
        (lambda *_: True, 3),
        (lambda *_: False, 0),
        (lambda *_: 1, 0),
        (lambda *_: "yes", 0),
        (lambda *_: None, 0),
        (lambda: True, 0),
        (raising, 0),
        (raising_later, 0),
        (never, 0),
    ],
)
async def test_anything_but_true_means_no(
    accept: Callable[..., Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if accept is never:
        monkeypatch.setattr(multifeed_module, "ACCEPT_TIMEOUT_S", 0.01)
    async with opened() as theirs, opened(accept=accept) as ours:
        for name in "abc":
            await theirs.writer(name)
        await exchanged(ours, theirs)
        assert len(ours.feeds()) == count


async def test_policy_is_not_asked_again_for_feeds_taken() -> None:
    answers = {"open": True}
    async with opened() as theirs, opened(accept=lambda *_: answers["open"]) as ours:
        first = await theirs.writer("a")
        await exchanged(ours, theirs)
        answers["open"] = False
        await theirs.writer("b")
        await first.append(1)
        await synced(ours, theirs)
        assert [feed.key for feed in ours.feeds()] == [first.key]
        assert ours.feeds()[0].downloaded() == 1


async def test_a_policy_that_has_changed_its_mind_is_asked_again() -> None:
    trusted: set[bytes] = set()
    asked: list[Mapping[str, Any]] = []

    def accept(key: bytes, _peer: Peer, hints: Mapping[str, Any]) -> bool:
        asked.append(hints)
        return key in trusted

    async with opened() as theirs, opened(accept=accept) as ours:
        first, second = await theirs.writer("a"), await theirs.writer("b")
        await first.append(1)
        left, right = theirs.replicate(initiator=True), ours.replicate(initiator=False)
        linked = asyncio.ensure_future(link(left, right))
        assert list(await right.remote_feeds()) == []  # all were refused
        ours.reconsider()
        assert list(await right.remote_feeds()) == []
        trusted.add(first.key)
        ours.reconsider()
        (feed,) = await right.remote_feeds()
        assert (feed.key, await feed.get(0)) == (first.key, 1)
        trusted.add(second.key)
        ours.reconsider()
        assert [feed.key for feed in await right.remote_feeds()] == [second.key]
        before = len(asked)
        ours.reconsider()  # nothing is left to ask about
        assert len(asked) == before == 7
        await left.close()
        await linked


async def test_what_is_being_decided_is_asked_again_too() -> None:
    minds = ["old"]
    thinking, thought = asyncio.Event(), asyncio.Event()

    async def accept(*_: object) -> bool:
        mind = minds[-1]
        thinking.set()
        await thought.wait()
        return mind == "new"

    async with opened() as theirs, opened(accept=accept) as ours:
        feed = await theirs.writer("a")
        left, right = theirs.replicate(initiator=True), ours.replicate(initiator=False)
        linked = asyncio.ensure_future(link(left, right))
        await thinking.wait()
        minds.append("new")
        ours.reconsider()  # the answer to come is of the old mind
        thought.set()
        assert list(await right.remote_feeds()) == []
        assert [one.key for one in await right.remote_feeds()] == [feed.key]
        await left.close()
        await linked


async def test_quota_of_a_multifeed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as theirs, opened() as ours:
        for name in "abcde":
            await theirs.writer(name)
        monkeypatch.setattr(multifeed_module, "FEEDS_MAX", 3)
        await exchanged(ours, theirs)
        assert len(ours.feeds()) == 3
        await ours.writer("mine")  # our own are not limited


async def test_refused_feeds_leave_nothing_on_disk() -> None:
    factory = memory()
    async with opened() as theirs, opened(factory, accept=lambda *_: False) as ours:
        for number in range(20):
            await theirs.writer(str(number))
        before = ours.corestore.cores.storage.list_files()
        await exchanged(ours, theirs)
        assert ours.corestore.cores.storage.list_files() == before


def _bounded(test: Callable[..., Any]) -> Callable[..., Any]:
    """No test waits for time to pass; this only ends one that hangs."""

    @functools.wraps(test)
    async def run(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(SAFETY_S):
            await test(*arguments, **named)

    return run


for _name, _test in list(globals().items()):
    if _name.startswith("test_") and inspect.iscoroutinefunction(_test):
        globals()[_name] = _bounded(_test)
