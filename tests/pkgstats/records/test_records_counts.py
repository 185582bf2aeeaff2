from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkgstats.records.counts import nth_row, pack, unpack
from pkgstats.records.kinds import NUMBER_MAX, RecordError


@given(st.data(), st.integers(0, 4), st.integers(1, 30))
def test_counts_come_back_as_they_went(data: st.DataObject, packages: int, span: int) -> None:
    row = st.lists(st.integers(0, NUMBER_MAX), min_size=span, max_size=span)
    rows = data.draw(st.lists(row, min_size=packages, max_size=packages))
    assert unpack(pack(rows), packages, span) == rows


def test_a_steady_package_costs_a_byte_a_day() -> None:
    week = [1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 400_000, 300_000]
    assert len(pack([week * 52])) < 365 + 7 * 3


@given(st.binary(max_size=60), st.integers(0, 5), st.integers(1, 12))
def test_any_bytes_are_counts_or_refused(data: bytes, packages: int, span: int) -> None:
    try:
        rows = unpack(data, packages, span)
    except RecordError:
        return
    assert all(0 <= count <= NUMBER_MAX for row in rows for count in row)


def test_a_claim_of_many_counts_costs_nothing() -> None:
    with pytest.raises(RecordError, match="fewer"):
        unpack(b"\0" * 100, 8192, 3660)


@pytest.mark.parametrize("count", [-1, NUMBER_MAX + 1])
def test_what_is_no_count_is_not_packed(count: int) -> None:
    with pytest.raises(RecordError):
        pack([[count]])


@pytest.mark.parametrize("data", [b"\x80", b"\x01", b"\xff" * 8 + b"\x01", b"\0\0"])
def test_bad_counts(data: bytes) -> None:
    with pytest.raises(RecordError):
        unpack(data, 1, 1)


def test_one_row_is_found_without_the_others() -> None:
    rows = [[5, 0, 300], [7, 7, 7], [1, 2, 1 << 50]]
    packed = pack(rows)
    assert [nth_row(packed, number, 3) for number in range(3)] == rows
    with pytest.raises(RecordError):
        nth_row(packed, 3, 3)
