from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from hypermultifeed import StorageLockedError
from pkgstats.group import SEARCH_KINDS, Group, GroupError
from pkgstats.search.engine import Search
from pkgstats.view.reading import View

from .nodes import DEADLINE_S, fill, node, rows, until

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.node import Node


def packages(one: Node) -> int:
    with View.open(one.view_path) as view:
        return view.counts().packages


def cards(one: Node) -> int:
    with View.open(one.view_path) as view:
        return sum(facts.card is not None for facts in view.writers())


def view_hash(one: Node) -> bytes:
    with View.open(one.view_path) as view:
        return view.view_hash()


async def test_alone_one_sees_what_one_writes_and_after_a_restart_too(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        await fill(one, "me", rows("a", 5))
        await one.catch_up()
        assert packages(one) == 5
        assert one.network is None
        assert one.addresses == []
    assert packages(one) == 5
    async with node(tmp_path, group, alone=True) as again:
        await again.catch_up()
        assert packages(again) == 5


async def test_who_is_not_admitted_sees_the_own_words_after_a_restart_too(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    member = Group(Group.create(tmp_path / "owner").key)
    async with node(tmp_path / "one", member, alone=True) as one:
        await fill(one, "me", rows("a", 5))
    async with node(tmp_path / "one", member, alone=True) as again:
        await again.catch_up()
        assert packages(again) == 5


async def test_the_search_follows_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed = asyncio.Event()
    refresh = Search.refresh

    async def refresh_and_tell(search: Search) -> None:
        await refresh(search)
        refreshed.set()

    monkeypatch.setattr(Search, "refresh", refresh_and_tell)
    async with (
        asyncio.timeout(DEADLINE_S),
        node(tmp_path, Group.create(tmp_path), alone=True) as one,
    ):
        await refreshed.wait()
        for name in ("early", "late"):
            await fill(one, "me", rows(name, 1))
            refreshed.clear()
            while (await one.search.search(f"{name}-0")).exact is None:
                await refreshed.wait()
                refreshed.clear()


async def test_two_writers_and_a_reader_see_the_same(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    member = Group(group.key)
    async with (
        node(tmp_path / "one", member) as one,
        node(tmp_path / "two", member) as two,
        node(tmp_path / "owner", group, one, two) as owner,
    ):
        keys = [await fill(one, "one", rows("a", 1000)), await fill(two, "two", rows("b", 700))]
        for key in keys:
            await owner.membership.admit(key)
        await until(owner, lambda: packages(owner) == 1700)
        for writer in (one, two):
            await until(writer, lambda writer=writer: packages(writer) == 1700)  # type: ignore[misc]
        assert len({view_hash(each) for each in (one, two, owner)}) == 1


async def test_nobody_is_believed_before_being_admitted_nor_after_being_revoked(
    tmp_path: Path,
) -> None:
    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    async with (
        node(tmp_path / "owner", group) as owner,
        node(tmp_path / "writer", Group(group.key), owner) as writer,
        node(tmp_path / "reader", Group(group.key), owner, kinds=SEARCH_KINDS) as reader,
    ):
        for each in (owner, writer, reader):
            each.indexer._pause_s = 0
        key = await fill(writer, "writer", rows("a", 10))
        await fill(owner, "owner", rows("o", 3))
        await until(reader, lambda: packages(reader) == 3)
        assert reader.multis.keys() == {"meta", "index"}
        await owner.membership.admit(key)
        await until(reader, lambda: packages(reader) == 13)
        await owner.membership.revoke(key, {})
        await until(reader, lambda: packages(reader) == 3)
        await owner.membership.admit(key)
        await until(reader, lambda: packages(reader) == 13)
        await owner.membership.revoke(key)  # what was here counts on; what comes does not
        await fill(writer, "writer", rows("later", 10))
        await fill(owner, "owner", rows("p", 1))
        await until(reader, lambda: packages(reader) == 14)


async def test_a_writer_keeps_its_title(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        await one.write("chosen")
    async with node(tmp_path, group, alone=True) as one:
        writer = await one.own_writer()
        assert await one.own_writer() is writer
        card = await writer.card()
        assert card is not None
        assert card.title == "chosen"


async def test_the_crawler_is_opened_when_it_is_needed_and_closed_with_the_node(
    tmp_path: Path,
) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        assert not any(feed.writable for feed in one.multis["index"].feeds())
        crawling, again = await asyncio.gather(one.crawling(), one.crawling())
        assert crawling is again
        assert one.writer is not None
        assert crawling.memory.told("react") is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        crawling.memory.told("react")


async def test_who_has_no_feeds_for_it_does_not_crawl(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, kinds=SEARCH_KINDS, alone=True) as one:
        with pytest.raises(GroupError, match="without --search-only"):
            await one.crawling()


async def test_who_is_set_aside_counts_no_more_until_it_is_forgiven(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    async with (
        node(tmp_path / "owner", group) as owner,
        node(tmp_path / "writer", Group(group.key), owner) as writer,
    ):
        owner.indexer._pause_s = 0
        key = await fill(writer, "writer", rows("a", 10))
        await owner.membership.admit(key)
        await until(owner, lambda: packages(owner) == 10)
        for _ in range(100):
            await owner.note_check(key, wrong=True)
        await owner.catch_up()
        assert packages(owner) == 0
        with pytest.raises(GroupError, match="nothing was heard"):
            await owner.forgive(bytes(32))
        await owner.forgive(key)
        assert packages(owner) == 10


async def test_who_is_set_aside_is_heard_and_can_do_better(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    async with node(tmp_path / "writer", Group(group.key)) as writer:
        key = await fill(writer, "writer", rows("a", 10))
        async with node(tmp_path / "owner", group, writer, kinds=["meta"]) as owner:
            await owner.membership.admit(key)
            await until(owner, lambda: cards(owner) == 1)
            for number in range(100):
                await owner.note_check(key, wrong=number < 2)
            await owner.catch_up()
        async with node(tmp_path / "owner", group, writer, kinds=SEARCH_KINDS) as owner:
            index = owner.multis["index"]
            async with asyncio.timeout(DEADLINE_S):
                with index.events() as added:
                    feed = index.feeds()[0] if index.feeds() else (await anext(added)).feed
                await feed.get(0)
            await owner.catch_up()
            assert packages(owner) == 0, "it was offered anew, and does not count"
            for _ in range(100):
                await owner.note_check(key, wrong=False)
            await owner.catch_up()
            assert packages(owner) == 10


async def test_a_folder_is_open_once(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True):
        with pytest.raises(StorageLockedError):
            await node(tmp_path, group, alone=True).__aenter__()


async def test_a_view_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    group = Group.create(tmp_path)
    async with node(tmp_path, group, alone=True) as one:
        await fill(one, "me", rows("a", 5))
        await one.catch_up()
    one.view_path.write_bytes(b"no database" * 1000)
    async with node(tmp_path, group, alone=True) as again:
        await again.catch_up()
        assert packages(again) == 5


async def test_errors_of_the_block_come_out_as_they_are_and_so_do_those_in_the_background(
    tmp_path: Path,
) -> None:
    group = Group.create(tmp_path)
    with pytest.raises(KeyError):
        async with node(tmp_path, group, alone=True):
            raise KeyError

    async def fail() -> None:
        raise OSError("the disk is full")

    async def wait_in_vain() -> None:
        async with node(tmp_path, group, alone=True) as one:
            one.spawn(fail())
            await until(one, lambda: False)

    with pytest.raises(OSError, match="full"):
        await wait_in_vain()


async def test_readers_see_the_same_whatever_came_first_and_who_is_left(tmp_path: Path) -> None:
    (tmp_path / "owner").mkdir()
    group = Group.create(tmp_path / "owner")
    member = Group(group.key)
    async with AsyncExitStack() as writing:
        one = await writing.enter_async_context(node(tmp_path / "one", member))
        two = await writing.enter_async_context(node(tmp_path / "two", member))
        owner = await writing.enter_async_context(node(tmp_path / "owner", group, one, two))
        async with node(tmp_path / "first", member, one) as first:  # sees one before two
            await owner.membership.admit(await fill(one, "one", rows("a", 300), now=2))
            await until(first, lambda: packages(first) == 300)
        await owner.membership.admit(
            await fill(two, "two", [*rows("b", 200), *rows("a", 100, 100)], now=3)
        )
        async with (
            node(tmp_path / "first", member, owner) as first,
            node(tmp_path / "second", member, two, owner) as second,
        ):
            for reader in (first, second):
                await until(reader, lambda reader=reader: packages(reader) == 500)  # type: ignore[misc]
        wanted = view_hash(owner)
    async with (
        node(tmp_path / "first", member) as first,  # all writers have gone
        node(tmp_path / "third", member, first) as third,
    ):
        await until(third, lambda: packages(third) == 500)
        await third.rebuild()
        assert {view_hash(each) for each in (first, third)} == {wanted}
        found = await third.search.search("a-5")
        assert found.exact is not None
        assert found.exact.downloads == 95  # as the second writer saw it last
    assert view_hash(node(tmp_path / "second", member, alone=True)) == wanted
