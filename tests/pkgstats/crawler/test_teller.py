from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.crawler import teller
from pkgstats.crawler.teller import Teller
from pkgstats.listing import Row
from pkgstats.records.model import Snapshot, Tombstone

from .world import Clock, fake, member

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_790_000_000_000


def here(version: str) -> Snapshot:
    return Snapshot(name="a", version=version, observed_at=AT)


async def test_of_what_changes_while_it_waits_the_last_is_said(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        assert one.node.writer is not None
        said = Teller(one.node.writer, one.memory)
        gone = Tombstone(name="a", reason="unpublished", observed_at=AT)
        assert said.tell([here("1.0.0"), gone, here("1.0.1")]) == 1
        said.list("a")
        said.list("unknown")
        rows = {"a": Row("a", "1.0.1", 5)}
        await said.flush(AT, rows.get)
        assert (said.said, said.rows) == (1, 1)
        assert await one.said() == [here("1.0.1")]
        assert said.tell([here("1.0.1")]) == 0
        said.tell([gone, here("1.0.1")])  # gone for a moment
        said.list("a")
        await said.flush(AT, rows.get)
        assert (said.said, said.rows) == (1, 1)


async def test_it_is_full_after_some_looks_which_are_noted_when_all_is_said(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        assert one.node.writer is not None
        said = Teller(one.node.writer, one.memory)
        for number in range(teller.LOOKS):
            assert not said.is_full
            said.looked("latest", f"p{number}", AT, "etag")
        assert said.is_full
        assert one.memory.checked("latest") == {}
        await said.flush(AT, lambda _: None)
        assert len(one.memory.checked("latest")) == teller.LOOKS
        assert not said.is_full
