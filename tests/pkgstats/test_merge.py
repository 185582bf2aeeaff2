from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats import merge
from pkgstats.merge import DAY_MS, Counted
from pkgstats.records.model import DayCounts, Snapshot, VersionEvent, WeekCounts

AT = 1_790_000_000_000
TODAY = AT // DAY_MS
SNAPSHOT = Snapshot(observed_at=AT, name="a", version="1.0.0", modified=AT - 5)


def test_a_snapshot_that_tells_no_time_of_its_state_shows_the_state_when_it_was_seen() -> None:
    assert merge.state_at(SNAPSHOT) == AT - 5
    assert merge.state_at(replace(SNAPSHOT, modified=0)) == AT


@pytest.mark.parametrize(
    ("rev", "number"),
    [("12-0a1b", 12), ("7", 7), ("", 0), ("a-1", 0), ("9" * 16 + "-a", 0), ("1x", 0)],
)
def test_the_revision_is_the_number_before_the_dash(rev: str, number: int) -> None:
    assert merge.revision(replace(SNAPSHOT, evidence={"rev": rev})) == number
    assert merge.revision(SNAPSHOT) == 0


def test_snapshots_are_ordered_by_state_then_revision_then_time_then_content() -> None:
    def order(modified: int = 5, rev: str = "", at: int = AT, digest: bytes = b"") -> merge.Order:
        record = replace(SNAPSHOT, modified=modified, evidence={"rev": rev}, observed_at=at)
        return merge.snapshot_order(record, digest)

    ascending = [
        order(4, "9-a", AT + 9, b"z"),
        order(5, "1-a", AT + 9, b"z"),
        order(5, "2-a", AT, b"z"),
        order(5, "2-a", AT + 1, b"a"),
        order(5, "2-a", AT + 1, b"b"),
    ]
    assert sorted(ascending) == ascending


def test_what_is_said_of_a_version_later_counts() -> None:
    record = VersionEvent(observed_at=AT, name="a", version="1", published=AT - 9)
    later = replace(record, observed_at=AT + 1, published=AT - 99)
    assert merge.version_order(later, b"a") > merge.version_order(record, b"b")


def test_any_count_beats_zero_then_the_later_then_the_larger_then_the_key() -> None:
    ascending = [
        Counted(0, 9, b"z"),
        Counted(7, 1, b"z"),
        Counted(5, 2, b"z"),
        Counted(6, 2, b"a"),
        Counted(6, 2, b"b"),
    ]
    for stop in range(1, len(ascending) + 1):
        assert merge.joint_count(ascending[:stop]) == ascending[stop - 1]


def test_on_a_day_of_an_outage_a_zero_is_a_count_like_any_other() -> None:
    told = [Counted(7, 1, b"z"), Counted(0, 2, b"a")]
    assert merge.joint_count(told, outage=True) == told[1]
    assert merge.joint_count([Counted(0, 1, b"z"), told[0]], outage=True) == told[0]


@given(
    st.permutations([Counted(n % 3, n % 2, bytes([n])) for n in range(6)]),
    st.booleans(),
)
def test_counts_join_in_any_order(told: list[Counted], outage: bool) -> None:
    whole = merge.joint_count(told, outage=outage)
    part = merge.joint_count(told[:3], outage=outage)
    assert merge.joint_count([part, *told[3:], *told[:2]], outage=outage) == whole


def test_counts_are_disputed_when_settled_ones_differ_by_more_than_a_hundredth() -> None:
    settled = (TODAY + 1) * DAY_MS + merge.SETTLED_MS

    def disputed(*told: tuple[int, int]) -> bool:
        return merge.is_disputed(TODAY, [Counted(*one, b"") for one in told])

    assert disputed((1000, settled), (989, settled))
    assert not disputed((1000, settled), (990, settled))
    assert not disputed((1000, settled), (0, settled - 1)), "one asked too early"
    assert not disputed((1000, settled))
    assert not disputed()


def test_a_clock_that_is_a_day_ahead_has_to_wait() -> None:
    now = AT - merge.AHEAD_MS_MAX
    assert not merge.is_early(SNAPSHOT, now)
    assert merge.is_early(SNAPSHOT, now - 1)
    assert merge.due(SNAPSHOT) == now


def test_what_cannot_be_true_is_refused() -> None:
    ahead = merge.MODIFIED_AHEAD_MS_MAX
    assert merge.refusal(SNAPSHOT) is None
    assert merge.refusal(replace(SNAPSHOT, modified=AT + ahead)) is None
    assert merge.refusal(replace(SNAPSHOT, modified=AT + ahead + 1))
    event = VersionEvent(observed_at=AT, name="a", version="1", published=AT + ahead + 1)
    assert merge.refusal(event)


def test_counts_are_of_days_between_the_registrys_first_and_the_day_they_were_seen() -> None:
    days = DayCounts(observed_at=AT, first_day=TODAY - 1, span=2, name="a", counts=b"\x00\x00")
    assert merge.refusal(days) is None
    assert merge.refusal(replace(days, span=3))
    assert merge.refusal(replace(days, first_day=merge.FIRST_DAY - 1))
    week = WeekCounts(observed_at=AT, name="a", last_day=TODAY, versions={})
    assert merge.refusal(week) is None
    assert merge.refusal(replace(week, last_day=TODAY + 1))


@pytest.mark.parametrize(
    ("tombs", "alive_at", "state"),
    [
        ([], 0, "here"),
        ([5], 0, "hidden"),
        ([5, 6], 0, "dropped"),
        ([5], 5, "hidden"),
        ([5, 6], 6, "hidden"),
        ([5, 6], 7, "here"),
    ],
)
def test_one_writer_hides_two_drop_and_what_was_seen_later_lives(
    tombs: list[int], alive_at: int, state: str
) -> None:
    assert merge.tomb_state(tombs, alive_at) == state
