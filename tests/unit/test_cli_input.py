from __future__ import annotations

import asyncio
import io
import os
import threading
from typing import TYPE_CHECKING, BinaryIO

import pytest

from hypermultifeed.cli import input as cli_input
from hypermultifeed.cli.input import blocks, chunks, lines

if TYPE_CHECKING:
    from pathlib import Path


async def all_lines(data: bytes) -> list[bytes]:
    return [line async for batch in lines(io.BytesIO(data)) for line in batch]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 1000])
async def test_lines_do_not_depend_on_how_they_arrive(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", chunk_bytes)
    assert await all_lines(b"") == []
    assert await all_lines(b"a") == [b"a"]
    assert await all_lines(b"a\nbc\r\n\n\xff\n") == [b"a", b"bc", b"", b"\xff"]


async def test_a_line_without_end_is_cut_where_it_can_be_no_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", 10)
    monkeypatch.setattr(cli_input, "LINE_BYTES_MAX", 25)
    assert await all_lines(b"x" * 1000) == [b"x" * 30]


class Pipe:
    """Two ends of a pipe as files."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.output: BinaryIO = os.fdopen(reading, "rb")

    def write(self, data: bytes) -> None:
        os.write(self._writing, data)

    def close(self) -> None:
        os.close(self._writing)


async def test_what_has_arrived_is_not_held_back() -> None:
    pipe = Pipe()
    with pipe.output:
        source = lines(pipe.output)
        pipe.write(b"one\nhal")
        assert await anext(source) == [b"one"]
        pipe.write(b"f\n")
        assert await anext(source) == [b"half"]
        pipe.close()
        with pytest.raises(StopAsyncIteration):
            await anext(source)


async def test_waiting_for_input_can_be_cancelled() -> None:
    pipe = Pipe()
    before = set(threading.enumerate())
    waiting = asyncio.ensure_future(anext(chunks(pipe.output)))
    await asyncio.sleep(0)
    (reading,) = [t for t in set(threading.enumerate()) - before if t.name == "input"]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pipe.close()  # which lets the reading thread go
    await asyncio.to_thread(reading.join, 10)
    assert not reading.is_alive()
    pipe.output.close()


async def test_a_source_may_be_closed_while_its_next_bytes_are_read() -> None:
    closed = threading.Event()

    class Source(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            chunk = super().read(size)
            if chunk:
                return chunk
            closed.wait(10)
            return super().read(size)

    before = set(threading.enumerate())
    source = Source(b"one\n")
    async for batch in lines(source):
        assert batch == [b"one"]
        break
    (reading,) = [t for t in set(threading.enumerate()) - before if t.name == "input"]
    source.close()
    closed.set()
    await asyncio.to_thread(reading.join, 10)
    assert not reading.is_alive()  # and pytest fails on an exception in a thread


async def test_several_sources_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    (tmp_path / "b").write_bytes(b"3")
    sources = (str(tmp_path / "a"), str(tmp_path / "b"))
    assert [block async for batch in blocks(sources, "lines") for block in batch] == [
        b"1",
        b"2",
        b"3",
    ]
    assert [batch async for batch in blocks(sources, "files")] == [[b"1\n2\n"], [b"3"]]


async def test_a_read_that_fails_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        await anext(chunks(io.FileIO(os.open(tmp_path, os.O_RDONLY), "rb")))
