"""Blocks from files and from standard input, as they come."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hypermultifeed.codecs import resolve_codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import BinaryIO

CHUNK_BYTES: Final = 1 << 18
CHUNKS_WAITING_MAX: Final = 4
LINE_BYTES_MAX: Final = 16 << 20
"""A longer line cannot be a block; what was read of it is handed on to be refused as one."""


async def chunks(source: BinaryIO) -> AsyncIterator[bytes]:
    """Bytes of a stream as they arrive; Ctrl-C is not held up by a read that waits for a person.

    The reading thread is left behind in its read when nobody wants its bytes any more. It reads the
    descriptor itself: a thread that holds Python's buffer lock would break the interpreter's exit.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | OSError | ValueError] = asyncio.Queue()
    room = threading.Semaphore(CHUNKS_WAITING_MAX)
    read = reader_of(source)

    def work() -> None:
        chunk: bytes | OSError | ValueError = b"more"
        while chunk and isinstance(chunk, bytes):
            room.acquire()
            try:
                chunk = read()
            except (OSError, ValueError) as error:  # ValueError: the source was closed meanwhile
                chunk = error
            with suppress(RuntimeError):  # the loop is closed: nobody is waiting
                loop.call_soon_threadsafe(arrived.put_nowait, chunk)

    threading.Thread(target=work, name="input", daemon=True).start()
    while chunk := await arrived.get():
        if not isinstance(chunk, bytes):
            raise chunk
        room.release()
        yield chunk


def reader_of(source: BinaryIO) -> Callable[[], bytes]:
    """How to read some bytes, as soon as there are any."""
    try:
        descriptor = source.fileno()
    except OSError:
        return lambda: source.read(CHUNK_BYTES)
    return lambda: os.read(descriptor, CHUNK_BYTES)


async def lines(source: BinaryIO) -> AsyncIterator[list[bytes]]:
    """The lines of a stream without their ends, in batches as they arrive."""
    rest = b""
    async for chunk in chunks(source):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield [line.removesuffix(b"\r") for line in whole]
        if len(rest) > LINE_BYTES_MAX:
            break
    if rest:
        yield [rest]


async def blocks(sources: tuple[str, ...], kind: str) -> AsyncIterator[list[bytes]]:
    """The blocks that the sources (``-``: standard input) hold, in batches.

    Args:
        sources: paths; none means standard input.
        kind: ``lines``, ``json`` (each line is one value) or ``files`` (each source is one block).

    Raises:
        click.ClickException: a line is no JSON; it says which.
    """
    for source in sources or ("-",):
        with opened_source(source) as stream:
            if kind == "files":
                yield [b"".join([chunk async for chunk in chunks(stream)])]
                continue
            number = 0
            async for batch in lines(stream):
                yield batch if kind == "lines" else list(json_blocks(batch, source, number))
                number += len(batch)


def json_blocks(batch: list[bytes], source: str, number: int) -> Iterator[bytes]:
    """The lines of a batch as JavaScript's JSON encoding has them."""
    codec = resolve_codec("json")
    for line_number, line in enumerate(batch, number + 1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise click.ClickException(f"{source}, line {line_number}: no JSON: {error}") from error
        yield codec.encode(value)


def opened_source(source: str) -> BinaryIO:
    """A file, or standard input, with a word to a person who might wait for something."""
    if source != "-":
        return Path(source).open("rb")
    if sys.stdin.isatty():
        click.echo("type lines; Ctrl-D ends", err=True)
    return sys.stdin.buffer
