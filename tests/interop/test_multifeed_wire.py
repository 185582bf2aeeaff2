"""Multifeeds of ours and of JavaScript on one wire, whoever dials.

The titles under "upstream" are those of the original's own tests, each with a JavaScript peer on
the other side.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hypermultifeed.keys import KeyPair
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory

from .js_peer import JsPeer
from .wire import DIALLERS, Dialler, Wire, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hypermultifeed.stream import ReplicationStream

ROOT = bytes(range(32))
OTHER_ROOT = bytes(range(1, 33))
SETTLE_TIMEOUT_S = 20.0

any_dialler = pytest.mark.parametrize("dialler", DIALLERS)


def replicate(multi: Multifeed, **options: Any) -> Callable[[bool], ReplicationStream]:
    return lambda initiator: multi.replicate(initiator, **options)


def ours(**options: Any) -> Multifeed:
    return Multifeed(
        options.pop("storage", None) or memory(),
        key=options.pop("key", ROOT),
        value_encoding="json",
        **options,
    )


async def js_open(js: JsPeer, root: bytes = ROOT, **arguments: Any) -> None:
    arguments.setdefault("rootKey", root.hex())
    await js.call("open", valueEncoding="json", **arguments)


async def js_writer(js: JsPeer, name: str, *values: Any, **arguments: Any) -> str:
    key = (await js.call("writer", name=name, **arguments))["key"]
    if values:
        await js.call("append", feed=key, values=list(values), **arguments)
    return str(key)


async def write(multi: Multifeed, name: str, *values: Any) -> str:
    feed = await multi.writer(name)
    await feed.extend(values)
    return str(feed.key.hex())


async def settled(multi: Multifeed, expected: Mapping[str, list[Any]]) -> None:
    """Wait until we hold exactly these feeds with these values."""
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        with multi.events() as added:
            while len(multi.feeds()) < len(expected):
                await anext(added)
        for key, values in expected.items():
            feed = multi.feed(key)
            assert feed is not None, key
            assert [await feed.get(i) for i in range(len(values))] == values
    assert {feed.key.hex() for feed in multi.feeds()} == set(expected)


async def js_settled(js: JsPeer, expected: Mapping[str, list[Any]], **arguments: Any) -> None:
    """Wait until the JavaScript peer holds exactly these feeds with these values."""
    blocks = sum(map(len, expected.values()))
    await js.call("settle", feeds=len(expected), blocks=blocks, **arguments)
    assert await js.call("values", **arguments) == expected


# -- sets of feeds ----------------------------------------------------------------------------


@any_dialler
@pytest.mark.parametrize("writers", [1, 3, 5])
async def test_writers_on_both_sides(dialler: Dialler, writers: int) -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {}
        for n in range(writers):
            values = [{"side": "python", "n": n, "text": "Grüße 🎈\n"}, None, [1.5, -2, 1e21]]
            expected[await write(multi, f"w{n}", *values)] = values
            values = [{"side": "javascript", "n": n}] * (n + 1)
            expected[await js_writer(js, f"w{n}", *values)] = values
        async with wire(js, replicate(multi), dialler=dialler):
            await settled(multi, expected)
            await js_settled(js, expected)


@any_dialler
async def test_live_appends_and_feeds_added_while_connected(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {
            await write(multi, "w", 0): [0],
            await js_writer(js, "w", 0): [0],
        }
        mine, other = expected
        async with wire(js, replicate(multi), dialler=dialler):
            await settled(multi, expected)
            await js_settled(js, expected)
            for n in range(1, 10):
                await (await multi.writer("w")).append({"n": n})
                await js.call("append", feed=other, values=[{"n": n}])
                for values in (expected[mine], expected[other]):
                    values.append({"n": n})
                await settled(multi, expected)
                await js_settled(js, expected)
            for n in range(3):
                expected[await write(multi, f"new {n}", n, n)] = [n, n]
                expected[await js_writer(js, f"new {n}", n, n)] = [n, n]
                await settled(multi, expected)
                await js_settled(js, expected)


async def test_transitive_through_us() -> None:
    async with JsPeer("multifeed") as left, JsPeer("multifeed") as right, ours() as multi:
        await js_open(left)
        await js_open(right)
        expected: dict[str, list[Any]] = {
            await js_writer(left, "l", "left"): ["left"],
            await js_writer(right, "r", "right"): ["right"],
            await write(multi, "m", "middle"): ["middle"],
        }
        async with (
            wire(left, replicate(multi)),
            wire(right, replicate(multi), dialler="javascript"),
        ):
            for js in (left, right):
                await js_settled(js, expected)
            await settled(multi, expected)
            expected[await js_writer(left, "later", 1, 2)] = [1, 2]
            await js_settled(right, expected)


async def test_transitive_through_javascript() -> None:
    async with JsPeer("multifeed") as js, ours() as left, ours() as right:
        await js_open(js)
        expected: dict[str, list[Any]] = {
            await write(left, "l", "left"): ["left"],
            await write(right, "r", "right"): ["right"],
            await js_writer(js, "m", "middle"): ["middle"],
        }
        async with wire(js, replicate(left)), wire(js, replicate(right), dialler="javascript"):
            for multi in (left, right):
                await settled(multi, expected)
            await js_settled(js, expected)
            expected[await write(left, "later", 1, 2)] = [1, 2]
            await settled(right, expected)


@pytest.mark.parametrize("js_spelling", ["rootKey", "encryptionKey"])
@pytest.mark.parametrize("our_spelling", ["key", "encryption_key"])
async def test_both_spellings_of_the_root_key(js_spelling: str, our_spelling: str) -> None:
    ours_named: dict[str, Any] = {our_spelling: ROOT}
    theirs_named: dict[str, Any] = {js_spelling: ROOT.hex()}
    async with (
        JsPeer("multifeed") as js,
        Multifeed(memory(), value_encoding="json", **ours_named) as multi,
    ):
        await js.call("open", valueEncoding="json", **theirs_named)
        expected: dict[str, list[Any]] = {
            await write(multi, "w", 1): [1],
            await js_writer(js, "w", 2): [2],
        }
        async with wire(js, replicate(multi)):
            await settled(multi, expected)
            await js_settled(js, expected)


async def test_several_multifeeds_on_one_connection() -> None:
    async with JsPeer("multifeed") as js, ours() as first, ours(key=OTHER_ROOT) as second:
        await js_open(js, multifeed="a")
        await js_open(js, OTHER_ROOT, multifeed="b")
        one = {
            await write(first, "w", 1): [1],
            await js_writer(js, "w", 10, multifeed="a"): [10],
        }
        two = {
            await write(second, "w", 2): [2],
            await js_writer(js, "w", 20, multifeed="b"): [20],
        }

        def make(initiator: bool) -> ReplicationStream:
            return second.replicate(initiator, stream=first.replicate(initiator))

        async with wire(js, make, multifeeds=["a", "b"]):
            await settled(first, one)
            await settled(second, two)
            await js_settled(js, one, multifeed="a")
            await js_settled(js, two, multifeed="b")


async def test_reconnecting_brings_what_was_missed() -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {
            await write(multi, "w", 0): [0],
            await js_writer(js, "w", 0): [0],
        }
        mine, other = expected
        for n in range(1, 4):
            async with wire(js, replicate(multi)):
                await settled(multi, expected)
                await js_settled(js, expected)
            await (await multi.writer("w")).append(n)
            await js.call("append", feed=other, values=[n])
            expected[mine].append(n)
            expected[other].append(n)
        async with wire(js, replicate(multi), dialler="javascript"):
            await settled(multi, expected)
            await js_settled(js, expected)


@any_dialler
async def test_a_multifeed_that_joins_the_connection_later(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours() as first, ours(key=OTHER_ROOT) as second:
        await js_open(js, multifeed="a")
        await js_open(js, OTHER_ROOT, multifeed="b")
        one: dict[str, list[Any]] = {await js_writer(js, "w", 10, multifeed="a"): [10]}
        two: dict[str, list[Any]] = {
            await js_writer(js, "w", 20, multifeed="b"): [20],
            await write(second, "w", 2): [2],
        }
        async with wire(js, replicate(first), dialler=dialler, multifeeds=["a", "b"]) as link:
            await settled(first, one)
            second.replicate(link.stream.initiator, stream=link.stream)
            await settled(second, two)
            await js_settled(js, two, multifeed="b")


async def test_a_policy_keeps_feeds_of_javascript_out() -> None:
    async with JsPeer("multifeed") as js:
        await js_open(js)
        wanted = await js_writer(js, "wanted", 1)
        unwanted = await js_writer(js, "unwanted", 2)
        asked, trusted = [], {wanted}

        def accept(key: bytes, *_: Any) -> bool:
            asked.append(key.hex())
            return key.hex() in trusted

        async with ours(accept=accept) as multi, wire(js, replicate(multi)):
            await settled(multi, {wanted: [1]})
            mine = await write(multi, "mine", 3)
            await js_settled(js, {wanted: [1], unwanted: [2], mine: [3]})
            assert {feed.key.hex() for feed in multi.feeds()} == {wanted, mine}
            trusted.add(unwanted)
            multi.reconsider()
            await settled(multi, {wanted: [1], unwanted: [2], mine: [3]})
        assert set(asked) == {wanted, unwanted}


# -- upstream ---------------------------------------------------------------------------------


async def ended(link: Wire) -> None:
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        await asyncio.shield(link.run)
    assert (await link.js_end())["error"] is None


@any_dialler
async def test_replicate_two_multifeeds_one_empty(dialler: Dialler) -> None:
    for writer in ("python", "javascript"):
        async with JsPeer("multifeed") as js, ours() as multi:
            await js_open(js)
            key = await (write(multi, "w", 1) if writer == "python" else js_writer(js, "w", 1))
            async with wire(
                js, replicate(multi, live=False), dialler=dialler, options={"live": False}
            ) as link:
                if writer == "javascript":
                    await link.stream.remote_feeds()
                await ended(link)
            await settled(multi, {key: [1]})
            await js_settled(js, {key: [1]})


@any_dialler
async def test_replicate_two_empty_multifeeds(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        async with wire(
            js, replicate(multi, live=False), dialler=dialler, options={"live": False}
        ) as link:
            assert list(await link.stream.remote_feeds()) == []
            await ended(link)
        assert list(multi.feeds()) == []
        assert await js.call("feeds") == []


@any_dialler
async def test_replicate_two_multifeeds(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {await write(multi, "w", "bar"): ["bar"]}
        expected[await js_writer(js, "w", "foo")] = ["foo"]
        with multi.events() as added:
            async with wire(
                js, replicate(multi, live=False), dialler=dialler, options={"live": False}
            ) as link:
                await link.stream.remote_feeds()
                await ended(link)
            event = await anext(added)
        assert event.feed.key.hex() == list(expected)[1]
        await settled(multi, expected)
        await js_settled(js, expected)


@any_dialler
async def test_multifeed_with_no_writer_fetches_many_blocks(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {
            await js_writer(js, "many", *range(1000)): list(range(1000)),
            await js_writer(js, "few", *range(10)): list(range(10)),
        }
        async with wire(
            js, replicate(multi, live=False), dialler=dialler, options={"live": False}
        ) as link:
            await ended(link)
        await settled(multi, expected)


async def test_javascript_with_no_writer_fetches_many_blocks() -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        expected: dict[str, list[Any]] = {
            await write(multi, "many", *range(1000)): list(range(1000)),
            await write(multi, "few", *range(10)): list(range(10)),
        }
        async with wire(js, replicate(multi)):
            await js_settled(js, expected)


async def test_can_create_writer_with_custom_key_pair() -> None:
    pair, theirs = KeyPair.from_seed(b"\x05" * 32), KeyPair.from_seed(b"\x06" * 32)
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        feed = await multi.writer("mine", key_pair=pair)
        await feed.append(1)
        assert feed.key == pair.public_key
        key = await js_writer(js, "w", 2, secretKey=theirs.secret_key.hex())
        assert key == theirs.public_key.hex()
        async with wire(js, replicate(multi)):
            expected: dict[str, list[Any]] = {pair.public_key.hex(): [1], key: [2]}
            await settled(multi, expected)
            await js_settled(js, expected)


@any_dialler
async def test_multifeeds_with_different_root_keys_cannot_replicate(dialler: Dialler) -> None:
    async with JsPeer("multifeed") as js, ours(key=OTHER_ROOT) as multi:
        await js_open(js)
        await js_writer(js, "w", 1)
        await write(multi, "w", 2)
        async with wire(js, replicate(multi), dialler=dialler, options={"timeout": 500}) as link:
            end = await link.js_end()
            assert end["error"]["message"] == "Multifeed handshake remote timeout"
        assert len(multi.feeds()) == 1
        assert len(await js.call("feeds")) == 1


async def test_a_cut_connection_is_followed_by_a_good_one() -> None:
    async with JsPeer("multifeed") as js, ours() as multi:
        await js_open(js)
        async with wire(js, replicate(multi)) as link:
            await js.call("disconnect", connection=link.connection)
            await link.our_error()
        async with wire(js, replicate(multi)):
            key = await js_writer(js, "w", 1)
            await settled(multi, {key: [1]})


async def test_feed_is_announced_once(tmp_path: Path) -> None:
    async with JsPeer("multifeed") as js:
        await js_open(js)
        key = await js_writer(js, "w", 1)
        for known in (False, True):
            async with ours(storage=tmp_path / "db") as multi:
                assert (multi.feed(key) is not None) == known
                async with wire(js, replicate(multi)):
                    await settled(multi, {key: [1]})
