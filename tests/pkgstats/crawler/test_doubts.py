from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.pkgstats.fake_registry import faults

from pkgstats.crawler.crawl import UNSURE, Crawler
from pkgstats.crawler.doubts import CONTROLS, IN_A_ROW_MAX
from pkgstats.crawler.plan import Work
from pkgstats.crawler.sources import Sources
from pkgstats.sources.errors import UnreachableError, WrongRegistryError

from .world import Clock, addresses, fake, letters, member, populate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pkgstats.fake_registry import FakeRegistry

    from .world import Member

ONLY = frozenset({"manifest", "versions"})
NAMES = tuple(f"p{number:02}" for number in range(30))


async def told(one: Member, registry: FakeRegistry, *names: str) -> None:
    """A crawler that has told of these packages, and a view that has them."""
    populate(registry, *names)
    await one.crawler.crawl(Work(names, ONLY))
    await one.node.catch_up()


async def tombs(one: Member) -> int:
    return Counter(letters(await one.said()))["T"]


async def test_a_registry_that_knows_nothing_hides_nothing_and_ends_the_run(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, *NAMES)
        registry.npm.packages.clear()
        registry.requests.clear()
        with pytest.raises(WrongRegistryError, match="--registry"):
            await one.crawler.crawl(Work(NAMES, ONLY))
        assert len(registry.asked) == IN_A_ROW_MAX + CONTROLS
        assert await tombs(one) == 0
        populate(registry, *NAMES)
        registry.npm.packages.pop("p03")
        again = await one.crawler.crawl(Work(NAMES, ONLY))
        assert (again.gone, await tombs(one)) == (["p03"], 1)


async def test_where_only_what_is_gone_was_asked_for_another_package_is(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, "a", "b", "c", "d", "@work/x")
        registry.npm.packages.pop("b")
        private = replace(addresses(registry), scopes={"work": "http://127.0.0.1:9"})
        assert one.node.writer is not None
        sources = Sources.of(one.crawler.sources.client, private)
        crawler = Crawler(one.node.writer, one.memory, sources, one.view)
        registry.requests.clear()
        outcome = await crawler.crawl(Work(("b", "typo"), ONLY))
        assert registry.asked == ["/b", "/typo", "/a/latest"]
        assert (outcome.gone, outcome.unknown, await tombs(one)) == (["b"], ["typo"], 1)
        registry.npm.packages.clear()
        with pytest.raises(WrongRegistryError):
            await crawler.crawl(Work(("c",), ONLY))
        assert await tombs(one) == 1


async def test_many_that_are_gone_indeed_are_told_to_be(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, *NAMES, "zz")
        for name in NAMES[1:]:
            registry.npm.packages.pop(name)
        outcome = await one.crawler.crawl(Work(NAMES[1:], ONLY))
        assert (len(outcome.gone), await tombs(one)) == (29, 29)


async def test_a_registry_that_shows_itself_no_more_is_doubted_again(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, *NAMES)
        for name in NAMES[3:]:
            registry.script(f"/{name}", faults.failure(404), times=99)
        for name in NAMES[:3]:
            registry.script(f"/{name}/latest", faults.failure(404))
        with pytest.raises(WrongRegistryError):
            await one.crawler.crawl(Work(NAMES, ONLY))


async def test_without_another_package_nothing_is_said_but_that(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, "a")
        registry.npm.packages.clear()
        outcome = await one.crawler.crawl(Work(("a",), ONLY))
        assert (outcome.remarks, await tombs(one)) == ([UNSURE], 0)
        with pytest.raises(WrongRegistryError, match="nobody00"):
            await one.crawler.crawl(Work(("a", *(f"nobody{n:02}" for n in range(40))), ONLY))


async def test_a_registry_that_falls_silent_leaves_the_doubt(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        await told(one, registry, "a", "b")
        registry.npm.packages.pop("b")
        registry.script("/a/latest", faults.hang_up(), times=3)
        with pytest.raises(UnreachableError):
            await one.crawler.crawl(Work(("b",), ONLY))
        assert await tombs(one) == 0
        await one.crawler.crawl(Work(("b",), ONLY))
        assert await tombs(one) == 1
