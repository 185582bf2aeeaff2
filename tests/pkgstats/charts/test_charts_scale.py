from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pkgstats.charts.model import COUNT_MAX
from pkgstats.charts.scale import INTERVALS_MAX, TICK_WIDTH, Frame, count_ticks, date_ticks

JANUARY = 20_454  # 2026-01-01


def test_ticks_are_round() -> None:
    assert count_ticks(0) == [0, 1]
    assert count_ticks(3) == [0, 1, 2, 3]
    assert count_ticks(1_800_000) == [0, 500_000, 1_000_000, 1_500_000, 2_000_000]


@given(st.integers(0, COUNT_MAX))
def test_ticks_reach_from_0_to_the_most_and_stay_when_drawn(most: int) -> None:
    ticks = count_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 2 <= len(ticks) <= INTERVALS_MAX + 1
    assert count_ticks(ticks[-1]) == ticks


def test_dates_fit_the_span() -> None:
    def names(days: int, unit: int = 1) -> list[str]:
        return [name for _, name in date_ticks(JANUARY, JANUARY + days, 5 * TICK_WIDTH, unit)]

    assert names(3) == ["1 Jan 2026", "2 Jan", "3 Jan"]
    assert names(3, unit=7) == ["1 Jan 2026"]
    assert names(30) == ["1 Jan 2026", "8 Jan", "15 Jan", "22 Jan", "29 Jan"]
    assert names(140) == ["Jan 2026", "Feb", "Mar", "Apr", "May"]
    assert names(400) == ["Jan 2026", "Apr", "Jul", "Oct", "Jan 2027"]
    assert names(366 * 4) == ["2026", "2027", "2028", "2029", "2030"]


@given(st.integers(-20_000, 60_000), st.integers(1, 24_000), st.integers(0, 1200))
def test_there_are_dates_but_never_too_many(start: int, span: int, width: int) -> None:
    found = date_ticks(start, start + span, width)
    assert 1 <= len(found) <= max(2, width // TICK_WIDTH)
    assert all(start <= day < start + span for day, _ in found)
    assert any(character.isdigit() for character in found[0][1])


def test_a_frame_has_its_corners() -> None:
    frame = Frame(left=100, right=200, high=10, low=90, start=-5, stop=5, top=8)
    assert [frame.x(-5), frame.x(0), frame.x(5)] == [100, 150, 200]
    assert [frame.y(0), frame.y(8)] == [90, 10]
