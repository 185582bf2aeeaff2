from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.crawler.notes import FILE, peek
from pkgstats.crawler.plan import FULL, Work

from .world import TODAY, Clock, fake, member, populate

if TYPE_CHECKING:
    from pathlib import Path


def test_where_there_is_no_file_there_are_no_notes(tmp_path: Path) -> None:
    with peek(tmp_path / FILE) as notes:
        assert (notes.checked("packument"), notes.watched(), notes.tail("a")) == ({}, [], None)
        assert (notes.sequence(), notes.pending(5), notes.spent()) == ("", [], (0, 0))
        assert (notes.told("a"), notes.etag("a", "latest")) == (None, "")
    assert not (tmp_path / FILE).exists()


async def test_notes_can_be_read_while_a_crawler_has_them(tmp_path: Path) -> None:
    async with fake() as registry, member(tmp_path, registry, Clock()) as one:
        populate(registry, "a")
        await one.crawler.crawl(Work(("a",), FULL))
        with peek(tmp_path / FILE) as notes:
            tail = notes.tail("a")
            assert tail is not None
            assert tail.end == TODAY
            assert notes.checked("packument").keys() == notes.checked("weeks").keys() == {"a"}
            assert notes.told("a")
            assert notes.etag("a", "packument")
