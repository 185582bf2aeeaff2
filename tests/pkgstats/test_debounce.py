"""What changes many times in a row is answered once, and not too late."""

from __future__ import annotations

import asyncio

import pytest
from tests.faults.virtual_time import virtual_time

from pkgstats.debounce import IMPATIENT_S, QUIET_S, REST, Debounce, rested


def now() -> float:
    return asyncio.get_running_loop().time()


async def change(changes: Debounce, times: int) -> float:
    """Change, again and again, before it is quiet; returns when it was the last time."""
    for _ in range(times):
        await asyncio.sleep(QUIET_S / 2)
        changes.note()
    return now()


@virtual_time
async def test_it_is_quiet_a_while_after_the_last_change() -> None:
    changes = Debounce()
    changing = asyncio.create_task(change(changes, 50))
    await changes.quiet()
    assert changing.done()
    assert now() - await changing == pytest.approx(QUIET_S)


@virtual_time
async def test_where_it_is_never_quiet_there_is_an_end_to_patience() -> None:
    changes, began = Debounce(), now()
    changing = asyncio.create_task(change(changes, 10_000))
    await changes.quiet()
    assert now() - began == pytest.approx(IMPATIENT_S)
    changing.cancel()


@virtual_time
async def test_what_changes_at_the_last_moment_is_not_answered_twice() -> None:
    changes = Debounce()
    asyncio.get_running_loop().call_later(IMPATIENT_S, changes.note)
    changing = asyncio.create_task(change(changes, 10_000))
    await changes.quiet()
    changing.cancel()
    waiting = asyncio.create_task(changes.change())
    await asyncio.sleep(IMPATIENT_S)
    assert not waiting.done()
    waiting.cancel()


@virtual_time
async def test_a_change_counts_once_it_is_quiet_only_if_it_comes_later() -> None:
    changes = Debounce()
    changes.note()
    await changes.quiet()
    waiting = asyncio.create_task(changes.change())
    await asyncio.sleep(QUIET_S)
    assert not waiting.done()
    changes.note()
    await waiting
    await changes.change()


@virtual_time
async def test_what_takes_long_is_done_seldom() -> None:
    began = now()
    assert await rested(asyncio.sleep(12, "done")) == "done"
    assert now() - began == pytest.approx(12 + REST * 12)
