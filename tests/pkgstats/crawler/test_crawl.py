from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.pkgstats.fake_registry import faults

from pkgstats.crawler import plan
from pkgstats.crawler.plan import FULL, LIGHT, Work
from pkgstats.crawler.teller import Teller
from pkgstats.records.names import WHOLE
from pkgstats.sources.errors import BudgetError, UnreachableError
from pkgstats.sources.limiter import Limiter
from pkgstats.writer import Writer

from .world import TODAY, Clock, fake, letters, member, populate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pkgstats.records.model import Known

NAMES = ("left-pad", "@s/scoped", "react")


async def test_a_crawl_says_all_and_the_next_one_nothing(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, *NAMES)
        first = await one.crawler.crawl(Work(NAMES))
        said = Counter(letters(await one.said()))
        assert said == {"P": 3, "V": 3, "N": 1, "D": 3, "W": 3, "R": 1}
        assert (first.failed, first.rows) == ({}, 3)
        again = await one.crawler.crawl(Work(NAMES))
        assert (again.said, again.rows, again.looked) == (0, 0, 9)
        assert await one.repeated() == 0
        await one.node.catch_up()
        facts = one.view.package("react")
        assert facts is not None
        assert facts.downloads == sum(300 + day for day in range(10, 40))
        assert [day.count for day in one.view.days("react")][-1] == 339
        assert one.view.weeks("react")[0].count == 3


async def test_what_changes_is_said_and_nothing_else(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, *NAMES)
        await one.crawler.crawl(Work(NAMES))
        before = len(await one.said())
        registry.npm.publish("react", "2.0.0")
        outcome = await one.crawler.crawl(Work(NAMES))
        assert outcome.said == len(await one.said()) - before == 2  # P and V
        clock.now += 86_400
        registry.npm.today += 1
        registry.npm.count("react", TODAY, [1])
        outcome = await one.crawler.crawl(Work(("react",), frozenset({"days"})))
        assert outcome.said == 2, "and the whole registry"
        tail = one.memory.tail("react")
        assert tail is not None
        assert (tail.end, tail.counts[-1]) == (TODAY + 1, 1)


async def test_a_light_look_asks_little_and_the_whole_when_the_version_is_new(
    tmp_path: Path,
) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a")
        light = Work(("a",), LIGHT)
        assert (await one.crawler.crawl(light)).said == 3
        assert [target for target in registry.asked if target.startswith("/a")] == ["/a/latest"]
        assert (await one.crawler.crawl(light)).said == 0
        registry.npm.publish("a", "1.1.0")
        await one.crawler.crawl(light)
        assert registry.asked[-1] == "/a"
        assert one.memory.told("a") is not None
        assert Counter(letters(await one.said())) == {"P": 2, "V": 2, "D": 2}


