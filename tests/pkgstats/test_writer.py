from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hypermultifeed import Multifeed, memory
from pkgstats import writer
from pkgstats.dataset import shipped
from pkgstats.facts import fact_from_value
from pkgstats.writer import Progress, append_rest, part_of, run_writer, write, writer_name

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


def test_the_parts_are_everything_once() -> None:
    parts = [part_of(part, 3) for part in range(3)]
    assert sorted(fact for part in parts for fact in part) == sorted(shipped())
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert {writer_name(part) for part in range(3)} == {"writer-1", "writer-2", "writer-3"}


async def test_appending_goes_on_where_it_stopped() -> None:
    facts = shipped()[:1000]
    told: list[int] = []
    end = asyncio.Event()
    async with Multifeed(memory(), key=KEY, value_encoding="json") as multi:
        feed = await multi.writer("writer-1")
        await feed.extend([fact.to_value() for fact in facts[:7]])
        await append_rest(feed, facts, lambda: told.append(feed.length), end)
        assert told == [257, 507, 757, 1000]
        assert [fact_from_value(value) async for value in feed.read()] == list(facts)
        await append_rest(feed, facts, lambda: told.append(-1), end)
    assert told[-1] == 1000


async def test_appending_stops_when_asked() -> None:
    end = asyncio.Event()
    async with Multifeed(memory(), key=KEY, value_encoding="json") as multi:
        feed = await multi.writer("writer-1")
        await append_rest(feed, shipped()[:1000], end.set, end)
        assert feed.length == writer.APPEND_BATCH


async def test_it_tells_its_parent_and_ends_when_asked(tmp_path: Path) -> None:
    told: list[Progress] = []
    end = asyncio.Event()

    def say(progress: Progress) -> None:
        told.append(progress)
        if progress["length"] == progress["total"]:
            end.set()

    await write(tmp_path / "w", KEY, 39, 40, say=say, asked_to_end=end)
    assert [said["length"] for said in told] == [0, 250, 500]
    assert {said["total"] for said in told} == {500}
    async with Multifeed(tmp_path / "w", key=KEY) as multi:
        assert [feed.key.hex() for feed in multi.feeds()] == [told[0]["feed"]]


def test_the_process_ends_with_its_parents_pipe(tmp_path: Path) -> None:
    options = ["--data", str(tmp_path / "w"), "--part", "0", "--parts", "200"]
    result = subprocess.run(
        [sys.executable, "-m", "pkgstats", "writer", *options],
        input=KEY.hex() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert said[0]["length"] == 0
    assert said[0]["port"] > 0
    assert result.stderr == ""


def test_a_key_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("no key\n"))
    with pytest.raises(ValueError, match="hexadecimal"):
        run_writer(tmp_path / "w", 0, 2)
