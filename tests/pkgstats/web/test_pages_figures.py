from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pkgstats.view.reading import View
from pkgstats.web.bounds import BadRequestError
from pkgstats.web.pages.figures import (
    SPARK_WEEKS,
    day_asked,
    growth_in,
    growths,
    outages,
    weeks_of,
)

from .facts import DAYS, NOW, TODAY

if TYPE_CHECKING:
    from pathlib import Path


def test_outages_are_found_once_and_remembered(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with View.open(rich / "view.db") as view:
        assert outages(view, NOW) == {TODAY - 10}
        monkeypatch.setattr(View, "popular", lambda *_: pytest.fail("it is known"))
        assert outages(view, NOW) == {TODAY - 10}


def test_growth_is_told_of_what_has_days(rich: Path) -> None:
    with View.open(rich / "view.db") as view:
        found = growths(view, ["react", "fast-csv"], NOW)
    assert set(found) == {"react"}


def test_growth_is_the_same_of_days_at_hand(rich: Path) -> None:
    with View.open(rich / "view.db") as view:
        lost = outages(view, NOW)
        for name in ("react", "fast-csv"):
            assert growth_in(view.days(name), NOW, lost) == growths(view, [name], NOW).get(name)


def test_weeks_end_with_the_last_day_that_was_told(rich: Path) -> None:
    with View.open(rich / "view.db") as view:
        found = weeks_of(view, ["react", "fast-csv"], NOW)
        days = {one.day: one.count for one in view.days("react")}
    assert set(found) == {"react"}
    assert len(found["react"]) == SPARK_WEEKS
    assert found["react"][-1] == sum(days[day] for day in range(TODAY - 7, TODAY))
    assert found["react"].count(None) == SPARK_WEEKS - DAYS // 7


def test_days_are_dates() -> None:
    assert day_asked(None) is None
    assert day_asked("") is None
    assert day_asked("2026-09-21") == TODAY
    for wrong in ("20260921", "2026-W39-1", "2026-9-21", "x" * 10):
        with pytest.raises(BadRequestError):
            day_asked(wrong)
