from __future__ import annotations

from pkgstats.listing import Row, index_records
from pkgstats.records.blocks import split_blocks
from pkgstats.records.model import INDEX_ROWS_MAX


def rows(count: int, summary: str = "") -> list[Row]:
    return [Row(f"package-{number}", "1.0.0", count - number, summary) for number in range(count)]


def told(records: list[object]) -> list[Row]:
    columns = [(r.names, r.versions, r.downloads, r.summaries) for r in records]  # type: ignore[attr-defined]
    return [Row(*row) for each in columns for row in zip(*each, strict=True)]


def test_all_rows_are_told_in_their_order() -> None:
    wanted = rows(10_000, "fills a text up to a width")
    records = list(index_records(wanted, observed_at=7, source="list"))
    assert told([*records]) == wanted
    assert {(one.observed_at, one.source) for one in records} == {(7, "list")}


def test_no_rows_are_no_records() -> None:
    assert list(index_records([], observed_at=7, source="list")) == []


def test_each_record_fills_a_block_and_is_never_too_large_for_one() -> None:
    for summary in ("", "x" * 1000, "ü" * 500, "界" * 300):
        wanted = rows(3000, summary)
        records = list(index_records(wanted, observed_at=7, source="list"))
        assert len(list(split_blocks(records))) == len(records)
        assert len(records) <= len(wanted) * (len(summary.encode()) + 48) / 50_000 + 1


def test_a_record_has_no_more_rows_than_a_record_may_have() -> None:
    wanted = [Row("a", "1", 1)] * (INDEX_ROWS_MAX + 1)
    records = list(index_records(wanted, observed_at=7, source="list"))
    assert [len(one.names) for one in records] == [60_000 // 18, INDEX_ROWS_MAX + 1 - 60_000 // 18]
