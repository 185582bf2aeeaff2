"""Counts of downloads: windows, bulk requests, zeros and what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pkgstats.fake_registry import faults

from pkgstats.sources.answers import Document
from pkgstats.sources.downloads import (
    ADDRESS_BYTES_MAX,
    BULK_DAYS_MAX,
    BULK_NAMES_MAX,
    FIRST_DAY,
    SINGLE_DAYS_MAX,
    Downloads,
    day_text,
    read_day,
    read_series,
    requests_for,
    windows,
)
from pkgstats.sources.errors import AddressError, AnswerError, MissingError, StatusError

from .asking import NOW, Asking, asking

TODAY = int(NOW // 86_400)


def told(one: Asking, name: str, days: int = 700, start: int = TODAY - 700) -> list[int]:
    counts = [10 + day % 7 for day in range(days)]
    one.fake.npm.publish(name)
    one.fake.npm.count(name, start, counts)
    return counts


async def test_a_window_longer_than_one_answer_is_asked_for_in_parts() -> None:
    async with asking() as one:
        counts = told(one, "@s/a")
        found = await one.downloads.days("@s/a", TODAY - 700, TODAY - 1)
        assert [len(series.counts) for series in found] == [SINGLE_DAYS_MAX, 160]
        joined = [count for series in reversed(found) for count in series.counts]
        assert joined == counts
        assert found[0].end == TODAY
        assert len(one.fake.asked) == 2


async def test_days_that_were_left_out_are_asked_for_again() -> None:
    """An answer may begin later than was asked for, and does not say so."""
    async with asking() as one:
        counts = told(one, "a")
        rows = [{"day": day_text(TODAY - 2), "downloads": 5}]
        rows += [{"day": day_text(TODAY - 1), "downloads": 6}]
        short = json.dumps({"downloads": rows, "package": "a"}).encode()
        one.fake.script("/downloads/range/", faults.body(short))
        found = await one.downloads.days("a", TODAY - 20, TODAY - 1)
        assert [(series.first_day, len(series.counts)) for series in found] == [
            (TODAY - 2, 2),
            (TODAY - 20, 18),
        ]
        assert list(found[1].counts) == counts[-20:-2]


async def test_a_source_that_gives_a_day_at_a_time_is_not_asked_for_ever() -> None:
    async with asking() as one:
        for day in range(1, 50):
            rows = [{"day": day_text(TODAY - day), "downloads": 5}]
            body = json.dumps({"downloads": rows}).encode()
            one.fake.script("/downloads/range/", faults.body(body))
        found = await one.downloads.days("a", TODAY - 300, TODAY - 1)
        assert len(found) == len(one.fake.asked) == 4


async def test_zeros_are_told_with_the_time_when_they_were_read() -> None:
    async with asking() as one:
        told(one, "a")
        one.fake.npm.zero_days = {TODAY - 1, TODAY - 3}
        (first,) = await one.downloads.days("a", TODAY - 4, TODAY)
        assert first.counts[1] == first.counts[3] == 0 < first.counts[0]
        assert len(first.counts) == 4, "today is not over"
        one.clock.now += 3600
        one.fake.npm.zero_days = {TODAY - 1}
        (second,) = await one.downloads.days("a", TODAY - 4, TODAY)
        assert second.counts[1] > 0 == second.counts[3]
        assert second.observed_at - first.observed_at >= 3_600_000


async def test_bulk_requests_follow_the_contract() -> None:
    async with asking() as one:
        for name in ("a", "b"):
            told(one, name)
        found = await one.downloads.bulk(["a", "nope", "b"], TODAY - 5, TODAY - 1)
        assert found["nope"] is None
        assert found["a"] is not None
        assert found["b"] is not None
        assert len(found["a"].counts) == 5
        alone = await one.downloads.bulk(["a"], TODAY - 5, TODAY - 1)
        assert alone == {"a": replace(found["a"], observed_at=alone["a"].observed_at)}  # type: ignore[union-attr]
        assert one.fake.asked[-1].endswith("/,a")
        for names in ([], ["@s/a"], ["a"] * (BULK_NAMES_MAX + 1)):
            with pytest.raises(ValueError, match="names"):
                await one.downloads.bulk(names, TODAY - 5, TODAY - 1)
        with pytest.raises(ValueError, match="days"):
            await one.downloads.bulk(["a"], TODAY - BULK_DAYS_MAX - 1, TODAY - 1)
        assert len(one.fake.asked) == 2


async def test_many_names_take_few_requests() -> None:
    async with asking() as one:
        names = [f"p{number}" for number in range(300)] + [f"@s/p{number}" for number in range(3)]
        for name in names:
            told(one, name, days=40, start=TODAY - 40)
        found = await one.downloads.days_of_many([*names, "nope", "@s/nope"], TODAY - 30, TODAY - 1)
        assert len(one.fake.asked) == 3 + 4
        assert all(len(found[name][0].counts) == 30 for name in names)
        assert found["nope"] == found["@s/nope"] == []


async def test_two_years_in_bulk_are_three_windows() -> None:
    async with asking() as one:
        told(one, "a", days=800, start=TODAY - 800)
        found = await one.downloads.days_of_many(["a"], TODAY - 800, TODAY - 1)
        assert [len(series.counts) for series in found["a"]] == [365, 365, 70]
        assert len(one.fake.asked) == 3


async def test_points_and_the_whole_registry() -> None:
    async with asking() as one:
        for name in ("a", "b"):
            told(one, name)
        week = await one.downloads.point("last-week", "a")
        assert (week.first_day, week.last_day) == (TODAY - 7, TODAY - 1)
        assert (await one.downloads.point("last-week")).count == 2 * week.count
        (total,) = await one.downloads.days("", TODAY - 7, TODAY - 1)
        assert sum(total.counts) == 2 * week.count
        with pytest.raises(MissingError):
            await one.downloads.point("last-week", "nope")


async def test_the_week_of_each_version() -> None:
    async with asking() as one:
        for name in ("@s/a", "b"):
            one.fake.npm.publish(name)
            one.fake.npm.week_counts[name] = {"1.0.0": 5, "0.9.0": 0}
        found = await one.downloads.last_week("@s/a")
        assert (found.last_day, found.versions) == (TODAY - 1, {"1.0.0": 5, "0.9.0": 0})
        await one.downloads.last_week("b")
        assert one.fake.asked == [
            "/downloads/point/last-week",
            "/versions/@s%2Fa/last-week",
            "/versions/b/last-week",
        ]
        one.clock.now += 3600
        await one.downloads.last_week("b")
        assert len(one.fake.asked) == 5
        hostile = b'{"downloads": {"1": -1, "2": "x", "3": 1e3, "4": 4, "\\u0000": 1}}'
        one.fake.script("/versions/b", faults.body(hostile))
        assert (await one.downloads.last_week("b")).versions == {"4": 4}


async def test_a_refused_bulk_request_names_its_status() -> None:
    async with asking() as one:
        one.fake.script("/downloads", faults.body(b"{}", 400))
        with pytest.raises(StatusError) as caught:
            await one.downloads.bulk(["a"], TODAY - 5, TODAY - 1)
        assert caught.value.status == 400


async def test_without_an_address_it_says_what_to_set() -> None:
    async with asking() as one:
        downloads = Downloads(one.client, replace(one.addresses, downloads=None))
        for asked in (downloads.point("last-day"), downloads.last_week("a")):
            with pytest.raises(AddressError, match="PKGSTATS_DOWNLOADS"):
                await asked


def series(rows: Any, first: int = 20_000, last: int = 20_004, name: str = "a") -> Any:
    source = Document({}, 1_790_000_000_000, {})
    return read_series(name, {"downloads": rows, "package": "a"}, source, first, last)


def row(day: int, count: Any = 1) -> dict[str, Any]:
    return {"day": day_text(day), "downloads": count}


@pytest.mark.parametrize(
    "rows",
    [
        None,
        {},
        [row(19_999)],
        [row(20_005)],
        [row(20_000), row(20_002)],
        [row(20_000), row(20_000)],
        [row(day) for day in range(20_000, 20_006)],
        [row(20_003), row(20_004), row(20_005)],
        [row(20_000, -1)],
        [row(20_000, 1.5)],
        [row(20_000, None)],
        [row(20_000, 2**53)],
        [None],
        [{"day": "2024-02-31", "downloads": 1}],
        [{"day": "1960-01-01", "downloads": 1}],
        [{"day": 5, "downloads": 1}],
    ],
)
def test_days_that_nobody_asked_for_are_refused(rows: Any) -> None:
    with pytest.raises(AnswerError):
        series(rows)


def test_days_that_are_missing_at_the_ends_are_not_claimed() -> None:
    found = series([row(20_001), row(20_002, 0)])
    assert (found.first_day, found.counts) == (20_001, (1, 0))
    assert series([]).counts == ()
    with pytest.raises(AnswerError, match="another package"):
        series([row(20_001)], name="b")


def test_days_are_texts() -> None:
    assert read_day("2015-01-10") == FIRST_DAY
    assert read_day(day_text(20_000)) == 20_000


NAMES = st.lists(st.text("abAB-", min_size=1, max_size=100).map(lambda text: f"p{text}"))


@given(NAMES, st.lists(st.text("ab", min_size=1, max_size=3).map(lambda text: f"@s/{text}")))
def test_requests_hold_every_name_once(names: list[str], scoped: list[str]) -> None:
    requests = list(requests_for([*names, *scoped, *names]))
    assert sorted(name for one in requests for name in one) == sorted({*names, *scoped})
    for request in requests:
        assert 0 < len(request) <= BULK_NAMES_MAX
        assert len(",".join(request)) <= ADDRESS_BYTES_MAX
        assert len({name.lower() for name in request}) == len(request)
        assert len(request) == 1 or not any(name.startswith("@") for name in request)


def test_long_lists_are_cut_at_128_names_or_6000_bytes() -> None:
    assert [len(one) for one in requests_for(f"p{n}" for n in range(300))] == [128, 128, 44]
    assert [len(one) for one in requests_for(f"{n:0200}" for n in range(60))] == [29, 29, 2]


@given(st.integers(0, 30_000), st.integers(0, 30_000), st.integers(1, 600))
def test_windows_cover_all_days_once(first: int, last: int, most: int) -> None:
    days = [day for start, end in windows(first, last, most) for day in range(start, end + 1)]
    assert sorted(days) == list(range(max(first, FIRST_DAY), last + 1))
    assert all(end - start < most for start, end in windows(first, last, most))
