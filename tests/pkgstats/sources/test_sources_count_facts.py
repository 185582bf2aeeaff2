"""Counts made records, and read again."""

from __future__ import annotations

from pkgstats.records import counts
from pkgstats.records.blocks import CONTENT_BYTES_MAX, encode_block, encoded_size
from pkgstats.records.codec import names_hash
from pkgstats.sources.count_facts import day_counts, day_counts_of_many, week_counts
from pkgstats.sources.downloads import DaySeries, VersionCounts

AT = 1_790_000_000_000


def series(name: str, first: int, days: tuple[int, ...], at: int = AT) -> DaySeries:
    return DaySeries(name, first, days, at, {"status": "200"})


def test_the_days_of_one_package() -> None:
    record = day_counts(series("a", 20_000, (5, 0, 7)))
    assert record is not None
    assert (record.name, record.first_day, record.span) == ("a", 20_000, 3)
    assert counts.unpack(record.counts, 1, 3) == [[5, 0, 7]]
    assert (record.observed_at, record.source) == (AT, "downloads")
    assert day_counts(series("a", 20_000, ())) is None


def test_the_days_of_many_have_a_names_block() -> None:
    found = day_counts_of_many(
        [series("b", 20_001, (1, 2, 3), AT + 5), series("a", 20_000, (4, 5, 6))]
    )
    assert found is not None
    block, (record,) = found
    assert block.names == ("a", "b")
    assert (record.names_ref, record.name) == (names_hash(block.names), None)
    assert (record.first_day, record.span, record.observed_at) == (20_001, 2, AT)
    assert counts.unpack(record.counts, 2, 2) == [[5, 6], [1, 2]]
    assert day_counts_of_many([]) is None
    assert day_counts_of_many([series("a", 1, (1,)), series("b", 5, (1,))]) is None


def test_large_counts_are_told_in_several_records() -> None:
    wild = tuple(((day * 2_654_435_761) % 2**50) for day in range(365))
    found = day_counts_of_many([series(f"p{number:03}", 20_000, wild) for number in range(128)])
    assert found is not None
    block, records = found
    assert len(records) > 1
    days = [day for one in records for day in range(one.first_day, one.first_day + one.span)]
    assert days == list(range(20_000, 20_365))
    for record in records:
        assert len(encode_block([record])) < CONTENT_BYTES_MAX
        rows = counts.unpack(record.counts, len(block.names), record.span)
        start = record.first_day - 20_000
        assert rows[0] == list(wild[start : start + record.span])


def test_the_week_of_many_versions_is_told_in_several_records() -> None:
    versions = {f"1.0.{number}": number for number in range(4500)}
    versions |= {f"2.0.0-{'x' * 200}{number}": number for number in range(500)}
    records = week_counts(VersionCounts("a", 20_000, versions, AT, {}))
    assert all(encoded_size(one) < CONTENT_BYTES_MAX for one in records)
    joined: dict[str, int] = {}
    for one in records:
        assert (one.name, one.last_day) == ("a", 20_000)
        joined |= one.versions
    assert joined == versions
    assert week_counts(VersionCounts("a", 20_000, {}, AT, {})) == []
