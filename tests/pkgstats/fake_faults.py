"""What can go wrong with an answer: each function gives one fault, to be scripted beforehand."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Writes what a client gets instead of an answer; the connection is closed after it."""


def head(status: int, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} scripted"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def raw(data: bytes) -> Fault:
    """Exactly these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def body(data: bytes, status: int = 200, **headers: str) -> Fault:
    """This body, whatever was asked for."""
    return raw(head(status, content_length=str(len(data)), connection="close", **headers) + data)


def refusal(retry_after: str | None = None, status: int = 429) -> Fault:
    """Too many requests; ``retry_after`` in seconds or as a date, or none at all."""
    headers = {} if retry_after is None else {"retry_after": retry_after}
    return body(b'{"error":"too many requests"}', status, **headers)


def failure(status: int = 500) -> Fault:
    return body(b"<html>something went wrong</html>", status)


def hang_up() -> Fault:
    """The connection ends before a byte of an answer."""
    return raw(b"")


def wrong_length(data: bytes, claimed: int) -> Fault:
    """A content-length that is not the body's: longer, so it is cut off, or shorter."""
    return raw(head(200, content_length=str(claimed), content_type="application/json") + data)


def cut_chunks(data: bytes) -> Fault:
    """A chunked body whose end never comes."""
    return raw(head(200, transfer_encoding="chunked") + b"%x\r\n%s\r\n" % (len(data), data))


def stall(data: bytes = b"{") -> Fault:
    """The head and a byte, then silence until the client gives up."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, content_length="1000") + data)
        await writer.drain()
        await writer.wait_closed()

    return answer


def endless() -> Fault:
    """A body without a length that goes on until the client hangs up."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, connection="close"))
        while not writer.is_closing():
            writer.write(b'"' + b"x" * 65_535)
            await writer.drain()

    return answer


def gzip_bomb(megabytes: int) -> Fault:
    """A small body that unpacks to many zeros."""
    data = gzip.compress(b"\0" * (megabytes << 20), compresslevel=9)
    return body(data, content_encoding="gzip")


def redirect(location: str, status: int = 302) -> Fault:
    return body(b"", status, location=location)


def deep_json(depth: int = 100_000) -> Fault:
    return body(b"[" * depth + b"]" * depth)


def wide_json(items: int = 2_000_000) -> Fault:
    """Few bytes an item, much memory."""
    return body(b"[" + b"[]," * items + b"[]]")


def big_head(size: int = 1 << 20) -> Fault:
    """More headers than anybody needs."""
    return raw(b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * size + b"\r\n\r\n")
