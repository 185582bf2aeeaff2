from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.pkgstats.fake_registry import faults

from pkgstats.crawler.follow import POLL_S, Event, Follower
from pkgstats.crawler.sources import Sources
from pkgstats.sources.limiter import Limiter

from .world import Clock, addresses, fake, member, populate

if TYPE_CHECKING:
    from pathlib import Path


async def drain(follower: Follower) -> None:
    while await follower.round():
        pass


async def test_it_follows_what_changes_from_now_on(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        follower = Follower(one.crawler, one.view)
        populate(registry, "a", "b")
        await follower.changes()
        assert await follower.round() is False
        registry.npm.publish("b", "1.0.1")
        registry.npm.publish("@s/new")
        await follower.changes()
        assert one.memory.pending(9) == ["b", "@s/new"]
        await drain(follower)
        await one.node.catch_up()
        assert one.view.package("@s/new") is not None
        assert one.view.package("a") is None
        assert one.memory.pending(9) == []
        registry.npm.unpublish("b")
        await follower.changes()
        await drain(follower)
        await one.node.catch_up()
        assert one.view.package("b").state == "hidden"  # type: ignore[union-attr]


async def test_when_the_sequence_begins_anew_all_names_are_compared(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        follower = Follower(one.crawler, one.view)
        await follower.changes()
        populate(registry, "a", "b")
        registry.npm.publish("a", "1.0.1")
        await follower.changes()
        await drain(follower)
        await one.node.catch_up()
        del registry.npm.packages["b"]
        registry.npm.publish("c")
        registry.npm.changes = registry.npm.changes[-1:]
        registry.npm.reset_sequence()
        await follower.changes()
        assert one.memory.pending(9) == ["b", "c"]
        assert one.memory.sequence() == "1"


async def test_what_is_watched_is_looked_at_each_week(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, "a")
        follower = Follower(one.crawler, one.view)
        one.memory.watch(["a"])
        await drain(follower)
        asked = len(registry.asked)
        assert any(target.startswith("/versions/a") for target in registry.asked)
        clock.now += 6 * 86_400
        assert await follower.round() is False
        clock.now += 86_400
        registry.npm.today += 7
        await drain(follower)
        assert len(registry.asked) > asked
        await one.node.catch_up()
        assert len(one.view.weeks("a")) == 2


async def run_for(follower: Follower, events: int, seen: list[Event]) -> None:
    task = asyncio.create_task(follower.run())
    while len(seen) < events:  # noqa: ASYNC110 - a turn of the loop, no wait
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_trouble_is_waited_out(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        seen: list[Event] = []
        populate(registry, *(f"p{number}" for number in range(9)))
        one.memory.follow("0", [f"p{number}" for number in range(9)])
        registry.script("/p", faults.hang_up(), times=5 * 3)
        began = clock.now
        follower = Follower(one.crawler, one.view, on_event=seen.append, sleep=clock.sleep)
        await run_for(follower, 3, seen)
        assert [event.what for event in seen[:3]] == ["changes", "trouble", "crawled"]
        assert clock.now - began >= POLL_S


async def test_changes_that_do_not_answer_hold_up_nothing_and_are_tried_again(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        seen: list[Event] = []
        registry.script("/registry/", faults.hang_up(), times=3 * 2)
        populate(registry, "a")
        one.memory.watch(["a"])
        follower = Follower(one.crawler, one.view, on_event=seen.append, sleep=clock.sleep)
        await run_for(follower, 7, seen)
        whats = [event.what for event in seen]
        assert whats[:5] == ["trouble", "crawled", "crawled", "crawled", "idle"]
        assert registry.asked_of()["changes"] == 3 + 3 + 1, "not after each round"
        assert "no changes" in seen[0].text
        assert set(whats[5:]) == {"idle"}, "said once"
        assert one.memory.sequence(), "and then they answered"


async def test_without_an_address_of_changes_all_comes_by_its_turn(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a")
        one.memory.watch(["a"])
        one.crawler.sources = Sources.of(
            one.crawler.sources.client, replace(addresses(registry), changes=None)
        )
        seen: list[Event] = []
        clock = one.clock
        follower = Follower(one.crawler, one.view, on_event=seen.append, sleep=clock.sleep)
        await run_for(follower, 6, seen)
        assert "PKGSTATS_CHANGES" in seen[0].text
        assert [event.what for event in seen].count("trouble") == 1
        assert one.memory.told("a")


async def test_the_day_ends_and_the_next_one_begins(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, "a")
        one.memory.watch(["a"])
        one.crawler.sources.client.limiter = Limiter(clock(), day_max=2)
        seen: list[Event] = []
        follower = Follower(one.crawler, one.view, on_event=seen.append, sleep=clock.sleep)
        began = clock.now
        await run_for(follower, 1, seen)
        assert seen[0].what == "idle"
        assert clock.now // 86_400 == began // 86_400 + 1


async def test_what_is_private_is_not_followed(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        scopes = {"work": "http://127.0.0.1:9"}
        private = replace(addresses(registry), scopes=scopes)
        one.crawler.sources = Sources.of(one.crawler.sources.client, private)
        follower = Follower(one.crawler, one.view)
        await follower.changes()
        populate(registry, "@work/secret", "a")
        await follower.changes()
        assert one.memory.pending(9) == ["a"]
        one.memory.follow("0", ["@work/before"])
        one.memory.watch(["@work/watched"])
        await drain(follower)
        assert one.memory.pending(9) == []
        assert not any("work" in target for target in registry.asked)
