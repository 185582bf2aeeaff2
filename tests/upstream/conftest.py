"""What the upstream suites need: cores, stores, multifeeds that close themselves; joined streams.

Everything here goes through the public interface; a test that needs more says so itself.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from hypermultifeed.corestore import Corestore
from hypermultifeed.hypercore import Hypercore
from hypermultifeed.multifeed import Multifeed
from hypermultifeed.storage import memory
from hypermultifeed.stream import ReplicationStream, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


SAFETY_S = 30.0  # no test waits for time to pass; this only ends one that hangs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test of this folder that waits for what never happens fail instead of hanging."""
    here = Path(__file__).parent
    for item in items:
        function = getattr(item, "obj", None)
        if item.path.parent == here and inspect.iscoroutinefunction(function):
            item.obj = _bounded(function)  # type: ignore[attr-defined]


def _bounded(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(SAFETY_S):
            await function(*arguments, **named)

    return run


@pytest.fixture
def with_timers() -> None:
    """For a test that is about a limit in time."""


@pytest.fixture(autouse=True)
def _without_timers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is awaited here must come from what peers say, never from a timer."""
    if "with_timers" not in request.fixturenames:
        monkeypatch.setattr(ReplicationStream, "_arm", lambda _stream, _loop: None)


class Joined:
    """Two streams that are being run against each other."""

    def __init__(self, left: ReplicationStream, right: ReplicationStream) -> None:
        self.left = left
        self.right = right
        self.task = asyncio.create_task(link(left, right))

    async def ended(self) -> None:
        """Return when both sides are done; raise what either raised."""
        await self.task

    async def close(self) -> None:
        """Close both sides and wait for the end, however it comes."""
        await self.left.close()
        await self.right.close()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes at the end of the test what the test opened, newest first."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest_asyncio.fixture
async def join(stack: AsyncExitStack) -> Callable[..., Joined]:
    """``join(left, right)`` runs two streams against each other until the test ends."""

    def join(left: ReplicationStream, right: ReplicationStream) -> Joined:
        joined = Joined(left, right)
        stack.push_async_callback(joined.close)
        return joined

    return join


@pytest_asyncio.fixture
async def replicate(join: Callable[..., Joined]) -> Callable[..., Joined]:
    """``replicate(a, b, live=True)`` joins two cores, stores or multifeeds; not live by default."""

    def replicate(a: Any, b: Any, *, theirs: dict[str, Any] | None = None, **ours: Any) -> Joined:
        ours.setdefault("live", False)
        theirs = ours if theirs is None else {"live": ours["live"], **theirs}
        return join(a.replicate(initiator=True, **ours), b.replicate(initiator=False, **theirs))

    return replicate


@pytest_asyncio.fixture
async def core(stack: AsyncExitStack) -> Callable[..., Awaitable[Hypercore]]:
    """``await core(key)`` opens a core in memory; without a key a writable one."""

    async def core(key: bytes | None = None, *, storage: Any = None, **options: Any) -> Hypercore:
        opened = Hypercore(memory() if storage is None else storage, key, **options)
        return await stack.enter_async_context(opened)

    return core


@pytest_asyncio.fixture
async def corestore(stack: AsyncExitStack) -> Callable[..., Awaitable[Corestore]]:
    """``await corestore()`` opens a store in memory."""

    async def corestore(storage: Any = None, **options: Any) -> Corestore:
        opened = Corestore(memory() if storage is None else storage, **options)
        return await stack.enter_async_context(opened)

    return corestore


@pytest_asyncio.fixture
async def multifeed(stack: AsyncExitStack) -> Callable[..., Awaitable[Multifeed]]:
    """``await multifeed()`` opens a JSON multifeed in memory."""

    async def multifeed(storage: Any = None, **options: Any) -> Multifeed:
        options.setdefault("value_encoding", "json")
        options.setdefault("key", bytes([7]) * 32)
        opened = Multifeed(memory() if storage is None else storage, **options)
        return await stack.enter_async_context(opened)

    return multifeed
