"""Posting: one after the other, at a pace, remembered; what broke off before goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pkgstats.posting.pace import REFUSED_MAX_S
from pkgstats.posting.poster import BusyError, RefusedError, UnfitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pkgstats.posting.choosing import Post
    from pkgstats.posting.memory import Begun, Memory
    from pkgstats.posting.pace import Pace
    from pkgstats.posting.poster import Poster

WAITS_MAX: Final = 2
"""How often is waited to offer a post again where too many are said to come."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a run has done.

    Attributes:
        made: texts that were posted, in this order.
        left: posts that have to wait, since there were enough in 24 hours.
    """

    made: tuple[str, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Posting:
    """Hands posts to a poster.

    Attributes:
        poster, memory, pace: see there.
        clock: seconds since 1970.
        sleep: waits so many seconds.
        told: is told what is waited for.
    """

    poster: Poster
    memory: Memory
    pace: Pace
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    told: Callable[[str], None] = lambda _: None

    async def run(self, posts: Sequence[Post]) -> Posted:
        """Post what was left unsure, and then these.

        Raises:
            PostError: one was not posted, or nobody knows; the next run goes on from there.
        """
        unsure = self.memory.unsure(self.clock() - self.poster.knows_again_s)
        made = [await self._make(begun, again=True) for begun in unsure]
        for number, post in enumerate(posts):
            if not await self._turn():
                return Posted(tuple(made), len(posts) - number)
            begun_now = self.memory.begin(post, self.clock())
            if begun_now is not None:
                made.append(await self._make(begun_now))
        return Posted(tuple(made), 0)

    async def _turn(self) -> bool:
        """Wait until the next may go; False: not in this run."""
        while wait := self.pace.wait(self.memory.sent(self.clock()), self.clock()):
            self.told(f"the next post goes in {wait:,.0f} s")
            await self.sleep(wait)
        return wait is not None

    async def _make(self, begun: Begun, *, again: bool = False) -> str:
        key = begun.post.key
        try:
            await self._offer(begun)
        except (BusyError, RefusedError):
            if not again:  # the first time may have got through
                self.memory.withdraw(key)
            raise
        except UnfitError:
            self.memory.made(key, self.clock())  # else each run would end here
            raise
        self.memory.made(key, self.clock())
        return begun.post.text

    async def _offer(self, begun: Begun) -> None:
        for _ in range(WAITS_MAX):
            try:
                await self.poster.send(begun.post.text, begun.token)
            except BusyError as error:
                if error.wait_s > REFUSED_MAX_S:
                    raise
                self.told(str(error))
                await self.sleep(error.wait_s)
            else:
                return
        await self.poster.send(begun.post.text, begun.token)
