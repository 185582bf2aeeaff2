from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pkgstats.crawler.recheck import Rechecker
from pkgstats.listing import Row, index_records
from pkgstats.records import counts
from pkgstats.records.codec import names_hash
from pkgstats.records.model import (
    DayCounts,
    NamesBlock,
    Retraction,
    Snapshot,
    WeekCounts,
    WriterCard,
)
from pkgstats.writer import Writer

from .world import TODAY, Clock, addresses, fake, member, populate

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.crawler.sources import Sources
    from pkgstats.node import Node

    from .world import Member

DAYS = 40
SEEN = (TODAY - 1) * 86_400_000
NAMES = tuple(f"p{number:03}" for number in range(130))


async def other(node: Node, title: str) -> Writer:
    """Another writer of the group, whose feeds lie in the same folder."""
    feeds = {kind: await multi.writer(title) for kind, multi in node.multis.items()}
    cores = {kind: feed.key for kind, feed in feeds.items()}
    writer = Writer(feeds)
    await writer.present(WriterCard(title=title, cores=cores, observed_at=SEEN))
    await node.membership.admit(writer.key)
    return writer


def days_of(first: int, rows: list[list[int]]) -> list[DayCounts]:
    packed = counts.pack(rows)
    ref = names_hash(NAMES)
    return [
        DayCounts(
            observed_at=SEEN, first_day=first, span=len(rows[0]), names_ref=ref, counts=packed
        )
    ]


async def tell(writer: Writer, version: str, factor: float) -> None:
    """Rows of the list and counts of days of all packages."""
    rows = [Row(name, version, 10, "") for name in NAMES[:10]]
    await writer.append(index_records(rows, observed_at=SEEN, source="list"))
    await writer.append([NamesBlock(observed_at=SEEN, names=NAMES)])
    first = TODAY - DAYS
    told = [[round((n * 100 + d) * factor) for d in range(9)] for n in range(1, len(NAMES) + 1)]
    await writer.append(days_of(first, told))


def checker(one: Member, sources: Sources | None = None) -> Rechecker:
    chosen, node = sources or one.crawler.sources, one.node
    return Rechecker(node.multis, node.indexer, one.memory, chosen, one.view, me=one.crawler.me)


async def test_the_liar_is_set_aside_and_the_honest_and_the_stale_are_not(tmp_path: Path) -> None:
    clock = Clock()
    async with fake() as registry, member(tmp_path, registry, clock) as one:
        populate(registry, *NAMES, days=DAYS)
        honest = await other(one.node, "honest")
        stale = await other(one.node, "stale")
        liar = await other(one.node, "liar")
        await tell(honest, "1.0.0", 1)
        await tell(stale, "1.0.0", 1)
        old = Snapshot(observed_at=SEEN, name="p001", version="1.0.0", description="package 2")
        await stale.append([old])
        await tell(liar, "6.6.6", 1.05)
        for name in NAMES[:10]:
            registry.npm.publish(name, "2.0.0", at=1_780_000_000_000)
        await one.node.catch_up()
        before = one.view.view_hash()
        found = await checker(one).run(limit=450, one_in=1)
        stands = {facts.key: facts for facts in one.view.writers()}
        assert stands[honest.key].wrong == stands[stale.key].wrong == 0
        assert min(stands[key.key].checked for key in (honest, stale, liar)) >= 100
        assert stands[liar.key].wrong == stands[liar.key].checked
        assert (found.aside, found.wrong) == ([liar.key], stands[liar.key].wrong)
        assert one.view.view_hash() != before
        assert one.view.package("p001").version == "1.0.0"  # type: ignore[union-attr]
        assert (await checker(one).run(limit=450, one_in=1)).checked == 0, "once a day"
        clock.now += 86_400
        again = await checker(one).run(limit=9, one_in=1)
        assert again.wrong == 3, "one that is set aside is looked at all the same"


async def test_weeks_and_months_are_looked_at_and_what_is_not_there_is_no_error(
    tmp_path: Path,
) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a", "b", "c", "d", days=400)
        honest, liar = await other(one.node, "honest"), await other(one.node, "liar")
        for writer, factor in ((honest, 1), (liar, 3)):
            weeks = [
                WeekCounts(
                    observed_at=SEEN,
                    name=name,
                    last_day=day,
                    versions={"1.0.0": count * factor},
                )
                for name, day, count in (("a", TODAY - 1, 1), ("b", TODAY - 1, 2), ("b", 20_000, 9))
            ]
            await writer.append(weeks)
            month = sum(300 + day for day in range(370, 400)) * factor
            rows = [Row("c", "1.0.0", month, ""), Row("d", "1.0.0", 0, ""), Row("gone", "1", 5, "")]
            await writer.append(index_records(rows, observed_at=SEEN, source="list"))
            await writer.append([Snapshot(observed_at=SEEN, name="nobody", version="1.0.0")])
        await one.node.catch_up()
        found = await checker(one).run(one_in=1)
        assert (found.checked, found.wrong, found.unclear) == (2 * 4, 3, 2 * 2)
        assert sorted(found.errors) == sorted(
            (liar.key, about)
            for about in (f"W a {TODAY - 1} 1.0.0", f"W b {TODAY - 1} 1.0.0", "I c")
        )


async def test_few_errors_are_no_verdict_and_what_was_taken_back_is_none(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a", "b", "@work/x")
        liar = await other(one.node, "liar")
        wrong = [Snapshot(observed_at=SEEN, name=name, version="9.9.9") for name in ("a", "b")]
        await liar.append([*wrong, replace(wrong[0], name="@work/x")])
        back = Retraction(observed_at=SEEN, core=liar.feeds["detail"].key, block=0, place=1)
        await liar.append([back])
        await one.node.catch_up()
        private = replace(addresses(registry), scopes={"work": "http://127.0.0.1:9"})
        sources = replace(one.crawler.sources, addresses=private)
        found = await checker(one, sources).run(one_in=1)
        assert (found.checked, found.wrong, found.private, found.aside) == (1, 1, 1, [])
        assert found.errors == [(liar.key, "P a 9.9.9")]
        assert registry.asked == ["/a"]
