"""An event loop whose clock jumps: hours of waiting pass at once, and nothing ever sleeps.

When nothing is ready, the clock goes on to the next timer. Sockets of this machine deliver at
once, so that they can be used too; while a thread works, the clock stands.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import selectors
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HANG_S = 12 * 3600.0
"""A test that takes longer, by the virtual clock, hangs."""


class _Selector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.loop.threads:
            return super().select(None if self.loop.threads else timeout)
        if self.loop.settling:  # a thread has ended; others may still be told of it
            self.loop.settling = False
            return super().select(0.01)
        self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; ``now`` is its clock in seconds, ``threads`` the calls under way in threads."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        self.threads = 0
        self.settling = False
        self._lock = threading.Lock()
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def counting(self) -> Callable[..., Future[Any]]:
        """What starts work in a thread, while this loop runs; threads may start others."""
        submit = ThreadPoolExecutor.submit

        def counted(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any) -> Any:
            with self._lock:
                self.threads += 1
            future = submit(pool, work, *args)
            future.add_done_callback(self._thread_done)
            return future

        return counted

    def _thread_done(self, _: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        with self._lock:
            self.threads -= 1
        self.settling = True


def virtual_time(
    test: Callable[..., Awaitable[None]], *, hang_s: float = HANG_S
) -> Callable[..., None]:
    """Run a test on a `VirtualLoop`; any exception that reaches nobody fails it."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        stray: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: stray.append(context)
            )
            async with asyncio.timeout(hang_s):
                await test(*arguments, **named)

        loop = VirtualLoop()
        with (
            patch.object(ThreadPoolExecutor, "submit", loop.counting()),
            asyncio.Runner(loop_factory=lambda: loop) as runner,
        ):
            runner.run(bounded())
            gc.collect()  # a task that failed unseen says so when it is forgotten
        assert stray == []

    return run
