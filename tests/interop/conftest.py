"""Everything in this folder needs live JavaScript peers, and says so where it is skipped."""

from __future__ import annotations

import asyncio
import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .js_peer import why_not

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HERE = Path(__file__).parent

SAFETY_S = 60.0  # no test waits for time to pass; this only ends one that hangs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, bound them, and skip them where there is no JavaScript."""
    reason = why_not()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.interop)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
        function = getattr(item, "obj", None)
        if inspect.iscoroutinefunction(function):
            item.obj = _bounded(function)  # type: ignore[attr-defined]


def _bounded(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(SAFETY_S):
            await function(*arguments, **named)

    return run
