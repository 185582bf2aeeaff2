"""The process that renders: it starts, answers, is ended in time, and starts again."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pkgstats.markup import renderer as module
from pkgstats.markup.cache import Cache
from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.rendered import HTML_BYTES_MAX, RenderError
from pkgstats.markup.renderer import Renderer
from pkgstats.records.model import README_BYTES_MAX

from .allowed import problems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BASE = Base("owner/name")
SLOW = "![" * (README_BYTES_MAX // 2)


@asynccontextmanager
async def running(cache: Cache | None = None, seconds_max: float = 60.0) -> AsyncIterator[Renderer]:
    renderer = Renderer(cache, seconds_max=seconds_max)
    try:
        yield renderer
    finally:
        await renderer.close()


def process_of(renderer: Renderer) -> int:
    assert renderer._process is not None
    return renderer._process.pid


async def test_it_renders_as_it_would_here() -> None:
    async with running() as renderer:
        for text in ("# a", "[b](c) ![d](e)\n\ud800"):
            assert await renderer.render(text, BASE, images=True) == render(
                text, base=BASE, images=True
            )


async def test_what_takes_too_long_is_ended_and_not_tried_again() -> None:
    async with running() as renderer:
        await renderer.render("a", BASE, images=False)
        first = process_of(renderer)
        renderer._seconds_max = 0.2
        with pytest.raises(RenderError, match=r"longer than 0\.2 s"):
            await renderer.render(SLOW, BASE, images=False)
        assert renderer._process is None
        with pytest.raises(RenderError, match="longer"):
            await renderer.render(SLOW, BASE, images=False)
        assert renderer._process is None
        renderer._seconds_max = 60.0
        assert (await renderer.render("b", BASE, images=False)).html == "<p>b</p>\n"
        assert process_of(renderer) != first


async def test_a_caller_who_gives_up_leaves_no_half_an_answer() -> None:
    async with running() as renderer:
        await renderer.render("a", BASE, images=False)
        slow = asyncio.create_task(renderer.render(SLOW, BASE, images=False))
        while not renderer._turn.locked():
            await asyncio.wait({slow}, timeout=0.001)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await renderer.render("b", BASE, images=False)).html == "<p>b</p>\n"


async def test_a_process_that_died_is_replaced() -> None:
    async with running() as renderer:
        await renderer.render("a", BASE, images=False)
        assert renderer._process is not None
        renderer._process.kill()
        await renderer._process.wait()
        assert (await renderer.render("b", BASE, images=False)).html == "<p>b</p>\n"


async def test_what_cannot_be_rendered_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = "import sys; f = sys.stdout.buffer; f.write(bytes(4)); f.flush(); sys.stdin.read(1)"
    for answer in ("f.write(bytes(4))", "f.write(b'abc')", "f.write(bytes([255]) * 9)", "pass"):
        monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", f"{ready}; {answer}"))
        async with running() as renderer:
            with pytest.raises(RenderError, match="cannot be rendered"):
                await renderer.render("a", BASE, images=False)


async def test_a_process_that_cannot_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (("no-such-program-anywhere",), (sys.executable, "-c", "pass")):
        monkeypatch.setattr(module, "COMMAND", command)
        async with running() as renderer:
            with pytest.raises(RenderError, match="rendered here"):
                await renderer.render("a", BASE, images=False)
            assert not renderer._failed  # it is not the text's fault


async def test_many_wait_and_more_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    async with running() as renderer:
        tasks = [renderer.render(f"{number}", BASE, images=False) for number in range(5)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [one for one in found if isinstance(one, RenderError)]
        assert len(refused) == 2
        assert "too many" in str(refused[0])


async def test_failed_texts_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAILED_MAX", 1)
    async with running(seconds_max=0) as renderer:
        for text in ("a", "b"):
            with pytest.raises(RenderError):
                await renderer.render(text, BASE, images=False)
        assert len(renderer._failed) == 1


async def test_what_is_in_the_cache_needs_no_process(tmp_path: Path) -> None:
    async with running(Cache(tmp_path)) as renderer:
        first = await renderer.render("a", BASE, images=False)
        await renderer.close()
        assert await renderer.render("a", BASE, images=False) == first
        assert renderer._process is None


async def test_two_who_ask_for_the_same_have_it_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    async with running(Cache(tmp_path)) as renderer:
        ask = renderer._ask

        async def counted(process: asyncio.subprocess.Process, question: bytes) -> object:
            made.append(question)
            return await ask(process, question)

        monkeypatch.setattr(renderer, "_ask", counted)
        one, two = await asyncio.gather(
            *(renderer.render("a", BASE, images=False) for _ in range(2))
        )
        assert one == two
        assert len(made) == 1


async def test_a_text_that_is_cut_says_so_from_the_cache_too(tmp_path: Path) -> None:
    async with running(Cache(tmp_path)) as renderer:
        long = "a" * (README_BYTES_MAX + 1)
        assert (await renderer.render(long[:-1], BASE, images=False)).cut is False
        assert (await renderer.render(long, BASE, images=False)).cut is True


K = 1 << 16
HOSTILE = {
    "one letter": "a" * README_BYTES_MAX,
    "quotes": "> " * 4 * K + "a",
    "lists": "".join(f"{'  ' * depth}- a\n" for depth in range(600)),
    "brackets": "[" * 4 * K,
    "links": "[a](" * K,
    "backticks": "".join("`" * count + " " for count in range(1, 900)),
    "stars": "*a **b " * K,
    "angles": "<" * 8 * K,
    "elements": "<div>" * K,
    "open links": "<a href=x>" * K,
    "headings": "# a\n" * K,
    "a wide table": "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + "|\n" * 2000,
    "definitions": "".join(f"[{number}]: /u\n" for number in range(40_000)),
    "one definition": "[a]: /" + "x" * 5000 + "\n\n" + "[a] " * K,
    "entities": "&" * 8 * K,
    "regular expressions": ("```js\n" + "/" * 19_000 + "\n```\n") * 5,
    "comments": "<!--" * K,
}


async def test_hostile_texts_are_rendered_or_ended() -> None:
    """With less time than a page has, so that this ends soon: each is bounded, none does harm."""
    async with running(seconds_max=0.15) as renderer:
        for name, text in HOSTILE.items():
            try:
                found = await renderer.render(text, BASE, images=True)
            except RenderError as error:
                assert "longer than" in str(error), name  # noqa: PT017 - either is fine
            else:
                assert len(found.html.encode()) <= HTML_BYTES_MAX, name
                assert not problems(found.html), name