async def test_gone_packages_get_a_tombstone_that_is_taken_back_if_wrong(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a", "b")
        only = frozenset({"manifest", "versions"})
        await one.crawler.crawl(Work(("a", "b"), only))
        registry.npm.unpublish("a")
        away = registry.npm.packages.pop("b")
        outcome = await one.crawler.crawl(Work(("a", "b", "nobody"), only))
        assert (outcome.gone, outcome.unknown) == (["a", "b"], ["nobody"])
        await one.node.catch_up()
        assert one.view.package("b").state == "hidden"  # type: ignore[union-attr]
        registry.npm.packages["b"] = away
        one.clock.now += 60
        await one.crawler.crawl(Work(("b",), only))
        await one.node.catch_up()
        assert one.view.package("b").state == "here"  # type: ignore[union-attr]
        assert one.view.package("a").state == "hidden"  # type: ignore[union-attr]
        assert Counter(letters(await one.said()))["X"] == 1
        assert (await one.crawler.crawl(Work(("a", "b"), only))).said == 0


async def test_a_mirror_gives_readme_and_sizes_out_of_the_tarball(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a")
        registry.npm.publish("b", readme="")
        registry.thin = True
        outcome = await one.crawler.crawl(Work(("a", "b")))
        assert Counter(letters(await one.said())) == {"P": 2, "V": 2, "R": 1}
        assert any("PKGSTATS_DOWNLOADS" in remark for remark in outcome.remarks)
        await one.node.catch_up()
        snapshot = one.view.package("a").snapshot  # type: ignore[union-attr]
        assert snapshot is not None
        assert snapshot.source == "mirror"
        assert snapshot.unpacked
        assert (await one.crawler.crawl(Work(("a", "b")))).said == 0


FAULTS = {
    "refused": faults.refusal("2"),
    "refused without a word": faults.refusal(),
    "failure": faults.failure(),
    "hung up": faults.hang_up(),
    "wrong length": faults.wrong_length(b"{}", 100),
    "cut chunks": faults.cut_chunks(b"{"),
    "silent": faults.stall(),
    "bomb": faults.gzip_bomb(64),
    "elsewhere": faults.redirect("http://127.0.0.2/x"),
    "deep": faults.deep_json(),
    "wide": faults.wide_json(),
    "long head": faults.big_head(),
    "not json": faults.body(b"<html>"),
    "hostile": faults.body(b'{"name":["a"],"versions":7,"time":{"modified":{}}}'),
    "numbers": faults.body(b'{"downloads":[{"day":"2026-99-99","downloads":-1e999}]}'),
}


async def test_any_fault_costs_at_most_the_package_it_meets(tmp_path: Path) -> None:
    clock = Clock()
    names = tuple(f"{kind.replace(' ', '-')}.x" for kind in FAULTS)
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, *names, "b")
        for name, fault in zip(names, FAULTS.values(), strict=True):
            for target in (f"/{name}", f"/versions/{name}"):
                registry.script(target, fault)
        for name in (*names, "b"):
            await one.crawler.crawl(Work((name,), FULL - {"days"}))
        assert one.memory.told("b") is not None
        clock.now += 2 * 3600
        outcome = await one.crawler.crawl(Work((*names, "b")))
        assert outcome.failed == {}
        said = Counter(letters(await one.said()))
        assert (said["P"], said["W"], said["D"]) == (len(names) + 1, len(names) + 1, 2)
        assert await one.repeated() == 0
        await one.node.catch_up()
        assert one.view.counts().refused == 0


@pytest.mark.parametrize(
    ("kind", "times"), [("refused", 3), ("hung up", 3), ("not json", 1), ("wide", 1)]
)
async def test_days_that_cannot_be_had_are_had_later(tmp_path: Path, kind: str, times: int) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a", "b")
        registry.script("/downloads/range", FAULTS[kind], times=times)
        work = Work(("a", "b"), frozenset({"days"}))
        assert list((await one.crawler.crawl(work)).failed) == ["a", "b"]
        outcome = await one.crawler.crawl(work)
        assert outcome.failed == {}
        assert Counter(letters(await one.said())) == {"N": 1, "D": 2}


async def test_whole_days_of_zeros_are_kept_and_corrected(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a", "b")
        registry.npm.zero_days = {TODAY - 5}
        work = Work(("a", "b"), frozenset({"days"}))
        await one.crawler.crawl(work)
        await one.node.catch_up()
        assert one.view.days("a", TODAY - 5, TODAY - 4)[0].count == 0
        registry.npm.zero_days.clear()
        one.clock.now += 60
        assert (await one.crawler.crawl(work)).said == 1  # the names are known by now
        await one.node.catch_up()
        assert one.view.days("a", TODAY - 5, TODAY - 4)[0].count == 135


async def test_the_whole_registry_is_asked_for_once_a_day(tmp_path: Path) -> None:
    clock = Clock()
    whole = "/downloads/range/2025-09-04:2026-09-03"
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, "a", "b")
        registry.npm.zero_days = {TODAY - 5}
        work = Work(("a",), frozenset({"days"}))
        registry.script(whole, faults.failure(404), times=2)
        await one.crawler.crawl(work)
        assert one.memory.tail(WHOLE) is None, "this source tells of packages alone"
        clock.now += 86_400
        registry.npm.today += 1
        registry.requests.clear()
        for _ in range(2):
            await one.crawler.crawl(work)
        asked = [target for target in registry.asked if target.count("/") == 3]
        assert asked == ["/downloads/range/2025-09-05:2026-09-04"]
        await one.node.catch_up()
        told = {day.day: day.count for day in one.view.days(WHOLE)}
        assert (told[TODAY - 5], told[TODAY - 6]) == (0, 134 + 234)


async def test_a_source_that_is_away_ends_the_run_and_what_was_found_is_said(
    tmp_path: Path,
) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        names = tuple(f"p{number}" for number in range(20))
        populate(registry, *names)
        for number in range(10, 20):
            registry.script(f"/p{number}", faults.hang_up(), times=50)
        with pytest.raises(UnreachableError):
            await one.crawler.crawl(Work(names, frozenset({"manifest", "versions"})))
        assert Counter(letters(await one.said()))["P"] == 10


@pytest.mark.parametrize("killed", [False, True])
async def test_a_crawl_that_ends_at_any_request_goes_on_and_says_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """Each run ends after one request more than the one before: by Ctrl-C, or without a word."""
    clock = Clock()
    async with fake() as registry:
        populate(registry, *NAMES)
        async with member(tmp_path / "whole", registry, clock) as whole:
            await whole.crawler.crawl(Work(NAMES))
            wanted = Counter(letters(await whole.said()))
            total = len(registry.asked)
        for cut in range(1, total + 1):
            registry.requests.clear()
            async with member(tmp_path / "cut", registry, clock) as one:
                run = asyncio.create_task(one.crawler.crawl(Work(NAMES)))
                while not run.done() and len(registry.asked) < cut:  # noqa: ASYNC110 - a turn of the loop, no wait
                    await asyncio.sleep(0)
                run.cancel()
                with monkeypatch.context() as patch, suppress(asyncio.CancelledError):
                    if killed:
                        patch.setattr(Teller, "flush", nothing)
                    await run
        async with member(tmp_path / "cut", registry, clock) as one:
            await one.crawler.crawl(Work(NAMES))
            assert await one.repeated() == 0
            said = Counter(letters(await one.said()))
            assert {key: said[key] for key in "PVWR"} == {key: wanted[key] for key in "PVWR"}
            await one.node.catch_up()
            assert len(one.view.days("react")) == len(one.view.days("left-pad")) > 39


async def nothing(*_: object) -> None:
    """What a killed process does with what it has not said yet."""


async def test_a_crash_between_any_two_appends_says_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    async with fake() as registry:
        populate(registry, *NAMES)
        for appends in range(12):
            left = [appends]
            append = Writer.append

            async def crash(self: Writer, records: Iterable[Known]) -> int:
                chosen = list(records)
                if chosen and left[0] == 0:  # noqa: B023 - each round has its own
                    raise OSError("the power is gone")
                left[0] -= bool(chosen)  # noqa: B023
                return await append(self, chosen)  # noqa: B023

            async with member(tmp_path, registry, clock) as one:
                with monkeypatch.context() as patch, suppress(OSError):
                    patch.setattr(Writer, "append", crash)
                    await one.crawler.crawl(Work(NAMES))
                assert await one.repeated() == 0
        async with member(tmp_path, registry, clock) as one:
            assert (await one.crawler.crawl(Work(NAMES))).said == 0
            assert Counter(letters(await one.said()))["P"] == 3


async def test_the_file_may_be_lost(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry:
        populate(registry, *NAMES)
        async with member(tmp_path, registry, clock) as one:
            await one.crawler.crawl(Work(NAMES))
        (tmp_path / "crawl.db").unlink()
        async with member(tmp_path, registry, clock) as one:
            outcome = await one.crawler.crawl(Work(NAMES))
            assert (outcome.said, outcome.rows) == (0, 0)


async def test_the_budget_is_kept_and_a_refusal_is_published(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        names = tuple(f"p{number}" for number in range(120))
        populate(registry, *names, days=1)
        work = Work(names, frozenset({"manifest", "versions"}))
        began = clock.now
        await one.crawler.crawl(work)
        passed = clock.now - began
        assert len(registry.asked) <= 0.5 * passed + 8
        registry.script("/p", faults.refusal("10"))
        await one.crawler.crawl(work)
        refused = [beat for beat in await one.heartbeats() if beat.refusals]
        assert refused[-1].refusals == {"registry": 1}
        assert refused[-1].rate == 250
        began, asked = clock.now, len(registry.asked)
        await one.crawler.crawl(Work(names[:60], work.wanted))
        assert len(registry.asked) - asked <= 0.25 * (clock.now - began) + 8


async def test_a_day_has_its_end(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, "a", "b", "c")
        one.crawler.sources.client.limiter = Limiter(clock(), day_max=2)
        with pytest.raises(BudgetError):
            await one.crawler.crawl(Work(("a", "b", "c"), frozenset({"manifest"})))
        assert one.memory.spent() == (TODAY, 2)
        assert Counter(letters(await one.said()))["P"] == 2


async def test_two_crawlers_share_the_names(tmp_path: Path) -> None:
    """Both look at their own names only; when one leaves, the other takes over what was its."""
    clock = Clock()
    async with (
        fake() as registry,
        member(tmp_path / "a", registry, clock) as one,
        member(tmp_path / "b", registry, clock) as two,
    ):
        names = [f"p{number}" for number in range(60)]
        populate(registry, *names, days=1)
        keys = [each.node.writer.key for each in (one, two)]  # type: ignore[union-attr]
        parts = [list(plan.mine(names, key, keys)) for key in keys]
        assert not set(parts[0]) & set(parts[1])
        assert sorted(parts[0] + parts[1]) == sorted(names)
        for each, part in zip((one, two), parts, strict=True):
            await each.crawler.crawl(Work(tuple(part), frozenset({"manifest"})))
        assert Counter(registry.asked) == {f"/{name}/latest": 1 for name in names}
        alone = list(plan.mine(names, keys[0], keys[:1]))
        await one.crawler.crawl(Work(tuple(alone), frozenset({"manifest"})))
        twice = [target for target, times in Counter(registry.asked).items() if times > 1]
        assert len(twice) == len(names)  # once more each, by etag: nothing is said again
        assert await one.repeated() == 0


def test_all_is_wanted_of_what_one_names() -> None:
    assert LIGHT < FULL
