"""What all handlers work with."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from pkgstats import stopping
from pkgstats.past import PastError
from pkgstats.web.site import now_ms

from .browsing import site_of
from .facts import LISTED, NOW, TODAY, TOOLS

if TYPE_CHECKING:
    from pathlib import Path

    from pkgstats.view.reading import View


async def test_questions_are_answered_by_the_view(rich: Path) -> None:
    async with site_of(rich) as site:
        assert (await site.ask(lambda view: view.counts())).packages == len(LISTED) + TOOLS
        found = await site.ask_at(lambda view: view.package("vue"), None)
    assert found is not None
    assert found.version == "3.5.0"


async def test_what_takes_long_is_answered_in_a_thread(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packages_and_thread(view: View) -> tuple[int, threading.Thread]:
        return view.counts().packages, threading.current_thread()

    async with site_of(rich) as site:
        packages, thread = await site.ask(packages_and_thread)
        assert thread is threading.main_thread()
        monkeypatch.setattr(stopping, "STEPS_BETWEEN_LOOKS", 1)
        monkeypatch.setattr(stopping, "STEPS_AT_ONCE", 1)
        again, thread = await site.ask(packages_and_thread)
    assert thread is not threading.main_thread()
    assert packages == again == len(LISTED) + TOOLS


async def test_other_errors_are_the_askers(rich: Path) -> None:
    def nonsense(view: View) -> None:
        with view.state() as database:
            database.execute("select * from nowhere")

    async with site_of(rich) as site:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await site.ask(nonsense)


async def test_a_search_finds_what_there_is_now(rich: Path) -> None:
    async with site_of(rich) as site:
        found = await site.find("vue", size=5, page=1)
    assert found.exact is not None
    assert found.exact.name == "vue"


async def test_without_earlier_days_only_the_present_is_seen(rich: Path) -> None:
    async with site_of(rich) as site:
        with pytest.raises(PastError, match="only the present"):
            await site.find("vue at:2026-01-01", size=5, page=1)
        with pytest.raises(PastError, match="only the present"):
            await site.ask_at(lambda view: view.counts(), TODAY - 3)


async def test_the_clock_is_the_callers_or_the_machines(rich: Path) -> None:
    async with site_of(rich) as site:
        assert site.clock() == NOW
    assert now_ms() > 1_700_000_000_000
