from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pkgstats.posting.choosing import Post
from pkgstats.posting.memory import Memory
from pkgstats.posting.pace import DAY_S, REFUSED_MAX_S, Pace
from pkgstats.posting.poster import BusyError, LostError, RefusedError, UnfitError
from pkgstats.posting.running import WAITS_MAX, Posted, Posting
from pkgstats.posting.to_mastodon import KNOWS_AGAIN_S, MastodonPoster
from pkgstats.posting.to_stream import StreamPoster

from .stand_in import TOKEN, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_790_000_000.0
POSTS = [Post(f"popular:{name}", f"text {name}") for name in "abc"]
TEXTS = tuple(post.text for post in POSTS)


class Clock:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Bench:
    """A stand-in, a memory and a clock, which last over several runs."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.file = folder / "posts.db"
        self.clock = Clock()
        self.told: list[str] = []

    async def run(self, posts: list[Post], pace: Pace | None = None) -> Posted:
        poster = MastodonPoster(self.server.url, TOKEN, clock=self.clock)
        with Memory(self.file, poster.place) as memory:
            known = memory.known(self.clock.now)
            new = [post for post in posts if post.key not in known]
            return await self.posting(poster, memory, pace or Pace()).run(new)

    def posting(self, poster: MastodonPoster, memory: Memory, pace: Pace) -> Posting:
        return Posting(poster, memory, pace, self.clock, self.clock.sleep, self.told.append)

    def later(self, seconds: float) -> None:
        self.clock.now += seconds
        self.clock.slept.clear()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Server() as server:
        yield Bench(server, tmp_path)


async def test_posts_go_one_a_minute(bench: Bench) -> None:
    assert await bench.run(POSTS) == Posted(TEXTS, 0)
    assert bench.server.posts == list(TEXTS)
    assert bench.clock.slept == [60, 60]
    assert bench.told[0] == "the next post goes in 60 s"


async def test_nothing_is_posted_twice_over_runs(bench: Bench) -> None:
    await bench.run(POSTS[:2])
    bench.later(1)
    assert await bench.run(POSTS) == Posted(("text c",), 0)
    assert bench.clock.slept == [59]
    assert await bench.run(POSTS) == Posted((), 0)
    assert len(bench.server.asked) == 3


async def test_a_day_has_so_many_posts(bench: Bench) -> None:
    pace = Pace(gap_s=1, day_max=2)
    assert await bench.run(POSTS, pace) == Posted(("text a", "text b"), 1)
    bench.later(DAY_S - 1)
    assert await bench.run(POSTS, pace) == Posted(("text c",), 0)


async def test_too_many_are_waited_for(bench: Bench) -> None:
    bench.server.script(429, {"retry-after": "30"})
    bench.server.script(429, {"x-ratelimit-reset": "2026-09-21T14:17:10Z"})
    assert await bench.run(POSTS[:1]) == Posted(("text a",), 0)
    assert bench.clock.slept == [30, 200]
    keys = {asked.headers["idempotency-key"] for asked in bench.server.asked}
    assert len(bench.server.asked) == 3
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("wait", "times", "slept"), [(REFUSED_MAX_S + 1, 1, 0), (5, WAITS_MAX + 1, WAITS_MAX)]
)
async def test_who_refuses_for_too_long_is_asked_in_the_next_run(
    bench: Bench, wait: float, times: int, slept: int
) -> None:
    for _ in range(times):
        bench.server.script(429, {"retry-after": f"{wait:.0f}"})
    with pytest.raises(BusyError):
        await bench.run(POSTS[:1])
    assert len(bench.clock.slept) == slept
    assert await bench.run(POSTS[:1]) == Posted(("text a",), 0)


async def test_a_post_whose_answer_was_lost_is_made_once(bench: Bench) -> None:
    bench.server.script(0, taken=True)
    with pytest.raises(LostError):
        await bench.run(POSTS[:2])
    bench.later(100)
    assert await bench.run(POSTS[:2]) == Posted(("text a", "text b"), 0)
    assert bench.server.posts == ["text a", "text b"]
    tokens = [asked.headers["idempotency-key"] for asked in bench.server.asked]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_a_lost_one_that_nobody_would_know_again_stays_away(bench: Bench) -> None:
    bench.server.script(0, taken=True)
    with pytest.raises(LostError):
        await bench.run(POSTS[:1])
    bench.later(KNOWS_AGAIN_S)
    assert await bench.run(POSTS[:1]) == Posted((), 0)
    assert len(bench.server.asked) == 1


async def test_a_lost_one_is_not_begun_anew_after_a_refusal(bench: Bench) -> None:
    """The first time may have got through; under another key it would be posted twice."""
    bench.server.script(0, taken=True)
    with pytest.raises(LostError):
        await bench.run(POSTS[:1])
    bench.server.script(401)
    with pytest.raises(RefusedError):
        await bench.run(POSTS[:1])
    await bench.run(POSTS[:1])
    assert bench.server.posts == ["text a"]


async def test_what_was_refused_is_tried_again(bench: Bench) -> None:
    bench.server.script(401)
    with pytest.raises(RefusedError):
        await bench.run(POSTS)
    assert await bench.run(POSTS[:1]) == Posted(("text a",), 0)


async def test_a_text_that_is_not_taken_does_not_stop_the_next_run(bench: Bench) -> None:
    bench.server.script(422)
    with pytest.raises(UnfitError):
        await bench.run(POSTS)
    assert await bench.run(POSTS) == Posted(("text b", "text c"), 0)


async def test_ctrl_c_while_waiting_loses_nothing(bench: Bench) -> None:
    async def interrupted(seconds: float) -> None:
        raise asyncio.CancelledError(seconds)

    sleep, bench.clock.sleep = bench.clock.sleep, interrupted  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await bench.run(POSTS)
    assert bench.server.posts == ["text a"]
    bench.clock.sleep = sleep  # type: ignore[method-assign]
    assert (await bench.run(POSTS)).made == ("text b", "text c")


async def test_what_another_process_has_begun_is_its_own(bench: Bench) -> None:
    poster = MastodonPoster(bench.server.url, TOKEN)
    with Memory(bench.file, poster.place) as ours, Memory(bench.file, poster.place) as theirs:
        theirs.begin(POSTS[0], NOW)
        posting = bench.posting(poster, ours, Pace(gap_s=0))
        bench.clock.now += KNOWS_AGAIN_S
        assert (await posting.run(POSTS)).made == ("text b", "text c")


async def test_a_file_or_stream_is_written_to_at_most_once(tmp_path: Path) -> None:
    written: list[str] = []
    with Memory(tmp_path / "posts.db", "-") as memory:
        memory.begin(POSTS[0], NOW)
        posting = Posting(StreamPoster(written.append), memory, Pace(gap_s=0), lambda: NOW)
        assert await posting.run(POSTS) == Posted(("text b", "text c"), 0)
    assert written == ["text b\n\n", "text c\n\n"]
